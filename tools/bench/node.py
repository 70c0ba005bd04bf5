"""DT Sampler as ComfyUI runs it: a new event loop for every prompt, `execute` awaited in it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

import folder_paths

from ...dt_core.connection.profile import ServerProfile, TlsMode
from ...dt_core.pictures.stack import Stack
from ...dt_core.request.parts import ModelChoice
from ...dt_core.wire import fpzip_pool
from ...nodes.sampler import DTSampler
from ...nodes.servers import owner
from .instant_process import InstantServer
from .scenes import STEPS, Scene, echo_reply

WIDGETS = {
    "positive": "a lighthouse",
    "seed": 11,
    "steps": STEPS,
    "guidance": 3.5,
    "sampler": "DPM++ 2M AYS",
    "width": 1024,
    "height": 1024,
    "strength": 1.0,
    "batch_size": 1,
    "shift": 0.0,
}
BEAT_S = 0.002


class _Sampler(DTSampler):
    class hidden:  # noqa: N801 - ComfyUI's name
        unique_id = "1"


class Run:
    """A scene, its server, and the node on it."""

    def __init__(self, scene: Scene, server: InstantServer) -> None:
        self.server = server
        profile = ServerProfile(server.address, tls=TlsMode.PLAIN)
        self._inputs = {**WIDGETS, **scene.inputs, "model": ModelChoice(profile, scene.model)}
        self.output: Any = None

    def seconds(self) -> float:
        """Run the node once; the outputs are let go before the next time."""
        self.output = None
        return asyncio.run(self._execute())

    def heartbeat(self) -> float:
        """Run the node once; how late a heartbeat in the same loop was at worst, in s."""
        self.output = None

        async def run() -> float:
            async with beating() as late:
                await self._execute()
            return max(late)

        return asyncio.run(run())

    async def _execute(self) -> float:
        began = time.perf_counter()
        self.output = await _Sampler.execute(**self._inputs)
        return time.perf_counter() - began


@contextmanager
def running(scene: Scene) -> Iterator[Run]:
    """A server for the scene, and the node; what is measured later is not its first run."""
    with own_folders(), InstantServer(echo_reply(), scene.answers) as server:
        run = Run(scene, server)
        run.seconds()
        try:
            yield run
        finally:
            run.output = None
            owner.restart()
            fpzip_pool.shutdown()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Every run puts its pictures where those of the last one were, which nobody has any more."""
    kept: dict[tuple[int, int], Any] = {}
    original = Stack._made

    def made(stack: Stack, height: int, width: int) -> Any:
        if (height, width) not in kept:
            kept[height, width] = original(stack, height, width)
        return kept[height, width]

    with patch.object(Stack, "_made", made):
        yield


@contextmanager
def own_folders() -> Iterator[None]:
    """Neither the secrets nor the known servers of the person who measures."""
    with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as folder:
        os.environ["DRAWTHINGS_HOME"] = folder
        before = folder_paths.get_user_directory()
        folder_paths.set_user_directory(folder)
        try:
            yield
        finally:
            folder_paths.set_user_directory(before)


@asynccontextmanager
async def beating() -> AsyncIterator[list[float]]:
    """A heartbeat in the running loop, and how late each beat was, in s."""
    loop = asyncio.get_running_loop()
    late: list[float] = []

    async def beat() -> None:
        while True:
            due = loop.time() + BEAT_S
            await asyncio.sleep(BEAT_S)
            late.append(loop.time() - due)

    task = asyncio.create_task(beat())
    await asyncio.sleep(2 * BEAT_S)
    try:
        yield late
    finally:
        # One more: a loop that stood still until now has not said so yet.
        await asyncio.sleep(2 * BEAT_S)
        task.cancel()
