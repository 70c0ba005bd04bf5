"""DT Model Loader: a model of a server. Nothing is loaded here; the server does that."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.connection.profile import ServerProfile
from ..dt_core.request.parts import ModelChoice
from . import fingerprints
from .host import compat, sockets
from .inputs import file_input, listed_input
from .running import reporting
from .servers import stored
from .servers.owner import here


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
                    tooltip="Without one: your default server of the sidebar, else the one of "
                    "DRAWTHINGS_SERVER, else localhost:7859.",
                ),
                listed_input(
                    "models",
                    "model",
                    options=list(here().lists.current().models),
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
        with reporting.errors_in_words():
            profile = server or stored.default_profile()
        return io.NodeOutput(ModelChoice(profile, model_file.strip() or model))

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> str:
        """Without a DT Server the default one counts, so it belongs to the key."""
        with reporting.errors_in_words():
            return fingerprints.of(stored.default_profile())
