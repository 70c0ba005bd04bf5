"""What matters for a model, and where to start with it."""

from __future__ import annotations

from typing import Any

from ...dt_core.errors import DrawThingsError
from ...dt_core.preflight import effects
from ...dt_core.settings import app_json
from ...dt_core.settings.table import SETTINGS, Kind, setting
from ...dt_core.text import Template
from ..host import sentences
from ..servers import lists
from ..servers.owner import here
from .guard import NO_NAMES, Body, Refused, json_route, text
from .permitted import profile_of

LIMIT = 200  # values of one layer, layers, names
CONFIG_LIMIT = 200_000  # characters
ANYTHING = "*"  # among the unknown: every setting and input
_CONFIG = "configuration"
_NO_LAYERS = Template("layers_no_list", "'layers' must be a list of settings.")
_USED = {
    "use_size": ("start_width", "start_height"),
    "use_seed": ("seed",),
    "use_model": ("model",),
}


def idle(body: Body) -> Any:
    """What has no effect for {"server", "model", "layers", "loras", "connected", "unknown"}.

    `layers` are widget values by setting, the sampler's first and each over those before;
    among them {"configuration": text, "use_size", "use_seed", "use_model"} of DT Config.
    `loras` are files, `connected` some of effects.INPUTS, `unknown` the settings and inputs
    that only a run can tell, or ANYTHING.
    """
    settings = _settings(body)
    at = effects.chosen(
        settings,
        _catalog(body),
        loras=_names(body, "loras"),
        connected=frozenset(_names(body, "connected")),
    )
    unknown = frozenset(_names(body, "unknown"))
    if ANYTHING in unknown:
        unknown = frozenset({row.name for row in SETTINGS} | {*effects.INPUTS})
    reasons = effects.idle(at, unknown)
    return {
        "family": at.family.name if at.family else "",
        "idle": {name: str(why) for name, why in reasons.items()},
        "idle_texts": {name: why.as_json() for name, why in reasons.items()},
    }


def recommended(body: Body) -> Any:
    """Where to start with {"server", "model", "layers", "loras"}: widget values by setting.

    Nothing that a configuration among the layers decides. `refiner` in the answer is the name
    of the refiner's file.
    """
    catalog = _catalog(body)
    decided = [key for layer in _layers(body) if _CONFIG in layer for key in _of_config(layer)]
    model = _settings(body)["model"]
    found = effects.recommended(
        effects.chosen({"model": model}, catalog, loras=_names(body, "loras"))
    )
    if found is None:
        return {"name": "", "values": {}, "refiner": "", **sentences.several("note", ())}
    values = {
        key: getattr(value, "label", value)
        for key, value in found.settings.items()
        if key not in decided
    }
    file = str(values.get("refiner_model", ""))
    known = catalog.model(file) if catalog and file else None
    return {
        "name": found.name,
        "values": values,
        "refiner": known.name if known else file,
        **sentences.several("note", found.notes),
    }


def _settings(body: Body) -> dict[str, Any]:
    """What the layers come to."""
    settings: dict[str, Any] = {"model": text(body, "model")}
    for place, layer in enumerate(_layers(body)):
        values = _of_config(layer) if _CONFIG in layer else _values(layer)
        settings.update(values)
        if place == 0:  # the sampler's own shift switches it off as soon as it is set
            settings["resolution_dependent_shift"] = False
    return settings


def _layers(body: Body) -> list[dict[str, Any]]:
    layers = body.get("layers", [])
    if not isinstance(layers, list) or len(layers) > LIMIT:
        raise Refused(400, _NO_LAYERS())
    if not all(isinstance(layer, dict) and len(layer) <= LIMIT for layer in layers):
        raise Refused(400, _NO_LAYERS())
    return layers


def _names(body: Body, key: str) -> list[str]:
    names = body.get(key, [])
    if not isinstance(names, list) or len(names) > LIMIT:
        raise Refused(400, NO_NAMES(key=key))
    if not all(isinstance(name, str) for name in names):
        raise Refused(400, NO_NAMES(key=key))
    return names


def _of_config(layer: dict[str, Any]) -> dict[str, Any]:
    """What DT Config sets; nothing for a text that it would refuse."""
    try:
        config = app_json.from_json(text(layer, _CONFIG, limit=CONFIG_LIMIT))
    except DrawThingsError:
        return {}
    dropped = {"loras", "controls"}
    for switch, names in _USED.items():
        if layer.get(switch) is not True:
            dropped.update(names)
    return {key: value for key, value in config.explicit.items() if key not in dropped}


def _catalog(body: Body) -> Any:
    try:
        return here().lists.catalog(profile_of(body))
    except DrawThingsError:  # an unknown server's model may be a well-known one
        return None


def _values(layer: dict[str, Any]) -> dict[str, Any]:
    taken = {name: _taken(name, value) for name, value in layer.items()}
    return {name: value for name, value in taken.items() if value is not None}


def _taken(name: str, value: Any) -> Any:
    """A widget's value as a setting's; None for what is none: it is just left out."""
    try:
        row = setting(name)
        if row.choices is not None:
            return row.choices.from_label(value)
    except (DrawThingsError, KeyError):
        return None
    if name == "resolution_dependent_shift" and isinstance(value, str):
        return {"on": True, "off": False}.get(value)
    if row.kind is Kind.STR:
        return "" if value == lists.NONE else str(value)
    return value if isinstance(value, (bool, int, float)) else None


ROUTES = {"/effects": json_route(idle), "/recommended": json_route(recommended)}
