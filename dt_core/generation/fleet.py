"""Several equal servers share one list of requests.

Each server works on one request at a time, on its own channel: of gRPC's own balancers,
pick_first uses one server only and round_robin deals calls out in turn, to one that is still
busy too, whose queue would fill while another server idles. What a dying server was working
on goes to another one; results keep the order of the requests.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import (
    Cancelled,
    DrawThingsError,
    ModelNotFound,
    ProtocolError,
    SecretRejected,
    ServerUnreachable,
    TrustError,
)
from ..pictures.stack import Stack
from ..request.resolved import GenerationRequest
from .client import Client
from .event_queue import EventQueue
from .events import AudioReceived, Event, ImageReceived
from .job import CANCELLED, Job

MOST_TRIES = 3  # a request that takes so many servers down is not sent to the next

_LEAVES = (ServerUnreachable, ProtocolError, TrustError, SecretRejected, ModelNotFound)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event of the request with that number, from 0; `address` is the server's."""

    number: int
    address: str
    event: Event


@dataclass(frozen=True, slots=True)
class Left:
    """A server takes no further part; request `number` is given to another one."""

    number: int
    address: str
    error: DrawThingsError


@dataclass(frozen=True, slots=True)
class Completed:
    """All of that request has arrived."""

    number: int
    address: str


RunEvent = Numbered | Left | Completed


@dataclass(slots=True)
class Answer:
    """What has arrived whole of one request."""

    images: list[ImageReceived] = field(default_factory=list)
    audio: list[AudioReceived] = field(default_factory=list)
    complete: bool = False


class Run(EventQueue[RunEvent]):
    """Requests on their way through a fleet, which may be of one.

    Iterate it, or `poll`, for Numbered, Left and Completed. The error that stopped it is raised
    at the end, after everything that ran was let finish. `answers` has one Answer for each
    request, also after an error.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        requests: Sequence[GenerationRequest],
        room: Stack | None = None,
    ) -> None:
        """Start at once. `clients` has one for each server; pictures go into `room`, if given.

        A server that has no others beside it is not waited for: it has a queue of its own.
        """
        super().__init__()
        self._room = room
        self.servers = len(clients)
        self._alone = self.servers == 1
        self.answers = [Answer() for _ in requests]
        self._requests = tuple(requests)
        self._pending = list(range(len(requests)))
        self._tries = [0] * len(requests)
        self._jobs: dict[int, Job] = {}
        self._working = len(clients)
        self._error: BaseException | None = None
        self._cancelled = False
        self._state = threading.Condition()
        for client in clients:
            threading.Thread(
                target=self._serve, args=(client,), name="drawthings-fleet", daemon=True
            ).start()

    def cancel(self) -> None:
        """End all calls now; safe from any thread and more than once. Ends in Cancelled."""
        with self._state:
            self._cancelled = True
            self._error = self._error or Cancelled(CANCELLED())
            jobs = list(self._jobs.values())
            self._state.notify_all()
        for job in jobs:
            job.cancel()

    def _serve(self, client: Client) -> None:
        """One server's thread: request after request until none is left or it fails."""
        try:
            while self._wait_for_work():
                # The turn first: a server that is busy for somebody else takes no work away
                # from those that are free.
                with self._turn(client) as is_ours:
                    number = self._take() if is_ours else None
                    if number is None:
                        continue
                    error = self._work(client, number)
                if error is None:
                    continue
                if isinstance(error, _LEAVES) and self._may_move(number):
                    self.put(Left(number, client.profile.address, error))
                else:
                    self._stop(error)
                return
        except BaseException as error:  # a bug of ours must not leave the caller waiting
            self._stop(error)
        finally:
            with self._state:
                self._working -= 1
                last = self._working == 0
            if last:
                self.end(self._error)

    @contextlib.contextmanager
    def _turn(self, client: Client) -> Iterator[bool]:
        if self._alone:
            with client.server.turn.taken():
                yield True
        else:
            with client.server.turn.awaited(self._has_nothing) as is_ours:
                yield is_ours

    def _wait_for_work(self) -> bool:
        """Wait until there is a request to take; False when there will be none."""
        with self._state:
            self._state.wait_for(
                lambda: (
                    self._error is not None
                    or self._pending
                    or all(answer.complete for answer in self.answers)
                )
            )
            return self._error is None and bool(self._pending)

    def _take(self) -> int | None:
        """The lowest number that nobody works on; None if others were faster."""
        with self._state:
            if self._error is not None or not self._pending:
                return None
            number = min(self._pending)
            self._pending.remove(number)
            return number

    def _work(self, client: Client, number: int) -> BaseException | None:
        """Run one request; the error that ended it, or None."""
        with self._state:
            if self._error is not None:
                return self._error
            job = self._jobs[number] = client.job(self._requests[number], self._room)
        address = client.profile.address
        job.pass_on(lambda event, optional: self.put(Numbered(number, address, event), optional))
        ended: BaseException | None = None
        try:
            job.run()
            job.poll()  # raises what it ended with
        except DrawThingsError as error:
            ended = error
        finally:
            job.cancel()
        with self._state:
            del self._jobs[number]
            # What a dying server sent counts until another one has sent more.
            if ended is None or len(job.images) > len(self.answers[number].images):
                self.answers[number] = Answer(job.images, job.audio, ended is None)
            self._state.notify_all()
        if ended is None:
            self.put(Completed(number, address))
        return ended

    def _may_move(self, number: int) -> bool:
        """Give the request to another server, if there is one and it is worth a try."""
        with self._state:
            self._tries[number] += 1
            if self._error is not None or self._working == 1 or self._tries[number] >= MOST_TRIES:
                return False
            self._pending.append(number)
            self._state.notify_all()
            return True

    def _stop(self, error: BaseException) -> None:
        with self._state:
            self._error = self._error or error
            self._state.notify_all()

    def _has_nothing(self) -> bool:
        with self._state:
            return self._error is not None or not self._pending
