"""DT LoRA: LoRAs of the server; chains."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.choices import LoraMode
from ..dt_core.values import Lora
from . import compat, lists, sockets
from .inputs import file_input


class DTLoRA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTLoRA",
            display_name="DT LoRA",
            category=sockets.CATEGORY,
            description="Adds a LoRA that the Draw Things server has. Chain several.",
            search_aliases=["draw things", "lora"],
            inputs=[
                sockets.Lora.Input(
                    "lora_stack", optional=True, tooltip="LoRAs to which this one is added."
                ),
                io.Combo.Input(
                    "lora",
                    options=[lists.NONE, *lists.current().loras],
                    default=lists.NONE,
                    tooltip="A LoRA of the server, by file name. It must be of the model's family.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=-5.0,
                    max=5.0,
                    step=0.05,
                    tooltip="How strongly it acts. 0 switches it off; negative values invert it.",
                ),
                io.Combo.Input(
                    "mode",
                    options=[mode.label for mode in LoraMode],
                    default=LoraMode.ALL.label,
                    tooltip="With a refiner: act on both models, on the base, or on the refiner.",
                ),
                file_input("lora_file"),
            ],
            outputs=[
                sockets.Lora.Output(
                    display_name="lora", tooltip="To DT Sampler or another DT LoRA."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, lora: str) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    def execute(
        cls,
        lora: str,
        weight: float,
        mode: str,
        lora_file: str = "",
        lora_stack: tuple[Lora, ...] = (),
    ) -> io.NodeOutput:
        file = lora_file.strip() or lora
        if file == lists.NONE or weight == 0:
            return io.NodeOutput(lora_stack)
        return io.NodeOutput((*lora_stack, Lora(file, weight, LoraMode.from_label(mode))))
