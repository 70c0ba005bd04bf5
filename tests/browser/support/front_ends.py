"""A ComfyUI for each front end, and where what it says is kept."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_setup import ROOT, find_or_install, front_end

ARTIFACTS = Path(os.environ.get("ARTIFACTS") or ROOT / "artifacts")
PACK_FOLDER = "drawthings-nodes"  # in-app help knows only folders without a dot


class Servers:
    """One ComfyUI per front end, started when a test first needs it."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._stack = ExitStack()
        self._running: dict[str, ComfyUI] = {}

    def with_front_end(self, version: str) -> ComfyUI:
        if version not in self._running:
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            comfyui = ComfyUI(
                find_or_install(),
                server=self._server,
                front_end=front_end(version),
                pack_folder=PACK_FOLDER,
                log=ARTIFACTS / f"comfyui-{version}.log",
            )
            self._running[version] = self._stack.enter_context(comfyui)
        return self._running[version]

    def stop(self) -> None:
        self._stack.close()
