"""The whole node on a server that answers at once, beside a bare exchange of the same bytes."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from ...dt_core.pictures import previews
from . import scenes
from .node import Run, kept_memory, running
from .rows import Found, Timed, milliseconds, part, race, row
from .scenes import Scene

PART = "The whole node"
FLOOR = "bare gRPC exchange"
CASES = (
    ("Text to image", scenes.text, 15, 25),
    ("20 previews", scenes.previews, 60, 15),
    ("Image and mask", scenes.inpainting, 40, 15),
    ("Three references, hires fix", scenes.references, 80, 15),
)
FRAMES = 33
FILM_GOAL_MS = 150
BURST_STEP_S = 0.02  # a very fast model
STEP_S = 0.5  # 20 steps are a 10-second generation


def measure(quick: bool) -> Iterator[Found]:
    for name, scene, goal_ms, rounds in CASES:
        yield _case(name, scene(), goal_ms, 5 if quick else rounds)
    yield from _film(scenes.film(FRAMES), 5 if quick else 9)
    yield from _habits(scenes.text())
    yield _burst(scenes.previews(BURST_STEP_S))
    yield _share(1 if quick else 3)


def _case(name: str, scene: Scene, goal_ms: float, rounds: int) -> Found:
    with running(scene) as run:
        request = run.server.request()

        def bare() -> float:
            began = time.perf_counter()
            run.server.exchange(request)
            return time.perf_counter() - began

        ours, floor = race(rounds, run.seconds, bare)
    return row(
        PART,
        f"{name}: time over a bare exchange",
        FLOOR,
        [(mine - theirs) * 1000 for mine, theirs in zip(ours, floor, strict=True)],
        "ms",
        goal=goal_ms,
        beside=f"{milliseconds(ours)}, exchange {milliseconds(floor)}",
    )


def _film(scene: Scene, rounds: int) -> Iterator[Found]:
    """With the result in memory that is there already; and what the system takes to give it."""
    with kept_memory():
        yield _case(f"{FRAMES} frames, raw", scene, FILM_GOAL_MS, rounds)
    size_bytes = FRAMES * scenes.SIDE * scenes.SIDE * 3 * 4

    def first_use() -> float:
        began = time.perf_counter()
        with mmap.mmap(-1, size_bytes) as memory:
            if hasattr(mmap, "MADV_HUGEPAGE"):  # NumPy asks for the same
                memory.madvise(mmap.MADV_HUGEPAGE)
            np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE] = 1
            return time.perf_counter() - began

    (times,) = race(rounds, first_use)
    yield row(
        PART,
        f"{FRAMES} frames: first use of as much memory as the result takes",
        "none",
        [seconds * 1000 for seconds in times],
        "ms",
        beside=f"{size_bytes >> 20} MiB, the system's part; not in the figure above",
    )


def _habits(scene: Scene) -> Iterator[Found]:
    """What goes over the wire besides the generation, once the catalogue is known."""
    with running(scene) as run:
        before = run.server.asked()
        for _ in range(5):
            run.seconds()
        after = run.server.asked()
    echoes = after.echoes - before.echoes
    yield row(PART, "Echo calls in five runs, catalogue fresh", "none", [echoes], "calls", goal=0)
    yield row(PART, "Connections in six runs", "one", [after.connections], "connections", goal=1)


def _burst(scene: Scene) -> Found:
    """How many previews are decoded at the same time when they come thick and fast."""
    made, at_once, most = 0, 0, 0
    original = previews.latent_to_rgb

    def counted(*given: Any) -> Any:
        nonlocal made, at_once, most
        made, at_once = made + 1, at_once + 1
        most = max(most, at_once)
        try:
            return original(*given)
        finally:
            at_once -= 1

    with running(scene) as run, patch.object(previews, "latent_to_rgb", counted):
        run.seconds()
    said = (
        f"{made} of 20 in {scenes.STEPS * BURST_STEP_S:.1f} s were decoded, the others were stale"
    )
    return row(PART, "Previews decoded at a time", "one", [most], "previews", goal=1, beside=said)


def _share(rounds: int) -> Found:
    """What 20 previews add to a generation of ten seconds."""
    with (
        running(scenes.previews(STEP_S)) as shown,
        running(Scene(scenes.answers(step_s=STEP_S))) as plain,
    ):
        ours, floor = race(rounds, shown.seconds, plain.seconds)
        with_cpu, without_cpu = race(1, _cpu(shown), _cpu(plain))
    whole = scenes.STEPS * STEP_S
    said = f"processor time: {(with_cpu[0] - without_cpu[0]) / whole * 100:+.2f} % of one core"
    return row(
        PART,
        "20 previews in a generation of 10 s: time added",
        "the same without previews",
        [(mine - theirs) / whole * 100 for mine, theirs in zip(ours, floor, strict=True)],
        "%",
        goal=1,
        beside=said,
    )


def _cpu(run: Run) -> Timed:
    """A run whose measure is the processor's time."""

    def seconds() -> float:
        began = time.process_time()
        run.seconds()
        return time.process_time() - began

    return seconds


if __name__ == "__main__":
    part(measure)
