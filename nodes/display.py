"""What the user sees while a node generates: bar, previews, and events for our front end."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..dt_core import pixels, preview
from ..dt_core.errors import TensorError
from ..dt_core.events import (
    DownloadSize,
    Event,
    ImageReceived,
    Preview,
    Progress,
    RemoteDownload,
    Stage,
    Started,
)
from ..dt_core.families import Family
from ..dt_core.pixels import WirePicture
from . import compat

PROGRESS_EVENT = "drawthingsnodes.progress"
PER_REQUEST = 1000  # ticks of the bar, where there are several
UPDATE_INTERVAL_S = 0.1  # ComfyUI before 0.9.2 does not throttle its progress bar
WAITING_INTERVAL_S = 1.0
STEPS_FOR_ESTIMATE = 2  # the first step also loads the model
SHEET_PICTURES = 4  # of a video or a batch, shown in one preview

_SAMPLING = {Stage.SAMPLING, Stage.SECOND_PASS_SAMPLING}
_log = logging.getLogger("drawthings")


class Display:
    """One bar for all requests of a node, and what our front end says beside it.

    An event is {"node", "phase", "number", "requests"} with what the phase has to say:
    "preparing"; "waiting" with "waited" (s); "downloading" with "received", "expected"
    (bytes), "item", "items"; "stage" with "stage", "step", "steps"; "receiving" with "size"
    (bytes). "done" (0 to 1) and "left" (s, or None while unknown) go with "stage".
    """

    def __init__(self, node_id: str, requests: int) -> None:
        self.notes: list[str] = []
        self._requests, self._number = requests, 0
        self._node_id = node_id
        self._bar = compat.progress_bar(1, node_id)
        self._family: Family | None = None
        self._next_update = 0.0
        self._next_waiting = 0.0
        self._done, self._total = 0, 1
        self._begun: float | None = None  # when the request was sent
        self._waiting = False
        self._first_step: tuple[float, int] | None = None  # when, and where the bar was
        self._per_request: list[float] = []  # s that earlier requests took

    @staticmethod
    def prepare(node_id: str) -> None:
        """Say that the server is being asked what it has."""
        compat.send_to_client(PROGRESS_EVENT, {"node": node_id, "phase": "preparing"})

    def begin(self, number: int) -> None:
        """From here on the request of that number, from 0, is shown."""
        if self._begun is not None:
            self._per_request.append(time.monotonic() - self._begun)
        self._number, self._done, self._total = number, 0, 1
        self._first_step = None

    @property
    def _place(self) -> tuple[int, int]:
        """Where the bar is, and where it ends."""
        if self._requests == 1:
            return self._done, self._total
        share = self._number + self._done / self._total
        return round(share * PER_REQUEST), self._requests * PER_REQUEST

    async def show(self, events: list[Event]) -> None:
        """Take over a batch of events; of several previews only the newest counts."""
        said: dict[str, Any] | None = None
        newest: Preview | None = None
        for event in events:
            self._waiting = isinstance(event, Started)
            match event:
                case Started(resolved, warnings):
                    self._family = resolved.family
                    self.notes.extend(warnings)
                    self._begun = time.monotonic()
                    said = {"phase": "waiting", "waited": 0}
                case Progress():
                    said = self._progress(event)
                case RemoteDownload(received, expected, item, items):
                    said = {"phase": "downloading", "received": received, "expected": expected}
                    said |= {"item": item + 1, "items": items}
                case DownloadSize(size):
                    said, newest = {"phase": "receiving", "size": size}, None
                    self._done = self._total
                case Preview():
                    newest = event
                case ImageReceived():
                    newest = None
        now = time.monotonic()
        if said is None and newest is None:
            self._still_waiting(now)
            return
        if now < self._next_update and self._done < self._total:
            return
        self._next_update = now + UPDATE_INTERVAL_S
        if said is not None:
            self._say(said)
        picture = await asyncio.to_thread(self._render, newest) if newest is not None else None
        self._bar.update_absolute(*self._place, picture)

    async def finish(self, picture: WirePicture) -> None:
        """Leave the result on the node, in place of the last preview."""
        small = await asyncio.to_thread(_shrunk, picture)
        _, end = self._place
        self._bar.update_absolute(end, end, small)
        self._say({"phase": "done"})

    def _progress(self, event: Progress) -> dict[str, Any]:
        self._done, self._total = event.done, event.total
        if event.stage in _SAMPLING and event.step >= 1 and self._first_step is None:
            self._first_step = time.monotonic(), event.done
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
        if self._first_step is None or self._begun is None:
            return None
        now = time.monotonic()
        since, done_then = self._first_step
        steps = self._done - done_then
        if steps < STEPS_FOR_ESTIMATE:
            return None
        this = (now - since) / steps * (self._total - self._done)
        whole = [*self._per_request, now - self._begun + this]
        to_come = self._requests - self._number - 1
        return this + to_come * sum(whole) / len(whole)

    def _still_waiting(self, now: float) -> None:
        if self._waiting and self._begun is not None and now >= self._next_waiting:
            self._next_waiting = now + WAITING_INTERVAL_S
            self._say({"phase": "waiting", "waited": round(now - self._begun)})

    def _say(self, said: dict[str, Any]) -> None:
        place = {"node": self._node_id, "number": self._number + 1, "requests": self._requests}
        compat.send_to_client(PROGRESS_EVENT, {**place, **said})

    def _render(self, event: Preview) -> tuple[str, Image.Image, int] | None:
        """ComfyUI's form of a preview; None where the family has no coefficients."""
        if self._family is None:
            return None
        try:
            rgb = preview.latent_to_rgb(event.latent(), self._family.preview)
        except TensorError as error:  # a preview is not worth a generation
            _log.info("A preview was left out: %s", error)
            return None
        if rgb is None:
            return None
        return "JPEG", Image.fromarray(_sheet(rgb)), compat.preview_side()


def _sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of up to four of [N, H, W, 3], first and last among them."""
    count = min(len(pictures), SHEET_PICTURES)
    if count == 1:
        only: NDArray[np.uint8] = pictures[0]
        return only
    chosen = pictures[np.linspace(0, len(pictures) - 1, count).round().astype(int)]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    _, height, width, _ = chosen.shape
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, picture in enumerate(chosen):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _shrunk(picture: WirePicture) -> tuple[str, Image.Image, int]:
    side = compat.preview_side()
    image = Image.fromarray(pixels.to_uint8(picture.rgb))
    image.thumbnail((side, side), reducing_gap=2.0)
    return "JPEG", image, side
