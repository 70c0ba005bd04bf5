"""`GenerationRequest`: everything that shapes a picture; and `build`, which makes the wire
message of it. No other place makes one (docs/protocol.md 4).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _wire, config_codec, frames, hints, masks, pixels, tensor
from .catalog import Catalog, Model
from .configuration import DEFAULTS, Configuration, ControlSettings, LoraSettings
from .families import Family, family_of_file
from .values import Control, Lora, Mask, Picture, Reference, Size

UNDESCRIBED_WEIGHT = 0.6  # of a LoRA that the server does not describe (docs/protocol.md 2.5)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One generation. `settings` names the model and holds every plain setting.

    `mask` needs `image`. `references` are the pictures of an edit model in order; with
    an `image`, that one comes first. `frames` are the pictures after `image` that a video
    starts from; as many are sent as the model takes. `audio_features` are the two arrays
    that a speaking avatar needs (docs/protocol.md 4.4).
    """

    settings: Configuration
    prompt: str = ""
    negative_prompt: str = ""
    image: Picture | None = None
    mask: Mask | None = None
    loras: tuple[Lora, ...] = ()
    controls: tuple[Control, ...] = ()
    references: tuple[Reference, ...] = ()
    frames: tuple[Picture, ...] = ()
    audio_features: tuple[NDArray[np.float32], ...] = ()

    @property
    def model(self) -> str:
        """The model's file name; "" if none was chosen."""
        return str(self.settings["model"] or "")

    @property
    def size(self) -> Size:
        """The size of the result in px; 0x0 if none was set."""
        return Size(int(self.settings["start_width"]), int(self.settings["start_height"]))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request beside what its server says about the names in it."""

    request: GenerationRequest
    settings: Configuration  # complete: what will be on the wire
    model: Model | None
    family: Family | None
    loras: tuple[LoraSettings, ...]
    controls: tuple[Control, ...]
    catalog: Catalog | None

    @property
    def size(self) -> Size:
        """The size of the result in px."""
        return Size(int(self.settings["start_width"]), int(self.settings["start_height"]))

    @property
    def version(self) -> str:
        """The model's version string; "" where neither server nor table knows it."""
        if self.model is not None:
            return self.model.version
        return self.family.version if self.family else ""


def resolve(request: GenerationRequest, catalog: Catalog | None = None) -> Resolved:
    """Complete the settings and match names with the server's catalogue.

    Display names become file names. What the request leaves open is filled from
    `DEFAULTS`, the size from the model's recommended one.
    """
    model = catalog.model(request.model) if catalog else None
    settings = DEFAULTS.merged(request.settings)
    if model is not None:
        settings = settings.replace(model=model.file)
        if model.default_scale:
            side = model.default_scale * 64
            given = request.settings.explicit
            settings = settings.merged(
                Configuration.of(
                    {k: side for k in ("start_width", "start_height") if k not in given}
                )
            )
    loras = [*settings["loras"]]
    for lora in request.loras:
        known = catalog.lora(lora.file) if catalog else None
        weight = lora.weight
        if weight is None:
            weight = known.default_weight if known else UNDESCRIBED_WEIGHT
        loras.append(LoraSettings(known.file if known else lora.file, weight, lora.mode))
    family = model.family if model else family_of_file(request.model)
    version = model.version if model else family.version if family else ""
    controls = [_control_of(row) for row in settings["controls"]]
    for control in request.controls:
        if not control.file:  # its picture is a hint, and nothing else
            continue
        found = catalog.control(control.file) if catalog else None
        file = found.file if found else control.file
        controls.append(replace(control, file=file, target_blocks=control.blocks(version)))
    if request.mask is not None and request.mask.soft:
        settings = settings.replace(mask_blur=0.0)  # else the server pastes with a seam of its own
    settings = settings.replace(
        loras=tuple(loras), controls=tuple(_settings_of(control, version) for control in controls)
    )
    return Resolved(
        request=request,
        settings=settings,
        model=model,
        family=family,
        loras=tuple(loras),
        controls=tuple(controls),
        catalog=catalog,
    )


def build(resolved: Resolved, *, secret: str | None = None, user: str = "ComfyUI") -> Any:
    """The ImageGenerationRequest of a resolved request (docs/protocol.md 1, 4, Appendix B).

    Call `preflight.refuse` first: this only translates. Raises SettingsError for a value
    that the configuration cannot carry, RequestError for audio features of a wrong length.
    """
    request = resolved.request
    size = resolved.size
    blobs = _Blobs()
    message = _wire.ImageGenerationRequest(
        scaleFactor=1,
        prompt=request.prompt,
        negativePrompt=request.negative_prompt,
        configuration=config_codec.encode(resolved.settings),
        user=user,
        device=_wire.LAPTOP,
        chunked=True,
    )
    if request.image is not None:
        blobs.put(_image(resolved, request.image, size), message, "image")
        if request.mask is not None:
            blobs.put(masks.to_codes(request.mask, request.image.size, size), message, "mask")
    for name, tensors in hints.gather(resolved).items():
        hint = message.hints.add(hintType=name)
        for array, weight in tensors:
            blobs.put(array, hint.tensors.add(weight=weight), "tensor")
    if request.audio_features:
        frames.check_audio_features(resolved, request.audio_features)
        hint = message.hints.add(hintType="audio")
        for array in request.audio_features:
            blobs.put(np.asarray(array, np.float32), hint.tensors.add(weight=1), "tensor")
    message.contents.extend(blobs.contents())
    _describe(resolved, message.override)
    if secret:
        message.sharedSecret = secret
    return message


@dataclass(slots=True)
class _Blobs:
    """Tensors by their SHA-256; each is sent once."""

    _puts: list[tuple[bytes, Any, str]] = field(default_factory=list)

    def put(self, array: NDArray[Any] | bytes, message: Any, name: str) -> None:
        """Let the field of that name in `message` stand for an array or a tensor, from
        `contents` on."""
        data = array if isinstance(array, bytes) else tensor.encode(array)
        self._puts.append((data, message, name))

    def contents(self) -> Iterable[bytes]:
        digests = _digests([data for data, _, _ in self._puts])
        contents: dict[bytes, bytes] = {}
        for (data, message, name), digest in zip(self._puts, digests, strict=True):
            setattr(message, name, digest)
            contents.setdefault(digest, data)
        return contents.values()


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


def _control_of(row: ControlSettings) -> Control:
    return Control(
        file=row.file,
        weight=row.weight,
        start=row.guidance_start,
        end=row.guidance_end,
        mode=row.control_mode,
        input_type=row.input_override,
        down_sampling_rate=row.down_sampling_rate,
        global_average_pooling=row.global_average_pooling,
        target_blocks=row.target_blocks,
    )


def _settings_of(control: Control, version: str) -> ControlSettings:
    return ControlSettings(
        file=control.file,
        weight=control.weight,
        guidance_start=control.start,
        guidance_end=control.end,
        control_mode=control.mode,
        input_override=control.input_type,
        down_sampling_rate=control.down_sampling_rate,
        global_average_pooling=control.global_average_pooling,
        target_blocks=control.blocks(version),
    )


def _describe(resolved: Resolved, override: Any) -> None:
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
