"""The simulator answers as the real service did when it was recorded (tests/data/conformance)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conformance import (
    CORPUS,
    cases,
    connect,
    differences,
    facts,
    finish,
    handed,
    kinds,
    start,
    write_catalogue,
)
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator.faults import Script
from simulator_wire import ROOT

ECHO = {"method": "/ImageGenerationService/Echo", "messages": [""]}
CALLS = [name for name in CORPUS["setups"] if name != "slow"]


@contextmanager
def simulated(setup: str, tmp_path: Path) -> Iterator[Simulator]:
    described = CORPUS["setups"][setup]
    flags = described["flags"]
    secret = flags[flags.index("--shared-secret") + 1] if "--shared-secret" in flags else ""
    catalogue = write_catalogue(tmp_path / "models.json", "empty folder" in described)
    with Simulator(
        secret=secret,
        model_browser="--model-browser" in flags,
        response_compression="--no-response-compression" not in flags,
        catalog=Catalog.load(catalogue),
        step_delay=0.1 if setup == "slow" else 0,
        faults=Script.from_json(json.dumps(CORPUS["faults"])) if setup == "failing" else None,
    ) as server:
        yield server


@pytest.mark.parametrize("setup", CALLS)
def test_calls_are_answered_as_recorded(setup: str, tmp_path: Path) -> None:
    wrong: dict[str, list[str]] = {}
    with simulated(setup, tmp_path) as server, connect(server.address) as opened:
        for case in cases(setup):
            answer = finish(start(opened, case), case)
            found = list(differences(facts(case, case["answer"]), facts(case, answer)))
            if "handed" in case:
                found += differences(case["handed"], handed(server.requests[-1]))
            if found:
                wrong[case["name"]] = found
    assert wrong == {}


def test_the_corpus_is_whole() -> None:
    assert len(CORPUS["cases"]) == 108
    assert {case["setup"] for case in CORPUS["cases"]} == set(CORPUS["setups"])
    assert sum("handed" in case for case in CORPUS["cases"]) == 38


def test_every_recorded_sentence_is_in_the_description_of_the_protocol() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    sentences = {case["answer"].get("details") or "" for case in CORPUS["cases"]} - {""}
    for said in sentences:
        wanted = re.sub(r": \d+ expectedFileSize:\d+", ": N expectedFileSize:M", said)
        wanted = wanted.rpartition("' ")[2]  # of a path that there is not
        assert wanted in page
    assert len(sentences) > 8


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Simulator]:
    with simulated("slow", tmp_path) as server:
        yield server


def recorded(action: str) -> Any:
    return next(case for case in cases("slow") if case["action"] == action)


def test_a_cancelled_call_ends_and_the_next_one_runs(slow: Simulator) -> None:
    case = recorded("cancel")
    with connect(slow.address) as opened:
        call = start(opened, case)
        next(call)
        call.cancel()
        assert finish(call, case)["code"] == case["answer"]["code"]
        again = finish(start(opened, case), case)
    expected = {**case["answer"]["afterwards"], "details": ""}
    assert list(differences(facts(case, expected), facts(case, again))) == []


@pytest.mark.parametrize("action", ["queue", "withdraw"])
def test_calls_at_once_are_served_one_by_one(slow: Simulator, action: str) -> None:
    case = recorded(action)
    with connect(slow.address) as opened, ThreadPoolExecutor(1) as pool:
        calls = [start(opened, case)]
        head = next(calls[0])
        first = pool.submit(finish, calls[0], case, [head])
        for waiting in range(2, 4 if action == "withdraw" else 3):
            calls.append(start(opened, case))
            slow.wait_for(lambda _, waiting=waiting: slow.queue_length == waiting)  # type: ignore[misc]
        if action == "withdraw":
            calls[1].cancel()
        answer = case["answer"]
        assert finish(start(opened, ECHO), ECHO)["code"] == answer["echo"]
        assert slow.requests[0].outcome is None  # Echo came while the first ran
        head = next(calls[-1])
        assert slow.requests[0].outcome == "done"  # nothing was heard before
        answers = [first.result(), finish(calls[-1], case, [head])]
        assert [call.code().name for call in calls] == answer["codes"]
        assert [kinds(one) for one in answers] == answer["kinds"]
