"""DT Sampler: gathers what the other nodes chose and lets the server generate."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.values import ModelChoice
from . import compat, convert, gather, run, sockets


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
            inputs=gather.inputs(),
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
    async def execute(cls, model: ModelChoice, **inputs: Any) -> io.NodeOutput:
        with run.errors_in_words():
            request, notes = gather.request(model=model, **inputs)
            result = await run.generate(model.server, request, cls.hidden.unique_id)
            notes = (*notes, *result.notes)
            return io.NodeOutput(
                convert.pictures_to_image(result.pictures),
                convert.pictures_to_mask(result.pictures),
                ui={"drawthings_notes": notes} if notes else None,
            )
