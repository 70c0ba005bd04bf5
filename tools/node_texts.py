"""What the nodes' definitions say, as plain data: for the locales and the help pages.

The definitions need ComfyUI, so `read` asks ComfyUI's own Python, which runs this file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_MARK = "node texts: "  # ComfyUI writes to the same stream
_SETTING = "drawthings_setting"  # names the row of the settings table
_LISTED = "drawthings_list"  # marks combos of what a server has
_STORED = {"saved_server"}  # combos of what a user has


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


def read() -> list[dict[str, Any]]:
    """The same from ComfyUI's Python."""
    command = [sys.executable, "-m", "tools.comfyui", "python", str(Path(__file__).resolve())]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    nodes: list[dict[str, Any]] = json.loads(line.removeprefix(_MARK))
    return nodes


def _main() -> None:
    from comfy.cli_args import args

    args.cpu = True  # before anything of ComfyUI looks for a graphics card
    pack = types.ModuleType("drawthings")
    pack.__path__ = [str(ROOT)]
    sys.modules["drawthings"] = pack
    from drawthings.nodes.node_list import NODES

    print(_MARK + json.dumps(collect(NODES)))


if __name__ == "__main__":
    _main()
