"""What the settings table says of a setting, in words: for docs/ and the help pages."""

from __future__ import annotations

from dt_core.models.families import FAMILIES
from dt_core.settings.table import NOT_READ, Kind, Setting

_TYPES = {Kind.BOOL: "on or off", Kind.STR: "text", Kind.CONTROLS: "list", Kind.LORAS: "list"}


def unit(row: Setting) -> str:
    """Its unit, or its type where it has none."""
    if row.choices is not None:
        return "a choice"
    word = _TYPES.get(row.kind, row.unit or "number")
    return f"{word}, multiples of {row.wire_scale}" if row.wire_scale > 1 else word


def readers(row: Setting) -> tuple[list[str], list[str]]:
    """The names of the families that read it, and of those that do not."""
    if row.families is None:
        return [family.name for family in FAMILIES.values()], []
    does = [family.name for family in FAMILIES.values() if family.supports(row.families)]
    return does, [family.name for family in FAMILIES.values() if family.name not in does]


def families(row: Setting) -> str:
    """Who reads it, by whichever list is shorter."""
    if row.families == NOT_READ:
        return str(NOT_READ)
    does, others = readers(row)
    if not others:
        return "all"
    return f"all but {'; '.join(others)}" if len(others) < len(does) else "; ".join(does)
