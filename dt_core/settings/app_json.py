"""A Configuration as the app's JSON, and back (docs/protocol.md 10).

The JSON is what "Copy configuration" in the app gives, what its pictures carry and what
its presets hold: camelCase keys, sizes in px, most enums as numbers. What it has no way
to say stands beside it under one key of our own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import SettingsError
from ..text import Template, Text
from .choices import Choice
from .configuration import (
    A_LIST,
    A_NUMBER,
    A_WHOLE_NUMBER,
    ONE_OF,
    Configuration,
    ControlSettings,
    LoraSettings,
    checked,
    wrong,
)
from .table import CONTROL_SETTINGS, INTEGER_RANGES, LORA_SETTINGS, SETTINGS, Kind, Setting

_NO_JSON = Template("configuration_no_json", "The configuration is not JSON: {error}.")
_WHOLE = Template("the_configuration", "The configuration")()
_JSON = Template("wanted_json", "a JSON text or object")()
_OBJECT = Template("wanted_json_object", "a JSON object")()


OURS = "drawthingsNodes"  # an object of the schema's names

_CAUSAL = ("causal_inference_enabled", "causal_inference", "causal_inference_pad")
_BY_KEY = {row.json_key: row for row in SETTINGS if row.json_key}
_BY_NAME = {row.name: row for row in SETTINGS if not row.deprecated}
KEYS = frozenset(_BY_KEY)  # what the app's JSON calls them
_WRAPPERS = ("configuration", "v2")  # an entry of custom_configs.json; a picture's metadata

# What the app's importer makes of a value out of range.
_CLAMPS = {
    "batch_count": (1, 2**32 - 1),
    "batch_size": (1, 4),
    "compression_artifacts_quality": (0, 100),
}
_ENTRIES: dict[Kind, tuple[tuple[Setting, ...], Any]] = {
    Kind.CONTROLS: (CONTROL_SETTINGS, ControlSettings),
    Kind.LORAS: (LORA_SETTINGS, LoraSettings),
}

Values = dict[str, Any]


def to_json(config: Configuration, *, complete: bool = False) -> dict[str, Any]:
    """The app's JSON object for `config`: what it sets, or with `complete` all keys.

    `from_json` of the result without `complete` gives an equal Configuration.
    """
    values = dict(config.explicit)
    if complete:
        defaults = {name: row.default for name, row in _BY_NAME.items()}
        values = {**defaults, **values}
    result = _plain_json(values)
    wanted = set(config) | (set(_CAUSAL) if set(_CAUSAL) & set(config) else set())
    ours = {
        name: _json_value(_BY_NAME[name], value)
        for name, value in _lost(values).items()
        if name in wanted
    }
    unknown = dict(config.unknown)
    if ours:
        ours = {**_object(unknown.pop(OURS, {}), OURS), **ours}
        result[OURS] = ours
    return {**result, **unknown}


def from_json(source: str | bytes | Mapping[str, Any]) -> Configuration:
    """The configuration in the app's JSON, as text or as an object.

    Every key may be missing; null counts as missing. A negative seed (random, for the
    app) leaves the seed unset. Sizes are cut to multiples of 64 px. Keys that are newer
    than our table are kept in `unknown`.

    Raises SettingsError for a text that is no JSON object and for a value of the wrong
    type or out of range.
    """
    data = _object(_parsed(source), _WHOLE)
    while inner := [data[key] for key in _WRAPPERS if isinstance(data.get(key), Mapping)]:
        data = inner[0]
    plain = {key: value for key, value in data.items() if key in _BY_KEY and value is not None}
    values = _plain_values(plain)
    ours = _object({} if data.get(OURS) is None else data[OURS], OURS)
    unknown = {key: value for key, value in data.items() if key not in _BY_KEY and key != OURS}
    newer = {name: value for name, value in ours.items() if name not in _BY_NAME}
    if newer:
        unknown[OURS] = newer
    stored = {
        name: _value(_BY_NAME[name], value, f"{OURS}.{name}")
        for name, value in ours.items()
        if name in _BY_NAME and value is not None
    }
    return Configuration.of(_with_stored(values, stored, plain), unknown)


def _parsed(source: str | bytes | Mapping[str, Any]) -> object:
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, (str, bytes)):
        raise wrong(_WHOLE, _JSON, source)
    try:
        return json.loads(source.lstrip("\ufeff") if isinstance(source, str) else source)
    except (ValueError, RecursionError) as error:
        raise SettingsError(_NO_JSON(error=str(error))) from None


def _object(value: object, name: str | Text) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(name, _OBJECT, value)
    return value


def _plain_json(values: Mapping[str, Any]) -> dict[str, Any]:
    result = {
        row.json_key: _json_value(row, values[row.name])
        for row in SETTINGS
        if row.json_key and row.name in values and row.name not in _CAUSAL
        # A name that is not set has no key; see docs/protocol.md 10.
        if row.kind is not Kind.STR or values[row.name]
    }
    return {**result, **_causal_json(values)}  # type: ignore[dict-item]


def _causal_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """One number for switch and block, 0 while off; so is the pad."""
    result = {}
    on = values.get("causal_inference_enabled", False)
    if "causal_inference_enabled" in values or "causal_inference" in values:
        block = values.get("causal_inference", _BY_NAME["causal_inference"].default)
        result["causalInference"] = block if on else 0
    if "causal_inference_pad" in values:
        result["causalInferencePad"] = values["causal_inference_pad"] if on else 0
    return result


def _json_value(row: Setting, value: Any) -> Any:
    if row.choices is not None:
        return int(value) if value.json_name is None else value.json_name
    if row.kind in _ENTRIES:
        return [_json_entry(_ENTRIES[row.kind][0], entry) for entry in value]
    return list(value) if row.kind is Kind.STRINGS else value


def _json_entry(rows: Sequence[Setting], entry: Any) -> dict[str, Any]:
    values = {str(row.json_key): _json_value(row, getattr(entry, row.name)) for row in rows}
    return {key: value for key, value in values.items() if key != "file" or value}


def _lost(values: Values) -> Values:
    """What the plain keys would not bring back. The three causal fields go together."""
    back = _plain_values(_plain_json(values))
    lost = {name: value for name, value in values.items() if back.get(name) != value}
    if _causal(back) != _causal(values):
        lost.update(_causal(values))
    return lost


def _causal(values: Mapping[str, Any]) -> Values:
    return {name: values[name] for name in _CAUSAL if name in values}


def _plain_values(plain: Mapping[str, Any]) -> Values:
    values = {}
    for key, value in plain.items():
        row = _BY_KEY[key]
        if (found := _imported(row, value, key)) is not None:
            values[row.name] = found
    if "causal_inference" in values:
        values["causal_inference_enabled"] = values["causal_inference"] > 0
        if not values["causal_inference_enabled"]:
            del values["causal_inference"]
    return values


def _imported(row: Setting, value: Any, key: str) -> Any:
    """The value of a plain key with the liberties of the app's importer; None if unset."""
    value = _number(row, value, key)
    if row.name == "seed":
        return None if value < 0 else value % 2**32
    if row.wire_scale > 1:
        value -= value % row.wire_scale
    if row.name in _CLAMPS:
        low, high = _CLAMPS[row.name]
        value = min(max(value, low), high)
    return _value(row, value, key)


def _number(row: Setting, value: Any, key: str) -> Any:
    """20.0 as 20 where the setting is a whole number; JSON does not tell them apart."""
    if row.kind in INTEGER_RANGES and row.choices is None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        wanted, known = A_WHOLE_NUMBER, isinstance(value, int)
    elif row.kind is Kind.F32:
        wanted, known = A_NUMBER, isinstance(value, (int, float))
    else:
        return value
    if not known or isinstance(value, bool):
        raise wrong(key, wanted, value)
    return value


def _value(row: Setting, value: Any, key: str) -> Any:
    if row.kind in _ENTRIES:
        rows, kind = _ENTRIES[row.kind]
        if not isinstance(value, list):
            raise wrong(key, A_LIST, value)
        return checked(
            row, [kind(**_entry(rows, v, f"{key}[{i}]")) for i, v in enumerate(value)], key
        )
    words = _words(row)
    if words is None:
        return checked(row, _number(row, value, key), key)
    if not isinstance(value, str):
        raise wrong(key, ONE_OF(names=", ".join(map(repr, words))), value)
    return words.get(value.strip().lower(), row.default)


def _words(row: Setting) -> dict[str, Choice] | None:
    """The words for an enum in JSON; None where a number stands for it."""
    members = [] if row.choices is None else list(row.choices)
    return {m.json_name: m for m in members if m.json_name is not None} or None


def _entry(rows: Sequence[Setting], data: object, path: str) -> Values:
    entry = _object(data, path)
    return {
        "file": "",
        **{
            row.name: _value(row, entry[row.json_key], f"{path}.{row.json_key}")
            for row in rows
            if row.json_key and entry.get(row.json_key) is not None
        },
    }


def _with_stored(values: Values, stored: Values, plain: Mapping[str, Any]) -> Values:
    """`values` with what our own key adds.

    A plain key that says something else was edited since: it wins.
    """
    result = dict(values)
    for name, value in stored.items():
        key = _BY_NAME[name].json_key
        if name not in _CAUSAL and plain.get(str(key), value) in (
            value,
            _plain_json({name: value}).get(str(key)),
        ):
            result[name] = value
    causal_keys = {
        key: plain[key] for key in ("causalInference", "causalInferencePad") if key in plain
    }
    if _causal(stored) and _causal_json(stored) == causal_keys:
        result = {name: value for name, value in result.items() if name not in _CAUSAL}
        result.update(_causal(stored))
    return result
