"""A user finds the nodes, opens an example, presses Run and sees the picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.demo import SHOWS, example_prompt, picture_node

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
NODES = {
    "DT Server": "DTServer",
    "DT Model Loader": "DTModelLoader",
    "DT LoRA": "DTLoRA",
    "DT ControlNet": "DTControlNet",
    "DT Kontext Reference": "DTKontextReference",
    "DT Sampler": "DTSampler",
}


def graph_of(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return graph


def test_every_node_is_found_by_its_name_and_added(canvas: Canvas) -> None:
    canvas.clear()

    for title in NODES:
        canvas.add_by_search(title)

    assert canvas.node_types() == list(NODES.values())
    canvas.screenshot("added")


@pytest.mark.parametrize("name", SHOWS)
def test_an_example_opens_as_the_prompt_that_scripts_use(canvas: Canvas, name: str) -> None:
    canvas.load(graph_of(name))

    opened = canvas.prompt()

    expected = example_prompt(name)
    assert opened.keys() == expected.keys()
    for ident, node in expected.items():
        assert opened[ident]["class_type"] == node["class_type"]
        assert opened[ident]["inputs"] == node["inputs"]
    canvas.screenshot(f"opened-{name}")


@pytest.mark.parametrize("name", SHOWS)
def test_run_makes_the_picture_appear_on_its_node(
    canvas: Canvas, simulator: Simulator, name: str
) -> None:
    prompt = example_prompt(name)
    sampler = next(node for node in prompt.values() if node["class_type"] == "DTSampler")
    before = len(simulator.requests)
    graph = graph_of(name)
    seed = 5_000_000 + before  # no cache knows it
    next(n for n in graph["nodes"] if n["type"] == "DTSampler")["widgets_values"][0] = seed
    canvas.load(graph)

    canvas.run()
    file, width, height = canvas.wait_for_picture(int(picture_node(prompt)))

    assert (width, height) == (sampler["inputs"]["width"], sampler["inputs"]["height"])
    assert canvas.picture_bytes(file).startswith(b"\x89PNG")
    (request,) = simulator.requests[before:]
    assert request.outcome == "done"
    assert request.configuration is not None
    assert request.configuration["seed"] == seed
    canvas.screenshot(f"done-{name}")
