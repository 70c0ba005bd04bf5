"""The help pages and docs/settings.md say what the nodes and the settings table say."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from drawthings.nodes.node_list import NODES
from drawthings.tools.node_texts import collect

ROOT = Path(__file__).resolve().parents[2]
TEXTS = collect(NODES)


@pytest.fixture
def build_help(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("tools.build_help")


def written(page: str, build_help: Any) -> tuple[str, str]:
    """What a person wrote before and after the tables."""
    before, _, rest = page.partition(build_help.BEGIN)
    return before, rest.partition(build_help.END)[2]


def test_no_page_is_stale(build_help: Any) -> None:
    assert build_help.stale(TEXTS) == []


def test_a_changed_tooltip_makes_its_pages_stale(build_help: Any) -> None:
    (node,) = (dict(text) for text in TEXTS if text["id"] == "DTLoRA")
    node["inputs"] = [{**entry, "tooltip": "Another one."} for entry in node["inputs"]]

    assert "web/docs/DTLoRA.md" in build_help.stale([node])


def test_a_page_without_a_place_for_the_tables_is_refused(build_help: Any) -> None:
    with pytest.raises(ValueError, match=r"DTLoRA\.md has no place"):
        build_help.page({"id": "DTLoRA", "inputs": [], "outputs": []}, "# DT LoRA")


@pytest.mark.parametrize("node", TEXTS, ids=lambda node: node["id"])
def test_a_page_tells_use_example_and_every_input(node: dict[str, Any], build_help: Any) -> None:
    page = (ROOT / "web" / "docs" / f"{node['id']}.md").read_text(encoding="utf-8")
    before, after = written(page, build_help)

    assert before.startswith(f"# {node['title']}\n\n")
    assert "**Example.**" in before
    assert "\n## " in after
    for entry in node["inputs"]:
        name = re.sub(r" [23]$", "", entry["name"])
        assert f"**{name}**" in page


def test_no_page_belongs_to_a_node_that_is_gone() -> None:
    pages = {path.stem for path in (ROOT / "web" / "docs").glob("*.md")}

    assert pages == {node["id"] for node in TEXTS}
