"""Who stops following a generation from a script stops it on the server."""

from __future__ import annotations

import asyncio

import pytest
from drawthings.dt_core import AsyncDrawThingsClient, GenerationProgress
from drawthings.dt_core.simulator import Simulator
from scripts import config, connect


def is_second_step(event: object) -> bool:
    return isinstance(event, GenerationProgress) and event.step == 2


async def outcome(server: Simulator) -> str | None:
    ended = await asyncio.to_thread(server.wait_for, lambda record: record.outcome is not None)
    return ended.outcome


def test_leaving_the_loop_cancels_on_the_server() -> None:
    with Simulator(step_delay=0.05) as server, connect(server) as client:
        for event in client.generate("x", config(steps=200)):
            if is_second_step(event):
                break
        record = server.wait_for(lambda record: record.outcome is not None)

    assert record.outcome == "cancelled"


def test_leaving_the_loop_of_the_asyncio_twin_cancels_too() -> None:
    async def leave(client: AsyncDrawThingsClient, server: Simulator) -> str | None:
        async for event in client.generate("x", config(steps=200)):
            if is_second_step(event):
                break
        return await outcome(server)

    with Simulator(step_delay=0.05) as server:
        client = AsyncDrawThingsClient(server.address, insecure=True)
        assert asyncio.run(leave(client, server)) == "cancelled"


def test_a_cancelled_task_cancels_on_the_server() -> None:
    async def cancel(client: AsyncDrawThingsClient, server: Simulator) -> str | None:
        task = asyncio.ensure_future(client.generate_image("x", config(steps=200)))
        await asyncio.to_thread(server.wait_for, lambda record: record.started)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await outcome(server)

    with Simulator(step_delay=0.05) as server:
        client = AsyncDrawThingsClient(server.address, insecure=True)
        assert asyncio.run(cancel(client, server)) == "cancelled"
