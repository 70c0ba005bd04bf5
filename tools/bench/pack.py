"""Run a module of the bench inside ComfyUI's Python, with the pack importable as `drawthings`.

    python tools/bench/pack.py MODULE ARGUMENT…

The root `__init__.py` is not executed: what is measured imports what it needs and no more.
"""

from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_COMFYUI = {"instant", "plot"}


def main() -> None:
    sys.path.pop(0)  # this folder: its modules are no top-level ones
    pack = types.ModuleType("drawthings")
    pack.__path__ = [str(ROOT)]
    sys.modules["drawthings"] = pack
    module = sys.argv.pop(1)
    if module not in WITHOUT_COMFYUI:
        from comfy.cli_args import args

        args.cpu = True  # before anything of ComfyUI looks for a graphics card
    runpy.run_module(f"drawthings.tools.bench.{module}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
