"""docs/performance.md: the table, under the words of `introduction.md`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .rows import Found, Missing, Rival, Row

INTRODUCTION = Path(__file__).with_name("introduction.md")


def report(found: Sequence[Found], facts: Mapping[str, str], plot: str | None) -> str:
    """The whole page; `facts` are about the machine, `plot` is the picture's file name."""
    pieces = [INTRODUCTION.read_text(encoding="utf-8").rstrip(), _summary(found)]
    pieces.append(_table(("", ""), facts.items()))
    rows = [one for one in found if isinstance(one, Row | Missing)]
    for part, group in itertools.groupby(rows, key=lambda one: one.part):
        shown = list(group)
        if part != "drawthings-py":
            pieces += [f"## {part}", _table(HEADINGS, map(_cells, shown))]
        if part == "Growth" and plot:
            pieces.append(f"![Time and memory over pixels and frames, with fitted lines]({plot})")
    pieces += ["## Beside drawthings-py", *_beside(found)]
    return "\n\n".join(pieces) + "\n"


HEADINGS = ("What", "Compared with", "Goal", "Measured", "Quartiles", "", "Beside")


def _summary(found: Iterable[Found]) -> str:
    judged = [one.met for one in found if isinstance(one, Row) and one.met is not None]
    return f"**{sum(judged)} of {len(judged)} goals are met** in the run below."


def _cells(one: Row | Missing) -> Sequence[str]:
    if isinstance(one, Missing):
        return one.name, "", "", "not measured", "", "–", one.reason
    goal = "" if one.goal is None else f"{one.better} {_number(one.goal)} {one.unit}"
    spread = "" if one.low == one.high else f"{_number(one.low)} – {_number(one.high)}"
    met = {True: "met", False: "**not met**", None: ""}[one.met]
    measured = f"{_number(one.median)} {one.unit}"
    return one.name, one.against, goal, measured, spread, met, one.beside


def _beside(found: Iterable[Found]) -> Iterator[str]:
    rivals = [one for one in found if isinstance(one, Rival)]
    if rivals:
        cells = (
            (
                one.name,
                f"{_number(one.ours * 1000)} ms",
                f"{_number(one.theirs * 1000)} ms",
                f"{_number(one.theirs / one.ours)} ×",
            )
            for one in rivals
        )
        yield _table(("Operation", "Here", "drawthings-py", "Times as fast"), cells)
    yield from (
        f"{one.name}: not compared, {one.reason}."
        for one in found
        if isinstance(one, Missing) and one.part == "drawthings-py"
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"
