"""What the servers have: in memory, kept on disk, filled from catalogues in the background.

ComfyUI asks for node definitions several times per run, so they may not ask a server.
When a catalogue brings news, the open front ends are told; a value that was chosen stays.
A server that is away keeps its last known catalogue.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from ...dt_core import files
from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import DrawThingsError
from ...dt_core.models.catalog import Catalog
from ...dt_core.models.families import FAMILIES
from ...dt_core.text import Template, Text, verbatim
from ..host import compat, sentences
from . import stored as servers
from .clients import Clients

CHANGED_EVENT = "drawthingsnodes.lists"
NONE = "none"
FRESH_S = 60.0  # a catalogue of that age is not asked for again
FILE_LIMIT = 64 * 1024 * 1024  # bytes; a catalogue of 10,000 entries has a tenth of it
FILES_LIMIT = 100  # catalogues on disk; those of servers not heard of for longest go first
DRAFT_AGE_S = 3600.0
FORMAT = 1

_LISTS_NOTHING = Template("lists_nothing", "{address} answers, but does not list what it has.")
_LISTS = Template(
    "lists", "{address} has {models} models, {loras} LoRAs and {controls} ControlNets."
)

# The app's own, offered until a server has told what it has.
OFFICIAL_UPSCALERS = (
    "4x_ultrasharp_f16.ckpt",
    "esrgan_4x_universal_upscaler_v2_sharp_f16.ckpt",
    "realesrgan_x2plus_f16.ckpt",
    "realesrgan_x4plus_anime_6b_f16.ckpt",
    "realesrgan_x4plus_f16.ckpt",
    "remacri_4x_f16.ckpt",
)
OFFICIAL_FACE_RESTORERS = ("restoreformer_v1.0_f16.ckpt",)

_NOT_KEPT = Template(
    "catalogs_not_kept",
    "What servers have is not kept on this machine, because its folder cannot be written "
    "({reason}): they are asked again after the next start.",
)
_log = logging.getLogger("drawthings")


def _official_models() -> tuple[str, ...]:
    files = (preset.model for row in FAMILIES.values() for preset in row.presets)
    return tuple(dict.fromkeys(files))


@dataclass(frozen=True, slots=True)
class Lists:
    """File names per kind; well-known ones until a server has told its own.

    `embeddings` are keywords, without the brackets that stand round them in a prompt.
    """

    models: tuple[str, ...] = field(default_factory=_official_models)
    loras: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    upscalers: tuple[str, ...] = OFFICIAL_UPSCALERS
    face_restorers: tuple[str, ...] = OFFICIAL_FACE_RESTORERS
    embeddings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a server told, and when (Unix time, s)."""

    catalog: Catalog
    asked_at: float

    @property
    def is_fresh(self) -> bool:
        return 0 <= time.time() - self.asked_at < FRESH_S  # not one of the future either


class KnownLists:
    """What servers told last, and the names that nodes offer because of that."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: dict[ServerProfile, Known] = {}
        self._asking: set[ServerProfile] = set()
        self._forgotten: dict[ServerProfile, int] = {}  # how often each was
        self._lists = Lists()  # a snapshot: define_schema reads it several times per run
        self._lock = threading.Lock()

    def current(self) -> Lists:
        return self._lists

    def ticket(self, profile: ServerProfile) -> int:
        """To be taken before a server is asked: no answer counts that came after `forget`."""
        with self._lock:
            return self._forgotten.get(profile, 0)

    def learn(self, profile: ServerProfile, catalog: Catalog, ticket: int | None = None) -> None:
        """Take over what a server has; tells the front ends if that changes anything."""
        before = self.known(profile)
        with self._lock:
            if ticket not in {None, self._forgotten.get(profile, 0)}:
                return
            self._known[profile] = Known(catalog, time.time())
        self._collect()
        if before is None or before.catalog != catalog:
            _store(profile, catalog)
            compat.send_event(CHANGED_EVENT, {})
        else:
            with contextlib.suppress(OSError):
                os.utime(_place(profile))  # its age on disk is that of the last answer

    def known(self, profile: ServerProfile) -> Known | None:
        """What that server told last, in this process or an earlier one; None if never."""
        with self._lock:
            if profile in self._known:
                return self._known[profile]
        stored = _load(profile)
        if stored is None:
            return None
        with self._lock:
            kept = self._known.setdefault(profile, stored)
        self._collect()
        return kept

    def forget(self, profile: ServerProfile) -> None:
        """Drop what that server told, from the disk too."""
        with self._lock:
            self._known.pop(profile, None)
            self._forgotten[profile] = self._forgotten.get(profile, 0) + 1
        self._collect()
        with contextlib.suppress(OSError):
            _place(profile).unlink(missing_ok=True)

    def catalog(self, profile: ServerProfile) -> Catalog | None:
        """What that server told last; None if it never did."""
        found = self.known(profile)
        return found.catalog if found else None

    def _collect(self) -> None:
        with self._lock:
            all_known = [entry.catalog for entry in self._known.values()]
            self._lists = Lists(
                models=_names([m.file for m in c.models] for c in all_known) or _official_models(),
                loras=_names([row.file for row in c.loras] for c in all_known),
                controls=_names([row.file for row in c.controls] for c in all_known),
                upscalers=_names([row.file for row in c.upscalers] for c in all_known)
                or OFFICIAL_UPSCALERS,
                face_restorers=_names(face_restorers(c) for c in all_known)
                or OFFICIAL_FACE_RESTORERS,
                embeddings=_names(
                    [e.keyword for e in c.embeddings if e.keyword] for c in all_known
                ),
            )

    def start(self) -> None:
        """Take up what the servers told last, and ask the default one in the background."""
        try:
            profile = servers.default_profile()
            for server in servers.current().stored:
                self.known(server.profile)
        except DrawThingsError as error:
            _log.warning("%s", error)
            return
        self.known(profile)
        self.refresh_in_background(profile)

    def refresh_in_background(self, profile: ServerProfile) -> None:
        """Ask a server, unless that is going on already; its absence is no error."""
        with self._lock:
            if profile in self._asking:
                return
            self._asking.add(profile)
            ticket = self._forgotten.get(profile, 0)

        def ask() -> None:
            try:
                self.refresh(profile, ticket)
            finally:
                with self._lock:
                    self._asking.discard(profile)

        threading.Thread(target=ask, name="drawthings-lists", daemon=True).start()

    def refresh(self, profile: ServerProfile, ticket: int | None = None) -> tuple[bool, Text]:
        """Ask one server for its catalogue now; whether it answered, and a sentence on it.

        With a ticket of before, a server that was removed meanwhile stays removed.
        """
        ticket = self.ticket(profile) if ticket is None else ticket
        try:
            catalog = self._clients.client(profile).sync.echo()
        except DrawThingsError as error:
            _log.info("%s", error)
            return False, sentences.told(error)
        finally:
            if self.ticket(profile) != ticket:
                self._clients.forget(profile)
        self.learn(profile, catalog, ticket)
        if not catalog.browsable:
            return True, _LISTS_NOTHING(address=profile.address)
        return True, _LISTS(
            address=profile.address,
            models=len(catalog.models),
            loras=len(catalog.loras),
            controls=len(catalog.controls),
        )


def face_restorers(catalog: Catalog) -> list[str]:
    """Servers list them among their files only, without a description."""
    return sorted(name for name in catalog.files if name.startswith("restoreformer"))


def _names(lists: Iterator[list[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lists for name in names}))


def _place(profile: ServerProfile) -> Path:
    digest = hashlib.sha256(repr(profile).encode()).hexdigest()[:32]
    return compat.user_folder() / "catalogs" / f"{digest}.json"


def _store(profile: ServerProfile, catalog: Catalog) -> None:
    path = _place(profile)
    text = json.dumps({"format": FORMAT, "asked_at": time.time(), "catalog": catalog.to_json()})
    if len(text) > FILE_LIMIT:
        return
    try:
        files.write(path, text.encode(), durable=False)
        _prune(path.parent)
    except OSError as error:  # a list that is not kept is no reason to fail
        files.say_once(_NOT_KEPT(reason=verbatim(error.strerror or type(error).__name__)))


def _prune(folder: Path) -> None:
    """Keep the newest FILES_LIMIT catalogues, and no draft that a killed process left."""
    aged: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another thread may have been here
            aged.append((path.stat().st_mtime, path))
    aged.sort(reverse=True, key=lambda entry: entry[0])
    kept = [path for _, path in aged if path.suffix == ".json"][:FILES_LIMIT]
    for changed_at, path in aged:
        draft = path.suffix == ".new" and time.time() - changed_at < DRAFT_AGE_S
        if path not in kept and not draft:
            with contextlib.suppress(OSError):
                path.unlink()


def _load(profile: ServerProfile) -> Known | None:
    path = _place(profile)
    try:
        found = path.stat()
        data = json.loads(files.read(path, FILE_LIMIT))
        if data["format"] != FORMAT:
            return None
        asked_at = max(float(data["asked_at"]), found.st_mtime)
        return Known(Catalog.from_json(data["catalog"]), asked_at if isfinite(asked_at) else 0.0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None
    except RecursionError:
        return None
