"""Which server a request of our page means, and whether it may be asked.

A server is null (the default one), {"saved": name} or what the fields of DT Server hold.
Only stored servers, the default one and those that nodes of a run used are asked: so no
page can make ComfyUI connect to an address of its choice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...dt_core.connection.profile import ServerProfile, TlsMode
from ...dt_core.connection.secret_store import folded
from ...dt_core.text import Template
from ..servers import stored as servers
from ..servers.owner import here
from .guard import Body, Refused, UnknownServer, text

_NO_SERVER = Template("server_no_object", "'server' must be null or an object.")
_UNKNOWN = Template(
    "unknown_server",
    "{address} is not in your list of servers and has not been used yet: add it in the Draw Things "
    "tab of the sidebar, or run the graph once.",
)


def profile_of(body: Body) -> ServerProfile:
    """The profile that `body["server"]` means.

    Raises UnknownServer if it is not one that may be asked, SettingsError if it cannot be.
    """
    server: Any = body.get("server")
    if server is None:
        return servers.default_profile()
    if not isinstance(server, dict):
        raise Refused(400, _NO_SERVER())
    if "saved" in server:
        return servers.named(text(server, "saved"))
    profile = ServerProfile(
        text(server, "address"),
        TlsMode.of(text(server, "tls", TlsMode.AUTOMATIC.value)),
        text(server, "secret_name", "").strip(),
        text(server, "fingerprint", ""),
        text(server, "ca_file", "").strip(),
    )
    same = next((known for known in allowed() if _key(known) == _key(profile)), None)
    if same is None:
        raise UnknownServer(_UNKNOWN(address=profile.address))
    return same


def _key(profile: ServerProfile) -> ServerProfile:
    return replace(
        profile, address=",".join(profile.addresses), secret_name=folded(profile.secret_name)
    )


def allowed() -> set[ServerProfile]:
    """The servers that may be asked without a run."""
    return {*servers.current().own(), *here().clients.profiles()}
