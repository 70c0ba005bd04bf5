"""The sidebar tab: servers and their secrets, what they have, and files for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.catalog import KINDS, Catalog
from drawthings.dt_core.simulator.certificate import own_certificate
from playwright.sync_api import Locator, expect

SECRET = "hush, little server"
# What the page would save: the workflow, as both kinds of file, and what a browser keeps.
KEPT = """async () => JSON.stringify([
  app.graph.serialize(), await app.graphToPrompt(), {...localStorage}, {...sessionStorage},
  document.cookie, [...document.querySelectorAll("input")].map((field) => field.value)])"""
DEADLINE_MS = 15_000
EMPTY = {"x": 700, "y": 760}  # of the canvas, px
MODEL = "z_image_turbo_1.0_q6p.ckpt"
CONTENT = b"no model, but bytes " * 4000
MANY = 10_000


@pytest.fixture
def tab(canvas: Canvas) -> Iterator[Locator]:
    opened = open_tab(canvas)
    yield opened
    search(opened, "")
    for dismiss in opened.get_by_role("button", name="Remove from the list").all()[::-1]:
        dismiss.click()
    while opened.get_by_role("button", name="Remove", exact=True).count():
        remove(canvas, opened)
    close_tab(canvas)


def open_tab(canvas: Canvas) -> Locator:
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
    opened = canvas.page.locator(".dt-sidebar")
    expect(opened).to_be_visible()
    expect(opened.locator(".dt-contents-tabs")).to_be_visible()
    return opened


def close_tab(canvas: Canvas) -> None:
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
    expect(canvas.page.locator(".dt-sidebar")).to_have_count(0)


def remove(canvas: Canvas, tab: Locator) -> None:
    buttons = tab.get_by_role("button", name="Remove", exact=True)
    before = buttons.count()
    buttons.first.click()
    canvas.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(buttons).to_have_count(before - 1)


def fill(tab: Locator, **fields: str) -> None:
    for label, value in fields.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(value)
    tab.get_by_role("button", name="Save and test").click()


def add_server(tab: Locator, name: str, address: str, **more: str) -> Locator:
    """Store a server; it is then the chosen one."""
    tab.get_by_role("button", name="Add a server").click()
    fill(tab, Name=name, Address=address, **more)
    return card(tab, name)


def card(tab: Locator, name: str) -> Locator:
    return tab.locator(".dt-server").filter(has_text=name)


def kind(tab: Locator, name: str) -> None:
    tab.locator(".dt-contents-tabs").get_by_role("button", name=name).click()


def search(tab: Locator, text: str) -> None:
    field = tab.get_by_role("combobox", name="Search")
    if field.is_visible():
        field.fill(text)


def row(tab: Locator, text: str) -> Locator:
    return tab.locator(".dt-browser-row").filter(has_text=text).first


def drag_to_canvas(canvas: Canvas, entry: Locator, place: dict[str, int]) -> None:
    """Drop on a place of the canvas, in px of it."""
    page = canvas.page
    box = page.locator("#graph-canvas").bounding_box()
    assert box
    x, y = box["x"] + place["x"], box["y"] + place["y"]
    entry.hover()
    page.mouse.down()
    page.mouse.move(x - 30, y - 20, steps=4)
    page.mouse.move(x, y, steps=2)
    expect(page.locator(".dt-drop-label")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".dt-drop-label")).to_have_count(0)


def add_node(canvas: Canvas, kind: str) -> tuple[int, dict[str, int]]:
    """Put a node on the canvas; its id, and a place on its title in px of the canvas."""
    ident, x, y = canvas.page.evaluate(
        """kind => {
            const node = LiteGraph.createNode(kind)
            node.pos = [700, 300]
            app.graph.add(node)
            const { scale, offset } = app.canvas.ds
            return [node.id, (node.pos[0] + 60 + offset[0]) * scale,
                    (node.pos[1] - 12 + offset[1]) * scale]
        }""",
        kind,
    )
    canvas.page.wait_for_function("id => app.graph.getNodeById(id).size[1] > 30", arg=ident)
    return ident, {"x": x, "y": y}


def values_of(canvas: Canvas, kind: str) -> list[dict[str, Any]]:
    """What the widgets of all nodes of a kind hold."""
    found: list[dict[str, Any]] = canvas.page.evaluate(
        """kind => app.graph._nodes.filter(node => node.type === kind).map(
            node => Object.fromEntries((node.widgets ?? []).map(w => [w.name, w.value])))""",
        kind,
    )
    return found


def wait_for_nodes(canvas: Canvas, *types: str) -> None:
    canvas.page.wait_for_function(
        "types => app.graph._nodes.map(node => node.type).sort().join() === types",
        arg=",".join(sorted(types)),
    )


def undo(canvas: Canvas) -> None:
    canvas.page.evaluate("() => app.extensionManager.command.execute('Comfy.Undo')")


def test_a_server_with_a_secret_is_added_corrected_and_made_the_default(
    canvas: Canvas, tab: Locator
) -> None:
    with Simulator(secret=SECRET, tls=True) as studio:
        row = add_server(tab, "studio", studio.address, Shared_secret="a wrong one")
        expect(row).to_contain_text("wrong shared secret", timeout=DEADLINE_MS)
        expect(tab.locator(".dt-contents-empty")).to_contain_text("Nothing is known")
        canvas.screenshot("sidebar-wrong-secret")

        row.get_by_role("button", name="Edit").click()
        assert tab.get_by_label("Shared secret", exact=True).input_value() == ""
        fill(tab, Shared_secret=SECRET)
        expect(row).to_contain_text("connected", timeout=DEADLINE_MS)
        expect(row).to_contain_text("TLS (own certificate)")

        row.get_by_role("button", name="Make default").click()
        expect(row.get_by_role("button", name="Default server")).to_be_visible()
        canvas.screenshot("sidebar")
        assert SECRET not in canvas.page.content()
        assert SECRET not in canvas.page.evaluate(KEPT)


def test_another_certificate_is_told_and_may_be_accepted(
    canvas: Canvas, tab: Locator, tmp_path: Path
) -> None:
    pairs = [own_certificate(tmp_path / name) for name in ("old", "new")]
    with Simulator(tls=True, certificate=pairs[0][0], private_key=pairs[0][1]) as studio:
        port = studio.port
        row = add_server(tab, "studio", studio.address)
        expect(row).to_contain_text("TLS (own certificate)", timeout=DEADLINE_MS)
    with Simulator(tls=True, certificate=pairs[1][0], private_key=pairs[1][1], port=port):
        row.get_by_role("button", name="Test").click()
        expect(row).to_contain_text("certificate changed", timeout=DEADLINE_MS)
        canvas.screenshot("sidebar-certificate")
        row.get_by_role("button", name="Accept the new certificate").click()
        expect(row).to_contain_text("connected", timeout=DEADLINE_MS)


def test_an_impossible_address_is_refused_in_words(tab: Locator) -> None:
    add_server(tab, "nowhere", "http://somewhere/else")
    expect(tab.get_by_role("alert")).to_contain_text("not a server address")
    tab.get_by_role("button", name="Cancel").click()


def test_all_kinds_are_listed_by_name_and_one_search_counts_in_each(
    canvas: Canvas, tab: Locator
) -> None:
    tabs = tab.locator(".dt-contents-tabs")
    expect(tabs).to_contain_text("Models 84")
    expect(tabs).to_contain_text("LoRAs 48")
    expect(tabs).to_contain_text("ControlNets 39")
    expect(tab.locator(".dt-browser-heading").first).to_have_text("AuraFlow")
    expect(row(tab, "auraflow_v0.2")).to_contain_text("AuraFlow v0.2")

    search(tab, "z image turbo")
    expect(tab.locator(".dt-contents-foot")).to_contain_text("of 84")
    expect(row(tab, MODEL)).to_be_visible()
    expect(tabs).to_contain_text("Embeddings 0")
    canvas.screenshot("sidebar-search")

    search(tab, "there is no such thing")
    expect(tab.locator(".dt-contents-empty")).to_have_text("Nothing found.")


def test_ten_thousand_models_scroll_with_a_handful_of_rows(canvas: Canvas, tab: Locator) -> None:
    full = Catalog.load()
    tables = {name: list(full.all(name)) for name in KINDS}
    one = tables["models"][0]
    tables["models"] = [
        {**one, "file": f"model_{n}.ckpt", "name": f"Model {n}"} for n in range(MANY)
    ]
    catalog = Catalog(tables, {entry["file"] for rows in tables.values() for entry in rows})
    with Simulator(catalog=catalog) as big:
        add_server(tab, "big", big.address)
        expect(tab.locator(".dt-contents-tabs")).to_contain_text(
            f"Models {MANY}", timeout=DEADLINE_MS
        )
        tab.locator(".dt-browser-scroller").evaluate("e => e.scrollTo(0, e.scrollHeight)")
        expect(row(tab, f"Model {MANY - 1}")).to_be_visible()
        assert tab.locator(".dt-browser-row").count() < 60
        search(tab, "4321")
        expect(row(tab, "model_4321.ckpt")).to_be_visible()


def test_a_server_that_hides_its_lists_says_how_to_show_them(canvas: Canvas, tab: Locator) -> None:
    with Simulator(model_browser=False) as closed:
        add_server(tab, "closed", closed.address)
        empty = tab.locator(".dt-contents-empty")
        expect(empty).to_contain_text("Switch model browsing on", timeout=DEADLINE_MS)
        canvas.screenshot("sidebar-closed")


def test_a_server_that_is_gone_keeps_its_list_and_its_age_is_told(
    canvas: Canvas, tab: Locator
) -> None:
    with Simulator() as gone:
        server = add_server(tab, "gone", gone.address)
        expect(server).to_contain_text("connected", timeout=DEADLINE_MS)
        expect(tab.locator(".dt-contents-tabs")).to_contain_text("Models 84")
        expect(tab.locator(".dt-contents-foot")).to_contain_text("asked")
    tab.get_by_role("button", name="Ask again").click()
    expect(tab.locator(".dt-stale")).to_contain_text("Not up to date: as of", timeout=DEADLINE_MS)
    expect(tab.locator(".dt-contents-tabs")).to_contain_text("Models 84")
    canvas.screenshot("sidebar-stale")


def test_entries_dropped_on_the_empty_canvas_become_their_nodes(
    canvas: Canvas, tab: Locator
) -> None:
    search(tab, "z image turbo 1.0")
    drag_to_canvas(canvas, row(tab, MODEL), EMPTY)
    wait_for_nodes(canvas, "DTModelLoader")
    assert values_of(canvas, "DTModelLoader")[0]["model"] == MODEL
    x, y = canvas.page.evaluate(
        """() => { const { pos } = app.graph._nodes[0]; const { scale, offset } = app.canvas.ds
            return [(pos[0] + offset[0]) * scale, (pos[1] + offset[1]) * scale] }"""
    )
    assert abs(x - EMPTY["x"]) < 40
    assert abs(y - EMPTY["y"]) < 40
    undo(canvas)
    wait_for_nodes(canvas)

    search(tab, "")
    made = {
        "LoRAs": "DTLoRA",
        "ControlNets": "DTControlNet",
        "Upscalers": "DTUpscalerOptions",
        "Embeddings": "DTPrompt",
    }
    for name, node in made.items():
        kind(tab, name)
        drag_to_canvas(canvas, tab.locator(".dt-browser-row").first, EMPTY)
        wait_for_nodes(canvas, node)
        canvas.page.evaluate("app.graph.clear()")
    kind(tab, "Models")


def test_a_model_of_another_server_brings_that_server_along(canvas: Canvas, tab: Locator) -> None:
    with Simulator() as studio:
        add_server(tab, "studio", studio.address)
        expect(card(tab, "studio")).to_contain_text("connected", timeout=DEADLINE_MS)
        search(tab, "z image turbo 1.0")
        drag_to_canvas(canvas, row(tab, MODEL), EMPTY)
        wait_for_nodes(canvas, "DTModelLoader", "DTServer")
        assert values_of(canvas, "DTServer")[0]["saved_server"] == "studio"
        prompt = canvas.prompt()
        [loader] = [n for n in prompt.values() if n["class_type"] == "DTModelLoader"]
        assert prompt[loader["inputs"]["server"][0]]["class_type"] == "DTServer"
        canvas.screenshot("sidebar-other-server")

        # The second one of that server shares its node.
        drag_to_canvas(canvas, row(tab, MODEL), {"x": EMPTY["x"] - 100, "y": 200})
        wait_for_nodes(canvas, "DTModelLoader", "DTModelLoader", "DTServer")
        undo(canvas)
        undo(canvas)
        wait_for_nodes(canvas)


def test_loras_dropped_on_a_node_fill_its_rows_and_then_a_node_of_their_own(
    canvas: Canvas, tab: Locator
) -> None:
    kind(tab, "LoRAs")
    ident, place = add_node(canvas, "DTLoRA")
    files = [tab.locator(".dt-browser-file").nth(n).inner_text() for n in range(5)]
    for number, file in enumerate(files[:4], start=1):
        drag_to_canvas(canvas, row(tab, file), place)
        held = values_of(canvas, "DTLoRA")[0]
        rows = [held["lora"], held["lora_2"], held["lora_3"], held["lora_4"]]
        assert rows == [*files[:number], *["none"] * (4 - number)]
    canvas.screenshot("sidebar-loras")

    drag_to_canvas(canvas, row(tab, files[4]), place)
    wait_for_nodes(canvas, "DTLoRA", "DTLoRA")
    assert {node["lora"] for node in values_of(canvas, "DTLoRA")} == {files[0], files[4]}
    linked = canvas.page.evaluate("id => app.graph.getNodeById(id).inputs[0].link !== null", ident)
    assert linked
    kind(tab, "Models")


def test_what_is_dropped_on_a_sampler_is_connected_to_it(canvas: Canvas, tab: Locator) -> None:
    _, place = add_node(canvas, "DTSampler")
    drag_to_canvas(canvas, row(tab, "auraflow_v0.2"), place)
    kind(tab, "LoRAs")
    for number in range(2):
        drag_to_canvas(canvas, tab.locator(".dt-browser-row").nth(number), place)
    wait_for_nodes(canvas, "DTSampler", "DTModelLoader", "DTLoRA")
    prompt = canvas.prompt()
    [sampler] = [n for n in prompt.values() if n["class_type"] == "DTSampler"]
    loras = prompt[sampler["inputs"]["lora"][0]]
    assert loras["inputs"]["lora_2"] != "none"
    assert prompt[sampler["inputs"]["model"][0]]["class_type"] == "DTModelLoader"
    canvas.screenshot("sidebar-sampler")
    kind(tab, "Models")


def test_entries_are_added_by_keys_double_click_and_button(canvas: Canvas, tab: Locator) -> None:
    search(tab, "z image turbo 1.0")
    canvas.page.keyboard.press("ArrowDown")
    canvas.page.keyboard.press("ArrowUp")
    canvas.page.keyboard.press("Enter")
    wait_for_nodes(canvas, "DTModelLoader")
    row(tab, MODEL).dblclick()
    wait_for_nodes(canvas, "DTModelLoader", "DTModelLoader")
    row(tab, MODEL).hover()
    row(tab, MODEL).get_by_role("button", name=re.compile("^Add ")).click()
    wait_for_nodes(canvas, *["DTModelLoader"] * 3)
    places = canvas.page.evaluate("app.graph._nodes.map(node => [...node.pos].join())")
    assert len(set(places)) == 3


def choose_files(tab: Locator, *files: Path) -> None:
    tab.get_by_label("Model files to upload").set_input_files([*files])


def line(tab: Locator, name: str) -> Locator:
    return tab.locator(".dt-upload").filter(has_text=name)


@pytest.fixture
def studio(tab: Locator) -> Iterator[Simulator]:
    """A server of its own, stored and chosen."""
    with Simulator() as running:
        add_server(tab, "studio", running.address)
        expect(card(tab, "studio")).to_contain_text("connected", timeout=DEADLINE_MS)
        yield running


def made(folder: Path, *names: str, content: bytes = CONTENT) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(content)
    return paths


def test_files_are_uploaded_one_after_the_other_and_asked_for_before_overwriting(
    canvas: Canvas, tab: Locator, studio: Simulator, tmp_path: Path
) -> None:
    first, second, wrong = made(tmp_path, "first_f16.ckpt", "second_f16.ckpt", "raw.safetensors")
    choose_files(tab, first, second, wrong)
    for path in (first, second):
        expect(line(tab, path.name)).to_contain_text("On studio, 80 kB, checked")
        assert path.name in studio.files()
    expect(line(tab, wrong.name)).to_contain_text("import it in the Draw Things app")
    canvas.screenshot("sidebar-uploaded")

    # Leaving the sidebar loses nothing.
    close_tab(canvas)
    open_tab(canvas)
    expect(line(tab, first.name)).to_contain_text("checked")
    for button in tab.get_by_role("button", name="Remove from the list").all()[::-1]:
        button.click()

    first.write_bytes(b"changed" * 1000)
    dialog = canvas.page.get_by_role("dialog")
    choose_files(tab, first)
    expect(dialog).to_contain_text(first.name)
    canvas.screenshot("sidebar-overwrite")
    dialog.get_by_role("button", name="Cancel").click()
    expect(line(tab, first.name)).to_contain_text("the server keeps its file")

    choose_files(tab, first)
    dialog.get_by_role("button", name="Overwrite").click()
    expect(line(tab, first.name).nth(1)).to_contain_text("7 kB, checked")


def test_a_file_dropped_on_the_sidebar_is_uploaded_and_no_workflow_to_comfyui(
    canvas: Canvas, tab: Locator, studio: Simulator
) -> None:
    add_node(canvas, "DTLoRA")
    tab.evaluate(
        """(tab, text) => {
            const data = new DataTransfer()
            data.items.add(new File([text], 'dropped_f16.ckpt'))
            const at = { dataTransfer: data, bubbles: true, cancelable: true }
            tab.dispatchEvent(new DragEvent('dragover', at))
            if (!tab.classList.contains('dt-receiving')) throw new Error('no welcome')
            tab.dispatchEvent(new DragEvent('drop', at))
        }""",
        "bytes of a model",
    )
    expect(line(tab, "dropped_f16.ckpt")).to_contain_text("On studio, 16 bytes, checked")
    assert "dropped_f16.ckpt" in studio.files()
    assert canvas.node_types() == ["DTLoRA"]


@contextmanager
def slow_line(canvas: Canvas, bytes_per_second: int) -> Iterator[None]:
    """What the page sends goes slowly, as over a network."""
    session = canvas.page.context.new_cdp_session(canvas.page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send(
        "Network.emulateNetworkConditions", {**limits, "uploadThroughput": bytes_per_second}
    )
    try:
        yield
    finally:
        session.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
        session.detach()


def test_an_upload_shows_how_far_it_is_and_is_cancelled(
    canvas: Canvas, tab: Locator, studio: Simulator, tmp_path: Path
) -> None:
    large, waiting = made(tmp_path, "large_f16.ckpt", "waiting_f16.ckpt", content=bytes(60 << 20))
    slow: AbstractContextManager[None] = slow_line(canvas, 12 << 20)
    with slow:
        choose_files(tab, large, waiting)
        row = line(tab, large.name)
        expect(row).to_contain_text(re.compile(r"To ComfyUI · .* of 62.9 MB · .*/s · .* left"))
        expect(line(tab, waiting.name)).to_contain_text("Waiting")
        canvas.screenshot("sidebar-uploading")
        line(tab, waiting.name).get_by_role("button", name="Cancel the upload").click()
        expect(line(tab, waiting.name)).to_contain_text("Cancelled")
        row.get_by_role("button", name="Cancel the upload").click()
        expect(row).to_contain_text("Cancelled")
    assert not {large.name, waiting.name} & set(studio.files())

    # The next one is not held up.
    [small] = made(tmp_path, "small_f16.ckpt")
    choose_files(tab, small)
    expect(line(tab, small.name)).to_contain_text("checked")


def test_an_upload_to_a_server_that_is_gone_fails_in_words_and_may_be_tried_again(
    canvas: Canvas, tab: Locator, tmp_path: Path
) -> None:
    [path] = made(tmp_path, "late_f16.ckpt")
    with Simulator() as studio:
        port = studio.port
        add_server(tab, "studio", studio.address)
        expect(card(tab, "studio")).to_contain_text("connected", timeout=DEADLINE_MS)
    choose_files(tab, path)
    expect(tab.locator(".dt-upload[data-phase=failed]")).to_contain_text(
        f":{port}", timeout=DEADLINE_MS * 2
    )
    canvas.screenshot("sidebar-upload-failed")
    with Simulator(port=port) as again:
        tab.get_by_role("button", name="Try again").click()
        expect(line(tab, path.name)).to_contain_text("checked", timeout=DEADLINE_MS * 2)
        assert path.name in again.files()
