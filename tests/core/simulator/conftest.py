"""Most tests of the simulator look only at what it answers, and share one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drawthings.dt_core.simulator import Simulator


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running
