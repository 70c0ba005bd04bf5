"""DT LoRA: LoRAs of the server, up to four in a node; chains."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.request.parts import Lora
from ..dt_core.settings.choices import LoraMode
from .host import compat, sockets
from .inputs import chosen_file, file_input, listed_input
from .servers import lists
from .servers.owner import here

ROWS = ("", "_2", "_3", "_4")


class DTLoRA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTLoRA",
            display_name="DT LoRA",
            category=sockets.CATEGORY,
            description="Adds LoRAs that the Draw Things server has: up to four, each with a "
            "switch. Chain several nodes for more.",
            search_aliases=["draw things", "lora", "lora stack"],
            inputs=[
                sockets.Lora.Input(
                    "lora_stack", optional=True, tooltip="LoRAs to which these are added."
                ),
                *_row(ROWS[0]),
                compat.advanced(
                    io.Boolean.Input(
                        "own_weights",
                        default=False,
                        optional=True,
                        tooltip="On: every LoRA here acts with the weight that its own "
                        "description on the server recommends (0.6 without one); the weights "
                        "above are not read.",
                    )
                ),
                *(widget for row in ROWS[1:] for widget in _row(row)),
            ],
            outputs=[
                sockets.Lora.Output(
                    display_name="lora", tooltip="To DT Sampler or another DT LoRA."
                )
            ],
        )

    @classmethod
    def validate_inputs(
        cls,
        lora: str = lists.NONE,
        lora_2: str = lists.NONE,
        lora_3: str = lists.NONE,
        lora_4: str = lists.NONE,
    ) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    def execute(
        cls, lora_stack: tuple[Lora, ...] = (), own_weights: bool = False, **row: Any
    ) -> io.NodeOutput:
        added = []
        for key in ROWS:
            file = chosen_file(row.get(f"lora{key}", lists.NONE), row.get(f"lora_file{key}", ""))
            weight = None if own_weights else row.get(f"weight{key}", 1.0)
            if file and weight != 0 and row.get(f"on{key}", True):
                mode = LoraMode.from_label(row.get(f"mode{key}", LoraMode.ALL.label))
                added.append(Lora(file, weight, mode))
        return io.NodeOutput((*lora_stack, *added))


def _row(key: str) -> list[Any]:
    """The widgets of one LoRA; only those of the first row are required."""
    optional = key != ROWS[0]
    return [
        listed_input(
            "loras",
            f"lora{key}",
            options=[lists.NONE, *here().lists.current().loras],
            default=lists.NONE,
            optional=optional,
            tooltip="A LoRA of the server, by file name. It must be of the model's family.",
        ),
        io.Float.Input(
            f"weight{key}",
            default=1.0,
            min=-5.0,
            max=5.0,
            step=0.05,
            optional=optional,
            tooltip="How strongly it acts, -5 to 5. 0 switches it off; negative values invert it.",
        ),
        io.Combo.Input(
            f"mode{key}",
            options=[mode.label for mode in LoraMode],
            default=LoraMode.ALL.label,
            optional=optional,
            tooltip="With a refiner: act on both models, on the base, or on the refiner.",
        ),
        io.Boolean.Input(
            f"on{key}",
            default=True,
            optional=optional,
            tooltip="Off leaves this LoRA out and keeps its settings.",
        ),
        file_input(f"lora_file{key}"),
    ]
