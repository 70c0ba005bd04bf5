"""Node tests run in ComfyUI's own Python, with ComfyUI importable and no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfy.cli_args import args

args.cpu = True  # before anything of ComfyUI looks for a graphics card

from drawthings.dt_core.connection import channel  # noqa: E402
from drawthings.dt_core.connection.profile import ServerProfile  # noqa: E402
from drawthings.dt_core.simulator import Simulator  # noqa: E402
from drawthings.nodes.host import compat  # noqa: E402


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running
    channel.close_all()


@pytest.fixture
def profile(server: Simulator) -> ServerProfile:
    return ServerProfile(server.address)


@pytest.fixture(autouse=True)
def _own_user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat.folder_paths, "get_user_directory", lambda: str(tmp_path))
    monkeypatch.delenv("DRAWTHINGS_SERVER", raising=False)
    monkeypatch.delenv("DRAWTHINGS_SECRET", raising=False)
