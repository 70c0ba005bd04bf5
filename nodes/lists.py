"""The names that combos offer: read from memory, filled from catalogues in the background.

ComfyUI asks for node definitions several times per run, so they may not ask a server.
When a catalogue brings new names, the open front ends are told to fetch the definitions
again; a value that was chosen stays.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from ..dt_core.catalog import Catalog
from ..dt_core.errors import DrawThingsError
from ..dt_core.families import FAMILIES
from ..dt_core.profile import ServerProfile, default_profile
from . import clients, compat

CHANGED_EVENT = "drawthingsnodes.lists"
NONE = "none"

_log = logging.getLogger("drawthings")


def _official_models() -> tuple[str, ...]:
    files = (preset.model for row in FAMILIES.values() for preset in row.presets)
    return tuple(dict.fromkeys(files))


@dataclass(frozen=True, slots=True)
class Lists:
    """File names per kind; the models of our presets until a server has told its own."""

    models: tuple[str, ...] = field(default_factory=_official_models)
    loras: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()


_catalogs: dict[ServerProfile, Catalog] = {}
_lists = Lists()
_lock = threading.Lock()


def current() -> Lists:
    return _lists


def learn(profile: ServerProfile, catalog: Catalog) -> None:
    """Take over what a server has; tells the front ends if that changes a list."""
    global _lists  # the one snapshot that define_schema reads
    with _lock:
        _catalogs[profile] = catalog
        known = list(_catalogs.values())
        lists = Lists(
            models=_names([[m.file for m in c.models] for c in known]) or _official_models(),
            loras=_names([[row.file for row in c.loras] for c in known]),
            controls=_names([[row.file for row in c.controls] for c in known]),
        )
        changed, _lists = lists != _lists, lists
    if changed:
        compat.send_event(CHANGED_EVENT, {})


def _names(lists: list[list[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lists for name in names}))


def refresh_default() -> None:
    """Ask the default server in the background; its absence is no error."""
    try:
        profile = default_profile()
    except DrawThingsError as error:
        _log.warning("%s", error)
        return
    threading.Thread(target=refresh, args=(profile,), name="drawthings-lists", daemon=True).start()


def refresh(profile: ServerProfile) -> tuple[bool, str]:
    """Ask one server for its catalogue now; whether it answered, and a sentence on it."""
    try:
        catalog = clients.client(profile).sync.echo()
    except DrawThingsError as error:
        _log.info("%s", error)
        return False, str(error)
    learn(profile, catalog)
    if not catalog.browsable:
        return True, f"{profile.address} answers, but does not list what it has."
    return True, (
        f"{profile.address} has {len(catalog.models)} models, {len(catalog.loras)} LoRAs and "
        f"{len(catalog.controls)} ControlNets."
    )
