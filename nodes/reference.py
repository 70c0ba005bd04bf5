"""DT Kontext Reference: pictures that an edit model looks at, up to four inputs; chains."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.request.parts import Reference, numbered
from .host import compat, convert, sockets
from .running import reporting

ROWS = ("", "_2", "_3", "_4")


class DTKontextReference(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
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
                    tooltip="References that come before these.",
                ),
                *(_picture(row) for row in ROWS),
                *_widgets(ROWS[0]),
                io.Boolean.Input(
                    "after_image",
                    default=False,
                    tooltip="On: the sampler gets an image too, which is Picture 1, so the "
                    "references start at Picture 2. Only for the text of the numbers.",
                ),
                *(compat.advanced(widget) for row in ROWS[1:] for widget in _widgets(row)),
            ],
            outputs=[
                sockets.Reference.Output(
                    display_name="reference",
                    tooltip="To DT Sampler or another DT Kontext Reference.",
                ),
                io.String.Output(
                    display_name="numbers",
                    tooltip="Which picture is Picture 1, 2, 3 for the server, one in a line.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        reference_stack: tuple[Reference, ...] = (),
        after_image: bool = False,
        **row: Any,
    ) -> io.NodeOutput:
        references = [*reference_stack]
        for key, pictures in (("", image), *((key, row.get(f"image{key}")) for key in ROWS[1:])):
            weight = row.get(f"weight{key}", 1.0) if row.get(f"on{key}", True) else 0
            if pictures is not None and weight > 0:
                references.extend(
                    Reference(picture, weight, f"image{key}")
                    for picture in convert.image_to_pictures(pictures)
                )
        lines = numbered(references, after_image=after_image)
        return io.NodeOutput(
            tuple(references), "\n".join(map(str, lines)), ui=reporting.facts_ui(lines)
        )


def _picture(key: str) -> Any:
    return io.Image.Input(
        f"image{key}",
        optional=key != ROWS[0],
        tooltip="A picture of any size; every picture of a batch is one reference.",
    )


def _widgets(key: str) -> list[Any]:
    optional = key != ROWS[0]
    return [
        io.Float.Input(
            f"weight{key}",
            default=1.0,
            min=0.0,
            max=2.0,
            step=0.05,
            optional=optional,
            tooltip=f"How strongly image{key} acts, 0 to 2; 0 leaves it out. Edit models know only "
            "on and off; for image-prompt adapters it is the strength.",
        ),
        io.Boolean.Input(
            f"on{key}",
            default=True,
            optional=optional,
            tooltip=f"Off leaves image{key} out; the next ones move up.",
        ),
    ]
