"""Node tests run in ComfyUI's own Python, with ComfyUI importable and no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfy.cli_args import args

args.cpu = True  # before anything of ComfyUI looks for a graphics card

from drawthings.dt_core.connection.profile import ServerProfile  # noqa: E402
from drawthings.dt_core.simulator import Simulator  # noqa: E402
from drawthings.nodes.host import compat  # noqa: E402
from drawthings.nodes.servers import owner  # noqa: E402


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def profile(server: Simulator) -> ServerProfile:
    return ServerProfile(server.address)


@pytest.fixture(autouse=True)
def _own_user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ComfyUI that has just started, with a user who has stored nothing."""
    owner.restart()
    monkeypatch.setattr(compat.folder_paths, "get_user_directory", lambda: str(tmp_path))
    monkeypatch.delenv("DRAWTHINGS_SERVER", raising=False)
    monkeypatch.delenv("DRAWTHINGS_SECRET", raising=False)
    yield
    owner.restart()
