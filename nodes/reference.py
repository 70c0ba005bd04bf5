"""DT Kontext Reference: pictures that an edit model looks at; chains."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.values import Reference
from . import convert, sockets
from .compat import schema


class DTKontextReference(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="DTKontextReference",
            display_name="DT Kontext Reference",
            category=sockets.CATEGORY,
            description="Adds reference pictures for edit models (FLUX Kontext, FLUX.2, Qwen Image "
            "Edit) and image prompts, of any size. Chain several: the sampler's image is "
            "Picture 1, then these in order.",
            search_aliases=["draw things", "kontext", "moodboard", "edit", "reference"],
            inputs=[
                sockets.Reference.Input(
                    "reference_stack",
                    optional=True,
                    tooltip="References that come before this one.",
                ),
                io.Image.Input(
                    "image", tooltip="The picture; every picture of a batch is one reference."
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="0 leaves it out. Edit models know only on and off; for image-prompt "
                    "adapters it is the strength.",
                ),
            ],
            outputs=[
                sockets.Reference.Output(
                    display_name="reference",
                    tooltip="To DT Sampler or another DT Kontext Reference.",
                )
            ],
        )

    @classmethod
    def execute(
        cls, image: Any, weight: float, reference_stack: tuple[Reference, ...] = ()
    ) -> io.NodeOutput:
        if weight == 0:
            return io.NodeOutput(reference_stack)
        added = tuple(Reference(picture, weight) for picture in convert.image_to_pictures(image))
        return io.NodeOutput((*reference_stack, *added))
