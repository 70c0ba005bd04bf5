"""DT Save Image: PNG files that ComfyUI and the Draw Things app both read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from ..dt_core import metadata
from ..dt_core.metadata import Generation
from ..dt_core.text import Template, Text
from .host import compat, convert, sockets
from .running import reporting

PREFIX = "DrawThings"
WHICH_SEED = Template(
    "which_seed",
    "The pictures are not as many as the sampler made, so it is not known which is which: "
    "their files tell no seed to the app.",
)


class DTSaveImage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTSaveImage",
            display_name="DT Save Image",
            category=sockets.CATEGORY,
            description="Saves pictures as PNG files that the Draw Things app reads too: with "
            "prompt, settings and seed, beside ComfyUI's own workflow.",
            search_aliases=["draw things", "save image", "png", "metadata", "export"],
            inputs=[
                io.Image.Input(
                    "images", tooltip="The pictures; a fourth channel is saved as transparency."
                ),
                sockets.Generation.Input(
                    "generation",
                    optional=True,
                    tooltip="From DT Sampler: what the app shall read. Without it the files hold "
                    "what ComfyUI writes.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default=PREFIX,
                    tooltip="Begin of the file name, in ComfyUI's output folder; subfolder/name, "
                    "%date:yyyy-MM-dd% and %width% work as in Save Image.",
                ),
            ],
            outputs=[],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        images: Any,
        filename_prefix: str = PREFIX,
        generation: tuple[Generation, ...] = (),
    ) -> io.NodeOutput:
        pictures = convert.image_to_bytes(images)
        height, width = pictures[0].shape[:2]
        folder, name, number, subfolder = compat.save_place(filename_prefix, width, height)
        allowed = compat.metadata_allowed()
        texts = _texts(cls.hidden.prompt, cls.hidden.extra_pnginfo) if allowed else {}
        made, notes = _matched(generation if allowed else (), len(pictures))
        saved = []
        for index, (pixels, one) in enumerate(zip(pictures, made, strict=True)):
            file = f"{name.replace('%batch_num%', str(index))}_{number + index:05}_.png"
            (folder / file).write_bytes(metadata.encode(pixels, texts, one))
            saved.append({"filename": file, "subfolder": subfolder, "type": "output"})
        return io.NodeOutput(ui={"images": saved, **(reporting.notes_ui(notes) or {})})


def _texts(prompt: Any, more: Mapping[str, Any] | None) -> dict[str, str]:
    """ComfyUI's own text chunks."""
    own = {} if prompt is None else {"prompt": json.dumps(prompt)}
    return {**own, **{key: json.dumps(value) for key, value in (more or {}).items()}}


def _matched(
    made: tuple[Generation, ...], count: int
) -> tuple[list[Generation | None], tuple[Text, ...]]:
    """What made each of `count` pictures, and a sentence where that is not quite known."""
    if not made:
        return [None] * count, ()
    if len(made) == count:
        return [*made], ()
    if len(set(made)) == 1:  # frames of a video
        return [made[0]] * count, ()
    return [made[0].without_seed()] * count, (WHICH_SEED(),)
