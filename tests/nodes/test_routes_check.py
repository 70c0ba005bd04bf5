"""A check of a server through the routes: asked before, told row by row, ended by leaving."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.dt_core.doctor.examination import CHECKS
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.routes import examining
from drawthings.nodes.servers.owner import here
from pages import asked, on_page, post

SECRET = "secret-of-this-check"
NAME = "the studio upstairs"
STUDIO = {"server": {"saved": NAME}}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that open pages heard."""
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(compat, "send_event", lambda _name, data: events.append(data))
    return events


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A stored server with a secret; the default one is not there."""
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    with Simulator(secret=SECRET, tls=True, step_delay=0.01) as running:
        given = {"name": NAME, "address": running.address, "tls": "automatic", "secret": SECRET}
        assert asked("/servers/save", given)[0] == 200
        yield running


def test_the_question_names_the_model_and_generates_nothing(studio: Simulator) -> None:
    status, answer = asked("/check/question", STUDIO)

    assert (status, answer["generates"]) == (200, True)
    assert answer["question_text"]["key"] == "doctor_will_generate"
    assert answer["question_text"]["values"]["model"].endswith(".ckpt")
    assert studio.requests == ()


def test_another_model_may_be_named_and_has_to_be_there(studio: Simulator) -> None:
    film = "ltx_2_19b_distilled_q8p.ckpt"
    named = asked("/check/question", {**STUDIO, "model": f" {film} "})[1]
    status, answer = asked("/check/question", {**STUDIO, "model": "nothing_f16.ckpt"})

    assert named["question_text"]["values"]["model"] == film
    assert (status, answer["error_text"]["key"]) == (400, "doctor_model_not_there")


def test_rows_are_told_as_they_come_and_the_report_holds_no_name(
    studio: Simulator, told: list[dict[str, Any]]
) -> None:
    status, answer = asked("/check", {**STUDIO, "generate": True, "id": "one"})

    assert status == 200, answer
    assert [row["check"] for row in answer["rows"]] == [check.name for check in CHECKS]
    assert [event["row"] for event in told] == answer["rows"]
    assert {(event["id"], event["of"]) for event in told} == {("one", len(CHECKS))}
    assert answer["counts"]["differs"] == 0
    assert all(row["sentence_text"]["key"].startswith("doctor_") for row in answer["rows"])
    report = json.dumps(answer["report"])
    assert {row["check"] for row in answer["report"]["checks"]} == {c.name for c in CHECKS}
    host = studio.address.partition(":")[0]
    for private in (SECRET, NAME, host, str(studio.port), ".ckpt", "lighthouse"):
        assert private not in report


def test_nothing_is_generated_unless_the_page_says_so(studio: Simulator) -> None:
    _, answer = asked("/check", {**STUDIO, "id": "two"})

    assert studio.requests == ()
    outcomes = {row["check"]: row["outcome"] for row in answer["rows"]}
    assert (outcomes["reach"], outcomes["text_to_image"]) == ("passed", "not applicable")


def test_a_second_check_of_a_server_is_refused_and_leaving_ends_the_first(
    studio: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def hear(_name: str, data: dict[str, Any]) -> None:
        if data["row"]["check"] == "file_names":
            begun.set()

    monkeypatch.setattr(compat, "send_event", hear)

    async def leave(client: Any) -> Any:
        first = asyncio.create_task(post(client, "/check", {**STUDIO, "generate": True, "id": "1"}))
        assert await asyncio.to_thread(begun.wait, 10)
        second = await post(client, "/check", {**STUDIO, "id": "2"})
        first.cancel()
        for _ in range(100):  # it hears of that within a quarter of a second
            third = await post(client, "/check", {**STUDIO, "id": "3"})
            if third[0] == 200:
                return second, third
            await asyncio.sleep(0.1)
        return second, third

    second, third = on_page(leave)
    assert (second[0], second[1]["error_text"]["key"]) == (400, "already_checked")
    assert third[0] == 200
    assert len(studio.requests) < 5


@pytest.mark.parametrize("route", ["/check", "/check/question"])
def test_servers_that_share_the_work_are_checked_one_by_one(route: str, studio: Simulator) -> None:
    asked("/servers/save", {"name": "both", "address": f"{studio.address}, 127.0.0.1:1"})
    status, answer = asked(route, {"server": {"saved": "both"}, "id": "four"})

    assert status == 400
    assert answer["error_text"]["key"] == "check_of_several"


@pytest.mark.parametrize("route", examining.ROUTES)
def test_a_server_that_is_away_is_told_in_a_sentence(route: str, studio: Simulator) -> None:
    status, answer = asked(route, {"server": None, "id": "five"})

    assert (status, answer["code"]) == (400, "ServerUnreachable")
    assert "127.0.0.1:1" in answer["error"]


@pytest.mark.parametrize("route", examining.ROUTES)
def test_an_address_that_only_the_page_names_is_not_checked(route: str, studio: Simulator) -> None:
    given = {"address": f"127.0.0.1:{studio.port}", "tls": "plain text"}
    status, answer = asked(route, {"server": given, "id": "six"})

    assert (status, answer["code"]) == (403, "UnknownServer")
