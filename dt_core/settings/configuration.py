"""Values for some of the generation settings: checked once, immutable, hashable.

Knows what the wire can carry (`table`) and refuses the rest. What would crash
a server or have no effect there is for preflight to say.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from numbers import Integral, Real
from reprlib import Repr
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..text import Filling, Template, Text
from .choices import ControlInputType, ControlMode, LoraMode, Sampler, SeedMode
from .table import (
    CONTROL_SETTINGS,
    INTEGER_RANGES,
    LORA_SETTINGS,
    MAX_ENTRIES,
    SETTINGS,
    Kind,
    Setting,
    setting,
)

_WRONG = Template("setting_wrong", "{name} must be {wanted}, not {value}.")
_NEAREST = Template(
    "setting_nearest", "{name} must be {wanted}, not {number}: the nearest is {nearest}."
)
_NEAREST_IN = Template(
    "setting_nearest_in",
    "{name} must be {wanted}, not {number} {unit}: the nearest is {nearest} {unit}.",
)
A_NUMBER = Template("wanted_number", "a number")()
A_WHOLE_NUMBER = Template("wanted_whole_number", "a whole number")()
A_LIST = Template("wanted_list", "a list")()
ONE_OF = Template("wanted_one_of", "one of {names}")
_A_FINITE_NUMBER = Template("wanted_finite_number", "a finite number that fits in 32 bits")()
_TRUE_OR_FALSE = Template("wanted_true_or_false", "true or false")()
_A_TEXT = Template("wanted_text", "a text")()
_A_UTF_8_TEXT = Template("wanted_utf_8_text", "a text that UTF-8 can carry")()
_A_LIST_OF = Template("wanted_list_of", "a list of {kind}")
_RANGE = Template("wanted_range", "{low} to {high}")
_RANGE_IN = Template("wanted_range_in", "{low} to {high} {unit}")
_MULTIPLE_IN = Template("wanted_multiple_in", "a multiple of {step} {unit}, {low} to {high} {unit}")
_HUGE = Template("huge_number", "a huge number")()
_SETTING_OF_LORA = Template("setting_of_lora", "{name} of a LoRA")
_SETTING_OF_CONTROL = Template("setting_of_control", "{name} of a control")
# Made once: they are looked up for every value that is checked.
_OF_A_LORA = {row.name: _SETTING_OF_LORA(name=row.name) for row in LORA_SETTINGS}
_OF_A_CONTROL = {row.name: _SETTING_OF_CONTROL(name=row.name) for row in CONTROL_SETTINGS}
_TOO_MANY_ENTRIES = Template(
    "too_many_entries", "{name} has {entries} entries: at most {max_entries} fit."
)
_OBSOLETE = Template(
    "setting_obsolete",
    "'{name}' is obsolete: no server reads it. Leave it out.",
)
_UNKNOWN_NOT_KEPT = Template(
    "unknown_settings_not_kept",
    "The unknown settings cannot be kept as JSON: {error}.",
)


_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """One LoRA of a configuration; the fields are the rows of LORA_SETTINGS."""

    file: str
    weight: float = 0.6
    mode: LoraMode = LoraMode.ALL

    def __post_init__(self) -> None:
        for row in LORA_SETTINGS:
            value = checked(row, getattr(self, row.name), _OF_A_LORA[row.name])
            object.__setattr__(self, row.name, value)


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """One ControlNet or adapter of a configuration; the fields are CONTROL_SETTINGS."""

    file: str
    weight: float = 1.0
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    no_prompt: bool = False
    global_average_pooling: bool = True
    down_sampling_rate: float = 1.0
    control_mode: ControlMode = ControlMode.BALANCED
    target_blocks: tuple[str, ...] = ()
    input_override: ControlInputType = ControlInputType.UNSPECIFIED

    def __post_init__(self) -> None:
        for row in CONTROL_SETTINGS:
            value = checked(row, getattr(self, row.name), _OF_A_CONTROL[row.name])
            object.__setattr__(self, row.name, value)


def checked(row: Setting, value: object, name: str | Text) -> Any:
    """`value` as the wire can carry it for `row`.

    Numbers of other types (NumPy's too) become int and float; a float becomes the
    shortest decimal that names the nearest float32, so that 0.7 stays 0.7 and survives
    the wire. `name` is what an error calls the setting.

    Raises SettingsError for a wrong type and for what the wire type cannot hold.
    """
    if row.choices is not None:
        return _member(row, value, name)
    if row.kind in INTEGER_RANGES:
        return _integer(row, value, name)
    if row.kind is Kind.F32:
        return _float32(value, name)
    if row.kind is Kind.BOOL:
        if not isinstance(value, bool):
            raise wrong(name, _TRUE_OR_FALSE, value)
        return value
    if row.kind is Kind.STR:
        return whole_text(value, name)
    if row.kind is Kind.CONTROLS:
        return _entries(value, ControlSettings, name)
    if row.kind is Kind.LORAS:
        return _entries(value, LoraSettings, name)
    return tuple(whole_text(item, name) for item in _entries(value, str, name))


def shortened(value: object) -> str | Text:
    """`value` for an error message, however long it is."""
    try:
        return _short.repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return _HUGE


def wrong(name: str | Text, wanted: Text, value: object) -> SettingsError:
    """What is said of a value that is no `wanted`."""
    return SettingsError(_WRONG(name=name, wanted=wanted, value=shortened(value)))


def _whole(value: object, name: str | Text, wanted: Text = A_WHOLE_NUMBER) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise wrong(name, wanted, value)
    return int(value)


def _member(row: Setting, value: object, name: str | Text) -> Any:
    choices = row.choices
    assert choices is not None  # noqa: S101
    if isinstance(value, choices):
        return value
    members = {int(member): member for member in choices}
    wanted = ONE_OF(names=", ".join(f"{n} ({member.label})" for n, member in members.items()))
    if isinstance(value, Enum) and not isinstance(value, choices):
        raise wrong(name, wanted, value)
    number = _whole(value, name, wanted)
    if number not in members:
        raise wrong(name, wanted, value)
    return members[number]


def _integer(row: Setting, value: object, name: str | Text) -> int:
    number = _whole(value, name)
    low, high = row.wire_range or (0, 0)
    nearest = min(max((number + row.wire_scale // 2) // row.wire_scale * row.wire_scale, low), high)
    if number == nearest:
        return number
    given: dict[str, Filling] = {"name": name, "number": shortened(number), "nearest": nearest}
    limits: dict[str, Filling] = {"low": low, "high": high}
    if not row.unit:
        raise SettingsError(_NEAREST(**given, wanted=_RANGE(**limits)))
    limits["unit"] = row.unit
    if row.wire_scale > 1:
        wanted = _MULTIPLE_IN(**limits, step=row.wire_scale)
    else:
        wanted = _RANGE_IN(**limits)
    raise SettingsError(_NEAREST_IN(**given, unit=row.unit, wanted=wanted))


def _float32(value: object, name: str | Text) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise wrong(name, A_NUMBER, value)
    try:
        (number,) = struct.unpack("<f", struct.pack("<f", float(value)))
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise wrong(name, _A_FINITE_NUMBER, value)
    shortest = np.format_float_scientific(np.float32(number), unique=True)
    return float(shortest) + 0.0  # no negative zero


def whole_text(value: object, name: str | Text) -> str:
    """The text. Raises SettingsError if it is none, or holds half a character (a surrogate)."""
    if not isinstance(value, str):
        raise wrong(name, _A_TEXT, value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise wrong(name, _A_UTF_8_TEXT, value) from None
    return str(value)


def _entries(value: object, kind: type, name: str | Text) -> tuple[Any, ...]:
    wanted = _A_LIST_OF(kind=kind.__name__)
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise wrong(name, wanted, value)
    entries = tuple(value)
    for entry in entries:
        if not isinstance(entry, kind):
            raise wrong(name, wanted, entry)
    if len(entries) > MAX_ENTRIES:
        raise SettingsError(
            _TOO_MANY_ENTRIES(name=name, entries=len(entries), max_entries=MAX_ENTRIES)
        )
    return entries


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Configuration:
    """Generation settings, by the schema's names; holds only those that were set.

        config = Configuration(model="flux_1_dev_q8p.ckpt", start_width=1024, steps=20)
        config["steps"]            # 20
        config["strength"]         # 0.0, what the server assumes
        "strength" in config       # False: not set
        config.replace(steps=4)    # another Configuration

    Sizes are px. An empty text counts as not set, because a server takes an empty name
    for a file that it has (docs/protocol.md 2.7). Values are checked against what the
    wire can carry; see `checked`. `unknown` holds keys of the app's JSON that are newer
    than our table.

    Raises SettingsError for an unknown name and a value that cannot be.
    """

    _items: tuple[tuple[str, Any], ...]
    _unknown: str  # JSON text: hashable, and nobody can change it

    def __init__(self, /, **settings: Any) -> None:
        self._fill(settings, {})

    def _fill(self, settings: Mapping[str, Any], unknown: Mapping[str, Any]) -> None:
        values = {}
        for name, value in settings.items():
            row = setting(name)
            if row.deprecated:
                raise SettingsError(_OBSOLETE(name=name))
            sure = checked(row, value, name)
            if row.kind is not Kind.STR or sure:
                values[name] = sure
        try:
            text = json.dumps(dict(unknown), sort_keys=True)
        except (TypeError, ValueError, RecursionError) as error:
            raise SettingsError(_UNKNOWN_NOT_KEPT(error=str(error))) from None
        self._set(values, text)

    def _set(self, values: Mapping[str, Any], unknown: str) -> None:
        items = tuple((row.name, values[row.name]) for row in SETTINGS if row.name in values)
        object.__setattr__(self, "_items", items)
        object.__setattr__(self, "_unknown", unknown)

    @classmethod
    def _sure(cls, values: Mapping[str, Any], unknown: str) -> Configuration:
        """A configuration of values that others were checked to be."""
        config = cls.__new__(cls)
        config._set(values, unknown)
        return config

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], unknown: Mapping[str, Any] | None = None
    ) -> Configuration:
        """A configuration of a mapping from names to values."""
        config = cls.__new__(cls)
        config._fill(settings, unknown or {})
        return config

    @property
    def explicit(self) -> Mapping[str, Any]:
        """What was set, in the order of the table; read-only."""
        return MappingProxyType(dict(self._items))

    @property
    def unknown(self) -> Mapping[str, Any]:
        """Keys of the app's JSON that our table does not know, with their JSON values."""
        return MappingProxyType(json.loads(self._unknown))

    def __getitem__(self, name: str) -> Any:
        row = setting(name)
        return dict(self._items).get(row.name, row.default)

    def __contains__(self, name: object) -> bool:
        return any(name == known for known, _ in self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._items))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._items)
        return f"Configuration({values})"

    def replace(self, /, **settings: Any) -> Configuration:
        """The same with some settings changed; a text that becomes "" is no longer set."""
        changed = Configuration(**settings)
        kept = {name: value for name, value in self._items if name not in settings}
        return Configuration._sure({**kept, **changed.explicit}, self._unknown)

    def without(self, *names: str) -> Configuration:
        """The same with some settings left to the server."""
        gone = {setting(name).name for name in names}
        kept = {name: value for name, value in self._items if name not in gone}
        return Configuration._sure(kept, self._unknown)

    def merged(self, other: Configuration) -> Configuration:
        """Both together; where both set a value, `other` wins."""
        values = {**self.explicit, **other.explicit}
        if other._unknown in {"{}", self._unknown}:
            return Configuration._sure(values, self._unknown)
        return Configuration.of(values, {**self.unknown, **other.unknown})


# Where the app starts from something else than the schema's default (docs/protocol.md 2.2).
DEFAULTS = Configuration(
    steps=20,
    guidance_scale=4.5,
    strength=1.0,
    sampler=Sampler.UNIPC_AYS,
    seed_mode=SeedMode.SCALE_ALIKE,
    mask_blur=1.5,
    refiner_start=0.85,
)
