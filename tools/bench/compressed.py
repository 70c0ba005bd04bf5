"""fpzip answers beside the bare library call, and what they do to others in the process."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import fpzip
import numpy as np

from ...dt_core.generation.delivery import Delivery
from ...dt_core.pictures import pixels
from ...dt_core.pictures.stack import Stack
from ...dt_core.wire import fpzip_pool, tensor
from . import scenes
from .node import beating, running
from .peer import PeerMissing, peer
from .rows import Found, Missing, Rival, milliseconds, part, race, ratios, row, timed

PART = "Compressed answers (fpzip)"
PICTURES = 4
BEATS_MS = 20
PAUSE_S = 0.3


def measure(quick: bool) -> Iterator[Found]:
    rounds = 7 if quick else 25
    data = [
        scenes.answer_tensor(scenes.SIDE, scenes.SIDE, "fpzip", seed) for seed in range(PICTURES)
    ]
    _decoded(data)  # starts the children
    one, bare = race(rounds, timed(lambda: _decode(data[0])), timed(lambda: _bare(data[0])))
    yield row(
        PART,
        "One picture, 1024x1024",
        "bare fpzip call",
        ratios(one, bare),
        "×",
        goal=1.15,
        beside=f"{milliseconds(one)}, bare {milliseconds(bare)}",
    )
    together, in_turn = race(
        max(3, rounds // 2),
        timed(lambda: _decoded(data)),
        timed(lambda: [_decode(one) for one in data]),
    )
    yield row(
        PART,
        "Four pictures side by side: times as fast",
        "one after another",
        ratios(in_turn, together),
        "×",
        goal=1.6,
        better="at least",
        beside=f"{milliseconds(together)}, in turn {milliseconds(in_turn)}",
    )
    fpzip_pool.shutdown()
    yield from _in_the_node(max(3, rounds // 2), data)
    yield _peer(max(3, rounds // 3), data[0])


def _decode(data: bytes) -> Any:
    return tensor.lend(data, lambda values: pixels.wire_to_picture(values, Stack(1).reserve()))


def _bare(data: bytes) -> Any:
    return fpzip.decompress(data[tensor.HEADER_BYTES :], order="C")


def _decoded(data: list[bytes]) -> None:
    """All of them as a job decodes them: in order, as many at a time as there are children."""
    delivery = Delivery(lambda _: None, lambda: None, fpzip_pool.at_once() + 1)
    for one in data:
        delivery.make(partial(_decode, one))
    delivery.finish()


def _in_the_node(rounds: int, data: list[bytes]) -> Iterator[Found]:
    with running(scenes.batch()) as run:
        late, today = race(rounds, run.heartbeat, lambda: asyncio.run(_beats_of_today(data)))
    yield row(
        PART,
        "Four pictures in the node: latest heartbeat of the event loop",
        "none",
        [seconds * 1000 for seconds in late],
        "ms",
        goal=BEATS_MS,
        beside=f"worst run {max(late) * 1000:.0f} ms; bare fpzip calls in a thread instead: "
        f"{milliseconds(today)}",
    )
    tails = []
    with running(scenes.batch(PAUSE_S)) as run:
        for _ in range(max(3, rounds // 2)):
            run.seconds()
            tails.append(time.time() - run.server.asked().last_sent)
    single = _single(data[0])
    yield row(
        PART,
        "Pictures arriving one after another: time from the last byte to the end",
        "decoding of one picture",
        [tail / single for tail in tails],
        "×",
        goal=2,
        beside=f"{milliseconds(tails)}, one picture {single * 1000:.0f} ms; all four would be 4 ×",
    )


def _single(data: bytes) -> float:
    return statistics.median(race(3, timed(lambda: _decode(data)))[0])


async def _beats_of_today(data: list[bytes]) -> float:
    """The same heartbeat while a thread calls the library, which holds the lock."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        for one in data:
            np.clip(_bare(one), -1, 1)
        loop.call_soon_threadsafe(done.set)

    async with beating() as late:
        threading.Thread(target=work).start()
        await done.wait()
    return max(late)


def _peer(rounds: int, data: bytes) -> Found:
    try:
        with peer({"fpzip": data}, scenes.SIDE) as other:
            theirs_once: Callable[[], float] = lambda: other.seconds("fpzip", 1)  # noqa: E731
            ours, theirs = race(rounds, timed(lambda: _decode(data)), theirs_once)
    except PeerMissing as missing:
        return Missing("drawthings-py", "fpzip answer", str(missing))
    return Rival(
        "fpzip answer to picture, 1024x1024", statistics.median(ours), statistics.median(theirs)
    )


if __name__ == "__main__":
    part(measure)
