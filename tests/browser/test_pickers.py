"""Combos list what the server of their node has; the dialog chooses from the same list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from canvas import DEADLINE_MS, Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.inventory import KINDS, Catalog
from playwright.sync_api import expect

TURBO = "z_image_turbo_1.0_q6p.ckpt"
SDXL = "sd_xl_base_1.0_f16.ckpt"
GONE = "nobody_has_this_f16.ckpt"
SMALL_NAME = "small studio"


def small_catalog() -> Catalog:
    """Z Image alone: what a server with little on its disk tells."""
    full = Catalog.load()
    tables = {
        kind: [row for row in full.all(kind) if row.get("version") == "z_image"] for kind in KINDS
    }
    return Catalog(tables)


@pytest.fixture
def small(canvas: Canvas) -> Iterator[Simulator]:
    """A second server with a reduced catalogue, stored under a name."""
    with Simulator(catalog=small_catalog()) as running:
        body = {"name": SMALL_NAME, "address": running.address, "tls": "automatic"}
        canvas.call("/servers/save", {**body, "fingerprint": ""})
        yield running
    canvas.call("/servers/remove", {"name": SMALL_NAME})


def add(canvas: Canvas, kind: str, x: int, y: int) -> int:
    """Put a node on the canvas; its id."""
    ident: str = canvas.page.evaluate(
        """([kind, x, y]) => {
            const node = LiteGraph.createNode(kind)
            node.pos = [x, y]
            app.graph.add(node)
            return String(node.id)
        }""",
        [kind, x, y],
    )
    return int(ident)


def connect(canvas: Canvas, source: int, target: int, name: str) -> None:
    """From the first output to the input called `name`, or to the first one for ""."""
    canvas.page.evaluate(
        """([source, target, name]) => {
            const [from, to] = [source, target].map(id => app.graph.getNodeById(id))
            from.connect(0, to, name ? to.inputs.findIndex(input => input.name === name) : 0)
        }""",
        [source, target, name],
    )


WIDGET = "app.graph.getNodeById(id)?.widgets.find(widget => widget.name === name)"


def choose(canvas: Canvas, ident: int, name: str, value: str) -> None:
    canvas.page.evaluate(
        f"([id, name, value]) => {{ const w = {WIDGET}; w.value = value; w.callback?.(value) }}",
        [ident, name, value],
    )


def values(canvas: Canvas, ident: int, name: str) -> list[str]:
    found: list[str] = canvas.page.evaluate(
        f"([id, name]) => {WIDGET}.options.values", [ident, name]
    )
    return found


def label(canvas: Canvas, ident: int, name: str, value: str) -> str:
    found: str = canvas.page.evaluate(
        f"([id, name, value]) => {WIDGET}.options.getOptionLabel(value)", [ident, name, value]
    )
    return found


def wait_for_count(canvas: Canvas, ident: int, name: str, test: str) -> None:
    """Until the number of offered values passes `test`, such as "< 10"."""
    canvas.page.wait_for_function(
        f"([id, name]) => {WIDGET}?.options.values.length {test}", arg=[ident, name]
    )


def value_of(canvas: Canvas, ident: int, name: str) -> Any:
    return canvas.page.evaluate(f"([id, name]) => {WIDGET}.value", [ident, name])


def test_each_loader_lists_what_its_own_server_has(
    canvas: Canvas, simulator: Simulator, small: Simulator
) -> None:
    server, reroute = add(canvas, "DTServer", 0, 100), add(canvas, "Reroute", 260, 60)
    linked, free = add(canvas, "DTModelLoader", 400, 100), add(canvas, "DTModelLoader", 400, 400)
    choose(canvas, server, "saved_server", SMALL_NAME)
    connect(canvas, server, reroute, "")
    connect(canvas, reroute, linked, "server")

    wait_for_count(canvas, linked, "model", "< 10")
    wait_for_count(canvas, free, "model", "> 50")
    assert TURBO in values(canvas, linked, "model")
    canvas.screenshot("two-servers")

    # Another address: another list, at once.
    choose(canvas, server, "saved_server", "as above")
    choose(canvas, server, "address", simulator.address)
    wait_for_count(canvas, linked, "model", "> 50")
    choose(canvas, server, "address", small.address)
    wait_for_count(canvas, linked, "model", "< 10")


def test_a_loader_in_a_subgraph_lists_what_the_server_outside_has(
    canvas: Canvas, small: Simulator
) -> None:
    server, loader = add(canvas, "DTServer", 0, 100), add(canvas, "DTModelLoader", 400, 100)
    choose(canvas, server, "saved_server", SMALL_NAME)
    connect(canvas, server, loader, "server")
    wait_for_count(canvas, loader, "model", "< 10")

    canvas.page.evaluate(
        "id => { app.graph.convertToSubgraph(new Set([app.graph.getNodeById(id)])) }", loader
    )

    canvas.page.wait_for_function(
        """() => {
            const [host] = app.graph._nodes.filter(node => node.subgraph)
            const inner = host.subgraph._nodes.find(node => node.type === 'DTModelLoader')
            const widget = inner.widgets.find(widget => widget.name === 'model')
            return widget.options.values.length < 10 && Boolean(widget.options.getOptionLabel)
        }"""
    )


def test_what_does_not_fit_the_model_comes_last_and_says_why(canvas: Canvas) -> None:
    loader, lora = add(canvas, "DTModelLoader", 300, 100), add(canvas, "DTLoRA", 300, 420)
    sampler = add(canvas, "DTSampler", 800, 100)
    connect(canvas, loader, sampler, "model")
    connect(canvas, lora, sampler, "lora")
    choose(canvas, loader, "model", TURBO)
    wait_for_count(canvas, lora, "lora", "> 20")

    canvas.page.wait_for_function(
        f"""([id, name]) => {{
            const {{ values, getOptionLabel }} = {WIDGET}.options
            return getOptionLabel?.(values.at(-1)).endsWith(', not Z Image')
        }}""",
        arg=[lora, "lora"],
    )
    fits, other = "z_image_detail_lora_f16.ckpt", values(canvas, lora, "lora")[-1]
    assert values(canvas, lora, "lora").index(fits) in (1, 2)
    assert label(canvas, lora, "lora", fits) == "Z Image Detail · Z Image"
    assert ", not Z Image" in label(canvas, lora, "lora", other)

    choose(canvas, lora, "lora", other)
    expect(canvas.page.get_by_text("The server skips it.")).to_be_visible()
    canvas.screenshot("unfit-lora")
    choose(canvas, lora, "lora", fits)
    expect(canvas.page.get_by_text("The server skips it.")).to_have_count(0)
    assert value_of(canvas, lora, "lora") == fits


def test_controls_refiners_upscalers_and_embeddings_are_listed_by_name_too(canvas: Canvas) -> None:
    loader, sampler = add(canvas, "DTModelLoader", 60, 100), add(canvas, "DTSampler", 900, 100)
    control, prompt = add(canvas, "DTControlNet", 460, 60), add(canvas, "DTPrompt", 60, 460)
    refiner = add(canvas, "DTRefinerOptions", 460, 500)
    upscaler = add(canvas, "DTUpscalerOptions", 460, 700)
    for source, target, name in (
        (loader, sampler, "model"),
        (control, sampler, "control"),
        (refiner, upscaler, "options"),
        (upscaler, sampler, "options"),
        (loader, prompt, "model"),
    ):
        connect(canvas, source, target, name)
    choose(canvas, loader, "model", SDXL)

    for ident, name, fits, unfit in (
        (control, "control", " · Stable Diffusion XL Base", ", not Stable Diffusion XL Base"),
        (refiner, "refiner_model", "Stable Diffusion XL", "no refiner for "),
        (prompt, "embedding", " · Stable Diffusion XL Base", ", not Stable Diffusion XL Base"),
    ):
        wait_for_labels(canvas, ident, name, fits, unfit)
    wait_for_count(canvas, upscaler, "upscaler", "> 5")
    offered = values(canvas, upscaler, "upscaler")
    assert offered[0] == "none"
    assert label(canvas, upscaler, "upscaler", "realesrgan_x4plus_f16.ckpt").startswith(
        "Real-ESRGAN"
    )
    canvas.show_all()
    canvas.screenshot("pickers-of-all-kinds")
    shown = [
        label(canvas, ident, name, value)
        for ident, name in (
            (control, "control"),
            (refiner, "refiner_model"),
            (upscaler, "upscaler"),
        )
        for value in values(canvas, ident, name)
    ]
    assert not [text for text in shown if "undefined" in text or "[object" in text or not text]


def wait_for_labels(canvas: Canvas, ident: int, name: str, fits: str, unfit: str) -> None:
    """Until a combo begins, after "none", with what fits, and ends with what does not."""
    canvas.page.wait_for_function(
        f"""([id, name, fits, unfit]) => {{
            const {{ values, getOptionLabel }} = {WIDGET}.options
            return getOptionLabel?.(values[1]).includes(fits)
                && getOptionLabel(values.at(-1)).includes(unfit)
        }}""",
        arg=[ident, name, fits, unfit],
    )


def test_the_list_of_a_field_opens_filters_by_typing_and_chooses(canvas: Canvas) -> None:
    loader = add(canvas, "DTModelLoader", 300, 100)
    wait_for_count(canvas, loader, "model", "> 50")
    canvas.page.wait_for_function(
        f"([id, name]) => {WIDGET}.options.getOptionLabel", arg=[loader, "model"]
    )
    canvas.show_all()

    def click(x: float, y: float) -> None:
        canvas.page.mouse.click(x, y)
        typing = "document.activeElement?.tagName === 'INPUT'"
        canvas.page.wait_for_function(typing, timeout=3_000)

    canvas.at_field(str(loader), "model", click)
    canvas.screenshot("list-open")
    canvas.page.keyboard.type("z image turbo")
    entries = canvas.page.locator(".litemenu-entry, [role=option]").locator("visible=true")
    expect(entries).to_have_text(["Z Image Turbo 1.0 · Z Image"])
    canvas.screenshot("list-filtered")
    canvas.page.keyboard.press("Enter")

    expect(entries).to_have_count(0)
    assert value_of(canvas, loader, "model") == TURBO


def test_the_dialog_chooses_by_keyboard_and_the_graph_keeps_plain_names(canvas: Canvas) -> None:
    loader, lora = add(canvas, "DTModelLoader", 300, 100), add(canvas, "DTLoRA", 300, 420)
    sampler = add(canvas, "DTSampler", 800, 100)
    connect(canvas, loader, sampler, "model")
    connect(canvas, lora, sampler, "lora")
    wait_for_count(canvas, loader, "model", "> 50")

    canvas.page.evaluate("app.extensionManager.command.execute('drawthingsnodes.browse')")
    dialog = canvas.page.get_by_role("dialog")
    dialog.get_by_role("combobox").press_sequentially("z image turbo")
    expect(dialog.get_by_role("option")).to_have_count(1)
    canvas.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert value_of(canvas, loader, "model") == TURBO

    canvas.page.evaluate("id => app.canvas.selectItems([app.graph.getNodeById(id)])", lora)
    canvas.page.evaluate("app.extensionManager.command.execute('drawthingsnodes.browse')")
    expect(dialog.get_by_role("option").nth(2)).to_be_visible()
    canvas.screenshot("browser-loras")
    canvas.page.keyboard.press("ArrowDown")
    canvas.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)

    chosen = value_of(canvas, lora, "lora")
    assert chosen == "z_image_detail_lora_f16.ckpt"
    saved = canvas.page.evaluate("JSON.parse(JSON.stringify(app.graph.serialize()))")
    kept = {node["type"]: node["widgets_values"] for node in saved["nodes"]}
    assert (kept["DTModelLoader"][:2], kept["DTLoRA"][0]) == ([TURBO, ""], chosen)
    sent = {node["class_type"]: node["inputs"] for node in canvas.prompt().values()}
    assert (sent["DTModelLoader"]["model"], sent["DTLoRA"]["lora"]) == (TURBO, chosen)


def test_a_lora_offers_its_own_weight_and_takes_it_only_on_a_click(canvas: Canvas) -> None:
    lora = add(canvas, "DTLoRA", 300, 100)
    wait_for_count(canvas, lora, "lora", "> 20")
    weights: dict[str, float] = canvas.page.evaluate(
        """async folder => {
            const lists = await import(`/extensions/${folder}/lib/catalogs.mjs`)
            const rows = lists.known(null).loras.filter(row => row.described_weight !== null)
            return Object.fromEntries(rows.map(row => [row.file, row.described_weight]))
        }""",
        canvas.pack_folder,
    )
    file, weight = next((f, w) for f, w in weights.items() if w != 1)

    choose(canvas, lora, "lora", file)
    button = canvas.page.get_by_role("button", name=f"Use weight {weight:g}")
    expect(button).to_be_visible()
    assert value_of(canvas, lora, "weight") == 1

    button.click()
    assert value_of(canvas, lora, "weight") == weight
    expect(button).to_have_count(0)


def test_a_server_that_is_away_keeps_its_list_and_the_saved_names(canvas: Canvas) -> None:
    with Simulator(catalog=small_catalog()) as leaving:
        body = {"name": "leaving", "address": leaving.address, "tls": "automatic"}
        canvas.call("/servers/save", {**body, "fingerprint": ""})
        server, loader = add(canvas, "DTServer", 0, 100), add(canvas, "DTModelLoader", 400, 100)
        choose(canvas, server, "saved_server", "leaving")
        connect(canvas, server, loader, "server")
        wait_for_count(canvas, loader, "model", "< 10")
        before = values(canvas, loader, "model")
    choose(canvas, loader, "model", GONE)
    saved = canvas.page.evaluate("JSON.parse(JSON.stringify(app.graph.serialize()))")

    canvas.open()
    canvas.clear()
    canvas.load(saved)

    wait_for_count(canvas, loader, "model", "< 11")
    kept = [value for value in values(canvas, loader, "model") if value != GONE]
    assert set(kept) <= set(before)
    assert TURBO in kept
    assert value_of(canvas, loader, "model") == GONE
    assert GONE in values(canvas, loader, "model")
    assert label(canvas, loader, "model", GONE) == f"{GONE} · not listed"
    expect(canvas.page.get_by_text("missing model")).to_have_count(0, timeout=DEADLINE_MS)
    canvas.screenshot("server-away")
    canvas.call("/servers/remove", {"name": "leaving"})


def test_r_refreshes_and_keeps_the_lists_of_the_nodes(canvas: Canvas, small: Simulator) -> None:
    server, loader = add(canvas, "DTServer", 0, 100), add(canvas, "DTModelLoader", 400, 100)
    choose(canvas, server, "saved_server", SMALL_NAME)
    connect(canvas, server, loader, "server")
    wait_for_count(canvas, loader, "model", "< 10")

    canvas.page.evaluate("app.refreshComboInNodes()")

    assert len(values(canvas, loader, "model")) < 10
    assert label(canvas, loader, "model", TURBO) == "Z Image Turbo 1.0 · Z Image"
