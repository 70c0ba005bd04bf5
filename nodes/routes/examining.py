"""A check of a server for the page: what is asked before, and the rows as they come.

The rows are events, so that the page shows each at once; the answer has all of them again,
and the report that people may publish.
"""

from __future__ import annotations

from typing import Any

from ...dt_core import __version__
from ...dt_core.connection.profile import ServerProfile
from ...dt_core.doctor.examination import CHECKS, Examination
from ...dt_core.doctor.report import counts, report
from ...dt_core.doctor.verdicts import Verdict
from ...dt_core.text import Template
from ..host import compat, sentences
from ..servers import secret_homes
from ..servers.owner import here
from .guard import Body, Refused, asking_route, long_asking_route, text
from .permitted import profile_of
from .threads import Visit

EVENT = "drawthingsnodes.check"

_SEVERAL = Template(
    "check_of_several",
    "{addresses} share the work: add each to the list as a server of its own to check it.",
)
_NOTHING = Template(
    "check_without_pictures",
    "The server names no model that makes pictures, so nothing will be generated.",
)


def question(body: Body) -> Any:
    """What a check of {"server"} is about to generate, asked before; `generates` if anything.

    {"model"} names another one than the smallest.
    """
    found = _examination(_profile(body), body).begin()
    return {"generates": found is not None, **sentences.one("question", found or _NOTHING())}


def check(body: Body, visit: Visit) -> Any:
    """Check {"server"} with {"model"}; pictures are made only with {"generate": true}.

    An event tells each row under {"id"}. What runs is cancelled when the browser leaves.
    """
    profile, ident = _profile(body), text(body, "id", limit=64)
    may_generate = body.get("generate") is True
    examination = _examination(profile, body)
    visit.when_left(examination.stop)
    verdicts: list[Verdict] = []
    with here().examined.alone(profile, examination.stop):
        examination.begin()
        for verdict in examination.verdicts(lambda: may_generate):
            visit.go_on()
            verdicts.append(verdict)
            compat.send_event(EVENT, {"id": ident, "of": len(CHECKS), "row": _row(verdict)})
    visit.go_on()
    return {
        "rows": [_row(verdict) for verdict in verdicts],
        "counts": counts(verdicts),
        "report": report(verdicts, __version__),
    }


def _profile(body: Body) -> ServerProfile:
    profile = profile_of(body)
    if len(profile.addresses) > 1:
        raise Refused(400, _SEVERAL(addresses=profile.addresses))
    return profile


def _examination(profile: ServerProfile, body: Body) -> Examination:
    client = here().clients.unlisted(profile, secret_homes.secret_for(profile)).sync
    return Examination(client, model=text(body, "model", "").strip())


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "check": verdict.check,
        "outcome": verdict.outcome.value,
        **sentences.one("title", verdict.title),
        **sentences.one("sentence", verdict.text),
    }


ROUTES = {"/check/question": asking_route(question), "/check": long_asking_route(check)}
