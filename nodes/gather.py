"""What DT Sampler and DT Config Export take, and what they ask for with it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.errors import RequestError
from ..dt_core.pictures.values import Mask
from ..dt_core.request import seeds
from ..dt_core.request.batches import Batch
from ..dt_core.request.parts import Control, Lora, ModelChoice, Reference
from ..dt_core.request.resolved import GenerationRequest
from ..dt_core.settings.choices import Sampler
from ..dt_core.settings.configuration import Configuration
from ..dt_core.settings.fitting import Fitting
from ..dt_core.settings.options import Options
from ..dt_core.text import Template, Text
from .host import convert, sockets
from .inputs import setting_input

OPTIONS_SOURCE = Template("options_of_sampler", "The options connected to the sampler")
_NO_SPEECH = Template(
    "no_speech",
    "Speech cannot be sent: avatar models need it as features that only the app's own encoder "
    "makes. Disconnect audio; the avatar then moves without speech.",
)


_NO_TEXT = Template(
    "input_is_no_text", "The input {input} takes one text, not a value of the kind {given}."
)
SEED_BITS = 64


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
            "edit models Picture 1. Of a batch every picture is done, one after the other; video "
            "models start from all of them.",
        ),
        io.MultiType.Input(
            "mask",
            [io.Mask, sockets.Mask],
            optional=True,
            tooltip="What to repaint of the image: white, 0.5 and up; or a mask of DT Mask or DT "
            "Outpaint. One for all images, or one for each.",
        ),
        setting_input(
            "seed",
            minimum=-(2 ** (SEED_BITS - 1)),
            maximum=2**SEED_BITS - 1,
            control_after_generate=True,
            tooltip="Number that the noise is made from; the same seed and settings give the same "
            "picture. -1: another one each time, see the output seeds. Of numbers beyond "
            "4294967295 the lowest 32 bits count.",
        ),
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
        io.Audio.Input(
            "audio",
            optional=True,
            tooltip="Speech for avatar models. Not possible yet: it needs the app's own encoder.",
        ),
    ]


def batch(
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
    audio: Any = None,
) -> tuple[Batch, tuple[Text, ...]]:
    """What these inputs ask for, and sentences about options that overrode fields.

    Raises SettingsError or RequestError.
    """
    if audio is not None:
        raise RequestError(_NO_SPEECH())
    (model,) = sockets.checked((model,), ModelChoice, "DT Model Loader")
    fitting = Fitting()
    settings = Configuration(
        model=model.model,
        seed=seeds.chosen(seed) if seed == seeds.RANDOM else fitting.of("seed", seed),
        steps=fitting.of("steps", steps),
        guidance_scale=fitting.of("guidance_scale", guidance, "guidance"),
        sampler=Sampler.from_label(sampler),
        start_width=fitting.of("start_width", width, "width"),
        start_height=fitting.of("start_height", height, "height"),
        strength=fitting.of("strength", strength),
        batch_size=fitting.of("batch_size", batch_size),
    )
    shift = fitting.of("shift", shift)
    if shift > 0:
        settings = settings.replace(shift=shift, resolution_dependent_shift=False)
    chosen = Options(settings, fitting.notes)
    if options is not None:
        notes = (*fitting.notes, *options.notes)
        chosen = Options(settings, notes).then(options.settings, OPTIONS_SOURCE())
    request = GenerationRequest(
        settings=chosen.settings,
        prompt=text("positive", positive),
        negative_prompt=text("negative", negative),
        loras=sockets.checked(lora, Lora, "DT LoRA"),
        controls=sockets.checked(control, Control, "DT ControlNet"),
        references=sockets.checked(reference, Reference, "DT Kontext Reference"),
    )
    images = () if image is None else convert.image_to_pictures(image)
    return Batch(request, images, masks(mask)), chosen.notes


def text(name: str, given: Any) -> str:
    """The text of an input; nothing connected is none. Raises RequestError for what is no text."""
    if given is None or isinstance(given, str):
        return given or ""
    raise RequestError(_NO_TEXT(input=name, given=type(given).__name__))


def masks(mask: Any) -> tuple[Mask, ...]:
    """The masks of a MASK, a DT_MASK or nothing."""
    if mask is None or isinstance(mask, tuple):
        return mask or ()
    return convert.mask_to_masks(mask)


def request(**inputs: Any) -> tuple[GenerationRequest, tuple[Text, ...]]:
    """The first request of `batch`, and its sentences."""
    whole, notes = batch(**inputs)
    return whole.at(0), notes
