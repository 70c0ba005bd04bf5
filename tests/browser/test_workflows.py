"""A user finds the nodes, opens an example, presses Run and sees the picture."""

from __future__ import annotations

import json
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.demo import SHOWS, example_prompt, graph_file, picture_node

NODES = {
    "DT Server": "DTServer",
    "DT Model Loader": "DTModelLoader",
    "DT LoRA": "DTLoRA",
    "DT ControlNet": "DTControlNet",
    "DT Kontext Reference": "DTKontextReference",
    "DT Sampler": "DTSampler",
}


def graph_of(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(graph_file(name).read_text(encoding="utf-8"))
    return graph


def test_every_node_is_found_by_its_name_and_added(canvas: Canvas) -> None:
    for title, kind in NODES.items():
        canvas.clear()
        canvas.add_by_search(title)

        assert canvas.node_types() == [kind]

    canvas.screenshot("added")


# Pictures of every kind; the rest runs without a browser (tests/comfy).
SEEN = ("text_to_image_two_loras", "inpainting", "reference_edit")


@pytest.mark.parametrize("name", SHOWS)
def test_every_example_opens_as_it_was_written(canvas: Canvas, name: str) -> None:
    prompt = example_prompt(name)

    canvas.load(graph_of(name))

    assert canvas.troubles() == []
    opened = canvas.prompt()
    for node in opened.values():
        node["inputs"].pop("audioUI", None)  # the older front end's own player
    assert {ident: (node["class_type"], node["inputs"]) for ident, node in opened.items()} == {
        ident: (node["class_type"], node["inputs"]) for ident, node in prompt.items()
    }


@pytest.mark.parametrize("name", SEEN)
def test_an_example_opens_runs_and_shows_its_picture(
    canvas: Canvas, simulator: Simulator, name: str
) -> None:
    prompt = example_prompt(name)
    sampler = next(node for node in prompt.values() if node["class_type"] == "DTSampler")
    before = len(simulator.requests)
    graph = graph_of(name)
    seed = sampler["inputs"]["seed"] = 5_000_000 + before  # no cache knows it
    next(n for n in graph["nodes"] if n["type"] == "DTSampler")["widgets_values"][0] = seed

    canvas.load(graph)
    opened = canvas.prompt()
    canvas.screenshot(f"opened-{name}")
    canvas.run()
    file, width, height = canvas.wait_for_picture(int(picture_node(prompt)))
    canvas.screenshot(f"done-{name}")

    assert {ident: (node["class_type"], node["inputs"]) for ident, node in opened.items()} == {
        ident: (node["class_type"], node["inputs"]) for ident, node in prompt.items()
    }
    assert (width, height) == (sampler["inputs"]["width"], sampler["inputs"]["height"])
    assert canvas.picture_bytes(file).startswith(b"\x89PNG")
    (request,) = simulator.requests[before:]
    assert request.outcome == "done"
    assert request.configuration is not None
    assert request.configuration["seed"] == seed


def test_rows_of_dt_lora_that_nothing_uses_are_folded(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image_two_loras"))
    assert canvas.shown_widgets("DTLoRA", "lora") == ["lora", "lora_2"]

    canvas.choose("DTLoRA", "lora_2", "z_image_detail_lora_f16.ckpt")

    assert canvas.shown_widgets("DTLoRA", "lora") == ["lora", "lora_2", "lora_3"]
    assert "weight_3" in canvas.shown_widgets("DTLoRA", "weight")
    canvas.screenshot("folded")
