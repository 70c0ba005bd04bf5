"""`GenerationRequest`: everything that shapes a picture; and `build`, which makes the wire
message of it. No other place makes one (docs/protocol.md 4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from numpy.typing import NDArray

from . import _wire, config_codec, hints, pixels, tensor
from .catalog import Catalog, Model
from .configuration import DEFAULTS, Configuration, ControlSettings, LoraSettings
from .families import Family, family_of_file
from .values import Control, Lora, Mask, Picture, Reference, Size


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One generation. `settings` names the model and holds every plain setting.

    `mask` needs `image`. `references` are the pictures of an edit model in order; with
    an `image`, that one comes first.
    """

    settings: Configuration
    prompt: str = ""
    negative_prompt: str = ""
    image: Picture | None = None
    mask: Mask | None = None
    loras: tuple[Lora, ...] = ()
    controls: tuple[Control, ...] = ()
    references: tuple[Reference, ...] = ()

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
        loras.append(LoraSettings(known.file if known else lora.file, lora.weight, lora.mode))
    controls = [_control_of(row) for row in settings["controls"]]
    for control in request.controls:
        found = catalog.control(control.file) if catalog else None
        controls.append(replace(control, file=found.file) if found else control)
    settings = settings.replace(
        loras=tuple(loras), controls=tuple(_settings_of(control) for control in controls)
    )
    return Resolved(
        request=request,
        settings=settings,
        model=model,
        family=model.family if model else family_of_file(request.model),
        loras=tuple(loras),
        controls=tuple(controls),
        catalog=catalog,
    )


def build(resolved: Resolved, *, secret: str | None = None, user: str = "ComfyUI") -> Any:
    """The ImageGenerationRequest of a resolved request (docs/protocol.md 1, 4, Appendix B).

    Call `preflight.refuse` first: this only translates. Raises SettingsError for a value
    that the configuration cannot carry.
    """
    request = resolved.request
    size = Size(int(resolved.settings["start_width"]), int(resolved.settings["start_height"]))
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
        picture = pixels.cover(request.image.pixels, size.width, size.height)
        message.image = blobs.add(pixels.picture_to_wire(picture))
        if request.mask is not None:
            codes = pixels.mask_to_codes(_fitted(request.mask, request.image.size, size))
            message.mask = blobs.add(codes, codec="zip")
    for name, tensors in hints.gather(
        request.references, resolved.controls, resolved.catalog, size
    ).items():
        hint = message.hints.add(hintType=name)
        for array, weight in tensors:
            hint.tensors.add(tensor=blobs.add(array), weight=weight)
    message.contents.extend(blobs.contents.values())
    _describe(resolved, message.override)
    if secret:
        message.sharedSecret = secret
    return message


@dataclass(slots=True)
class _Blobs:
    """Tensors by their SHA-256; each is sent once."""

    contents: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, array: NDArray[Any], codec: Literal["raw", "zip"] = "raw") -> bytes:
        data = tensor.encode(array, codec)
        digest = hashlib.sha256(data).digest()
        self.contents.setdefault(digest, data)
        return digest


def _fitted(mask: Mask, picture: Size, target: Size) -> NDArray[Any]:
    """The mask stretched onto its picture, then cropped and scaled as the picture was."""
    coverage = mask.coverage[:, :, None]
    on_picture = pixels.resize(coverage, picture.width, picture.height)
    return pixels.cover(on_picture, target.width, target.height)[:, :, 0]


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


def _settings_of(control: Control) -> ControlSettings:
    return ControlSettings(
        file=control.file,
        weight=control.weight,
        guidance_start=control.start,
        guidance_end=control.end,
        control_mode=control.mode,
        input_override=control.input_type,
        down_sampling_rate=control.down_sampling_rate,
        global_average_pooling=control.global_average_pooling,
        target_blocks=control.target_blocks,
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
