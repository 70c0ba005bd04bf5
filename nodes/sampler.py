"""DT Sampler: gathers what the other nodes chose and lets the server generate."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.choices import Sampler
from ..dt_core.configuration import Configuration
from ..dt_core.request import GenerationRequest
from ..dt_core.values import Control, Lora, ModelChoice, Reference
from . import compat, convert, run, sockets
from .inputs import setting_input


class DTSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTSampler",
            display_name="DT Sampler",
            category=sockets.CATEGORY,
            description="Lets the Draw Things server generate: from text, from an image, within "
            "a mask, or from references.",
            search_aliases=["draw things", "ksampler", "generate", "txt2img", "img2img"],
            inputs=[
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
                sockets.Reference.Input(
                    "reference", optional=True, tooltip="From DT Kontext Reference."
                ),
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
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="All pictures, or the frames of a video."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="What is transparent in the pictures; black if nothing is.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(
        cls,
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
    ) -> io.NodeOutput:
        with run.errors_in_words():
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
            request = GenerationRequest(
                settings=settings,
                prompt=positive or "",
                negative_prompt=negative or "",
                image=None if image is None else convert.image_to_pictures(image)[0],
                mask=None if mask is None else convert.mask_to_mask(mask),
                loras=lora,
                controls=control,
                references=reference,
            )
            result = await run.generate(model.server, request, cls.hidden.unique_id)
            return io.NodeOutput(
                convert.pictures_to_image(result.pictures),
                convert.pictures_to_mask(result.pictures),
                ui={"drawthings_notes": result.notes} if result.notes else None,
            )
