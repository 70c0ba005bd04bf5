"""Stop stops: at once, on the server too, that call only; and the next prompt runs.

Every test logs how long it took (`pytest -rP`); docs/reliability.md has such figures.
"""

from __future__ import annotations

import logging
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.generation.client import Client as DrawThings
from drawthings.dt_core.generation.events import ImageReceived
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Record, Simulator
from drawthings.dt_core.simulator.faults import Fault, Script
from drawthings.tools.comfyui_client import Client, Event, Result
from running_example import Example

_log = logging.getLogger(__name__)
SLOW_STEP_S = 1.0
LIMIT_S = 1.0  # sanity on a busy machine; the aim is 0.3

MakeExample = Callable[[str], Example]


@pytest.fixture
def faulty() -> Iterator[Simulator]:
    """A second server, whose calls go wrong as told."""
    with Simulator(faults=Script()) as server:
        yield server


def on(server: Simulator, example: MakeExample) -> Example:
    chosen = example("text_to_image_two_loras")
    chosen.connect_server(server.address)
    return chosen


@contextmanager
def new_request(server: Simulator) -> Iterator[Callable[..., Record]]:
    """Wait for a request that comes within the block and is as wanted."""
    before = len(server.requests)
    yield lambda wanted: server.wait_for(
        lambda record: record in server.requests[before:] and wanted(record), 20
    )


def stopped(client: Client, prompt_id: str, node_id: str) -> Result:
    """Interrupt the prompt, and make sure that it ended soon and as interrupted."""
    begun = time.monotonic()
    client.interrupt(prompt_id)
    result = client.wait(prompt_id)
    assert result.outcome == "interrupted", result.error
    (interrupted,) = result.of_kind("execution_interrupted")
    assert interrupted.data["node_id"] == node_id
    _log.warning("shown as interrupted after %.0f ms", (interrupted.at - begun) * 1000)
    assert interrupted.at - begun < LIMIT_S
    return result


def heard(server: Simulator, record: Record) -> None:
    """The server knows that its client left."""
    server.wait_for(lambda r: r is record and r.outcome is not None, LIMIT_S + 1)
    assert record.outcome == "cancelled"


@pytest.mark.parametrize("by_id", [True, False], ids=["by prompt id", "whatever runs"])
def test_stop_ends_the_prompt_and_the_servers_work_at_once(
    client: Client, simulator: Simulator, example: MakeExample, by_id: bool
) -> None:
    simulator.step_delay = SLOW_STEP_S
    slow = example("text_to_image_two_loras")
    before = len(simulator.requests)
    stopped_at = 0.0

    prompt_id = client.queue(slow.prompt)

    def stop_at_first_progress(event: Event) -> None:
        nonlocal stopped_at
        if event.kind == "progress" and not stopped_at and len(simulator.requests) > before:
            stopped_at = time.monotonic()
            client.interrupt(prompt_id if by_id else None)

    result = client.wait(prompt_id, on_event=stop_at_first_progress)

    assert result.outcome == "interrupted"
    (interrupted,) = result.of_kind("execution_interrupted")
    assert interrupted.data["node_id"] == slow.sampler
    _log.warning("shown as interrupted after %.0f ms", (interrupted.at - stopped_at) * 1000)
    assert interrupted.at - stopped_at < LIMIT_S
    heard(simulator, simulator.requests[before])

    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_a_job_that_is_cancelled_by_its_id_stops(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    """ComfyUI's newer way; a queued job is cancelled as well, and never reaches the server."""
    simulator.step_delay = 20.0
    slow, waiting = example("text_to_image_two_loras"), example("text_to_image_two_loras")
    with new_request(simulator) as request:
        running_id = client.queue(slow.prompt)
        record = request(lambda record: True)
    before = len(simulator.requests)
    waiting_id = client.queue(waiting.prompt)
    try:
        for prompt_id in (waiting_id, running_id):
            begun = time.monotonic()
            assert client.post_json(f"/api/jobs/{prompt_id}/cancel", {}) == {"cancelled": True}
    except urllib.error.HTTPError as error:
        client.post_json("/queue", {"delete": [waiting_id]})
        stopped(client, running_id, slow.sampler)
        if error.code not in {404, 405}:
            raise
        pytest.skip("this ComfyUI has no /api/jobs")
    result = client.wait(running_id)
    (interrupted,) = result.of_kind("execution_interrupted")
    assert interrupted.at - begun < LIMIT_S
    heard(simulator, record)
    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"
    assert len(simulator.requests) - before == 1


def test_stop_before_the_first_step_is_heard_too(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    simulator.step_delay = 20.0
    slow = example("text_to_image_two_loras")
    with new_request(simulator) as request:
        prompt_id = client.queue(slow.prompt)
        request(lambda record: True)

    stopped(client, prompt_id, slow.sampler)

    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_stop_ends_a_call_that_waits_in_the_servers_queue(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    waiting = example("text_to_image_two_loras")
    with simulator.busy():
        with new_request(simulator) as request:
            prompt_id = client.queue(waiting.prompt)
            request(lambda record: True)
        stopped(client, prompt_id, waiting.sampler)
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_stop_ends_a_call_to_a_server_that_fell_silent(
    client: Client, faulty: Simulator, example: MakeExample
) -> None:
    assert faulty.faults is not None
    faulty.faults.add(Fault.of("stall", at=4))
    silent = on(faulty, example)
    with new_request(faulty) as request:
        prompt_id = client.queue(silent.prompt)
        record = request(lambda record: record.sent == 4)
    stopped(client, prompt_id, silent.sampler)
    heard(faulty, record)
    assert client.run(on(faulty, example).prompt).outcome == "success"


def test_stop_ends_the_wait_for_a_server_that_does_not_greet(
    client: Client, faulty: Simulator, example: MakeExample
) -> None:
    assert faulty.faults is not None
    faulty.faults.add(Fault.of("stall", on="echo"))
    greeted = faulty.echo_count
    silent = on(faulty, example)
    prompt_id = client.queue(silent.prompt)
    deadline = time.monotonic() + 20
    while faulty.echo_count == greeted:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stopped(client, prompt_id, silent.sampler)
    assert client.run(on(faulty, example).prompt).outcome == "success"


def test_stop_reaches_a_sampler_within_a_subgraph(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    """Front ends write what is inside of subgraphs with the path as its id."""
    simulator.step_delay = 20.0
    inner = example("text_to_image_two_loras")
    ids = {ident: f"57:{ident}" for ident in (inner.sampler, inner.loader)}
    prompt = {ids.get(ident, ident): node for ident, node in inner.prompt.items()}
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in ids:
                node["inputs"][name] = [ids[value[0]], value[1]]
    with new_request(simulator) as request:
        prompt_id = client.queue(prompt)
        record = request(lambda record: True)
    stopped(client, prompt_id, ids[inner.sampler])
    heard(simulator, record)


def test_stop_ends_that_call_only(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    """Somebody else's generation on the same server goes on."""
    simulator.step_delay = 0.3
    settings = Configuration(model="z_image_turbo_1.0_q6p.ckpt", start_width=64, start_height=64)
    other = DrawThings(ServerProfile(simulator.address, TlsMode.PLAIN)).generate(
        GenerationRequest(settings.replace(steps=6))
    )
    simulator.wait_for(lambda record: record.outcome is None and record.sent > 1)
    mine = example("text_to_image_two_loras")
    with new_request(simulator) as request:
        prompt_id = client.queue(mine.prompt)
        request(lambda record: True)
    stopped(client, prompt_id, mine.sampler)
    assert sum(isinstance(event, ImageReceived) for event in other) == 1


def test_a_deleted_prompt_never_reaches_the_server_and_the_running_one_goes_on(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    simulator.step_delay = 0.2
    running, waiting = example("text_to_image_two_loras"), example("text_to_image_two_loras")
    before = len(simulator.requests)
    first = client.queue(running.prompt)
    simulator.wait_for(lambda record: record in simulator.requests[before:], 10)
    second = client.queue(waiting.prompt)
    client.post_json("/queue", {"delete": [second]})
    assert client.wait(first).outcome == "success"
    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"
    assert len(simulator.requests) - before == 2


def test_stopping_one_prompt_lets_the_next_in_the_queue_run(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    simulator.step_delay = 20.0
    slow, next_one = example("text_to_image_two_loras"), example("text_to_image_two_loras")
    with new_request(simulator) as request:
        first = client.queue(slow.prompt)
        request(lambda record: True)
    second = client.queue(next_one.prompt)
    simulator.step_delay = 0.0
    client.interrupt(first)
    assert client.wait(second).outcome == "success"


def test_several_samplers_on_several_servers_all_stop(
    client: Client, simulator: Simulator, faulty: Simulator, example: MakeExample
) -> None:
    """They run at the same time; one Stop is for all of them."""
    simulator.step_delay = 20.0
    assert faulty.faults is not None
    faulty.faults.add(Fault.of("stall", at=2))
    here, there = example("text_to_image_two_loras"), on(faulty, example)
    prompt = {**here.prompt, **{f"2:{ident}": node for ident, node in there.prompt.items()}}
    for ident, node in there.prompt.items():
        prompt[f"2:{ident}"] = {
            **node,
            "inputs": {
                name: [f"2:{value[0]}", *value[1:]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            },
        }
    with new_request(simulator) as request, new_request(faulty) as other_request:
        prompt_id = client.queue(prompt)
        records = request(lambda record: True), other_request(lambda record: record.sent == 2)
    client.interrupt(prompt_id)
    assert client.wait(prompt_id).outcome == "interrupted"
    for server, record in zip((simulator, faulty), records, strict=True):
        heard(server, record)
    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"
