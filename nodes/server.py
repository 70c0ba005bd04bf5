"""DT Server: which server, and how far it is trusted."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.profile import DEFAULT_ADDRESS, ServerProfile, TlsMode
from . import compat, sockets


class DTServer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTServer",
            display_name="DT Server",
            category=sockets.CATEGORY,
            description="A Draw Things server: the app with its gRPC API server switched on, "
            "gRPCServerCLI, or our simulator.",
            search_aliases=["draw things", "grpc", "remote"],
            inputs=[
                io.String.Input(
                    "address",
                    default=DEFAULT_ADDRESS,
                    tooltip="Host name or IP address, with :port if it is not 7859.",
                ),
                io.Combo.Input(
                    "tls",
                    options=[mode.value for mode in TlsMode],
                    default=TlsMode.AUTOMATIC.value,
                    tooltip="automatic: TLS if the server speaks it. TLS: refuse plain text. "
                    "TLS, system certificates: for a certificate of a public authority. "
                    "plain text: for servers started with --no-tls.",
                ),
                compat.advanced(
                    io.String.Input(
                        "secret_name",
                        default="",
                        optional=True,
                        tooltip="The name of a stored shared secret, never the secret itself. "
                        "Name HOME is read from DRAWTHINGS_SECRET_HOME, else from "
                        "user/__drawthings/secrets.json.",
                    )
                ),
                compat.advanced(
                    io.String.Input(
                        "fingerprint",
                        default="",
                        optional=True,
                        tooltip="SHA-256 of the server's own certificate. Empty: the public "
                        "stock certificate of Draw Things is expected.",
                    )
                ),
            ],
            outputs=[sockets.Server.Output(display_name="server", tooltip="To DT Model Loader.")],
        )

    @classmethod
    def execute(
        cls, address: str, tls: str, secret_name: str = "", fingerprint: str = ""
    ) -> io.NodeOutput:
        return io.NodeOutput(ServerProfile(address, TlsMode(tls), secret_name.strip(), fingerprint))
