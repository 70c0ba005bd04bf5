"""The order of work for one order on one server or several: ask, plan, spread, run, gather.

Nodes, the Python API and the command all stand on this; what they show of it is theirs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from ..errors import NoAnswer, RequestError, ServerError
from ..models.catalog import Catalog
from ..pictures.pixels import WirePicture
from ..pictures.stack import Stack
from ..pictures.values import Audio
from ..request import frames
from ..request.batches import Plan
from ..request.resolved import GenerationRequest, Resolved, resolve
from ..text import Template
from .client import Client
from .fleet import Answer, Run
from .spread import spread

_NO_SERVER = Template("no_server_to_ask", "There is no server to ask: name one.")

# What is wanted: the first request, given what the server has, and the plan that it begins.
Wanted = Callable[[Catalog], tuple[GenerationRequest, Callable[[Resolved], Plan]]]


class Work:
    """An order, matched with what the first server that answers has. Nothing is sent before
    `start`.

    Raises what asking a server may raise, and RequestError or SettingsError for an order
    that cannot be.
    """

    def __init__(self, clients: Sequence[Client], wanted: Wanted) -> None:
        self._clients = tuple(clients)
        self.client, self.catalog = _first_answer(self._clients)
        request, planned = wanted(self.catalog)
        self.resolved = resolve(request, self.catalog)
        self.plan = planned(self.resolved)
        self.run: Run | None = None
        self._sharing: Sequence[Client] | None = None

    @property
    def requests(self) -> tuple[GenerationRequest, ...]:
        return self.plan.requests

    def find_servers(self) -> Sequence[Client]:
        """Those that share the requests: every one that the names stand for.

        May block for some seconds, the first time; `start` does it where nobody did.
        """
        if self._sharing is None:
            self._sharing = spread(self._clients) if len(self.requests) > 1 else self._clients
        return self._sharing

    def start(self) -> Run:
        """Send it all. One server alone puts all pictures of one size side by side."""
        clients = self.find_servers()
        room = None
        if len(clients) == 1:
            room = Stack(len(self.requests) * frames.pictures(self.resolved))
        self.run = Run(clients, self.requests, room)
        return self.run

    @property
    def answers(self) -> list[Answer]:
        """What has arrived whole so far, in the order of the requests."""
        return self.run.answers if self.run is not None else []

    @property
    def pictures(self) -> list[WirePicture]:
        """Every picture that arrived, in the order of the requests."""
        return [image.picture for answer in self.answers for image in answer.images]

    @property
    def numbers(self) -> list[int]:
        """The number of its request for each of them, from 0."""
        return [number for number, answer in enumerate(self.answers) for _ in answer.images]

    @property
    def seeds(self) -> list[int]:
        """The seed of each of them."""
        return [int(self.requests[number].settings["seed"]) for number in self.numbers]

    @property
    def sample_rate(self) -> int | None:
        """Of the sound, in Hz; None for a family that makes none."""
        return self.resolved.family.audio_sample_rate if self.resolved.family else None

    @property
    def audio(self) -> Audio | None:
        """The sound of all requests that ended, one after the other; None without any."""
        rate = self.sample_rate
        pieces = [piece.samples for answer in self.answers for piece in answer.audio]
        return Audio.joined(pieces, rate) if pieces and rate is not None else None

    @property
    def frames_per_second(self) -> float | None:
        """Of a film; None for still pictures."""
        return frames.per_second(self.resolved)


def _first_answer(clients: Sequence[Client]) -> tuple[Client, Catalog]:
    """The first server that can be asked, and what it has.

    Else the first that is there but too busy to answer (started with --echo-on-queue), of which
    nothing is known. Raises what the last one said if none is there.
    """
    if not clients:
        raise RequestError(_NO_SERVER())
    busy: list[Client] = []
    for client in clients[:-1]:
        with contextlib.suppress(ServerError):
            found = _asked(client)
            if found is not None:
                return client, found
            busy.append(client)
    try:
        last = _asked(clients[-1])
    except ServerError:
        if not busy:
            raise
        last = None
    if last is not None or not busy:
        return clients[-1], last or Catalog()
    return busy[0], Catalog()


def _asked(client: Client) -> Catalog | None:
    """What a server has; None where it is too busy to answer."""
    try:
        return client.catalog()
    except NoAnswer:
        return None
