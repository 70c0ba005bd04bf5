"""What the page is told while a node generates, in the order in which it happens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.options import DTAppOptions
from drawthings.nodes.running import reporting
from drawthings.nodes.running.display import PROGRESS_EVENT
from drawthings.nodes.running.reporting import FAILURE_EVENT
from drawthings.nodes.sampler import DTSampler

MODEL = "z_image_turbo_1.0_q6p.ckpt"


class Sampling(DTSampler):
    class hidden:  # noqa: N801
        unique_id = "7"


class Bar:
    """ComfyUI's bar, with what it was told."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int]] = []

    def update_absolute(self, value: int, total: int, preview: Any = None) -> None:
        self.places.append((value, total))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def send(name: str, data: dict[str, Any]) -> None:
        assert name in {PROGRESS_EVENT, FAILURE_EVENT}
        if name == PROGRESS_EVENT:
            events.append(data)

    monkeypatch.setattr(compat, "send_to_client", send)
    return events


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> Bar:
    made = Bar()
    monkeypatch.setattr(compat, "progress_bar", lambda *_: made)
    return made


def sample(profile: ServerProfile, rounds: int = 1, **inputs: Any) -> Any:
    widgets = {"seed": 100, "steps": 4, "guidance": 1.0, "sampler": "UniPC Trailing"}
    sizes = {"width": 128, "height": 128, "strength": 1.0, "batch_size": 1, "shift": 0.0}
    options = DTAppOptions.execute(batch_count=rounds).args[0]
    given = {**widgets, **sizes, "options": options, "positive": "x", **inputs}
    return asyncio.run(Sampling.execute(model=ModelChoice(profile, MODEL), **given))


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Phases and stages, each once in a row."""
    names = [event.get("stage") or event["phase"] for event in events]
    return [name for before, name in zip(["", *names], names, strict=False) if name != before]


def test_every_phase_is_told_when_it_comes(told: list[dict[str, Any]], bar: Bar) -> None:
    with Simulator(step_delay=0.15) as server:
        sample(ServerProfile(server.address))

    assert kinds(told) == [
        "preparing",
        "waiting",
        "text_encoded",
        "image_encoded",
        "sampling",
        "image_decoded",
        "receiving",
        "done",
    ]
    assert {event["node"] for event in told} == {"7"}
    steps = [event["step"] for event in told if event.get("stage") == "sampling"]
    assert steps == sorted(steps)
    assert {2, 3, 4} <= set(steps)
    shares = [event["done"] for event in told if "done" in event]
    assert shares == sorted(shares)
    assert bar.places[-1][0] == bar.places[-1][1]


def test_time_left_does_not_count_the_wait_for_somebody_else(
    told: list[dict[str, Any]], bar: Bar
) -> None:
    with Simulator(step_delay=0.1) as server:

        async def wait_and_generate() -> None:
            with server.busy():
                running = asyncio.ensure_future(
                    asyncio.to_thread(sample, ServerProfile(server.address), 2)
                )
                while not any(event.get("waited", 0) >= 2 for event in told):
                    await asyncio.sleep(0.02)
            await running

        asyncio.run(wait_and_generate())

    left = [event["left"] for event in told if event.get("left") is not None]
    assert left
    assert max(left) < 2  # 2 rounds of 4 steps of 0.1 s, and not the 2 s before
    assert {event["number"] for event in told if "number" in event} == {1, 2}


def test_several_servers_fill_one_bar(told: list[dict[str, Any]], bar: Bar) -> None:
    with Simulator(step_delay=0.05) as one, Simulator(step_delay=0.05) as two:
        sample(ServerProfile(f"{one.address}, {two.address}"), 6)

    assert {event["requests"] for event in told if "requests" in event} == {6}
    assert {event["number"] for event in told if "number" in event} == set(range(1, 7))
    values = [value for value, _ in bar.places]
    assert values == sorted(values)
    assert bar.places[-1] == (6000, 6000)


def test_an_error_is_no_end_of_the_bar(told: list[dict[str, Any]], bar: Bar) -> None:
    with Simulator() as server:
        with pytest.raises(reporting.Problem):
            sample(ServerProfile(server.address), batch_size=0)
    assert "done" not in kinds(told)
