"""DT Model Loader: a model of a server. Nothing is loaded here; the server does that."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.profile import ServerProfile, default_profile
from ..dt_core.values import ModelChoice
from . import compat, lists, sockets
from .inputs import file_input


class DTModelLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTModelLoader",
            display_name="DT Model Loader",
            category=sockets.CATEGORY,
            description="Chooses a model that the Draw Things server has.",
            search_aliases=["draw things", "checkpoint", "load model"],
            inputs=[
                sockets.Server.Input(
                    "server",
                    optional=True,
                    tooltip="Without one: the server of DRAWTHINGS_SERVER, else localhost:7859.",
                ),
                io.Combo.Input(
                    "model",
                    options=list(lists.current().models),
                    tooltip="A model of the server, by file name.",
                ),
                file_input("model_file"),
            ],
            outputs=[sockets.Model.Output(display_name="model", tooltip="To DT Sampler.")],
        )

    @classmethod
    def validate_inputs(cls, model: str) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    def execute(
        cls, model: str, model_file: str = "", server: ServerProfile | None = None
    ) -> io.NodeOutput:
        return io.NodeOutput(ModelChoice(server or default_profile(), model_file.strip() or model))

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> str:
        """Without a DT Server the environment decides, so it belongs to the key."""
        return repr(default_profile())
