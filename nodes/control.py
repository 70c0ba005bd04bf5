"""DT ControlNet: ControlNets and adapters of the server; chains."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.request.parts import BlockPreset, Control
from ..dt_core.settings.choices import ControlInputType, ControlMode
from .host import compat, convert, sockets
from .inputs import chosen_file, file_input, listed_input
from .servers import lists
from .servers.owner import here


class DTControlNet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTControlNet",
            display_name="DT ControlNet",
            category=sockets.CATEGORY,
            description="Adds a ControlNet, T2I adapter or image-prompt adapter that the Draw "
            "Things server has. Chain several.",
            search_aliases=["draw things", "controlnet", "ip adapter", "hints"],
            inputs=[
                sockets.Control.Input(
                    "control_stack", optional=True, tooltip="Controls to which this one is added."
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The map or picture that controls. Depth: near is white. Scribble: "
                    "white on black. Lineart: black on white. Image prompts take every picture of "
                    "a batch, others the first. Without one the server works from the sampler's "
                    "image where it can.",
                ),
                listed_input(
                    "controls",
                    "control",
                    options=[lists.NONE, *here().lists.current().controls],
                    default=lists.NONE,
                    tooltip="A control of the server, by file name. It must be of the model's "
                    "family. none: only send the image, as its input_type, to a model that takes "
                    "one itself (FLUX.1 Depth and Canny).",
                ),
                io.Combo.Input(
                    "input_type",
                    options=[kind.label for kind in ControlInputType],
                    default=ControlInputType.UNSPECIFIED.label,
                    tooltip="What the picture shows. Only union controls need it, and servers that "
                    "do not list what they have; others know.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=2.5,
                    step=0.05,
                    tooltip="How strongly it acts, 0 to 2.5; 0 switches it off.",
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
                compat.advanced(
                    io.Combo.Input(
                        "target_blocks",
                        options=[preset.value for preset in BlockPreset],
                        default=BlockPreset.ALL.value,
                        optional=True,
                        tooltip="What an IP-adapter takes over: all, the style, or style and "
                        "layout. Only for Stable Diffusion v1 and SDXL.",
                    )
                ),
                compat.advanced(
                    io.String.Input(
                        "own_target_blocks",
                        default="",
                        optional=True,
                        tooltip="Names of blocks of the model, or parts of names, with commas "
                        "between; if filled in, they replace target_blocks.",
                    )
                ),
                compat.advanced(
                    io.Float.Input(
                        "down_sampling_rate",
                        default=1.0,
                        min=1.0,
                        max=8.0,
                        step=0.1,
                        optional=True,
                        tooltip="How many times smaller the sampler's image is made first, 1 to 8; "
                        "up to 1.1 it is off. Only for tile, blur, gray and low quality without "
                        "an image here.",
                    )
                ),
                compat.advanced(
                    io.Boolean.Input(
                        "global_average_pooling",
                        default=True,
                        optional=True,
                        tooltip="Averages the control over the whole picture. Only for shuffle "
                        "ControlNets.",
                    )
                ),
                compat.advanced(
                    io.Boolean.Input(
                        "invert",
                        default=False,
                        optional=True,
                        tooltip="Sends the negative of the image, for maps with black and white "
                        "the other way round.",
                    )
                ),
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
        target_blocks: str = BlockPreset.ALL.value,
        own_target_blocks: str = "",
        down_sampling_rate: float = 1.0,
        global_average_pooling: bool = True,
        invert: bool = False,
        image: Any = None,
        control_stack: tuple[Control, ...] = (),
    ) -> io.NodeOutput:
        file = chosen_file(control, control_file)
        kind = ControlInputType.from_label(input_type)
        pictures = () if image is None else convert.image_to_pictures(image)
        if weight == 0 or (not file and not (kind and pictures)):
            return io.NodeOutput(control_stack)
        blocks = tuple(name.strip() for name in own_target_blocks.split(",") if name.strip())
        added = Control(
            file=file,
            weight=weight,
            start=start,
            end=end,
            mode=ControlMode.from_label(control_mode),
            input_type=kind,
            picture=pictures[0] if pictures else None,
            down_sampling_rate=down_sampling_rate,
            global_average_pooling=global_average_pooling,
            target_blocks=blocks or BlockPreset.of(target_blocks),
            more_pictures=pictures[1:],
            invert=invert,
        )
        return io.NodeOutput((*control_stack, added))
