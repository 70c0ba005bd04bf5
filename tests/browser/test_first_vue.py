"""The first Vue renderer shows less of us; what it opens runs, and nothing is harmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from canvas import EMPTY_PLACE, FIRST_VUE, Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.demo import example_prompt, graph_file, picture_node
from front_ends import ARTIFACTS, Servers
from playwright.sync_api import Browser

PASTE = """text => {
    const data = new DataTransfer()
    data.setData('text/plain', text)
    document.querySelector('#graph-canvas').dispatchEvent(new ClipboardEvent('paste',
        { clipboardData: data, bubbles: true, cancelable: true }))
}"""


@pytest.fixture(scope="module")
def opened(browser: Browser, servers: Servers) -> Iterator[Canvas]:
    comfyui = servers.with_front_end(FIRST_VUE.version)
    with browser.new_context(viewport={"width": 1600, "height": 1000}) as context:
        canvas = Canvas(context.new_page(), FIRST_VUE, comfyui, ARTIFACTS)
        canvas.open()
        yield canvas


@pytest.fixture
def first_vue(opened: Canvas) -> Iterator[Canvas]:
    opened.clear()
    yield opened
    assert opened.page_errors == []
    assert opened.complaints_about_us() == []


def graph_of(name: str, seed: int) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(graph_file(name).read_text(encoding="utf-8"))
    sampler = next(node for node in graph["nodes"] if node["type"] == "DTSampler")
    sampler["widgets_values"][0] = seed
    return graph


def test_an_example_opens_as_written_runs_and_shows_its_picture(
    first_vue: Canvas, simulator: Simulator
) -> None:
    name = "text_to_image_two_loras"
    seed = 7_900_001 + len(simulator.requests)
    prompt = example_prompt(name)
    sampler = next(node for node in prompt.values() if node["class_type"] == "DTSampler")
    sampler["inputs"]["seed"] = seed
    first_vue.load(graph_of(name, seed))

    opened = first_vue.prompt()
    first_vue.run()
    file, width, height = first_vue.wait_for_picture(int(picture_node(prompt)))
    first_vue.screenshot("first-vue-done")

    assert {ident: (node["class_type"], node["inputs"]) for ident, node in opened.items()} == {
        ident: (node["class_type"], node["inputs"]) for ident, node in prompt.items()
    }
    assert (width, height) == (sampler["inputs"]["width"], sampler["inputs"]["height"])
    assert first_vue.picture_bytes(file).startswith(b"\x89PNG")


def test_a_pasted_configuration_lies_side_by_side(first_vue: Canvas) -> None:
    first_vue.page.mouse.move(*EMPTY_PLACE)
    first_vue.page.evaluate(PASTE, json.dumps({"model": "a.ckpt", "steps": 7, "seed": 5}))
    first_vue.page.wait_for_function("app.graph._nodes.length === 4")

    places = first_vue.page.evaluate("app.graph._nodes.map(node => node.pos.join())")
    assert len(set(places)) == 4
