"""One running generation: its events in order, and `cancel`.

A thread reads the stream and decodes, what is compressed side by side in threads of their
own; whoever waits takes events from the queue that a job is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..connection import late_grpc as grpc
from ..connection.profile import ServerProfile
from ..errors import Cancelled, DrawThingsError, NoImages, Remedy, ServerUnreachable, TensorError
from ..pictures.stack import Stack
from ..request import frames
from ..text import Template
from ..wire import fpzip_pool
from .allowance import Allowance
from .delivery import Delivery
from .event_queue import EventQueue
from .events import (
    Arrival,
    AudioReceived,
    Event,
    ImageReceived,
    Lost,
    Noticed,
    Progress,
    RemoteDownload,
    Started,
    optional_bytes,
)
from .reading import Reader

_ENDED_THERE = Template(
    "generation_ended_there",
    "The server at {address} ended the generation: it stops, or somebody cancelled it there.",
)
CANCELLED = Template("generation_cancelled", "The generation was cancelled.")
_NO_PICTURE = Template(
    "finished_without_picture",
    "The server at {address} finished without a picture: the generation failed there (a NaN in "
    "the model, a combination it does not support) or was cancelled in the app.",
)


_SOUND_NOT_A_NUMBER = Template(
    "sound_values_no_numbers",
    "The sound holds {count} values that are no numbers (NaN), which are silent: try another "
    "sampler or size.",
)

MOST_LOST = 3  # after so many damaged pictures nobody waits for the rest


class Job(EventQueue[Event]):
    """One generation. Iterate it for events; an error is raised where it happened.

    `images` and `audio` hold what has arrived whole so far, also after an error.
    `prepare` runs in the job's thread; it checks the request and gives the first event
    and a function that starts the call. Pictures of one size go into `room`. `explained`
    says what a failed call means, given whether the server was fetching a file.
    """

    def __init__(
        self,
        prepare: Callable[[], tuple[Started, Callable[[], Any]]],
        profile: ServerProfile,
        explained: Callable[[grpc.RpcError, bool], DrawThingsError],
        room: Stack | None = None,
    ) -> None:
        super().__init__()
        self.images: list[ImageReceived] = []
        self.audio: list[AudioReceived] = []
        self._prepare = prepare
        self._profile = profile
        self._room = room
        self._explained = explained
        self._delivery = Delivery(self._arrived, self._stop_call, fpzip_pool.at_once() + 1)
        self._call: Any = None
        self._cancelled = False
        self._downloads = False
        self._lost: list[TensorError] = []
        self._state = threading.Lock()
        self._thread = threading.Thread(target=self.run, name="drawthings-job", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own. Whoever should be able to stop it has it by now."""
        self._thread.start()

    def cancel(self) -> None:
        """End the call now; safe from any thread and more than once. Ends in Cancelled."""
        with self._state:
            self._cancelled = True
        self._delivery.stop()
        self._stop_call()

    def _stop_call(self) -> None:
        with self._state:
            call = self._call
        if call is not None:
            call.cancel()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the reading thread to end; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _arrived(self, event: Arrival) -> None:
        if isinstance(event, Lost):
            self._lost.append(event.error)
            return
        if isinstance(event, (RemoteDownload, Progress)):
            self._downloads = isinstance(event, RemoteDownload)
        if isinstance(event, ImageReceived):
            self.images.append(event)
        elif isinstance(event, AudioReceived):
            self.audio.append(event)
            if event.nonfinite:
                self.put(Noticed(_SOUND_NOT_A_NUMBER(count=event.nonfinite)))
        self.put(event, optional_bytes(event))

    def run(self) -> None:
        """All of it in this thread, in place of `start`; an error is left to whoever takes events.

        For a run: one more thread between made 20 previews 2 ms slower (tools/bench).
        """
        try:
            self._read()
        except grpc.RpcError as error:
            self.end(self._meaning(error))
        except BaseException as error:
            self.end(error)
        else:
            self.end()

    def _meaning(self, error: grpc.RpcError) -> DrawThingsError:
        meant = self._explained(error, self._downloads)
        if self._cancelled:
            return Cancelled(CANCELLED())
        if not isinstance(meant, Cancelled):
            return meant
        return ServerUnreachable(
            _ENDED_THERE(address=self._profile.address), remedy=Remedy.SEE_THAT_IT_RUNS
        )

    def _read(self) -> None:
        first, start = self._prepare()
        self.put(first)
        with self._state:
            if self._cancelled:
                raise Cancelled(CANCELLED())
            call = self._call = start()
        del start  # and with it the request's pictures
        fpzip_pool.warm_up()  # while the server works
        delivery = self._delivery
        room = self._room or Stack(frames.pictures(first.resolved))
        reader = Reader(self._profile, room, Allowance(first.resolved, self._profile.address))
        try:
            for data in call:
                reader.read(data, delivery)
                if len(self._lost) >= MOST_LOST:
                    raise self._lost[0]
            reader.finish()
        except BaseException as error:
            if isinstance(error, DrawThingsError):
                call.cancel()  # we stopped reading: the server need not go on
            delivery.finish()  # what arrived whole before
            if self._lost and isinstance(error, DrawThingsError):
                raise self._lost[0] from None  # the first that went wrong
            raise
        delivery.finish()
        if self._cancelled:
            raise Cancelled(CANCELLED())
        if self._lost:
            raise self._lost[0]
        if not self.images:
            raise NoImages(_NO_PICTURE(address=self._profile.address), remedy=Remedy.OTHER_SETTINGS)
