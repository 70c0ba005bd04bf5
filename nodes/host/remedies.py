"""What to do about an error, in the words of ComfyUI: nodes, inputs, the tab of the sidebar."""

from __future__ import annotations

from collections.abc import Mapping

from ...dt_core.errors import Remedy
from ...dt_core.text import Template

WORDS: Mapping[Remedy, Template] = {
    Remedy.NAME_SERVER: Template(
        "nodes_name_server",
        "Type the server's address into DT Server, or see that UDP port 5353 is free and the "
        "network is up.",
    ),
    Remedy.CHOOSE_PLAIN_TEXT: Template(
        "nodes_plain_text", 'Choose "plain text" in DT Server, or start the server with TLS.'
    ),
    Remedy.CHOOSE_ENCRYPTION: Template(
        "nodes_encryption", 'Choose "automatic" or "TLS" in DT Server.'
    ),
    Remedy.SAY_WHY_PLAIN_TEXT: Template(
        "nodes_why_plain_text",
        'If you switched that off yourself, choose "plain text" in DT Server; if the server is '
        "just starting, try again; otherwise somebody may be listening.",
    ),
    Remedy.ACCEPT_CERTIFICATE: Template(
        "nodes_accept_certificate",
        "If you changed the server or its certificate yourself, accept it in the Draw Things tab "
        "of the sidebar, or put the new one into the fingerprint field of DT Server; otherwise "
        "somebody may be listening.",
    ),
    Remedy.PIN_CERTIFICATE: Template(
        "nodes_pin_certificate",
        "If you changed the server or its certificate yourself, put the new one into the "
        "fingerprint field of DT Server; otherwise somebody may be listening.",
    ),
    Remedy.CHOOSE_TLS: Template(
        "nodes_choose_tls",
        'Choose "TLS" in DT Server, which trusts the certificate that the server showed first.',
    ),
    Remedy.GIVE_AREA: Template("nodes_give_area", "Connect repaint, fill or keep."),
    Remedy.GIVE_SECRET: Template(
        "nodes_give_secret",
        "Store the server's shared secret in the Draw Things tab of the sidebar, and choose the "
        "stored server in DT Server.",
    ),
}
