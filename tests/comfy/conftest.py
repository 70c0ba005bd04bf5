"""One simulator in this process and one real ComfyUI beside it, for all tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_client import Client
from drawthings.tools.comfyui_setup import find_or_install
from running_example import SECRET, SECRET_NAME, Example

INSTALL_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):  # the first test may have to install ComfyUI
            item.add_marker(pytest.mark.timeout(INSTALL_TIMEOUT_S))


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The simulator without delays, whatever the last test made it do."""
    shared_simulator.step_delay = 0.0
    yield shared_simulator
    shared_simulator.step_delay = 0.0


@pytest.fixture(scope="session")
def comfyui(shared_simulator: Simulator) -> Iterator[ComfyUI]:
    env = {f"DRAWTHINGS_SECRET_{SECRET_NAME}": SECRET}
    with ComfyUI(find_or_install(), server=shared_simulator.address, env=env) as running:
        yield running


@pytest.fixture
def client(comfyui: ComfyUI, simulator: Simulator) -> Iterator[Client]:
    with comfyui.client() as connected:
        yield connected


@pytest.fixture
def example() -> Callable[[str], Example]:
    return Example
