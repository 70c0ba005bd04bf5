"""What to do about an error in a Python script."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Remedy
from ..text import Template

WORDS: Mapping[Remedy, Template] = {
    Remedy.NAME_SERVER: Template(
        "python_name_server",
        "Give server_address, or see that UDP port 5353 is free and the network is up.",
    ),
    Remedy.CHOOSE_PLAIN_TEXT: Template(
        "python_plain_text", "Give insecure=True, or start the server with TLS."
    ),
    Remedy.CHOOSE_ENCRYPTION: Template("python_encryption", "Leave out insecure=True."),
    Remedy.SAY_WHY_PLAIN_TEXT: Template(
        "python_why_plain_text",
        "If you switched that off yourself, give insecure=True; if the server is just starting, "
        "try again; otherwise somebody may be listening.",
    ),
    Remedy.ACCEPT_CERTIFICATE: Template(
        "python_accept_certificate",
        "If you changed the server or its certificate yourself, run in a terminal: drawthings "
        "ping --server {address} --accept {presented}. Otherwise somebody may be listening.",
    ),
    Remedy.CHOOSE_TLS: Template(
        "python_choose_tls",
        "Leave out verify_ssl, which trusts the certificate that the server showed first, or give "
        "ssl_cert_path.",
    ),
    Remedy.CHECK_PATH: Template("python_check_path", "Check ssl_cert_path."),
    Remedy.GIVE_SECRET: Template(
        "python_give_secret",
        "Give shared_secret=…, or set the environment variable DRAWTHINGS_SECRET.",
    ),
}
