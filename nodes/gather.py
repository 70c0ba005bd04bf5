"""What DT Sampler and DT Config Export take, and the request that they make of it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.choices import Sampler
from ..dt_core.configuration import Configuration
from ..dt_core.options import Options
from ..dt_core.request import GenerationRequest
from ..dt_core.values import Control, Lora, ModelChoice, Reference
from . import convert, sockets
from .inputs import setting_input

OPTIONS_SOURCE = "The options connected to the sampler"


def inputs() -> list[Any]:
    """Inputs in the order of the file format: append only."""
    return [
        sockets.Model.Input("model", tooltip="From DT Model Loader."),
        io.String.Input(
            "positive",
            optional=True,
            force_input=True,
            tooltip="What to generate. Unconnected: an empty prompt.",
        ),
        io.String.Input(
            "negative",
            optional=True,
            force_input=True,
            tooltip="What to keep out. Read only where guidance runs in full: not by "
            "distilled models, nor at guidance 1.",
        ),
        sockets.Lora.Input("lora", optional=True, tooltip="From DT LoRA."),
        sockets.Control.Input("control", optional=True, tooltip="From DT ControlNet."),
        sockets.Reference.Input("reference", optional=True, tooltip="From DT Kontext Reference."),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="Where to start from; cropped to the shape of width and height. For "
            "edit models Picture 1. Only the first of a batch is used.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="What to repaint of the image: white, 0.5 and up.",
        ),
        setting_input("seed", control_after_generate=True),
        setting_input("steps"),
        setting_input("guidance_scale", "guidance"),
        setting_input("sampler", default=Sampler.DPMPP_2M_AYS),
        setting_input("start_width", "width", default=1024, minimum=64),
        setting_input("start_height", "height", default=1024, minimum=64),
        setting_input("strength"),
        setting_input("batch_size", default=1),
        setting_input(
            "shift",
            default=0.0,
            minimum=0.0,
            tooltip="Shift of the noise schedule of flow models (SD3, FLUX, Wan, Qwen and "
            "newer). 0: automatic, by the resolution where the model does that. Higher "
            "values spend more steps on composition.",
        ),
        sockets.Options.Input(
            "options",
            optional=True,
            tooltip="From DT options nodes and DT Config. They override the fields here.",
        ),
    ]


def request(
    *,
    model: ModelChoice,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    width: int,
    height: int,
    strength: float,
    batch_size: int,
    shift: float,
    positive: str = "",
    negative: str = "",
    lora: tuple[Lora, ...] = (),
    control: tuple[Control, ...] = (),
    reference: tuple[Reference, ...] = (),
    image: Any = None,
    mask: Any = None,
    options: Options | None = None,
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """The request of these inputs, and sentences about options that overrode fields.

    Raises SettingsError or RequestError.
    """
    settings = Configuration(
        model=model.model,
        seed=seed,
        steps=steps,
        guidance_scale=guidance,
        sampler=Sampler.from_label(sampler),
        start_width=width,
        start_height=height,
        strength=strength,
        batch_size=batch_size,
    )
    if shift > 0:
        settings = settings.replace(shift=shift, resolution_dependent_shift=False)
    chosen = Options(settings)
    if options is not None:
        chosen = Options(settings, options.notes).then(options.settings, OPTIONS_SOURCE)
    return GenerationRequest(
        settings=chosen.settings,
        prompt=positive or "",
        negative_prompt=negative or "",
        image=None if image is None else convert.image_to_pictures(image)[0],
        mask=None if mask is None else convert.mask_to_mask(mask),
        loras=lora,
        controls=control,
        references=reference,
    ), chosen.notes
