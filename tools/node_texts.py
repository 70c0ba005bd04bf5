"""What nodes say, as plain data: their definitions and sentences, for locales and help pages.

They need ComfyUI, so `read` and `read_sentences` ask ComfyUI's own Python, which runs this file.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
import types
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_MARK = "node texts: "  # ComfyUI writes to the same stream
_SETTING = "drawthings_setting"  # names the row of the settings table
_LISTED = "drawthings_list"  # marks combos of what a server has
_STORED = {"saved_server"}  # combos of what a user has
_ELSEWHERE = ("api", "cli", "simulator")  # rooms of dt_core that no page shows


def collect(nodes: list[Any]) -> list[dict[str, Any]]:
    """Per node: id, title, description, inputs and outputs, in the nodes' order."""
    return [_node(node.GET_SCHEMA()) for node in nodes]


def _node(schema: Any) -> dict[str, Any]:
    return {
        "id": schema.node_id,
        "title": schema.display_name,
        "description": schema.description,
        "inputs": [_input(entry) for entry in schema.inputs],
        "outputs": [_output(entry) for entry in schema.outputs],
    }


def _output(entry: Any) -> dict[str, Any]:
    name = entry.display_name or entry.id
    return {"name": name, "type": entry.get_io_type(), "tooltip": entry.tooltip}


def _input(entry: Any) -> dict[str, Any]:
    options = entry.as_dict()
    fixed = _LISTED not in options and entry.id not in _STORED
    facts = ("default", "min", "max", "step", *(("options",) if fixed else ()))
    return {
        "id": entry.id,
        "name": entry.display_name or entry.id.replace("_", " "),
        "type": entry.get_io_type(),
        "tooltip": entry.tooltip,
        "optional": bool(entry.optional),
        "socket": bool(options.get("forceInput")),
        "setting": options.get(_SETTING),
        **{key: options[key] for key in facts if options.get(key) is not None},
    }


def sentences() -> dict[str, str]:
    """The English of every template that our page may show, by key."""
    for name in ("dt_core", "nodes"):
        _load(importlib.import_module(f"drawthings.{name}"))
    from drawthings.dt_core.text import TEMPLATES
    from drawthings.nodes.exchange.official import our_nodes

    our_nodes.shapes()  # makes the nodes' titles
    return {key: template.english for key, template in TEMPLATES.items()}


def _load(package: types.ModuleType) -> None:
    """Import all that is in a package, but for what no page shows."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name.removeprefix("drawthings.dt_core.") in _ELSEWHERE:
            continue
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            if found.ispkg:
                _load(module)


def read() -> list[dict[str, Any]]:
    """What `collect` tells, from ComfyUI's Python."""
    nodes: list[dict[str, Any]] = _told()["nodes"]
    return nodes


def read_sentences() -> dict[str, str]:
    """What `sentences` tells, from ComfyUI's Python: nothing but the page's is loaded there."""
    known: dict[str, str] = _told()["sentences"]
    return known


@lru_cache(maxsize=1)
def _told() -> dict[str, Any]:
    here = importlib.util.find_spec("comfy") is not None  # the tests of nodes run there
    python = [sys.executable] if here else [sys.executable, "-m", "tools.comfyui", "python"]
    command = [*python, str(Path(__file__).resolve())]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    told: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    return told


def _main() -> None:
    from comfy.cli_args import args

    args.cpu = True  # before anything of ComfyUI looks for a graphics card
    pack = types.ModuleType("drawthings")
    pack.__path__ = [str(ROOT)]
    sys.modules["drawthings"] = pack
    from drawthings.nodes.node_list import NODES

    print(_MARK + json.dumps({"nodes": collect(NODES), "sentences": sentences()}))


if __name__ == "__main__":
    _main()
