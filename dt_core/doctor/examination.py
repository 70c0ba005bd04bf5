"""The checks of a server in their order; which model they use, and what is asked before.

for verdict in examine(Client(ServerProfile("my-mac.local"))):
    print(verdict.outcome.value, verdict.title, verdict.text)
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
from .visit import Check, NothingToCompare, Visit

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
    "Some ten small pictures will be generated with {model}; that takes up to {seconds} s.",
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


def examine(
    client: Client,
    *,
    model: str = "",
    may_generate: Callable[[Text], bool] = lambda _: True,
    seconds: float = SECONDS,
) -> Iterator[Verdict]:
    """Check the server; a verdict for each check, as soon as there is one.

    `model` is a file or display name, by default the smallest that the server lists.
    `may_generate` is asked once, with what is about to run, before the first generation.
    Raises only what keeps anything from being asked: ServerUnreachable, TrustError,
    SecretRejected; and ModelNotFound for a model that is not there.
    """
    visit = Visit(client)
    visit.catalog = client.echo()
    found = visit.catalog.model(model) if model else smallest(visit.catalog)
    if model and found is None and visit.catalog.browsable and not visit.catalog.has(model):
        raise ModelNotFound(_NOT_THERE(model=model))
    visit.model, visit.file = found, found.file if found else model
    allowed: bool | None = None
    for check in CHECKS:
        if check.generates:
            if not visit.file:
                yield _verdict(check, not_applicable(_NO_MODEL()))
                continue
            if allowed is None:
                allowed = may_generate(_WILL_GENERATE(model=visit.file, seconds=int(seconds)))
            if not allowed:
                yield _verdict(check, not_applicable(_NOT_ASKED()))
                continue
            if time.monotonic() - visit.began > seconds:
                yield _verdict(check, not_applicable(_NO_TIME(seconds=int(seconds))))
                continue
        try:
            yield _verdict(check, check.look(visit))
        except NothingToCompare:
            yield _verdict(check, not_applicable(_NO_BASE()))
        except DrawThingsError as error:
            yield _verdict(check, failed(error))


def _verdict(check: Check, found: Found) -> Verdict:
    return Verdict(check.name, check.title(), found.outcome, found.text, found.figures)
