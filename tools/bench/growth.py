"""Time and memory over the number of pixels and of frames."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from . import memory
from .node import kept_memory, running
from .rows import Found, Growth, Row, part

PART = "Growth"
SIDES = (512, 1024, 1536, 2048, 3072, 4096)
FRAMES = (9, 33, 65, 97, 129, 193, 257)
QUICK_SIDES = (512, 1024, 2048)
QUICK_FRAMES = (9, 33, 65)
LINEAR = 0.98  # of the variation is explained by a line


def measure(quick: bool) -> Iterator[Found]:
    rounds = 3 if quick else 7
    sides, frames = (QUICK_SIDES, QUICK_FRAMES) if quick else (SIDES, FRAMES)
    for name, what, amounts, sizes in (
        ("text", "megapixels", sides, [side * side / 1e6 for side in sides]),
        ("small", "frames of 320x192", frames, [float(count) for count in frames]),
    ):
        taken = [memory.used(name, amount) for amount in amounts] if memory.CLEAR.exists() else []
        times = [_seconds(name, amount, rounds) for amount in amounts]
        peaks = [float(one.peak) for one in taken]
        yield Growth(what, tuple(sizes), tuple(times), tuple(peaks))
        yield _linear(f"Time over {what}, up to {sizes[-1]:.3g}", sizes, times)
        if peaks:
            yield _linear(f"Peak memory over {what}, up to {sizes[-1]:.3g}", sizes, peaks)


def _seconds(name: str, amount: int, rounds: int) -> float:
    with kept_memory(), running(memory.scene(name, amount)) as run:
        return statistics.median(run.seconds() for _ in range(rounds))


def _linear(name: str, x: Sequence[float], y: Sequence[float]) -> Found:
    fit = statistics.correlation(x, y) ** 2
    return Row(
        PART,
        name,
        "a straight line (R²)",
        *(fit,) * 3,
        unit="R²",
        goal=LINEAR,
        better="at least",
    )


if __name__ == "__main__":
    part(measure)
