"""What the user sees while a node generates: bar, previews, and events for our front end."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...dt_core.errors import TensorError
from ...dt_core.generation.events import (
    DownloadSize,
    Event,
    ImageReceived,
    Noticed,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
    Started,
)
from ...dt_core.models.families import Family
from ...dt_core.pictures import previews
from ...dt_core.pictures.pixels import WirePicture
from ...dt_core.text import Text
from ..host import compat

PROGRESS_EVENT = "drawthingsnodes.progress"
PER_REQUEST = 1000  # ticks of the bar, where there are several
UPDATE_INTERVAL_S = 0.1  # ComfyUI before 0.9.2 does not throttle its progress bar
WAITING_INTERVAL_S = 1.0
REPEAT_INTERVAL_S = 2.0  # a page that was reloaded hears at once how far it is
STEPS_FOR_ESTIMATE = 2  # the first step also loads the model
SHEET_PICTURES = 4  # of a video or a batch, shown in one preview

_SAMPLING = {Stage.SAMPLING, Stage.SECOND_PASS_SAMPLING}
_log = logging.getLogger("drawthings")


@dataclass(slots=True)
class _Request:
    """How far one request is; `done` of `total` in the server's own steps. Times in s."""

    done: int = 0
    total: int = 1
    sent: float | None = None  # when it went out
    turn: float | None = None  # when the server began with it
    took: float | None = None  # from then until it was complete
    first_step: tuple[float, int] | None = None  # when, and where the bar was


class Display:
    """One bar for all requests of a node, and what our front end says beside it.

    An event is {"node", "phase", "number", "requests"} with what the phase has to say:
    "preparing"; "waiting" with "waited" (s); "downloading" with "received", "expected"
    (bytes), "item", "items"; "stage" with "stage", "step", "steps"; "receiving" with "size"
    (bytes); "done". "done" (0 to 1) and "left" (s, or None while unknown) go with "stage".
    Every phase and stage that was reached is told once; the last one again while it lasts.
    """

    def __init__(self, node_id: str, requests: int, servers: int = 1) -> None:
        """`servers` is how many of the requests may run at once."""
        self.notes: list[Text] = []
        self._requests = [_Request() for _ in range(requests)]
        self._number = 0
        self._servers = servers
        self._node_id = node_id
        self._bar = compat.progress_bar(1, node_id)
        self._family: Family | None = None
        self._next_update = 0.0
        self._next_say = self._next_repeat = 0.0
        self._said: dict[str, Any] | None = None  # what was told last
        self._unsaid: dict[str, Any] | None = None  # newer, but too soon after it

    @staticmethod
    def prepare(node_id: str) -> None:
        """Say that the server is being asked what it has."""
        compat.send_to_client(PROGRESS_EVENT, {"node": node_id, "phase": "preparing"})

    def begin(self, number: int) -> None:
        """From here on the request of that number, from 0, is shown."""
        self._number = number

    def complete(self, number: int) -> None:
        """The request of that number is done."""
        request = self._requests[number]
        request.done = request.total
        if request.turn is not None:
            request.took = time.monotonic() - request.turn

    @property
    def _current(self) -> _Request:
        return self._requests[self._number]

    @property
    def _place(self) -> tuple[int, int]:
        """Where the bar is, and where it ends."""
        if len(self._requests) == 1:
            return self._current.done, self._current.total
        share = sum(request.done / request.total for request in self._requests)
        return round(share * PER_REQUEST), len(self._requests) * PER_REQUEST

    async def show(self, events: Sequence[Event]) -> None:
        """Take over a batch of events; of several previews only the newest counts."""
        newest: Preview | None = None
        for event in events:
            if self._current.turn is None and not isinstance(event, Started):
                self._current.turn = time.monotonic()
            match event:
                case Started(resolved=resolved, warning_texts=warnings):
                    self._family = resolved.family
                    self.notes.extend(warnings)
                    self._requests[self._number] = _Request(sent=time.monotonic())
                    self._tell({"phase": "waiting", "waited": 0})
                case Progress():
                    self._tell(self._progress(event))
                case RemoteDownload(received, expected, item, items):
                    said = {"phase": "downloading", "received": received, "expected": expected}
                    self._tell(said | {"item": item + 1, "items": items})
                case DownloadSize(size):
                    newest, self._current.done = None, self._current.total
                    self._tell({"phase": "receiving", "size": size})
                case Noticed(text=text):
                    self.notes.append(text)
                case Preview():
                    newest = event
                case ImageReceived():
                    newest = None
        now = time.monotonic()
        self._tell_again(now)
        if not events or (now < self._next_update and self._current.done < self._current.total):
            return
        self._next_update = now + UPDATE_INTERVAL_S
        picture = await asyncio.to_thread(self._render, newest) if newest is not None else None
        self._bar.update_absolute(*self._place, picture)

    async def finish(self, picture: WirePicture) -> None:
        """Leave the result on the node, in place of the last preview."""
        small = await asyncio.to_thread(_shrunk, picture)
        _, end = self._place
        self._bar.update_absolute(end, end, small)
        self._say({"phase": "done"})

    def _progress(self, event: Progress) -> dict[str, Any]:
        current = self._current
        current.done, current.total = event.done, event.total
        if event.stage in _SAMPLING and event.step >= 1 and current.first_step is None:
            current.first_step = time.monotonic(), event.done
        place, end = self._place
        return {
            "phase": "stage",
            "stage": event.stage.name.lower(),
            "step": event.step,
            "steps": event.steps,
            "done": place / end,
            "left": self._seconds_left(),
        }

    def _seconds_left(self) -> float | None:
        """From the pace of the steps since the first; the requests to come take as long as
        this one or as those before it."""
        current = self._current
        if current.first_step is None or current.turn is None:
            return None
        now = time.monotonic()
        since, done_then = current.first_step
        steps = current.done - done_then
        if steps < STEPS_FOR_ESTIMATE:
            return None
        this = (now - since) / steps * (current.total - current.done)
        whole = [request.took for request in self._requests if request.took is not None]
        whole.append(now - current.turn + this)
        to_come = sum(request.sent is None for request in self._requests)
        return this + math.ceil(to_come / self._servers) * sum(whole) / len(whole)

    def _tell(self, said: dict[str, Any]) -> None:
        """Say it now if it is another phase, else when some time has passed."""
        said["number"] = self._number + 1
        same = self._said is not None and _kind(said) == _kind(self._said)
        if same and time.monotonic() < self._next_say:
            self._unsaid = said
        else:
            self._say(said)

    def _tell_again(self, now: float) -> None:
        """Say what had to wait, how long the server lets us wait, or the last word anew."""
        if self._unsaid is not None:
            if now >= self._next_say:
                self._say(self._unsaid)
        elif self._said is not None and now >= self._next_repeat:
            sent = self._requests[self._said.get("number", 1) - 1].sent
            if self._said["phase"] == "waiting" and sent is not None:
                self._said["waited"] = round(now - sent)
            elif (left := self._said.get("left")) is not None:
                self._said["left"] = max(0.0, left - REPEAT_INTERVAL_S)
            self._say(self._said)

    def _say(self, said: dict[str, Any]) -> None:
        now = time.monotonic()
        waiting = said["phase"] == "waiting"
        self._said, self._unsaid, self._next_say = said, None, now + UPDATE_INTERVAL_S
        self._next_repeat = now + (WAITING_INTERVAL_S if waiting else REPEAT_INTERVAL_S)
        place = {
            "node": self._node_id,
            "number": self._number + 1,
            "requests": len(self._requests),
        }
        compat.send_to_client(PROGRESS_EVENT, {**place, **said})

    def _render(self, event: Preview) -> tuple[str, Image.Image, int] | None:
        """ComfyUI's form of a preview; None where the family has no coefficients."""
        if self._family is None:
            return None
        try:
            rgb = previews.latent_to_rgb(event.latent(), self._family.preview, SHEET_PICTURES)
        except TensorError as error:  # a preview is not worth a generation
            _log.info("A preview was left out: %s", error)
            return None
        if rgb is None:
            return None
        return "JPEG", Image.fromarray(_sheet(rgb)), compat.preview_side()


def _kind(said: dict[str, Any]) -> tuple[Any, ...]:
    return said["phase"], said.get("stage"), said.get("number")


def _sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of the few of [N, H, W, 3]."""
    count, height, width, _ = pictures.shape
    if count == 1:
        only: NDArray[np.uint8] = pictures[0]
        return only
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _shrunk(picture: WirePicture) -> tuple[str, Image.Image, int]:
    side = compat.preview_side()
    # Every second, third … pixel is enough for something that much smaller.
    step = max(1, max(picture.rgb.shape[:2]) // (2 * side))
    image = Image.fromarray((picture.rgb[::step, ::step] * np.float32(255.99)).astype(np.uint8))
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=1.0)
    return "JPEG", image, side
