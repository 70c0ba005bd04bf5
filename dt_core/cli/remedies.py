"""What to do about an error on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Remedy
from ..text import Template

WORDS: Mapping[Remedy, Template] = {
    Remedy.NAME_SERVER: Template(
        "command_name_server",
        "Name the server with --server, or see that UDP port 5353 is free and the network is up.",
    ),
    Remedy.CHOOSE_PLAIN_TEXT: Template(
        "command_plain_text", "Allow it with --tls plain, or start the server with TLS."
    ),
    Remedy.CHOOSE_ENCRYPTION: Template(
        "command_encryption", "Choose --tls automatic, or --tls tls."
    ),
    Remedy.SAY_WHY_PLAIN_TEXT: Template(
        "command_why_plain_text",
        "If you switched that off yourself, choose --tls plain; if the server is just starting, "
        "try again; otherwise somebody may be listening.",
    ),
    Remedy.ACCEPT_CERTIFICATE: Template(
        "command_accept_certificate",
        "If you changed the server or its certificate yourself: drawthings ping --server "
        "{address} --accept {presented}. Otherwise somebody may be listening.",
    ),
    Remedy.PIN_CERTIFICATE: Template(
        "command_pin_certificate",
        "If you changed the server or its certificate yourself: --fingerprint {presented}. "
        "Otherwise somebody may be listening.",
    ),
    Remedy.CHOOSE_TLS: Template(
        "command_choose_tls",
        "Choose --tls tls, which trusts the certificate that the server showed first, or name an "
        "authority of your own with --ca-file.",
    ),
    Remedy.OVERWRITE_OR_RENAME: Template(
        "command_overwrite_or_rename", "Choose another name with --name, or --overwrite it."
    ),
    Remedy.CHECK_PATH: Template("command_check_path", "Check the path after --ca-file."),
    Remedy.GIVE_SECRET: Template(
        "command_give_secret",
        "Set the environment variable DRAWTHINGS_SECRET, or name a stored one with --secret-name.",
    ),
}
