"""What matters for a model, and where to start with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...dt_core import effects
from ...dt_core.errors import DrawThingsError
from ...dt_core.settings import Kind, setting
from ...dt_core.values import Picture
from .. import lists
from .asked import profile_of
from .guard import Body, Refused, json_route, text

VALUES_LIMIT = 200
_DOT = Picture(np.zeros((1, 1, 3), np.float32))  # stands for any image


def idle(body: Body) -> Any:
    """The settings without effect for {"server", "model", "values", "unknown", "image"}.

    `values` are widget values by setting, `unknown` the settings whose value comes by a link;
    `image` tells whether the sampler has one.
    """
    unknown = body.get("unknown", [])
    if not isinstance(unknown, list) or not all(isinstance(name, str) for name in unknown):
        raise Refused(400, "'unknown' must be a list of settings.")
    at = effects.chosen(text(body, "model"), _values(body), _catalog(body))
    if body.get("image") is True:
        at = replace(at, request=replace(at.request, image=_DOT))
    return {
        "family": at.family.name if at.family else "",
        "idle": effects.idle(at, frozenset(unknown)),
    }


def recommended(body: Body) -> Any:
    """Where to start with {"server", "model"}: widget values by setting."""
    at = effects.chosen(text(body, "model"), {}, _catalog(body))
    found = effects.recommended(at)
    if found is None:
        return {"name": "", "values": {}, "notes": []}
    values = {key: getattr(value, "label", value) for key, value in found.settings.items()}
    return {"name": found.name, "values": values, "notes": list(found.notes)}


def _catalog(body: Body) -> Any:
    try:
        return lists.catalog(profile_of(body))
    except DrawThingsError:  # an unknown server's model may be a well-known one
        return None


def _values(body: Body) -> dict[str, Any]:
    given = body.get("values", {})
    if not isinstance(given, dict) or len(given) > VALUES_LIMIT:
        raise Refused(400, "'values' must be an object of settings.")
    return {
        name: taken for name, value in given.items() if (taken := _taken(name, value)) is not None
    }


def _taken(name: str, value: Any) -> Any:
    """A widget's value as a setting's; None for what is none: it is just left out."""
    try:
        row = setting(name)
        if row.choices is not None:
            return row.choices.from_label(value)
    except (DrawThingsError, KeyError):
        return None
    if row.kind is Kind.STR:
        return "" if value == lists.NONE else str(value)
    return value if isinstance(value, (bool, int, float)) else None


ROUTES = {"/effects": json_route(idle), "/recommended": json_route(recommended)}
