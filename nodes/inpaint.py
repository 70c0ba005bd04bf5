"""DT Mask, DT Outpaint, DT Crop for Inpaint, DT Stitch: what belongs around a mask."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.pictures import crops, masks
from ..dt_core.pictures.values import Size
from ..dt_core.text import Template
from .host import compat, convert, sockets
from .running import reporting

_CANVAS = Template("canvas_size", "The canvas is {size} px now.")


def _px(input_id: str, tooltip: str, default: int = 0, maximum: int = 8192) -> Any:
    return io.Int.Input(input_id, default=default, min=0, max=maximum, step=1, tooltip=tooltip)


def _side(input_id: str, word: str) -> Any:
    return io.Int.Input(
        input_id,
        default=1024,
        min=64,
        max=8192,
        step=64,
        tooltip=f"{word} of the crop in px, a multiple of 64: the size that the model likes best.",
    )


class DTMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTMask",
            display_name="DT Mask",
            category=sockets.CATEGORY,
            description="A mask that tells the Draw Things server more than black and white: what "
            "to repaint, what to fill from noise, what to keep, and whether by degrees.",
            search_aliases=["draw things", "mask", "inpaint", "differential"],
            inputs=[
                io.Mask.Input(
                    "repaint",
                    optional=True,
                    tooltip="What to repaint at the sampler's strength: white, 0.5 and up. "
                    "Unconnected: all that is not kept, or with fill nothing.",
                ),
                io.Mask.Input(
                    "fill",
                    optional=True,
                    tooltip="What to make new from noise, whatever the strength: white, 0.5 and "
                    "up. Wins over repaint.",
                ),
                io.Mask.Input(
                    "keep",
                    optional=True,
                    tooltip="What to keep in any case: white, 0.5 and up. Wins over all else.",
                ),
                io.Boolean.Input(
                    "soft",
                    default=False,
                    tooltip="Grey parts of repaint are repainted by degrees, in 32 steps: the "
                    "original shines through. Switches mask blur off.",
                ),
            ],
            outputs=[sockets.Mask.Output(display_name="mask", tooltip="To DT Sampler, mask.")],
        )

    @classmethod
    def execute(
        cls, soft: bool, repaint: Any = None, fill: Any = None, keep: Any = None
    ) -> io.NodeOutput:
        areas = [None if area is None else _layers(area) for area in (repaint, fill, keep)]
        with reporting.errors_in_words():
            return io.NodeOutput(masks.batch(*areas, soft=soft))


def _layers(area: Any) -> list[Any]:
    return [mask.coverage for mask in convert.mask_to_masks(area)]


class DTOutpaint(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTOutpaint",
            display_name="DT Outpaint",
            category=sockets.CATEGORY,
            description="Enlarges the canvas of a picture and masks the new area, which is made "
            "from noise. Both sides become multiples of 64 px.",
            search_aliases=["draw things", "outpaint", "extend", "uncrop", "pad"],
            inputs=[
                io.Image.Input("image", tooltip="The picture; every one of a batch."),
                _px("left", "What to add at the left, in px."),
                _px("top", "What to add at the top, in px."),
                _px("right", "What to add at the right, in px."),
                _px("bottom", "What to add at the bottom, in px."),
                _px("feather", "How far the seam reaches into the old picture, in px.", 32, 512),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="To DT Sampler, image."),
                io.Mask.Output(
                    display_name="preview", tooltip="The mask to look at; white is new."
                ),
                sockets.Mask.Output(display_name="mask", tooltip="To DT Sampler, mask."),
                io.Int.Output(display_name="width", tooltip="To DT Sampler, width, in px."),
                io.Int.Output(display_name="height", tooltip="To DT Sampler, height, in px."),
            ],
        )

    @classmethod
    def execute(
        cls, image: Any, left: int, top: int, right: int, bottom: int, feather: int
    ) -> io.NodeOutput:
        border = crops.Border(left, top, right, bottom)
        with reporting.errors_in_words():
            made = [
                crops.outpaint(picture, border, feather)
                for picture in convert.image_to_pictures(image)
            ]
        pictures, areas = [picture for picture, _ in made], tuple(area for _, area in made[:1])
        size = pictures[0].size
        return io.NodeOutput(
            convert.values_to_image(pictures),
            convert.masks_to_mask(areas),
            areas,
            size.width,
            size.height,
            ui=reporting.facts_ui((_CANVAS(size=str(size)),)),
        )


class DTInpaintCrop(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTInpaintCrop",
            display_name="DT Crop for Inpaint",
            category=sockets.CATEGORY,
            description="Cuts the masked part out of a picture, with surroundings, at the model's "
            "size: small things get all of the model's detail. DT Stitch puts the result back.",
            search_aliases=["draw things", "inpaint", "crop", "detailer", "only masked"],
            inputs=[
                io.Image.Input("image", tooltip="The picture; every one of a batch."),
                io.Mask.Input(
                    "mask",
                    tooltip="What to redo: white, 0.5 and up. One for all pictures, or one each.",
                ),
                _side("width", "Width"),
                _side("height", "Height"),
                _px("context_px", "Surroundings to show the model, in px of the picture.", 32),
                io.Float.Input(
                    "context_share",
                    default=0.2,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="The same as a share of the masked part's longer side: the larger of "
                    "both counts.",
                ),
                _px(
                    "feather",
                    "Width of the seam around the mask, in px of the picture. Beyond it nothing "
                    "changes.",
                    16,
                    256,
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="To DT Sampler, image."),
                io.Mask.Output(display_name="mask", tooltip="To DT Sampler, mask."),
                io.Int.Output(display_name="width", tooltip="To DT Sampler, width, in px."),
                io.Int.Output(display_name="height", tooltip="To DT Sampler, height, in px."),
                sockets.Stitch.Output(display_name="stitch", tooltip="To DT Stitch."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        mask: Any,
        width: int,
        height: int,
        context_px: int,
        context_share: float,
        feather: int,
    ) -> io.NodeOutput:
        with reporting.errors_in_words():
            parts = crops.crop_all(
                convert.image_to_pictures(image),
                convert.mask_to_masks(mask),
                Size(width, height),
                context=context_px,
                context_share=context_share,
                feather=feather,
            )
        return io.NodeOutput(
            convert.values_to_image([part.picture for part in parts]),
            convert.masks_to_mask([part.mask for part in parts]),
            width,
            height,
            parts,
        )


class DTInpaintStitch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTInpaintStitch",
            display_name="DT Stitch",
            category=sockets.CATEGORY,
            description="Puts what was made of a crop back into the whole picture, with a soft "
            "seam. Everything else stays exactly as it was.",
            search_aliases=["draw things", "inpaint", "stitch", "paste", "uncrop"],
            inputs=[
                sockets.Stitch.Input("stitch", tooltip="From DT Crop for Inpaint."),
                io.Image.Input(
                    "image",
                    tooltip="From DT Sampler: one for each crop, or any number for a single crop.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The whole pictures.")],
        )

    @classmethod
    def execute(cls, stitch: tuple[crops.Crop, ...], image: Any) -> io.NodeOutput:
        with reporting.errors_in_words():
            whole = crops.stitch_all(stitch, convert.image_to_pictures(image))
        return io.NodeOutput(convert.values_to_image(whole))
