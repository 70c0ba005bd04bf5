"""Stop stops: at once, on the server too, and the next prompt runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui_client import Client, Event
from running_example import Example

SLOW_STEP_S = 1.0
LIMIT_S = 1.0


@pytest.mark.parametrize("by_id", [True, False], ids=["by prompt id", "whatever runs"])
def test_stop_ends_the_prompt_and_the_servers_work_within_a_second(
    client: Client, simulator: Simulator, example: Callable[[str], Example], by_id: bool
) -> None:
    simulator.step_delay = SLOW_STEP_S
    slow = example("text_to_image_two_loras")
    before = len(simulator.requests)
    stopped_at = 0.0

    prompt_id = client.queue(slow.prompt)

    def stop_at_first_progress(event: Event) -> None:
        nonlocal stopped_at
        if event.kind == "progress" and not stopped_at:
            stopped_at = time.monotonic()
            client.interrupt(prompt_id if by_id else None)

    result = client.wait(prompt_id, on_event=stop_at_first_progress)

    assert result.outcome == "interrupted"
    (interrupted,) = result.of_kind("execution_interrupted")
    assert interrupted.data["node_id"] == slow.sampler
    assert interrupted.at - stopped_at < LIMIT_S
    record = simulator.wait_for(lambda r: r in simulator.requests[before:] and r.outcome, LIMIT_S)
    assert record.outcome == "cancelled"

    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"


def test_stop_before_the_first_step_is_heard_too(
    client: Client, simulator: Simulator, example: Callable[[str], Example]
) -> None:
    simulator.step_delay = 20.0
    slow = example("text_to_image_two_loras")
    before = len(simulator.requests)
    prompt_id = client.queue(slow.prompt)
    simulator.wait_for(lambda record: record in simulator.requests[before:], 10)

    stopped_at = time.monotonic()
    client.interrupt(prompt_id)
    result = client.wait(prompt_id)

    assert result.outcome == "interrupted"
    assert result.of_kind("execution_interrupted")[0].at - stopped_at < LIMIT_S

    simulator.step_delay = 0.0
    assert client.run(example("text_to_image_two_loras").prompt).outcome == "success"
