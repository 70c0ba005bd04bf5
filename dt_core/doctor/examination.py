"""The checks of a server in their order; which model they use, and what is asked before.

for verdict in examine(Client(ServerProfile("my-mac.local"))):
    print(verdict.outcome.value, verdict.title, verdict.text)

`Examination` is the same in two steps, for whoever asks a person in between or wants to stop it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ..errors import DrawThingsError, ModelNotFound
from ..generation.client import Client
from ..models.catalog import Catalog, Model
from ..models.families import FAMILIES
from ..text import Template, Text
from .line_checks import LINE
from .picture_checks import PICTURES
from .stream_checks import STREAM
from .verdicts import Found, Verdict, failed, not_applicable
from .visit import Check, NothingToCompare, Stopped, Visit

SECONDS = 110.0  # for everything; what is not begun by then is left out
CHECKS = (*LINE, *PICTURES, *STREAM)

_NO_TIME = Template("doctor_no_time", "Left out: the visit takes {seconds} s at most.")
_NOT_ASKED = Template("doctor_not_generated", "Left out: nothing was to be generated.")
_NO_BASE = Template("doctor_no_base", "Left out: the first picture failed.")
_NO_MODEL = Template(
    "doctor_no_model", "The server names no model that makes pictures: name one of its files."
)
_NOT_THERE = Template("doctor_model_not_there", "The server has no model {model}.")
_WILL_GENERATE = Template(
    "doctor_will_generate",
    "Some fifteen small pictures will be generated with {model}; that takes up to {seconds} s.",
)

# Families whose models are small, the smallest first; the rest comes after, in table order.
_SMALL = (
    "v1", "v2", "ssd_1b", "sdxl_base_v0.9", "kandinsky2.1", "pixart", "sd3", "wan_v2.1_1.3b",
    "flux2_4b", "z_image", "cosmos2.5_2b", "flux2_9b", "auraflow", "flux1", "sd3_large",
)  # fmt: skip


def smallest(catalog: Catalog) -> Model | None:
    """The model that is likely the quickest: by family, then by how few bits its weights have."""
    order = {version: rank for rank, version in enumerate([*_SMALL, *FAMILIES])}

    def rank(model: Model) -> tuple[int, str]:
        return order.get(model.version, len(order)), model.file

    made_for_this = [
        model
        for model in catalog.models
        if model.family is not None
        and model.family.kind == "image"
        and not model.family.needs_image
        and not model.modifier
        and "refiner" not in model.version
    ]
    return min(made_for_this, key=rank, default=next(iter(catalog.models), None))


class Examination:
    """A visit to one server: what would be generated (`begin`), then the checks (`verdicts`)."""

    def __init__(self, client: Client, *, model: str = "", seconds: float = SECONDS) -> None:
        """`model` is a file or display name, by default the smallest that the server lists."""
        self._visit = Visit(client)
        self._wanted = model
        self._seconds = seconds

    def begin(self) -> Text | None:
        """Ask what the server has. What is about to run; None where there is no model to run.

        Raises only what keeps anything from being asked: ServerUnreachable, TrustError,
        SecretRejected; and ModelNotFound for a model that is not there.
        """
        visit, wanted = self._visit, self._wanted
        visit.catalog = visit.client.echo()
        found = visit.catalog.model(wanted) if wanted else smallest(visit.catalog)
        if wanted and found is None and visit.catalog.browsable and not visit.catalog.has(wanted):
            raise ModelNotFound(_NOT_THERE(model=wanted))
        visit.model, visit.file = found, found.file if found else wanted
        if not visit.file:
            return None
        return _WILL_GENERATE(model=visit.file, seconds=int(self._seconds))

    def verdicts(self, may_generate: Callable[[], bool]) -> Iterator[Verdict]:
        """A verdict for each check, as soon as there is one; call `begin` before.

        `may_generate` is asked once, before the first generation. Ends early when stopped.
        """
        visit = self._visit
        visit.began = time.monotonic()
        allowed: bool | None = None
        for check in CHECKS:
            if check.generates and visit.file and allowed is None:
                allowed = may_generate()
            try:
                found = self._left_out(check, allowed) or check.look(visit)
            except NothingToCompare:
                found = not_applicable(_NO_BASE())
            except Stopped:
                return
            except DrawThingsError as error:
                found = failed(error)
            if visit.stopped:
                return
            yield Verdict(check.name, check.title(), found.outcome, found.text, found.figures)

    def _left_out(self, check: Check, allowed: bool | None) -> Found | None:
        """Why a check is not made; None where it is."""
        if not check.generates:
            return None
        if not self._visit.file:
            return not_applicable(_NO_MODEL())
        if not allowed:
            return not_applicable(_NOT_ASKED())
        if time.monotonic() - self._visit.began > self._seconds:
            return not_applicable(_NO_TIME(seconds=int(self._seconds)))
        return None

    def stop(self) -> None:
        """End it, from any thread: what runs is cancelled, and no verdict follows."""
        self._visit.stop()


def examine(
    client: Client,
    *,
    model: str = "",
    may_generate: Callable[[Text], bool] = lambda _: True,
    seconds: float = SECONDS,
) -> Iterator[Verdict]:
    """Check the server; a verdict for each check, as soon as there is one.

    `may_generate` is asked once, with what is about to run, before the first generation.
    `model`, and what is raised: as `Examination` says.
    """
    examination = Examination(client, model=model, seconds=seconds)
    question = examination.begin()
    yield from examination.verdicts(lambda: question is not None and may_generate(question))
