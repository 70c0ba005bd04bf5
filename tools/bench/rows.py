"""What the bench finds out: rows of the table, and how times become their figures."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Timed = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and its goal.

    `median`, `low` and `high` (quartiles) are in `unit`: "×", "ms", "%" or a noun. `goal`
    is None for a figure that has none. `against` says what it is compared with, `beside` the
    absolute times or whatever else a reader wants to know.
    """

    part: str
    name: str
    against: str
    median: float
    low: float
    high: float
    unit: str
    goal: float | None = None
    better: Literal["at most", "at least"] = "at most"
    beside: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.median <= self.goal if self.better == "at most" else self.median >= self.goal


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure that could not be taken, and why."""

    part: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rival:
    """The same operation here and in another library, both in s, medians."""

    name: str
    ours: float
    theirs: float
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """One axis of a plot: `time_s` and `memory_bytes` for every amount of `what`."""

    what: str
    amounts: tuple[float, ...]
    time_s: tuple[float, ...]
    memory_bytes: tuple[float, ...]


Found = Row | Missing | Rival | Growth
_KINDS: dict[str, type[Found]] = {kind.__name__: kind for kind in (Row, Missing, Rival, Growth)}


def row(
    part: str, name: str, against: str, samples: Sequence[float], unit: str, **more: Any
) -> Row:
    """A row of many measurements of the same figure."""
    low, median, high = quartiles(samples)
    return Row(part, name, against, median, low, high, unit, **more)


def quartiles(samples: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(samples) == 1:
        return samples[0], samples[0], samples[0]
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, median, high


def timed(work: Callable[[], Any], best_of: int = 1) -> Timed:
    """A function that does the work and returns the seconds that it took, the best of some."""

    def measure() -> float:
        best = float("inf")
        for _ in range(best_of):
            began = time.perf_counter()
            result = work()
            best = min(best, time.perf_counter() - began)
            del result
        return best

    return measure


def race(rounds: int, *contenders: Timed) -> list[list[float]]:
    """The seconds of each contender in every round; they take turns, and start in turn.

    One more round goes first and does not count.
    """
    times: list[list[float]] = [[] for _ in contenders]
    for number in range(-1, rounds):
        for offset in range(len(contenders)):
            place = (number + offset) % len(contenders)
            seconds = contenders[place]()
            if number >= 0:
                times[place].append(seconds)
    return times


def ratios(ours: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Round by round, so that what disturbs a whole round disturbs no ratio."""
    return [mine / theirs for mine, theirs in zip(ours, floor, strict=True)]


def milliseconds(samples: Sequence[float]) -> str:
    """The median of some seconds, in words."""
    median = statistics.median(samples) * 1000
    return f"{median:.2f} ms" if median < 10 else f"{median:.0f} ms"


def write(path: Path, found: Iterable[Found]) -> None:
    """Leave what a part found for the report."""
    listed = [[type(one).__name__, asdict(one)] for one in found]
    path.write_text(json.dumps(listed), encoding="utf-8")


def read(path: Path) -> list[Found]:
    """What `write` left."""
    found: list[Found] = []
    for kind, fields in json.loads(path.read_text(encoding="utf-8")):
        plain: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()
        }
        found.append(_KINDS[kind](**plain))
    return found


def part(measure: Callable[[bool], Iterable[Found]]) -> None:
    """What a part does as a program: `MODULE TARGET [--quick]`."""
    write(Path(sys.argv[1]), measure("--quick" in sys.argv))
