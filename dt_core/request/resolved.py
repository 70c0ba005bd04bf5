"""`GenerationRequest`: everything that shapes a picture; and `build`, which makes the wire
message of it. No other place makes one (docs/protocol.md 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..models.catalog import Catalog, Model
from ..models.families import Family
from ..models.file_names import family_of_file
from ..pictures.values import Mask, Picture, Size
from ..settings.configuration import DEFAULTS, Configuration, LoraSettings, whole_text
from .parts import Control, Lora, Reference

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

    Raises SettingsError for prompts that no message can carry: half characters.
    """
    whole_text(request.prompt, "prompt")
    whole_text(request.negative_prompt, "negative prompt")
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
    controls = [Control.of(row) for row in settings["controls"]]
    for control in request.controls:
        if not control.file:  # its picture is a hint, and nothing else
            continue
        found = catalog.control(control.file) if catalog else None
        file = found.file if found else control.file
        controls.append(replace(control, file=file, target_blocks=control.blocks(version)))
    if request.mask is not None and request.mask.soft:
        settings = settings.replace(mask_blur=0.0)  # else the server pastes with a seam of its own
    settings = settings.replace(
        loras=tuple(loras), controls=tuple(control.settings(version) for control in controls)
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
