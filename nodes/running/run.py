"""A generation inside ComfyUI: bar, preview, interrupt, and errors in the user's words.

Never blocks ComfyUI's loop: the job has a thread of its own, and this coroutine looks at
its events and at the interrupt flag 20 times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import DrawThingsError
from ...dt_core.generation.event_queue import AsyncEvents
from ...dt_core.generation.fleet import Completed, Left, Numbered, Run
from ...dt_core.generation.work import Work
from ...dt_core.pictures.pixels import WirePicture
from ...dt_core.pictures.values import Audio
from ...dt_core.request.batches import Plan
from ...dt_core.request.resolved import GenerationRequest, Resolved
from ...dt_core.text import Template, Text
from ..host import compat, sentences
from ..servers.owner import here
from .display import Display

INTERRUPT_POLL_S = 0.05

_log = logging.getLogger("drawthings")
_T = TypeVar("_T")


_WENT_ON = Template("went_on_without", "Went on without {address}. {error}")
_ONLY_ARRIVED = Template("only_arrived", "Only {count} picture(s) arrived. {error}")
_NOT_A_NUMBER = Template(
    "values_no_numbers",
    "Picture {number} holds {count} values that are no numbers (NaN), shown as black: try another "
    "sampler or size.",
)
_SIZES_DIFFER = Template(
    "sizes_differ", "The pictures have different sizes: all were scaled to the first one's."
)


@dataclass(slots=True)
class Result:
    """What arrived, in order, and sentences about it for the user.

    `seeds` and `numbers`, those of the requests, have one for each picture.
    `frames_per_second` is None for still pictures.
    """

    pictures: list[WirePicture]
    seeds: list[int]
    numbers: list[int]
    audio: Audio | None
    frames_per_second: float | None
    plan: Plan
    notes: tuple[Text, ...]


async def generate(
    profile: ServerProfile,
    first: GenerationRequest,
    planned: Callable[[Resolved], Plan],
    node_id: str,
) -> Result:
    """Run what `planned` makes of the first request, shown on the node `node_id`.

    Raises ComfyUI's interrupt if the user stops it, a DrawThingsError if it fails before
    the first picture. Pictures that arrived whole are delivered, with a note.
    """
    servers = [here().clients.client(member).sync for member in profile.members]
    Display.prepare(node_id)

    def prepare() -> Work:
        work = Work(servers, lambda _: (first, planned))
        work.find_servers()
        return work

    work = await _watched(prepare)
    run = work.start()  # here, so that nobody who stops it now leaves it running
    display = Display(node_id, len(work.requests), run.servers)
    await _follow(run, display)
    if work.client.known_catalog is not None:
        here().lists.learn(profile, work.client.known_catalog)
    pictures = work.pictures
    await display.finish(pictures[-1] if len(work.requests) > 1 else pictures[0])
    said = [*work.plan.notes, *display.notes, *_notes(pictures)]
    notes = tuple(dict.fromkeys(said))
    for note in notes:
        _log.warning("%s", note)
    return Result(
        pictures=pictures,
        seeds=work.seeds,
        numbers=work.numbers,
        audio=work.audio,
        frames_per_second=work.frames_per_second,
        plan=work.plan,
        notes=notes,
    )


async def _follow(run: Run, display: Display) -> None:
    """Show what happens until all is there. Raises the error that left nothing at all."""
    try:
        events = AsyncEvents(run)
        while (batch := await events.take(INTERRUPT_POLL_S)) is not None:
            compat.raise_if_interrupted()
            for number, group in itertools.groupby(batch, attrgetter("number")):
                rows = list(group)
                display.begin(number)
                await display.show([row.event for row in rows if isinstance(row, Numbered)])
                for row in rows:
                    if isinstance(row, Completed):
                        display.complete(number)
                    elif isinstance(row, Left):
                        why = sentences.told(row.error)
                        display.notes.append(_WENT_ON(address=row.address, error=why))
            if not batch:
                await display.show([])
    except DrawThingsError as error:
        arrived = sum(len(answer.images) for answer in run.answers)
        if not arrived:
            raise
        display.notes.append(_ONLY_ARRIVED(count=arrived, error=sentences.told(error)))
    finally:
        run.cancel()


async def _watched(work: Callable[[], _T]) -> _T:
    """Do something short in a thread, with an eye on Stop.

    Not in the loop's own threads: ComfyUI waits for those when a prompt ends, and a silent
    server would keep the whole queue waiting.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(take: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, nobody waits
            loop.call_soon_threadsafe(lambda: None if future.done() else take(value))

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            settle(future.set_exception, error)
        else:
            settle(future.set_result, result)

    threading.Thread(target=run, name="drawthings-catalog", daemon=True).start()
    while not future.done():
        await asyncio.wait({future}, timeout=INTERRUPT_POLL_S)
        compat.raise_if_interrupted()
    return future.result()


def _notes(pictures: list[WirePicture]) -> Iterator[Text]:
    for number, picture in enumerate(pictures, 1):
        if picture.nonfinite:
            yield _NOT_A_NUMBER(number=number, count=picture.nonfinite)
    if len({picture.rgb.shape for picture in pictures}) > 1:
        yield _SIZES_DIFFER()
