"""What the pack adds to ComfyUI's start."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..child import ChildError
from ..comfyui import ComfyUI
from ..comfyui_setup import ROOT, Installation
from .rows import Found, Row, race, row

PART = "Start"
GOAL_MS = 150
HEAVY = ("fpzip", "cryptography", "grpc_tools", "scipy", "av", "matplotlib")

# What ComfyUI loads before custom nodes, and an empty pack, which costs what any pack costs;
# then ours.
_LOAD = """
import asyncio, json, os, sys, time
from comfy.cli_args import args
args.cpu, args.front_end_root = True, sys.argv[3]
import folder_paths
folder_paths.set_user_directory(sys.argv[4])
import utils.extra_config, execution, server, nodes  # in the order of its main.py

async def load():
    server.PromptServer(asyncio.get_running_loop())
    await nodes.init_builtin_extra_nodes()
    await nodes.load_custom_node(sys.argv[1])
    before = set(sys.modules)
    began, used = time.perf_counter(), time.process_time()
    loaded = await nodes.load_custom_node(sys.argv[2])
    seconds, used = time.perf_counter() - began, time.process_time() - used
    new = sorted(set(sys.modules) - before)
    print(json.dumps({"seconds": seconds, "used": used, "loaded": loaded, "new": new}), flush=True)
    os._exit(0)

asyncio.run(load())
"""


def measure(installation: Installation, quick: bool) -> Iterator[Found]:
    with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as folder:
        empty = Path(folder) / "empty"
        empty.mkdir()
        (empty / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
        results = [_load(installation, empty) for _ in range(4 if quick else 12)][1:]
        yield from _loading(results)
        if quick:
            return
        with_pack, without = race(7, _started(installation, ROOT), _started(installation, empty))
    yield row(
        PART,
        "Start until ComfyUI answers: time added",
        "the same with an empty pack",
        [(ours - bare) * 1000 for ours, bare in zip(with_pack, without, strict=True)],
        "ms",
        beside=f"{min(with_pack):.2f} s at best, empty {min(without):.2f} s",
    )


def _loading(results: list[dict[str, Any]]) -> Iterator[Found]:
    times = [result["seconds"] * 1000 for result in results]
    used_ms = statistics.median(result["used"] for result in results) * 1000
    yield row(
        PART,
        "Loading the pack: time added",
        "ComfyUI without it",
        times,
        "ms",
        goal=GOAL_MS,
        beside=f"{min(times):.0f} ms at best, {used_ms:.0f} ms of processor time,"
        f" {len(results[0]['new'])} modules",
    )
    early = [name for name in HEAVY if name in results[0]["new"]]
    said = ", ".join(early) or f"of {', '.join(HEAVY)}"
    yield Row(
        PART,
        "Heavy modules that come with it",
        "none",
        *(float(len(early)),) * 3,
        unit="modules",
        goal=0,
        beside=said,
    )


def _load(installation: Installation, empty: Path) -> dict[str, Any]:
    places = [installation.folder, installation.stand_ins]
    with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as user:
        done = subprocess.run(
            [
                *(str(installation.python), "-c", _LOAD, str(empty), str(ROOT)),
                *(str(installation.blank_front_end), user),
            ],
            cwd=installation.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(str(place) for place in places if place),
                "DRAWTHINGS_HOME": user,
            },
            check=False,
            capture_output=True,
        )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    if not result.get("loaded"):
        raise ChildError(f"ComfyUI could not load the pack:\n{done.stderr.decode()[-4000:]}")
    return result


def _started(installation: Installation, pack: Path) -> Callable[[], float]:
    def start() -> float:
        with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as home:
            comfyui = ComfyUI(installation, pack=pack, env={"DRAWTHINGS_HOME": home})
            began = time.perf_counter()
            with comfyui:
                return time.perf_counter() - began

    return start
