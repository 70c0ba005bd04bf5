"""Values from other nodes and programs, brought to what a setting can be, and a note of it.

Seeds are folded into 32 bits, sizes go to their grid, and numbers that miss a bound by the
error of a float meet it. All else is left to `configuration.checked`, which refuses it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..text import Template, Text
from .configuration import checked, shortened
from .table import INTEGER_RANGES, Kind, setting

SEEDS = 2**32
FLOAT_ERROR = 1e-5  # of sums of single floats near 1

_SEED_FOLDED = Template("seed_folded", "Seed {given} is folded into 32 bits: {made} is used.")
_ROUNDED = Template(
    "size_rounded", "{name} {given} becomes {made}: it goes to the nearest multiple of {grid} px."
)


def fitted(name: str, value: Any, called: str = "") -> tuple[Any, Text | None]:
    """The value of the setting `name` nearest to the given one, and a note if it is another.

    `called` is what the note, or an error, calls it. Raises SettingsError for a wrong type
    and for what no rounding brings into range.
    """
    row, called = setting(name), called or name
    if row.kind in INTEGER_RANGES and row.choices is None:
        value = _whole(value)
    if name == "seed" and isinstance(value, Integral) and not isinstance(value, bool):
        made = folded(int(value))
        note = None if made == value else _SEED_FOLDED(given=shortened(int(value)), made=made)
        return checked(row, made, called), note
    if row.wire_scale > 1 and isinstance(value, Integral) and not isinstance(value, bool):
        made = on_grid(int(value), row.wire_scale, row.wire_range)
        note = None
        if made != value:
            given = shortened(int(value))
            note = _ROUNDED(name=called, given=given, made=made, grid=row.wire_scale)
        return checked(row, made, called), note
    if row.kind is Kind.F32 and isinstance(value, Real) and not isinstance(value, bool):
        value = _at_bound(float(value), row.minimum, row.maximum)
    return checked(row, value, called), None


@dataclass(slots=True)
class Fitting:
    """`fitted` for several settings, with the notes of all in `notes`."""

    notes: tuple[Text, ...] = ()

    def of(self, name: str, value: Any, called: str = "") -> Any:
        made, note = fitted(name, value, called)
        if note is not None:
            self.notes += (note,)
        return made


def folded(seed: int) -> int:
    """A seed of any size as the server takes it, 0 to 4294967295: its lowest 32 bits.

    Negative ones count as two's complement; -1 is for the caller, who means a random one.
    """
    return seed % SEEDS


def on_grid(pixels: int, grid: int, bounds: tuple[int, int] | None = None) -> int:
    """The multiple of `grid` that is nearest, of two the larger; at least one of it."""
    low, high = bounds or (0, 2**31)
    nearest = (pixels + grid // 2) // grid * grid
    return min(max(nearest, low, grid if pixels != 0 else 0), high)


def _whole(value: Any) -> Any:
    """20.0, and 19.999999 from sums of floats, as 20."""
    if isinstance(value, (Integral, bool)) or not isinstance(value, Real):
        return value
    number = float(value)
    near = round(number) if math.isfinite(number) else 0
    return near if math.isfinite(number) and abs(number - near) <= FLOAT_ERROR else value


def _at_bound(value: float, low: float | None, high: float | None) -> float:
    for bound in (low, high):
        if bound is not None and abs(value - bound) <= FLOAT_ERROR * max(1.0, abs(bound)):
            return float(bound)
    return value
