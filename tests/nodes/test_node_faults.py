"""DT Sampler when the server fails: what arrived whole is delivered with a sentence, the rest
is one sentence, and the next run works."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from comfy import model_management
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.events import Noticed
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import KINDS, Fault, Script
from drawthings.dt_core.text import verbatim
from drawthings.nodes.host import compat
from drawthings.nodes.running import reporting
from drawthings.nodes.running.display import Display
from drawthings.nodes.sampler import DTSampler

STILL = "z_image_turbo_1.0_q6p.ckpt"
VIDEO = "wan_v2.1_1.3b_480p_f16.ckpt"
LIMIT_S = 1.0  # sanity on a busy machine; the aim is 0.3
of = Fault.of


class Sampling(DTSampler):
    """DT Sampler as ComfyUI calls it: with the hidden inputs filled in."""

    class hidden:  # noqa: N801
        unique_id = "7"


@pytest.fixture
def faulty() -> Iterator[Simulator]:
    with Simulator(faults=Script()) as running:
        yield running


def sample(server: Simulator, *faults: Fault, model: str = STILL, **inputs: Any) -> Any:
    assert server.faults is not None
    server.faults.clear()
    server.faults.add(*faults)
    values = {"seed": 1, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing", "width": 128,
              "height": 64, "strength": 1.0, "batch_size": 1, "shift": 0.0}  # fmt: skip
    choice = ModelChoice(ServerProfile(server.address), model)
    return asyncio.run(Sampling.execute(model=choice, **{**values, **inputs}))


def notes(output: Any) -> str:
    return " ".join((output.ui or {}).get("drawthings_notes", ()))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (of("drop", picture=2), "broke"),
        (of("restart", picture=2), "broke"),
        (of("status", code="INTERNAL", picture=2), "failed"),
        (of("garbage", picture=2), "cannot be read"),
        (of("end", picture=2), "missing"),
        (of("no_last", picture=2), "without an end"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_frames_that_arrived_whole_are_delivered_with_a_warning(
    faulty: Simulator, fault: Fault, words: str
) -> None:
    output = sample(faulty, fault, model=VIDEO, steps=2)
    assert tuple(output.args[0].shape) == (2, 64, 128, 3)
    assert "Only 2 picture(s) arrived." in notes(output)
    assert words in notes(output)
    whole = sample(faulty, model=VIDEO, steps=2)
    assert len(whole.args[0]) > 2
    assert torch.equal(whole.args[0][:2], output.args[0])  # nothing of the failure is left in them


@pytest.mark.parametrize("codec", ["fpzip", "zip", "raw"])
def test_a_damaged_frame_costs_only_itself(faulty: Simulator, codec: str) -> None:
    output = sample(faulty, of("cut", picture=2, codec=codec), model=VIDEO, steps=2)
    whole = sample(faulty, model=VIDEO, steps=2).args[0]
    assert torch.equal(output.args[0], torch.cat([whole[:2], whole[3:]]))
    assert f"Only {len(whole) - 1} picture(s) arrived." in notes(output)
    assert "cannot be used" in notes(output)


def test_pictures_of_earlier_requests_are_not_lost(faulty: Simulator) -> None:
    images = torch.stack([torch.full((64, 128, 3), grey) for grey in (0.2, 0.5, 0.8)])
    fine, broken = of("heartbeats", times=1), of("drop", at=2)
    output = sample(faulty, fine, image=images, strength=0.5)
    assert len(output.args[0]) == 3
    script = faulty.faults
    assert script is not None

    async def break_the_second() -> Any:
        script.clear()
        task = asyncio.create_task(
            Sampling.execute(
                model=ModelChoice(ServerProfile(faulty.address), STILL),
                seed=1, steps=3, guidance=1.0, sampler="UniPC Trailing", width=128, height=64,
                strength=0.5, batch_size=1, shift=0.0, image=images,
            )
        )  # fmt: skip
        before = len(faulty.requests)
        await asyncio.to_thread(
            faulty.wait_for, lambda record: record in faulty.requests[before:] and record.sent > 1
        )
        script.add(broken)
        return await task

    output = asyncio.run(break_the_second())
    assert 1 <= len(output.args[0]) < 3
    assert "picture(s) arrived" in notes(output)
    assert len(output.args[4]) == len(output.args[0])  # seeds, one for each


FAILURES = [
    (of("drop", at=3), "generate again"),
    (of("restart", at=3), "generate again"),
    (of("goaway", last_stream=0), "generate again"),
    (of("secret", at=2), "secret"),
    (of("empty"), "without a picture"),
    (of("end", at=3), "without a picture"),
    (of("status", code="INTERNAL"), "server's log"),
    (of("status", code="RESOURCE_EXHAUSTED"), "at a limit of its own"),
    (of("status", code="UNAVAILABLE"), "try again"),
    (of("dims"), "1024 MiB"),
    (of("cut"), "again"),
    (of("cut", codec="zip"), "again"),
    (of("flip"), "again"),
    (of("flip", codec="zip"), "again"),
    (of("order", piece_bytes=256), "again"),
    (of("no_last"), "Generate again"),
    (of("endless", what="pieces"), "again"),
    (of("garbage"), "Generate again"),
    (of("status", on="echo", times=0), "try again"),
]
WARNINGS = [
    (of("size"), "announced 4.29 GB"),
    (of("endless", what="pictures", at=8), "far more pictures"),
    (of("nan"), "NaN"),
    (of("shrink"), ""),
]
HARMLESS = [
    of("heartbeats", count=50),
    of("unset_signposts"),
    of("unknown_values"),
    of("unknown_keys"),
    of("many_entries"),
    *[of("bad_catalog", what=what) for what in ("text", "cut", "deep", "numbers", "types")],
    of("goaway", at=2),
    of("stall", at=2, seconds=0.3),
    of("drip", bytes_per_s=500_000),
    of("status", on="echo", times=2),
]
STOPPED = [
    of("stall", at=2),
    of("freeze", at=2),
    of("drip", bytes_per_s=200),
    of("endless", what="heartbeats", at=2),
    of("endless", what="progress", at=2),
]


def named(value: Any) -> str | None:
    if not isinstance(value, Fault):
        return ""
    own = [str(v) for k, v in value.options.items() if v != KINDS[value.kind].options[k]]
    return " ".join([value.kind, *own])


def test_every_kind_of_fault_is_tried_through_the_node() -> None:
    tried = [fault for fault, _ in (*FAILURES, *WARNINGS)]
    assert {fault.kind for fault in (*tried, *HARMLESS, *STOPPED)} == set(KINDS)


@pytest.mark.parametrize(("fault", "words"), FAILURES, ids=named)
def test_without_a_picture_the_node_fails_with_one_sentence_and_works_again(
    faulty: Simulator, fault: Fault, words: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(reporting.Problem) as failure:
        sample(faulty, fault)
    assert time.monotonic() - begun < 20
    assert words in str(failure.value)
    assert faulty.address in str(failure.value)
    assert "\n" not in str(failure.value)
    faulty.secret = ""
    assert len(sample(faulty).args[0]) == 1


def test_pictures_full_of_nan_become_black_and_are_named(faulty: Simulator) -> None:
    output = sample(faulty, of("nan"))
    assert torch.isfinite(output.args[0]).all()
    assert float(output.args[0].max()) == 0
    assert "NaN" in notes(output)


def test_frames_of_different_sizes_are_made_equal_and_named(faulty: Simulator) -> None:
    output = sample(faulty, of("shrink", picture=1, by=16), model=VIDEO, steps=2)
    assert tuple(output.args[0].shape[1:]) == (64, 128, 3)
    assert "different sizes" in notes(output)


@pytest.mark.parametrize(("fault", "words"), WARNINGS, ids=named)
def test_a_picture_that_arrived_whole_is_delivered_whatever_else_is_wrong(
    faulty: Simulator, fault: Fault, words: str
) -> None:
    output = sample(faulty, fault)
    assert len(output.args[0]) >= 1
    assert words in notes(output)
    assert len(sample(faulty).args[0]) == 1


@pytest.mark.parametrize("fault", HARMLESS, ids=named)
def test_what_can_be_endured_costs_no_picture(faulty: Simulator, fault: Fault) -> None:
    assert len(sample(faulty, fault).args[0]) == 1


@pytest.mark.parametrize("fault", STOPPED, ids=named)
def test_what_never_ends_is_ended_by_stop_and_the_next_run_works(
    faulty: Simulator, fault: Fault
) -> None:
    pressed: list[float] = []
    earlier = len(faulty.requests)

    def press_stop() -> None:
        faulty.wait_for(lambda r: r in faulty.requests[earlier:] and r.sent >= fault.at)
        time.sleep(0.1)  # until the fault has begun
        pressed.append(time.monotonic())
        model_management.interrupt_current_processing(True)

    stop = threading.Thread(target=press_stop)
    stop.start()
    with pytest.raises(compat.Interrupted):
        sample(faulty, fault)
    ended = time.monotonic()
    stop.join()
    assert ended - pressed[0] < LIMIT_S
    again = time.monotonic()
    assert len(sample(faulty).args[0]) == 1
    assert time.monotonic() - again < 5


def test_what_a_later_server_says_costs_no_picture_and_needs_no_note(faulty: Simulator) -> None:
    later = (of("unknown_values"), of("heartbeats"), of("unset_signposts"), of("unknown_keys"))
    output = sample(faulty, *later, steps=8)
    assert len(output.args[0]) == 1
    assert not notes(output)


def test_what_is_odd_about_an_answer_is_a_note_of_the_node() -> None:
    odd = verbatim("The sound is odd.")
    display = Display("1", 1)
    asyncio.run(display.show([Noticed(odd), Noticed(odd)]))
    assert set(display.notes) == {odd}
