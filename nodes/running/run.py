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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import DrawThingsError, NoAnswer, ServerError
from ...dt_core.generation import fleet
from ...dt_core.generation.client import Client
from ...dt_core.generation.event_queue import AsyncEvents
from ...dt_core.generation.fleet import Answer, Left, Numbered
from ...dt_core.generation.job import Job
from ...dt_core.generation.spread import spread
from ...dt_core.models.catalog import Catalog
from ...dt_core.models.families import Family
from ...dt_core.pictures.pixels import WirePicture
from ...dt_core.pictures.stack import Stack
from ...dt_core.pictures.values import Audio
from ...dt_core.request import frames
from ...dt_core.request.batches import Plan
from ...dt_core.request.resolved import GenerationRequest, Resolved, resolve
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
    client, resolved = await _watched(lambda: _resolve(servers, first))
    plan = planned(resolved)
    if len(plan.requests) > 1:
        servers = await _watched(lambda: spread(servers))
    display = Display(node_id, len(plan.requests), len(servers))
    if len(servers) == 1:
        room = Stack(len(plan.requests) * frames.pictures(resolved))
        answers = await _one_by_one(client, plan, room, display)
    else:
        answers = await _shared(servers, plan, display)
    if client.known_catalog is not None:
        here().lists.learn(profile, client.known_catalog)
    pictures = [image.picture for answer in answers for image in answer.images]
    await display.finish(pictures[-1] if len(plan.requests) > 1 else pictures[0])
    said = [*plan.notes, *display.notes, *_notes(pictures)]
    notes = tuple(dict.fromkeys(said))
    for note in notes:
        _log.warning("%s", note)
    return Result(
        pictures=pictures,
        seeds=[
            int(request.settings["seed"])
            for request, answer in zip(plan.requests, answers, strict=False)
            for _ in answer.images
        ],
        numbers=[number for number, answer in enumerate(answers) for _ in answer.images],
        audio=_sound(answers, resolved.family),
        frames_per_second=frames.per_second(resolved),
        plan=plan,
        notes=notes,
    )


async def _one_by_one(client: Client, plan: Plan, room: Stack, display: Display) -> list[Answer]:
    answers: list[Answer] = []
    for number, request in enumerate(plan.requests):
        display.begin(number)
        job = client.generate(request, room)
        answers.append(Answer(job.images, job.audio))
        try:
            with client.server.turn.taken():
                await _follow(job, display)
        except DrawThingsError as error:
            _tell_what_is_missing(answers, error, display)
            break
        display.complete(number)
    return answers


async def _shared(servers: Sequence[Client], plan: Plan, display: Display) -> list[Answer]:
    """Let several servers share the requests."""
    run = fleet.Run(servers, plan.requests)
    try:
        events = AsyncEvents(run)
        while (batch := await events.take(INTERRUPT_POLL_S)) is not None:
            compat.raise_if_interrupted()
            for number, said in itertools.groupby(batch, attrgetter("number")):
                rows = list(said)
                display.begin(number)
                await display.show([row.event for row in rows if isinstance(row, Numbered)])
                if run.answers[number].complete:
                    display.complete(number)
                for left in (row for row in rows if isinstance(row, Left)):
                    display.notes.append(
                        _WENT_ON(address=left.address, error=sentences.told(left.error))
                    )
            if not batch:
                await display.show([])
    except DrawThingsError as error:
        _tell_what_is_missing(run.answers, error, display)
    finally:
        run.cancel()
    return run.answers


def _tell_what_is_missing(
    answers: Sequence[Answer], error: DrawThingsError, display: Display
) -> None:
    """A note beside the pictures that arrived. Raises the error if there are none."""
    arrived = sum(len(answer.images) for answer in answers)
    if not arrived:
        raise error
    display.notes.append(_ONLY_ARRIVED(count=arrived, error=sentences.told(error)))


def _resolve(servers: Sequence[Client], request: GenerationRequest) -> tuple[Client, Resolved]:
    """What the first server that answers makes of the request."""
    for client in servers[:-1]:
        with contextlib.suppress(ServerError):
            return client, resolve(request, client.catalog())
    return servers[-1], _resolved(servers[-1], request)


def _resolved(client: Client, request: GenerationRequest) -> Resolved:
    try:
        return resolve(request, client.catalog())
    except NoAnswer:  # it may be busy
        return resolve(request, Catalog())


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


async def _follow(job: Job, display: Display) -> None:
    try:
        events = AsyncEvents(job)
        while (batch := await events.take(INTERRUPT_POLL_S)) is not None:
            compat.raise_if_interrupted()
            await display.show(batch)
    finally:
        job.cancel()


def _sound(answers: Sequence[Answer], family: Family | None) -> Audio | None:
    """The sound of all requests, one after the other."""
    pieces = [piece.samples for answer in answers for piece in answer.audio]
    rate = family.audio_sample_rate if family is not None else None
    if not pieces or rate is None:
        return None
    return Audio.joined(pieces, rate)


def _notes(pictures: list[WirePicture]) -> Iterator[Text]:
    for number, picture in enumerate(pictures, 1):
        if picture.nonfinite:
            yield _NOT_A_NUMBER(number=number, count=picture.nonfinite)
    if len({picture.rgb.shape for picture in pictures}) > 1:
        yield _SIZES_DIFFER()
