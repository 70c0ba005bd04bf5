"""DT ControlNet: ControlNets and adapters of the server; chains."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.choices import ControlInputType, ControlMode
from ..dt_core.values import Control
from . import compat, convert, lists, sockets
from .inputs import file_input


class DTControlNet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTControlNet",
            display_name="DT ControlNet",
            category=sockets.CATEGORY,
            description="Adds a ControlNet, T2I adapter or image-prompt adapter that the Draw "
            "Things server has. Chain several.",
            search_aliases=["draw things", "controlnet", "ip adapter"],
            inputs=[
                sockets.Control.Input(
                    "control_stack", optional=True, tooltip="Controls to which this one is added."
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The map or picture that controls. Without one the server works from "
                    "the sampler's image where it can (canny, depth, inpaint, tile).",
                ),
                io.Combo.Input(
                    "control",
                    options=[lists.NONE, *lists.current().controls],
                    default=lists.NONE,
                    tooltip="A control of the server, by file name. It must be of the model's "
                    "family.",
                ),
                io.Combo.Input(
                    "input_type",
                    options=[kind.label for kind in ControlInputType],
                    default=ControlInputType.UNSPECIFIED.label,
                    tooltip="What the picture shows. Only union controls need it; others know.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=2.5,
                    step=0.05,
                    tooltip="How strongly it acts; 0 switches it off.",
                ),
                io.Float.Input(
                    "start",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where it begins to act, as a share of the steps, 0 to 1.",
                ),
                io.Float.Input(
                    "end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where it stops acting, as a share of the steps, 0 to 1.",
                ),
                io.Combo.Input(
                    "control_mode",
                    options=[mode.label for mode in ControlMode],
                    default=ControlMode.BALANCED.label,
                    tooltip="What matters more when prompt and control disagree.",
                ),
                file_input("control_file"),
            ],
            outputs=[
                sockets.Control.Output(
                    display_name="control", tooltip="To DT Sampler or another DT ControlNet."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, control: str) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    def execute(
        cls,
        control: str,
        input_type: str,
        weight: float,
        start: float,
        end: float,
        control_mode: str,
        control_file: str = "",
        image: Any = None,
        control_stack: tuple[Control, ...] = (),
    ) -> io.NodeOutput:
        file = control_file.strip() or control
        if file == lists.NONE or weight == 0:
            return io.NodeOutput(control_stack)
        added = Control(
            file=file,
            weight=weight,
            start=start,
            end=end,
            mode=ControlMode.from_label(control_mode),
            input_type=ControlInputType.from_label(input_type),
            picture=None if image is None else convert.image_to_pictures(image)[0],
        )
        return io.NodeOutput((*control_stack, added))
