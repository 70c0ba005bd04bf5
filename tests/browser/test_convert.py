"""A user opens a workflow of the official extension, converts it and runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canvas import EMPTY_PLACE, Canvas
from contrast import contrast
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.simulator import Record, Simulator
from playwright.sync_api import Locator, expect

DATA = Path(__file__).resolve().parents[1] / "data" / "official"
DEADLINE_S = 20
OFFER, CHANGES = ".dt-convert-offer", "dialog.dt-convert"
ACCEPT, DECLINE = "Convert to Draw Things Nodes", "Not now"

# What the widgets of the official nodes in each file mean to the server.
MEANT: dict[str, dict[str, Any]] = {
    "text_to_image": {
        "model": "z_image_turbo_1.0_q6p.ckpt",
        "seed": 4242,
        "start_width": 320,
        "start_height": 256,
        "steps": 6,
        "guidance_scale": 1.5,
        "sampler": Sampler.UNIPC_TRAILING,
        "shift": 3.0,
        "resolution_dependent_shift": False,
        "tiled_decoding": True,
        "upscaler": "realesrgan_x2plus_f16.ckpt",
    },
    "first_layout": {
        "model": "z_image_turbo_1.0_q6p.ckpt",
        "start_width": 256,
        "start_height": 256,
        "steps": 4,
        "guidance_scale": 2.5,  # of a linked primitive
        "sampler": Sampler.EULER_A_TRAILING,
    },
    "moodboard": {
        "model": "flux_2_klein_4b_q6p.ckpt",
        "seed": 77,
        "steps": 4,
        "sampler": Sampler.DDIM_TRAILING,
        "shift": 3.0,
    },
    "inpaint_refiner": {
        "model": "fooocus_inpaint_sd_xl_v2.6_f16.ckpt",
        "seed": 5,
        "strength": 0.8,
        "guidance_scale": 5.0,
        "clip_skip": 2,
        "mask_blur": 5.0,
        "mask_blur_outset": 4,
        "refiner_model": "sd_xl_refiner_1.0_f16.ckpt",
        "refiner_start": 0.6,
        "cfg_zero_star": False,
    },
    "subgraph": {
        "model": "z_image_turbo_1.0_q6p.ckpt",
        "seed": 31,
        "start_width": 256,
        "start_height": 192,
        "steps": 3,
        "sampler": Sampler.UNIPC_TRAILING,
    },
    "api": {
        "model": "z_image_turbo_1.0_q6p.ckpt",
        "seed": 4243,
        "start_width": 256,
        "start_height": 256,
        "steps": 4,
        "guidance_scale": 1.0,
        "sampler": Sampler.UNIPC_TRAILING,
        "shift": 3.0,
    },
}
PROMPTS = {
    "text_to_image": ("A lighthouse at dusk", "blurry"),
    "first_layout": ("a green field", "rain"),
    "moodboard": ("Put the first on the second", ""),
    "inpaint_refiner": ("goggles", ""),
    "subgraph": ("A red kite", ""),
    "api": ("A lighthouse at dusk", ""),
}
LORAS = {
    "text_to_image": [
        ("z_image_detail_lora_f16.ckpt", 0.25),
        ("z_image_pixel_art_lora_f16.ckpt", -0.5),
        ("z_image_detail_lora_f16.ckpt", 0.75),
    ],
    "subgraph": [("z_image_detail_lora_f16.ckpt", 0.5)],
    "api": [("z_image_detail_lora_f16.ckpt", 0.5)],
}
COUNTS = {
    "text_to_image": 5,
    "first_layout": 3,
    "moodboard": 3,
    "inpaint_refiner": 4,
    "subgraph": 3,
    "api": 3,
}
DROP = """([name, text, place]) => {
    const data = new DataTransfer()
    data.items.add(new File([text], name, { type: 'application/json' }))
    const target = document.elementFromPoint(...place)
    if (!target.closest('#graph-canvas-container')) throw new Error('something covers the canvas')
    const init = { dataTransfer: data, bubbles: true, cancelable: true,
        clientX: place[0], clientY: place[1] }
    target.dispatchEvent(new DragEvent('dragover', init))
    target.dispatchEvent(new DragEvent('drop', init))
}"""
SAVED = "JSON.parse(JSON.stringify((app.rootGraph ?? app.graph).serialize()))"
CONTENT = """graph => graph.nodes.map(node => [node.id, node.type, node.widgets_values ?? null])
    .sort((a, b) => a[0] - b[0])"""
TABS = "app.extensionManager.workflow.openWorkflows.map(open => open.filename)"


@pytest.fixture
def page(canvas: Canvas) -> Iterator[Canvas]:
    canvas.page.mouse.move(*EMPTY_PLACE)
    yield canvas
    close_tabs(canvas)


def close_tabs(canvas: Canvas) -> None:
    """One empty workflow again, whatever was opened; no dialog."""
    for _ in range(3):
        canvas.page.keyboard.press("Escape")
    canvas.page.evaluate(
        """async () => {
            document.querySelector('.dt-convert-offer')?.remove()
            document.querySelector('dialog.dt-convert')?.close()
            const store = app.extensionManager.workflow
            for (const open of [...store.openWorkflows]) open.isModified = false
            await app.extensionManager.command.execute('Comfy.NewBlankWorkflow')
            const active = store.activeWorkflow
            for (const open of [...store.openWorkflows])
                if (open.path !== active.path) await store.closeWorkflow?.(open)
        }"""
    )
    # An older front end lists missing nodes in a dialog, which would take the next drop.
    masks = canvas.page.locator(".p-dialog-mask")
    for _ in range(masks.count()):
        canvas.page.keyboard.press("Escape")
    expect(masks).to_have_count(0)


def text_of(name: str) -> str:
    return (DATA / f"{name}.json").read_text(encoding="utf-8")


def drop(page: Canvas, name: str, text: str | None = None) -> None:
    page.page.evaluate(DROP, [f"{name}.json", text or text_of(name), list(EMPTY_PLACE)])


def open_file(page: Canvas, name: str) -> None:
    with page.page.expect_file_chooser() as chooser:
        page.page.evaluate("void app.extensionManager.command.execute('Comfy.OpenWorkflow')")
    chooser.value.set_files(DATA / f"{name}.json")


def offer(page: Canvas) -> Locator:
    return page.page.locator(OFFER)


def accept(page: Canvas) -> Locator:
    """Take the offer; the dialog with the changes."""
    offer(page).get_by_role("button", name=ACCEPT).click()
    dialog = page.page.locator(CHANGES)
    expect(dialog).to_be_visible()
    return dialog


def content(page: Canvas) -> Any:
    return page.page.evaluate(f"({CONTENT})({SAVED})")


def open_name(page: Canvas) -> str:
    name: str = page.page.evaluate("app.extensionManager.workflow.activeWorkflow.filename")
    return name


def run(page: Canvas, simulator: Simulator) -> Record:
    """Run what is open; what the server got."""
    before = len(simulator.requests)
    page.page.evaluate("app.queuePrompt(0, 1)")
    record = simulator.wait_for(
        lambda record: simulator.requests.index(record) >= before and record.outcome is not None,
        DEADLINE_S,
    )
    assert record.outcome == "done", record.reason
    return record


def make_new(page: Canvas, name: str) -> int | None:
    """Give the sampler a seed that no cache knows; None where the file says random."""
    if name == "first_layout":
        return None
    seed: int = page.page.evaluate(
        """() => {
            const graphs = [app.graph, ...(app.graph.subgraphs?.values() ?? [])]
            const widgets = graphs.flatMap(g => g._nodes).flatMap(node => node.widgets ?? [])
            const value = 1_000_000 + Math.floor(performance.now())
            // A subgraph that shows the field holds a value of its own.
            for (const widget of widgets.filter(w => w.name === 'seed')) widget.value = value
            return value
        }"""
    )
    return seed


def assert_meant(record: Record, name: str, seed: int | None) -> None:
    configuration = record.configuration
    assert configuration is not None
    meant = {**MEANT[name], **({} if seed is None else {"seed": seed})}
    for field, value in meant.items():
        near = pytest.approx(value, abs=1e-4) if isinstance(value, float) else value
        assert configuration[field] == near, field
    assert (record.message.prompt, record.message.negativePrompt) == PROMPTS[name]
    loras: list[Any] = [(lora.file, pytest.approx(lora.weight)) for lora in configuration["loras"]]
    assert loras == LORAS.get(name, [])


@pytest.mark.parametrize("name", MEANT)
def test_a_dropped_workflow_is_offered_converted_in_its_own_tab_and_runs(
    page: Canvas, simulator: Simulator, name: str
) -> None:
    drop(page, name)
    count = COUNTS[name]
    expect(offer(page)).to_contain_text(f"{count} nodes need the official Draw Things extension")
    page.screenshot(f"convert-offer-{name}")
    is_graph = name != "api"
    original = content(page) if is_graph else None
    tabs = page.page.evaluate(TABS)

    dialog = accept(page)
    expect(dialog).to_contain_text(f"{count} nodes were converted")
    assert dialog.locator("li").count() >= count
    page.screenshot(f"convert-changes-{name}")
    dialog.get_by_role("button", name="Close", exact=True).click()
    expect(dialog).to_have_count(0)

    assert open_name(page) == f"{name} (Draw Things Nodes)"
    assert page.page.evaluate(TABS) == [*tabs, f"{name} (Draw Things Nodes)"]
    assert not [kind for kind in page.node_types() if kind.startswith("DrawThings")]
    expect(offer(page)).to_have_count(0)
    page.show_all()
    page.screenshot(f"convert-done-{name}")
    seed = make_new(page, name)
    assert_meant(run(page, simulator), name, seed)

    if is_graph:
        page.page.evaluate(
            """async name => {
                const store = app.extensionManager.workflow
                const tab = store.openWorkflows.find(open => open.filename === name)
                await app.loadGraphData(tab.changeTracker.activeState, true, true, tab)
            }""",
            name,
        )
        assert open_name(page) == name
        assert content(page) == original


@pytest.mark.parametrize("name", ["moodboard", "api"])
def test_a_file_that_is_opened_is_offered_too(page: Canvas, name: str) -> None:
    open_file(page, name)
    expect(offer(page)).to_contain_text(f"{COUNTS[name]} nodes")
    page.screenshot(f"convert-opened-{name}")

    accept(page).get_by_role("button", name="Close", exact=True).click()

    assert open_name(page) == f"{name} (Draw Things Nodes)"
    assert "DTSampler" in page.node_types()
    expect(page.page.locator(".p-dialog").filter(has_text="DrawThings")).to_have_count(0)


def test_not_now_leaves_everything_as_it_is_and_is_remembered(page: Canvas) -> None:
    drop(page, "moodboard")
    expect(offer(page)).to_be_visible()
    original = content(page)
    tabs = page.page.evaluate(TABS)

    offer(page).get_by_role("button", name=DECLINE).click()

    expect(offer(page)).to_have_count(0)
    assert content(page) == original
    assert page.page.evaluate(TABS) == tabs
    page.page.evaluate("graph => app.loadGraphData(graph)", json.loads(text_of("moodboard")))
    assert offer(page).count() == 0
    page.page.evaluate("graph => app.loadGraphData(graph)", json.loads(text_of("first_layout")))
    expect(offer(page)).to_be_visible()


def test_the_list_of_changes_can_be_copied(page: Canvas) -> None:
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    drop(page, "inpaint_refiner")
    dialog = accept(page)
    shown = dialog.locator("li").all_inner_texts()

    dialog.get_by_role("button", name="Copy the list").click()

    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == ["inpaint_refiner (Draw Things Nodes)", *shown]
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_command_converts_a_chosen_file_and_leaves_the_open_workflow(page: Canvas) -> None:
    page.page.evaluate("void app.graph.add(LiteGraph.createNode('DTServer'))")
    with page.page.expect_file_chooser() as chooser:
        page.page.evaluate(
            "void app.extensionManager.command.execute('drawthingsnodes.convertFile')"
        )
    before = page.page.evaluate(TABS)
    chooser.value.set_files(DATA / "text_to_image.json")
    dialog = page.page.locator(CHANGES)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).click()

    assert open_name(page) == "text_to_image (Draw Things Nodes)"
    assert page.page.evaluate(TABS) == [*before, "text_to_image (Draw Things Nodes)"]


def test_the_other_command_converts_what_is_open(page: Canvas) -> None:
    execute = "app.extensionManager.command.execute('drawthingsnodes.convertOpen')"
    page.page.evaluate(execute)
    refusal = page.page.get_by_text("This workflow has no nodes of the official")
    expect(refusal.first).to_be_visible()
    assert page.page.locator(CHANGES).count() == 0

    drop(page, "subgraph")
    offer(page).get_by_role("button", name=DECLINE).click()
    page.page.evaluate(execute)
    expect(page.page.locator(CHANGES)).to_contain_text("3 nodes were converted")

    inner = page.page.evaluate(
        "[...app.graph.subgraphs.values()].flatMap(g => g._nodes).map(node => node.type).sort()"
    )
    assert {"DTLoRA", "DTModelLoader", "DTSampler"} <= set(inner)
    assert not [kind for kind in inner if kind.startswith("DrawThings")]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"3": {"class_type": "Other"}}'])
def test_a_chosen_file_that_is_something_else_is_refused_in_words(page: Canvas, text: str) -> None:
    before = page.page.evaluate(TABS)
    with page.page.expect_file_chooser() as chooser:
        page.page.evaluate(
            "void app.extensionManager.command.execute('drawthingsnodes.convertFile')"
        )
    chooser.value.set_files(
        {"name": "other.json", "mimeType": "application/json", "buffer": text.encode()}
    )

    expect(page.page.get_by_text("The workflow could not be converted").last).to_be_visible()
    assert page.page.evaluate(TABS) == before


def test_offer_and_list_are_readable_in_a_light_theme(page: Canvas) -> None:
    store = "app.extensionManager.setting"
    page.page.evaluate(f"{store}.set('Comfy.ColorPalette', 'light')")
    try:
        drop(page, "inpaint_refiner")
        expect(offer(page)).to_be_visible()
        assert contrast(offer(page).locator(".dt-convert-keeps")) > 4
        page.screenshot("convert-offer-light")
        dialog = accept(page)
        assert contrast(dialog.locator("li").first) > 4
        page.screenshot("convert-changes-light")
    finally:
        page.page.evaluate(f"{store}.set('Comfy.ColorPalette', 'dark')")
