"""DT Upscale: enlarges and restores pictures; nothing is generated."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy_api.latest import io

from ..dt_core.request import upscale
from ..dt_core.request.parts import ModelChoice
from ..dt_core.settings.configuration import Configuration
from ..dt_core.settings.options import Options
from .host import compat, convert, sockets
from .inputs import chosen_file, file_input, listed_input
from .running import reporting, run
from .servers import lists
from .servers.owner import here

FACTORS = {"native": upscale.NATIVE, "2": 2, "4": 4}


class DTUpscale(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        known = here().lists.current()
        return compat.schema(
            node_id="DTUpscale",
            display_name="DT Upscale",
            category=sockets.CATEGORY,
            description="Lets the Draw Things server enlarge pictures or restore faces, without "
            "generating; or restores them with a SeedVR2 model.",
            search_aliases=["draw things", "upscale", "esrgan", "seedvr2", "restore", "face"],
            inputs=[
                sockets.Model.Input(
                    "model",
                    tooltip="From DT Model Loader. SeedVR2 restores by itself; any other model is "
                    "only asked for, not run.",
                ),
                io.Image.Input("image", tooltip="The picture, of any size; every one of a batch."),
                listed_input(
                    "upscalers",
                    "upscaler",
                    options=[lists.NONE, *known.upscalers],
                    default=lists.NONE,
                    tooltip="What to enlarge with, by file name. SeedVR2 models need none.",
                ),
                io.Combo.Input(
                    "factor",
                    options=list(FACTORS),
                    default="native",
                    tooltip="How many times larger each side becomes. native: what the upscaler "
                    "does by itself; with SeedVR2 the size stays.",
                ),
                listed_input(
                    "face_restorers",
                    "face_restoration",
                    options=[lists.NONE, *known.face_restorers],
                    default=lists.NONE,
                    tooltip="What to repair faces with, before enlarging. No effect on Linux "
                    "servers.",
                ),
                file_input("upscaler_file"),
                file_input("face_restoration_file"),
                sockets.Options.Input(
                    "options",
                    optional=True,
                    tooltip="From DT options nodes: tiling, where memory is short.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The pictures, in order.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, upscaler: str, face_restoration: str) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    async def execute(
        cls,
        model: ModelChoice,
        image: Any,
        upscaler: str,
        factor: str,
        face_restoration: str,
        upscaler_file: str = "",
        face_restoration_file: str = "",
        options: Options | None = None,
    ) -> io.NodeOutput:
        pictures = convert.image_to_pictures(image)
        settings = options.settings if options else Configuration()
        wish = upscale.Upscaling(
            settings.replace(model=model.model),
            chosen_file(upscaler, upscaler_file),
            FACTORS[factor],
            chosen_file(face_restoration, face_restoration_file),
        )
        with reporting.errors_in_words():
            first, plan = upscale.first(pictures, wish), partial(upscale.plan, pictures, wish)
            result = await run.generate(model.server, first, plan, cls.hidden.unique_id)
        finished = upscale.finished(result.pictures, result.numbers, result.plan)
        notes = result.notes
        return io.NodeOutput(convert.pictures_to_image(finished), ui=reporting.notes_ui(notes))
