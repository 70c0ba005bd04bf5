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
            upscalers=_names([[row.file for row in c.upscalers] for c in known])
            or OFFICIAL_UPSCALERS,
            face_restorers=_names([_face_restorers(c) for c in known]) or OFFICIAL_FACE_RESTORERS,
            embeddings=_names([[e.keyword for e in c.embeddings if e.keyword] for c in known]),
        )
        changed, _lists = lists != _lists, lists
    if changed:
        compat.send_event(CHANGED_EVENT, {})


def catalog(profile: ServerProfile) -> Catalog | None:
    """What that server told last; None before it was asked."""
    return _catalogs.get(profile)


def _face_restorers(catalog: Catalog) -> list[str]:
    """Servers list them among their files only, without a description."""
    return [name for name in catalog.files if name.startswith("restoreformer")]


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
