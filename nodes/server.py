"""DT Server: which server, and how far it is trusted."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.connection.profile import DEFAULT_ADDRESS, ServerProfile, TlsMode
from . import fingerprints
from .host import compat, sockets
from .running import reporting
from .servers import authorities, secret_homes, stored

AS_ABOVE = "as above"


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
                    tooltip="Host name or IP address, with :port if it is not 7859. Several "
                    "equal servers, with commas between, share the work. tls:// or plain:// "
                    "before it does what the field below does.",
                ),
                io.Combo.Input(
                    "tls",
                    options=[mode.value for mode in TlsMode],
                    default=TlsMode.AUTOMATIC.value,
                    tooltip="automatic: TLS if the server speaks it. TLS: refuse plain text. "
                    "TLS, system certificates: for a certificate of a public authority. "
                    "TLS, own authority: for one that yours signed. "
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
                        tooltip="SHA-256 of the server's own certificate. Empty: the one that it "
                        "showed first is remembered, and another one refused.",
                    )
                ),
                io.Combo.Input(
                    "saved_server",
                    options=[AS_ABOVE, *stored.names()],
                    default=AS_ABOVE,
                    optional=True,
                    tooltip="A server that you stored in the Draw Things tab of the sidebar. "
                    "With one chosen, the fields above do not count.",
                ),
                compat.advanced(
                    io.String.Input(
                        "ca_file",
                        default="",
                        optional=True,
                        tooltip='For "TLS, own authority": the PEM file with your authority\'s '
                        "certificate, on the machine where ComfyUI runs.",
                    )
                ),
            ],
            outputs=[sockets.Server.Output(display_name="server", tooltip="To DT Model Loader.")],
        )

    @classmethod
    def validate_inputs(cls, saved_server: str = AS_ABOVE) -> bool | str:
        """Names of stored servers come and go, so they are looked up here."""
        if saved_server in (AS_ABOVE, "") or saved_server in stored.names():
            return True
        return f"No server named {saved_server!r} is stored here: add it in the sidebar."

    @classmethod
    def execute(
        cls,
        address: str,
        tls: str,
        secret_name: str = "",
        fingerprint: str = "",
        saved_server: str = AS_ABOVE,
        ca_file: str = "",
    ) -> io.NodeOutput:
        with reporting.errors_in_words():
            if saved_server not in (AS_ABOVE, ""):
                return io.NodeOutput(stored.named(saved_server))
            profile = ServerProfile(
                address, TlsMode.of(tls), secret_name.strip(), fingerprint, ca_file.strip()
            )
            return io.NodeOutput(authorities.checked(secret_homes.checked(profile)))

    @classmethod
    def fingerprint_inputs(cls, saved_server: str = AS_ABOVE, **_inputs: object) -> str:
        """What is stored under the name can change."""
        if saved_server == AS_ABOVE:
            return ""
        return fingerprints.of(stored.current().find(saved_server))
