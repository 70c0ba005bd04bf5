"""ComfyUI takes the pack in: nodes, front-end files, templates."""

from __future__ import annotations

import ast
import json
import urllib.parse
from pathlib import Path

import pytest
from drawthings.tools.comfyui import PACK_FOLDER, ComfyUI
from drawthings.tools.comfyui_client import Client
from drawthings.tools.demo import SHOWS
from drawthings.tools.example_graphs import TITLES

ROOT = Path(__file__).resolve().parents[2]


def node_names() -> list[str]:
    """The classes that nodes/node_list.py lists, read without importing it."""
    tree = ast.parse((ROOT / "nodes" / "node_list.py").read_text(encoding="utf-8"))
    (names,) = (
        statement.value.elts
        for statement in tree.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.target.id == "NODES"
        and isinstance(statement.value, ast.List)
    )
    return [name.id for name in names if isinstance(name, ast.Name)]


@pytest.mark.parametrize("name", node_names())
def test_every_listed_node_is_offered_with_its_description(client: Client, name: str) -> None:
    definition = client.node_definition(name)

    assert definition["python_module"] == f"custom_nodes.{PACK_FOLDER}"
    assert definition["category"].startswith("Draw Things")
    assert definition["description"]


def test_the_log_holds_no_complaint_about_the_pack(comfyui: ComfyUI, client: Client) -> None:
    client.get_json("/object_info")

    lines = [line for line in comfyui.child.output().splitlines() if PACK_FOLDER in line]

    assert any("seconds" in line for line in lines)
    assert not [line for line in lines if "FAILED" in line or "Error" in line]


def test_every_script_of_ours_is_served(client: Client) -> None:
    served = [path for path in client.get_json("/extensions") if PACK_FOLDER in path]
    scripts = sorted(path.relative_to(ROOT / "web") for path in (ROOT / "web").rglob("*.js"))

    assert sorted(served) == [f"/extensions/{PACK_FOLDER}/{p.as_posix()}" for p in scripts]
    for path in served:
        assert client.get(urllib.parse.quote(path)).strip()


@pytest.mark.parametrize("name", SHOWS)
def test_the_template_browser_gets_every_example_and_its_picture(client: Client, name: str) -> None:
    offered = client.get_json("/api/workflow_templates")[PACK_FOLDER]
    title = TITLES[name]
    file = f"/api/workflow_templates/{PACK_FOLDER}/{urllib.parse.quote(title)}"

    assert title in offered
    assert json.loads(client.get(f"{file}.json"))["nodes"]
    assert client.get(f"{file}.jpg").startswith(b"\xff\xd8")
