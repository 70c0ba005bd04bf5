"""A failing server through a real ComfyUI: a sentence or the pictures, and no restart."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script
from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_client import Client, Result

STILL = "z_image_turbo_1.0_q6p.ckpt"
VIDEO = "wan_v2.1_1.3b_480p_f16.ckpt"
_seeds = itertools.count(7_000_000)
of = Fault.of


@pytest.fixture
def faulty() -> Iterator[Simulator]:
    with Simulator(faults=Script()) as server:
        yield server


def run(client: Client, server: Simulator, *faults: Fault, model: str = STILL) -> Result:
    assert server.faults is not None
    server.faults.clear()
    server.faults.add(*faults)
    there: dict[str, Any] = {"address": server.address, "tls": "plain text", "secret_name": ""}
    wanted = {"seed": next(_seeds), "steps": 2, "guidance": 1.0, "sampler": "UniPC Trailing",
              "width": 128, "height": 64, "strength": 1.0, "batch_size": 1,
              "shift": 0.0}  # fmt: skip

    def node(kind: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": kind, "inputs": inputs}

    graph = {
        "server": node("DTServer", **there, fingerprint=""),
        "model": node("DTModelLoader", model=model, server=["server", 0]),
        "sampler": node("DTSampler", model=["model", 0], **wanted),
        "save": node("SaveImage", images=["sampler", 0], filename_prefix="faults"),
    }
    return client.run(graph)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (of("drop", at=2), "The connection to {address} broke"),
        (of("restart", at=3), "The connection to {address} broke"),
        (of("status", code="RESOURCE_EXHAUSTED"), "at a limit of its own"),
        (of("secret", at=2), "wants a shared secret"),
        (of("garbage", at=3), "sent a message that cannot be read"),
        (of("empty"), "finished without a picture"),
        (of("flip"), "Generate again"),
        (of("cut", codec="zip"), "cannot be used"),
        (of("dims"), "1024 MiB is the most"),
        (of("endless", what="pieces", at=2), "cannot be used"),
        (of("status", on="echo", times=0), "cannot take calls now"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_fault_is_one_sentence_and_the_next_prompt_runs(
    client: Client, faulty: Simulator, fault: Fault, words: str
) -> None:
    result = run(client, faulty, fault)
    assert result.outcome == "error"
    assert words.format(address=faulty.address) in result.error or words in result.error
    assert faulty.address in result.error
    assert len(result.error.splitlines()) == 1
    (event,) = result.of_kind("execution_error")
    assert event.data["node_id"] == "sampler"
    (told,) = result.of_kind("drawthingsnodes.failure")  # what our page translates
    assert told.data["node"] == "sampler"
    assert told.data["error"] == told.data["error_text"]["text"] == result.error.strip()
    faulty.secret = ""
    after = run(client, faulty)
    assert after.outcome == "success", after.error


@pytest.mark.parametrize(
    "fault", [of("drop", picture=3), of("end", picture=3)], ids=lambda fault: fault.kind
)
def test_frames_that_arrived_are_saved_with_a_warning(
    client: Client, faulty: Simulator, fault: Fault
) -> None:
    result = run(client, faulty, fault, model=VIDEO)
    assert result.outcome == "success", result.error
    assert len(result.files("save")) == 3
    (note,) = result.history["outputs"]["sampler"]["drawthings_notes"]
    assert note.startswith("Only 3 picture(s) arrived.")
    (text,) = result.history["outputs"]["sampler"]["drawthings_note_texts"]
    assert (text["key"], text["values"]["count"], text["text"]) == ("only_arrived", 3, note)
    assert len(run(client, faulty, model=VIDEO).files("save")) > 3


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_after_all_of_this_comfyui_holds_no_more_than_before(
    client: Client, comfyui: ComfyUI, faulty: Simulator
) -> None:
    """Threads and open files of a ComfyUI that saw forty failing calls."""
    held = Path("/proc") / str(comfyui.child.pid)

    def counted() -> tuple[int, int]:
        return len(list((held / "fd").iterdir())), len(list((held / "task").iterdir()))

    run(client, faulty)
    before = counted()
    for at in range(20):
        run(client, faulty, of("drop", at=at % 4))
        run(client, faulty, of("flip"))
    run(client, faulty)
    after = counted()
    assert after[0] - before[0] < 20, (before, after)
    assert after[1] - before[1] < 20, (before, after)
