"""`drawthings ping` and `drawthings servers`: who is there, and what is wrong with it."""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..connection.channel import Link
from ..connection.discovery import LINUX_PAUSE_S, FoundServer, discover
from ..connection.profile import ServerProfile, TlsMode
from ..errors import (
    DrawThingsError,
    NoAnswer,
    Remedy,
    SecretRejected,
    ServerUnreachable,
    TlsMismatch,
    TrustError,
)
from ..generation.client import Client
from ..text import Template
from . import connecting, exits, output

_SPEAKS_TLS = Template(
    "server_speaks_tls", "The server at {address} speaks TLS, and plain text is asked for."
)
_SOMETHING_ELSE = Template(
    "something_else_listens",
    "Something listens at {address}, but it does not speak the protocol of Draw Things.",
)

CONNECT_TIMEOUT_S = 3.0


def run(options: argparse.Namespace) -> int:
    if options.command != "ping":
        return _servers(options)
    profiles = _found(options) if options.discover else connecting.profile_of(options).members
    if options.accept:
        for profile in profiles:
            Link(profile).accept(options.accept)
            output.note(f"The certificate of {profile.address} is trusted from now on.")
    answers = [_answer(profile, is_named=not options.discover) for profile in profiles]
    if options.json:
        output.as_json([told for told, _ in answers])
    else:
        _say(answers)
    if not answers:
        return exits.UNREACHABLE
    return next((exits.code_of(error) for _, error in answers if error), exits.DONE)


def _say(answers: Iterable[tuple[dict[str, Any], DrawThingsError | None]]) -> None:
    for told, error in answers:
        if error is None:
            output.line(told["sentence"])
        else:
            output.note(exits.sentence_of(error))


def _answer(
    profile: ServerProfile, *, is_named: bool
) -> tuple[dict[str, Any], DrawThingsError | None]:
    told: dict[str, Any] = {"address": profile.address}
    try:
        client = _greeted(profile, is_named=is_named)
        start = time.monotonic()
        catalog = client.echo()
        latency_ms = round((time.monotonic() - start) * 1000, 1)
        listed = (
            f"{len(catalog.models)} models, {len(catalog.loras)} LoRAs, "
            f"{len(catalog.controls)} ControlNets"
            if catalog.browsable
            else "it does not list its models (model browsing is off)"
        )
        told |= {
            "works": True,
            "latency_ms": latency_ms,
            "security": client.security,
            "trust": client.trust,
            "browsable": catalog.browsable,
            "models": len(catalog.models),
            "loras": len(catalog.loras),
            "controls": len(catalog.controls),
            "sentence": f"{profile.address} answers over {client.security}: {listed}.",
            **_of_the_proxy(client),
        }
    except DrawThingsError as error:
        return told | {"works": False, "sentence": exits.sentence_of(error)}, error
    return told, None


def _greeted(profile: ServerProfile, *, is_named: bool) -> Client:
    """A client whose server has answered once. Says where only TLS is missing, or the port
    is somebody else's."""
    client = connecting.client_of(profile, is_named=is_named)
    try:
        client.echo()
    except NoAnswer:
        raise
    except ServerUnreachable:
        if profile.tls is TlsMode.PLAIN and _speaks_tls(profile):
            raise TlsMismatch(
                _SPEAKS_TLS(address=profile.address), remedy=Remedy.CHOOSE_ENCRYPTION
            ) from None
        if _is_taken(profile):
            raise ServerUnreachable(
                _SOMETHING_ELSE(address=profile.address), remedy=Remedy.CHECK_PORT
            ) from None
        raise
    return client


def _is_taken(profile: ServerProfile) -> bool:
    try:
        with socket.create_connection((profile.host, profile.port), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _speaks_tls(profile: ServerProfile) -> bool:
    try:
        connecting.client_of(replace(profile, tls=TlsMode.AUTOMATIC)).echo()
    except (TrustError, SecretRejected):  # it does, and more is wrong
        return True
    except DrawThingsError:
        return False
    return True


def _of_the_proxy(client: Client) -> dict[str, Any]:
    """What only the cloud's proxy tells; no reason to call a server broken."""
    try:
        limits = client.thresholds()
    except DrawThingsError:
        return {}
    if limits is None:
        return {}
    return {"thresholds": {"community": limits.community, "plus": limits.plus}}


def _found(options: argparse.Namespace) -> tuple[ServerProfile, ...]:
    heard = (server.profile() for server in discover(options.seconds))
    profiles = tuple(
        replace(
            profile,
            secret_name=options.secret_name,
            tls=connecting.MODES[options.tls] if options.tls else profile.tls,
        )
        for profile in heard
    )
    if not profiles:
        output.note(_NOBODY)
    return profiles


_NOBODY = (
    f"No server was heard. Servers on Linux announce themselves once a minute: --seconds "
    f"{LINUX_PAUSE_S:g}. Some networks pass no such packets; then name the address."
)


def _servers(options: argparse.Namespace) -> int:
    def tell(server: FoundServer) -> None:
        if not options.json:
            output.line(f"{server.profile().address}  {_spoken(server.tls)}  {server.name}")

    found = discover(options.seconds, told=tell)
    if options.json:
        output.as_json(
            [
                {
                    "name": server.name,
                    "address": server.profile().address,
                    "host": server.host,
                    "tls": server.tls,
                }
                for server in found
            ]
        )
    elif not found:
        output.note(_NOBODY)
    return exits.DONE if found else exits.UNREACHABLE


def _spoken(tls: bool | None) -> str:
    return {True: "TLS  ", False: "plain", None: "?    "}[tls]
