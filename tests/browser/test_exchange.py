"""A user brings settings and pictures of the Draw Things app in, and takes settings out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from canvas import EMPTY_PLACE, PINNED, Canvas
from drawthings.dt_core.metadata import Generation, encode, read
from drawthings.dt_core.settings.configuration import DEFAULTS, Configuration, LoraSettings
from playwright.sync_api import expect

MODEL = "z_image_turbo_1.0_q6p.ckpt"
CONFIGURATION: dict[str, Any] = {
    "model": MODEL,
    "width": 640,
    "height": 384,
    "seed": 123_456,
    "steps": 5,
    "guidanceScale": 1.5,
    "sampler": 17,
    "strength": 1,
    "loras": [{"file": "z_image_detail_lora_f16.ckpt", "weight": 0.7, "mode": "all"}],
    "controls": [],
    "tiledDecoding": True,
}
GREY = np.full((64, 64, 3), 128, np.uint8)
MADE = Generation(
    DEFAULTS.merged(
        Configuration(
            model=MODEL,
            seed=77,
            steps=6,
            start_width=512,
            start_height=768,
            loras=(LoraSettings("z_image_detail_lora_f16.ckpt", 0.4),),
        )
    ),
    "a <fox> & 'friends'",
)
DROP = """async ([selector, name, type, bytes, place]) => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(bytes)], name, { type }))
    const target = document.elementFromPoint(...place) ?? document.querySelector(selector)
    const init = { dataTransfer: data, bubbles: true, cancelable: true,
        clientX: place[0], clientY: place[1] }
    target.dispatchEvent(new DragEvent('dragover', init))
    target.dispatchEvent(new DragEvent('drop', init))
}"""
PASTE = """([text, inField]) => {
    const data = new DataTransfer()
    data.setData('text/plain', text)
    const target = inField ? document.activeElement : document.querySelector('#graph-canvas')
    const event = new ClipboardEvent('paste',
        { clipboardData: data, bubbles: true, cancelable: true })
    target.dispatchEvent(event)
    return event.defaultPrevented
}"""


@pytest.fixture
def page(canvas: Canvas) -> Iterator[Canvas]:
    canvas.page.evaluate("app.canvas.deselectAll()")
    canvas.page.mouse.move(*EMPTY_PLACE)
    yield canvas
    canvas.clear()


def drop(canvas: Canvas, name: str, kind: str, file: bytes) -> None:
    canvas.page.evaluate(DROP, ["#graph-canvas", name, kind, list(file), list(EMPTY_PLACE)])


def paste(canvas: Canvas, text: str, *, in_field: bool = False) -> bool:
    taken: bool = canvas.page.evaluate(PASTE, [text, in_field])
    return taken


APART = """() => app.graph._nodes.every(({ pos, size }, index, nodes) =>
    nodes.slice(index + 1).every(({ pos: pos2, size: size2 }) =>
        pos[0] + size[0] <= pos2[0] || pos2[0] + size2[0] <= pos[0] ||
        pos[1] + size[1] <= pos2[1] - 30 || pos2[1] + size2[1] <= pos[1] - 30))"""


def wait_for(canvas: Canvas, *kinds: str) -> None:
    """Until the graph has nodes of these types, and no others."""
    canvas.page.wait_for_function(
        "kinds => JSON.stringify(app.graph._nodes.map(n => n.type).sort()) === kinds",
        arg=json.dumps(sorted(kinds), separators=(",", ":")),
    )


def inputs(canvas: Canvas, kind: str) -> dict[str, Any]:
    (found,) = (n["inputs"] for n in canvas.prompt().values() if n["class_type"] == kind)
    return dict(found)


def select(canvas: Canvas, kind: str) -> None:
    canvas.page.evaluate(
        "kind => app.canvas.selectItems([app.graph._nodes.find(n => n.type === kind)])", kind
    )


GRAPH = ("DTModelLoader", "DTPrompt", "DTLoRA", "DTTilingOptions", "DTSampler", "DTSaveImage")


def test_a_pasted_configuration_becomes_a_graph_and_one_undo_takes_it_back(page: Canvas) -> None:
    steps = page.undo_steps()
    assert paste(page, json.dumps(CONFIGURATION))
    wait_for(page, *GRAPH)
    page.screenshot("exchange-pasted")

    sampler = inputs(page, "DTSampler")
    assert (sampler["seed"], sampler["steps"], sampler["sampler"]) == (
        123_456,
        5,
        "UniPC Trailing",
    )
    assert (sampler["width"], sampler["height"]) == (640, 384)
    assert {"model", "positive", "lora", "options"} <= sampler.keys()
    assert inputs(page, "DTModelLoader")["model"] == MODEL
    lora = inputs(page, "DTLoRA")
    assert (lora["lora"], lora["weight"]) == ("z_image_detail_lora_f16.ckpt", 0.7)
    assert inputs(page, "DTTilingOptions")["tiled_decoding"] is True
    assert isinstance(inputs(page, "DTSaveImage")["generation"], list)
    selected = page.page.evaluate("Object.keys(app.canvas.selected_nodes).length")
    assert selected == len(GRAPH)
    page.page.wait_for_function(APART)
    page.wait_for_undo_steps(steps + 1)
    page.page.mouse.click(*EMPTY_PLACE)  # where the front end looks for changes
    assert page.undo_steps() == steps + 1

    page.page.evaluate("app.extensionManager.command.execute('Comfy.Undo')")
    page.page.wait_for_function("app.graph._nodes.length === 0")


def test_lines_that_come_late_push_the_pasted_nodes_apart(page: Canvas) -> None:
    paste(page, json.dumps(CONFIGURATION))
    wait_for(page, *GRAPH)
    page.page.wait_for_function(APART)

    page.page.evaluate(
        """() => {
            for (const node of app.graph._nodes) node.setSize([node.size[0], node.size[1] + 300])
        }"""
    )

    page.page.wait_for_function(APART)


def test_pasted_on_a_sampler_it_sets_its_fields_and_nothing_else(page: Canvas) -> None:
    paste(page, json.dumps({"model": "other.ckpt", "steps": 9, "seed": 1}))
    wait_for(page, "DTModelLoader", "DTPrompt", "DTSampler", "DTSaveImage")
    select(page, "DTSampler")

    assert paste(page, json.dumps(CONFIGURATION))
    page.page.wait_for_function(
        "app.graph._nodes.find(n => n.type === 'DTSampler').widgets[0].value === 123456"
    )

    sampler = inputs(page, "DTSampler")
    assert (sampler["steps"], sampler["width"], sampler["guidance"]) == (5, 640, 1.5)
    assert inputs(page, "DTModelLoader")["model"] == "other.ckpt"
    assert len(page.node_types()) == 4


def test_other_text_and_text_for_fields_are_left_alone(page: Canvas) -> None:
    assert not paste(page, "a fox in the snow")
    assert not paste(page, json.dumps({"some": "json"}))
    page.page.evaluate(
        "document.body.append(Object.assign(document.createElement('textarea'), {id: 'probe'}))"
    )
    page.page.evaluate("document.querySelector('#probe').focus()")
    assert not paste(page, json.dumps(CONFIGURATION), in_field=True)
    page.page.evaluate("document.querySelector('#probe').remove()")

    assert page.node_types() == []


def test_a_dropped_picture_of_the_app_becomes_its_graph(page: Canvas) -> None:
    drop(page, "app.png", "image/png", encode(GREY, None, MADE))
    wait_for(page, "DTModelLoader", "DTPrompt", "DTLoRA", "DTSampler", "DTSaveImage")
    page.screenshot("exchange-dropped")

    assert inputs(page, "DTPrompt")["text"] == "a <fox> & 'friends'"
    sampler = inputs(page, "DTSampler")
    assert (sampler["seed"], sampler["steps"]) == (77, 6)
    assert (sampler["width"], sampler["height"]) == (512, 768)


def test_a_dropped_picture_without_metadata_is_comfyuis(page: Canvas) -> None:
    drop(page, "plain.png", "image/png", encode(GREY))
    if page.face.version == PINNED:  # which says that it found no workflow
        alert = page.page.locator(".p-toast-message", has_text="plain.png")
        expect(alert).to_be_visible()
        assert page.node_types() == []
    else:
        wait_for(page, "LoadImage")


def test_a_dropped_configuration_does_not_empty_the_canvas(page: Canvas) -> None:
    paste(page, json.dumps({"model": MODEL, "steps": 9}))
    wait_for(page, "DTModelLoader", "DTPrompt", "DTSampler", "DTSaveImage")
    drop(page, "settings.json", "application/json", json.dumps(CONFIGURATION).encode())
    wait_for(page, "DTModelLoader", "DTPrompt", "DTSampler", "DTSaveImage", *GRAPH)


def test_a_picture_goes_out_and_comes_back_with_the_same_settings(
    page: Canvas, tmp_path: Path
) -> None:
    seed = 900_000 + page.page.evaluate("Date.now() % 90000")
    text = json.dumps({**CONFIGURATION, "seed": seed})
    paste(page, text)
    wait_for(page, *GRAPH)
    before = page.prompt()
    save = page.page.evaluate("app.graph._nodes.find(n => n.type === 'DTSaveImage').id")
    page.page.evaluate("app.queuePrompt(0, 1)")  # toasts may lie over the button
    file, _, _ = page.wait_for_picture(save)
    page.screenshot("exchange-saved")
    content = page.picture_bytes(file)
    told = read(content)
    assert told is not None
    assert told.settings["seed"] == seed

    page.clear()
    drop(page, "made.png", "image/png", content)  # ComfyUI's own workflow comes first
    wait_for(page, *GRAPH)
    assert page.prompt() == before

    page.clear()
    drop(page, "made.png", "image/png", encode(GREY, None, told))
    wait_for(page, *GRAPH)
    after = {node["class_type"]: node["inputs"] for node in page.prompt().values()}
    for node in before.values():
        plain = {k: v for k, v in node["inputs"].items() if not isinstance(v, list)}
        got = {k: v for k, v in after[node["class_type"]].items() if not isinstance(v, list)}
        assert got == plain


def test_the_copied_configuration_makes_the_same_graph_again(page: Canvas) -> None:
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    paste(page, json.dumps(CONFIGURATION))
    wait_for(page, *GRAPH)
    before = inputs(page, "DTSampler")
    page.page.evaluate("navigator.clipboard.writeText('')")

    page.page.evaluate("app.extensionManager.command.execute('drawthingsnodes.copyConfiguration')")
    page.page.wait_for_function("navigator.clipboard.readText().then(text => text.length > 2)")
    copied = json.loads(page.page.evaluate("navigator.clipboard.readText()"))
    assert {key: copied[key] for key in ("model", "width", "seed", "steps", "sampler")} == {
        key: CONFIGURATION[key] for key in ("model", "width", "seed", "steps", "sampler")
    }
    assert copied["tiledDecoding"] is True

    page.clear()
    page.page.evaluate("app.extensionManager.command.execute('drawthingsnodes.pasteConfiguration')")
    wait_for(page, *GRAPH)
    after = inputs(page, "DTSampler")
    assert {k: v for k, v in after.items() if not isinstance(v, list)} == {
        k: v for k, v in before.items() if not isinstance(v, list)
    }
