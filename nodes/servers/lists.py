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
from pathlib import Path

from ...dt_core import files
from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import DrawThingsError
from ...dt_core.models.catalog import Catalog
from ...dt_core.models.families import FAMILIES
from ...dt_core.text import Template, Text, verbatim
from ..host import compat, sentences
from . import clients
from . import stored as servers

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
        return time.time() - self.asked_at < FRESH_S


_known: dict[ServerProfile, Known] = {}
_asking: set[ServerProfile] = set()
_lists = Lists()
_lock = threading.Lock()


def current() -> Lists:
    return _lists


def learn(profile: ServerProfile, catalog: Catalog) -> None:
    """Take over what a server has; tells the front ends if that changes anything."""
    before = known(profile)
    with _lock:
        _known[profile] = Known(catalog, time.time())
    _collect()
    if before is None or before.catalog != catalog:
        _store(profile, catalog)
        compat.send_event(CHANGED_EVENT, {})
    else:
        with contextlib.suppress(OSError):
            os.utime(_place(profile))  # its age on disk is that of the last answer


def known(profile: ServerProfile) -> Known | None:
    """What that server told last, in this process or an earlier one; None if never."""
    with _lock:
        if profile in _known:
            return _known[profile]
    stored = _load(profile)
    if stored is None:
        return None
    with _lock:
        kept = _known.setdefault(profile, stored)
    _collect()
    return kept


def forget(profile: ServerProfile) -> None:
    """Drop what that server told, from the disk too."""
    with _lock:
        _known.pop(profile, None)
    _collect()
    with contextlib.suppress(OSError):
        _place(profile).unlink(missing_ok=True)


def catalog(profile: ServerProfile) -> Catalog | None:
    """What that server told last; None if it never did."""
    found = known(profile)
    return found.catalog if found else None


def _collect() -> None:
    global _lists  # noqa: PLW0603 (the one snapshot that define_schema reads)
    with _lock:
        all_known = [entry.catalog for entry in _known.values()]
        _lists = Lists(
            models=_names([m.file for m in c.models] for c in all_known) or _official_models(),
            loras=_names([row.file for row in c.loras] for c in all_known),
            controls=_names([row.file for row in c.controls] for c in all_known),
            upscalers=_names([row.file for row in c.upscalers] for c in all_known)
            or OFFICIAL_UPSCALERS,
            face_restorers=_names(face_restorers(c) for c in all_known) or OFFICIAL_FACE_RESTORERS,
            embeddings=_names([e.keyword for e in c.embeddings if e.keyword] for c in all_known),
        )


def face_restorers(catalog: Catalog) -> list[str]:
    """Servers list them among their files only, without a description."""
    return sorted(name for name in catalog.files if name.startswith("restoreformer"))


def _names(lists: Iterator[list[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lists for name in names}))


def start() -> None:
    """Take up what the servers told last, and ask the default one in the background."""
    try:
        profile = servers.default_profile()
        for server in servers.current().stored:
            known(server.profile)
    except DrawThingsError as error:
        _log.warning("%s", error)
        return
    known(profile)
    refresh_in_background(profile)


def refresh_in_background(profile: ServerProfile) -> None:
    """Ask a server, unless that is going on already; its absence is no error."""
    with _lock:
        if profile in _asking:
            return
        _asking.add(profile)

    def ask() -> None:
        try:
            refresh(profile)
        finally:
            with _lock:
                _asking.discard(profile)

    threading.Thread(target=ask, name="drawthings-lists", daemon=True).start()


def refresh(profile: ServerProfile) -> tuple[bool, Text]:
    """Ask one server for its catalogue now; whether it answered, and a sentence on it."""
    try:
        catalog = clients.client(profile).sync.echo()
    except DrawThingsError as error:
        _log.info("%s", error)
        return False, sentences.told(error)
    learn(profile, catalog)
    if not catalog.browsable:
        return True, _LISTS_NOTHING(address=profile.address)
    return True, _LISTS(
        address=profile.address,
        models=len(catalog.models),
        loras=len(catalog.loras),
        controls=len(catalog.controls),
    )


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
        return Known(
            Catalog.from_json(data["catalog"]), max(float(data["asked_at"]), found.st_mtime)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
