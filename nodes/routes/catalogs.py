"""What servers have, and how they are."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...dt_core.connection.profile import ServerProfile, TlsMode
from ...dt_core.connection.tls import speaks_tls
from ...dt_core.errors import (
    CertificateChanged,
    DrawThingsError,
    NoAnswer,
    SecretRejected,
    ServerUnreachable,
    SettingsError,
    TlsMismatch,
    TrustError,
)
from ...dt_core.models.catalog import Catalog
from ...dt_core.models.families import family
from ...dt_core.text import Template, Text
from ..host import sentences
from ..servers import lists, secret_homes, stored
from ..servers.owner import here
from .guard import FAILED_HERE, Body, UnknownServer, answered, asking_route, json_body, json_route
from .permitted import profile_of
from .threads import HERE, run

STATUS_TIMEOUT_S = 8.0
ECHO_TIMEOUT_S = 6.5  # of those, so that some time is left for the reason
NAME_LIMIT = 200  # characters of a name that a server gave
ENTRIES_LIMIT = 20_000

_CODES: tuple[tuple[type[DrawThingsError], str], ...] = (
    (TlsMismatch, "tls_mismatch"),
    (CertificateChanged, "certificate_changed"),
    (TrustError, "certificate"),
    (SecretRejected, "wrong_secret"),
    (NoAnswer, "busy"),
    (ServerUnreachable, "unreachable"),
    (UnknownServer, "unknown_server"),
)
_SPEAKS_TLS = Template(
    "speaks_tls",
    'The server at {address} speaks TLS, and "plain text" is chosen for it: choose "automatic".',
)
_SILENT = Template(
    "status_silent",
    "The server at {address} did not answer within {seconds} seconds: it may be busy or stuck.",
)
_log = logging.getLogger("drawthings")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


def refresh(_body: Body) -> Any:
    """Ask every known server for its catalogue; a sentence for each."""
    known = here().lists
    outcomes: list[tuple[bool, Text]] = []
    profiles = dict.fromkeys(here().clients.profiles())
    try:
        profiles[stored.default_profile()] = None
    except DrawThingsError as error:  # the others are asked all the same
        outcomes.append((False, sentences.told(error)))
    tickets = {profile: known.ticket(profile) for profile in profiles}
    with ThreadPoolExecutor(max(len(tickets), 1)) as pool:
        outcomes += pool.map(_refreshed, tickets, tickets.values())
    return {"servers": [{"ok": ok, **sentences.one("sentence", said)} for ok, said in outcomes]}


def _refreshed(profile: ServerProfile, ticket: int) -> tuple[bool, Text]:
    try:
        return here().lists.refresh(profile, ticket)
    except Exception as error:  # a fault of ours with one server stops no other one
        _log.exception("Draw Things: %s could not be asked", profile.address)
        return False, FAILED_HERE(kind=type(error).__name__)


def status(body: Body) -> Any:
    """How a server is, asked just now."""
    question = _question(body)
    return _asked(question).result() if isinstance(question, _Question) else question


def _asked(question: _Question) -> Future[Any]:
    return here().questions.ask(question, partial(_told, question))


async def status_in_time(request: Any) -> Any:
    """The same within STATUS_TIMEOUT_S, whatever the server does."""
    return await answered(request, lambda: _status(request), guarded=True)


async def _status(request: Any) -> Any:
    until = time.monotonic() + STATUS_TIMEOUT_S
    question = await run(HERE, _question, await json_body(request))
    if not isinstance(question, _Question):
        return question
    answer = asyncio.wrap_future(_asked(question))
    await asyncio.wait({answer}, timeout=max(until - time.monotonic(), 0))
    if answer.done():
        return answer.result()
    silent = NoAnswer(_SILENT(address=question.profile.address, seconds=STATUS_TIMEOUT_S))
    return _failed(silent, question.name, question.profile.address)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a status asks: a server, its name in the user's list, and what goes along."""

    profile: ServerProfile
    name: str
    secret: str | None = field(repr=False)


def _question(body: Body) -> Any:
    """The question, or the answer where there is nobody to ask."""
    try:
        profile = profile_of(body)
    except DrawThingsError as error:
        return _failed(error, "", "")
    name = next((s.name for s in stored.current().stored if s.profile == profile), "")
    try:
        return _Question(profile, name, secret_homes.secret_for(profile))
    except SecretRejected as error:
        return _failed(error, name, profile.address, "secret_not_stored")
    except SettingsError as error:
        return _failed(error, name, profile.address, "unknown_server")


def _told(question: _Question) -> Any:
    profile, name = question.profile, question.name
    ticket = here().lists.ticket(profile)
    # A client of its own: a short patience that no running generation shares.
    client = here().clients.unlisted(profile, question.secret).sync
    client.echo_timeout_s = ECHO_TIMEOUT_S
    try:
        trust = client.trust
    except DrawThingsError as error:
        return _failed(error, name, profile.address)
    try:
        started = time.perf_counter()
        catalog = client.echo()
        latency_ms = (time.perf_counter() - started) * 1e3
    except DrawThingsError as error:
        return _failed(_diagnosed(profile, error), name, profile.address)
    here().lists.learn(profile, catalog, ticket)
    return {
        "code": "connected" if catalog.browsable else "browsing_off",
        "sentence": "",
        "name": name,
        "address": profile.address,
        "latency_ms": round(latency_ms, 1),
        "tls": trust,
        "models": len(catalog.models),
        "loras": len(catalog.loras),
        "controls": len(catalog.controls),
    }


def _diagnosed(profile: ServerProfile, error: DrawThingsError) -> DrawThingsError:
    """A better reason where asking the port gives one.

    A server that speaks TLS just hangs up on plain text; one that does not answer may be busy,
    or not there at all.
    """
    plain = profile.tls is TlsMode.PLAIN and isinstance(error, ServerUnreachable)
    if not plain and not isinstance(error, NoAnswer):
        return error
    try:
        encrypted = speaks_tls(profile)
    except ServerUnreachable as unreachable:
        return unreachable
    except DrawThingsError:
        return error
    if plain and encrypted:
        return TlsMismatch(_SPEAKS_TLS(address=profile.address))
    return error


def _failed(error: DrawThingsError, name: str, address: str, code: str = "") -> Any:
    found = code or next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
    said = sentences.one("sentence", sentences.told(error))
    answer = {"code": found, **said, "name": name, "address": address}
    if isinstance(error, CertificateChanged):
        answer |= {"expected": error.expected, "presented": error.presented}
    return answer


def catalog(body: Body) -> Any:
    """What a server has, at once: as it told last. News are fetched in the background."""
    profile = profile_of(body)
    known = here().lists.known(profile)
    if known is None or not known.is_fresh or body.get("refresh") is True:
        here().lists.refresh_in_background(profile)
    if known is None:
        return {"known": False, "address": profile.address}
    return {
        "known": True,
        "address": profile.address,
        "stale": not known.is_fresh,
        "asked_at": known.asked_at,
        "browsable": known.catalog.browsable,
        "refiners": {
            row.version: list(row.refiner_versions)
            for model in known.catalog.models
            if (row := model.family) is not None
        },
        **_entries(known.catalog),
    }


def _entries(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    def rows(entries: Iterable[Any], *more: str) -> list[dict[str, Any]]:
        return [_entry(entry, catalog, more) for entry in entries][:ENTRIES_LIMIT]

    return {
        "models": rows(catalog.models, "modifier"),
        "loras": rows(
            catalog.loras,
            "modifier",
            "default_weight",
            "described_weight",
            "lower_weight",
            "upper_weight",
        ),
        "controls": rows(catalog.controls, "modifier", "type"),
        "upscalers": rows(catalog.upscalers, "scale_factor"),
        "face_restorers": [
            {"file": clean(file), "name": clean(file), "installed": True}
            for file in lists.face_restorers(catalog)
        ],
        "embeddings": rows((e for e in catalog.embeddings if e.keyword), "keyword"),
    }


def _entry(entry: Any, catalog: Catalog, more: tuple[str, ...]) -> dict[str, Any]:
    version = getattr(entry, "version", "")
    row = family(version)
    return {
        "file": entry.file,
        "name": clean(entry.name),
        "family": clean(version),
        "family_name": row.name if row else clean(version),
        "installed": entry.file in catalog.files or not catalog.files,
        **{key: getattr(entry, key) for key in more},
    }


def clean(name: str) -> str:
    """A server's text as it may be shown: bounded, without control characters."""
    return _INVISIBLE.sub(" ", name)[:NAME_LIMIT]


ROUTES = {
    "/refresh": asking_route(refresh),
    "/status": status_in_time,
    "/catalog": json_route(catalog),
}
