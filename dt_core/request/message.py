"""The wire message of a resolved request; no other place makes one (docs/protocol.md 4)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError, TensorError
from ..models import file_names
from ..pictures import masks, pixels
from ..pictures.values import Picture, Size
from ..settings import flatbuffer
from ..text import Template
from ..wire import protobuf, tensor
from . import frames, hints
from .resolved import Resolved

_NOT_SENT = Template(
    "not_encoded_for_servers",
    "A picture of the request is not encoded as servers take it, so nothing was sent. {why}",
)
_FORM = Template("encoded_form", "It is {codec} and has {rank} dimensions.")
_LENGTH = Template("encoded_length", "It has {count} bytes for {size} of values.")


def build(
    resolved: Resolved, *, secret: str | None = None, user: str = "ComfyUI"
) -> protobuf.ImageGenerationRequest:
    """The ImageGenerationRequest of a resolved request (docs/protocol.md 1, 4, Appendix B).

    Call `preflight.refuse` first: this only translates. Raises SettingsError for a value
    that the configuration cannot carry, RequestError for audio features of a wrong length.
    """
    request = resolved.request
    size = resolved.size
    _check_names(resolved)
    blobs = _Blobs()
    message = protobuf.ImageGenerationRequest(
        scaleFactor=1,
        prompt=request.prompt,
        negativePrompt=request.negative_prompt,
        configuration=flatbuffer.encode(resolved.settings),
        user=user,
        device=protobuf.LAPTOP,
        chunked=True,
    )
    if request.image is not None:
        blobs.put(_image(resolved, request.image, size), message, "image", rank=4)
        if request.mask is not None:
            codes = masks.to_codes(request.mask, request.image.size, size)
            blobs.put(codes, message, "mask", rank=2)
    for name, tensors in hints.gather(resolved).items():
        hint = message.hints.add(hintType=name)
        for array, weight in tensors:
            blobs.put(array, hint.tensors.add(weight=weight), "tensor", rank=4)
    if request.audio_features:
        frames.check_audio_features(resolved, request.audio_features)
        hint = message.hints.add(hintType="audio")
        for array in request.audio_features:
            features = np.asarray(array, np.float32)
            blobs.put(features, hint.tensors.add(weight=1), "tensor", rank=features.ndim)
    message.contents.extend(blobs.contents())
    _describe(resolved, message.override)
    if secret:
        message.sharedSecret = secret
    return message


@dataclass(slots=True)
class _Blobs:
    """Tensors by their SHA-256; each is sent once."""

    _puts: list[tuple[bytes, Any, str]] = field(default_factory=list)

    def put(self, array: NDArray[Any] | bytes, message: Any, name: str, rank: int) -> None:
        """Let the field of that name in `message` stand for an array or a tensor, from
        `contents` on. Raises RequestError for what a server would drop in silence."""
        data = array if isinstance(array, bytes) else tensor.encode(array)
        check_encoded(data, rank)
        self._puts.append((data, message, name))

    def contents(self) -> Iterable[bytes]:
        digests = _digests([data for data, _, _ in self._puts])
        contents: dict[bytes, bytes] = {}
        for (data, message, name), digest in zip(self._puts, digests, strict=True):
            setattr(message, name, digest)
            contents.setdefault(digest, data)
        return contents.values()


def check_encoded(data: bytes, rank: int) -> None:
    """Refuse a tensor that a server would drop in silence, or of which it may die: one of
    another rank, compressed, or not as long as it says (docs/protocol.md 3.5).

    Raises RequestError.
    """
    try:
        header = tensor.read_header(data)
    except TensorError as error:
        raise RequestError(_NOT_SENT(why=error.text)) from None
    if header.codec != "raw" or len(header.shape) != rank:
        raise RequestError(_NOT_SENT(why=_FORM(codec=header.codec, rank=len(header.shape))))
    if len(data) != tensor.HEADER_BYTES + header.size_bytes:
        raise RequestError(_NOT_SENT(why=_LENGTH(count=len(data), size=header.size_bytes)))


def _check_names(resolved: Resolved) -> None:
    """Refuse file names that are none: a server would look for something else.

    Raises RequestError.
    """
    settings = resolved.settings
    for key in ("model", "refiner_model", "upscaler", "face_restoration"):
        if name := str(settings[key] or ""):
            file_names.check(name)
    for row in (*resolved.loras, *settings["controls"]):
        file_names.check(str(row.file or ""))


def _digests(blobs: list[bytes]) -> list[bytes]:
    """SHA-256 of each; side by side, because hashing lets other threads run."""

    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    if len(blobs) < 2:
        return [digest(data) for data in blobs]
    with ThreadPoolExecutor(min(len(blobs), os.cpu_count() or 1)) as threads:
        return list(threads.map(digest, blobs))


def _image(resolved: Resolved, first: Picture, size: Size) -> bytes:
    """The init image, [N, H, W, 3]: one picture, or those that a video starts from."""
    pictures = (first, *resolved.request.frames)
    taken = pictures[: frames.leading(resolved, len(pictures))]

    def fill(out: NDArray[np.float16]) -> None:
        for row, picture in enumerate(taken):
            fitted = pixels.cover(picture.pixels, size.width, size.height)
            pixels.write_picture(fitted, out[row : row + 1])

    return tensor.filled((len(taken), size.height, size.width, 3), fill)


def _describe(resolved: Resolved, override: protobuf.MetadataOverride) -> None:
    """Send back the server's own descriptions of all that is used (docs/protocol.md 7.8)."""
    catalog = resolved.catalog
    if catalog is None:
        return
    settings = resolved.settings
    models = [catalog.model(name) for name in _model_files(resolved)]
    loras = [catalog.lora(lora.file) for lora in resolved.loras]
    controls = [catalog.control(control.file) for control in resolved.controls]
    upscalers = [catalog.upscaler(str(settings["upscaler"] or ""))]
    words = f"{resolved.request.prompt} {resolved.request.negative_prompt}".lower()
    embeddings = [row for row in catalog.embeddings if f"<{row.keyword.lower()}>" in words]
    override.models = _json(models)
    override.loras = _json(loras)
    override.controlNets = _json(controls)
    override.textualInversions = _json(embeddings)
    override.upscalers = _json(upscalers)


def _model_files(resolved: Resolved) -> Iterable[str]:
    settings = resolved.settings
    yield from (str(settings[name]) for name in ("model", "refiner_model") if settings[name])
    if resolved.model is not None:
        for stage in resolved.model.description.get("stage_models") or ():
            yield str(stage)


def _json(entries: Iterable[Any]) -> bytes:
    rows = {entry.file: dict(entry.description) for entry in entries if entry is not None}
    return json.dumps(list(rows.values()), ensure_ascii=False, separators=(",", ":")).encode()
