"""The sidebar tab: servers and their secrets, and what they have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.certificate import own_certificate
from drawthings.dt_core.simulator.inventory import KINDS, Catalog
from playwright.sync_api import Locator, expect
from sidebar import DEADLINE_MS, add_node, add_server, card, fill, search

SECRET = "hush, little server"
# What the page would save: the workflow, as both kinds of file, and what a browser keeps.
KEPT = """async () => JSON.stringify([
  app.graph.serialize(), await app.graphToPrompt(), {...localStorage}, {...sessionStorage},
  document.cookie, [...document.querySelectorAll("input")].map((field) => field.value)])"""
EMPTY = {"x": 700, "y": 760}  # of the canvas, px
MODEL = "z_image_turbo_1.0_q6p.ckpt"
MANY = 10_000


def kind(tab: Locator, name: str) -> None:
    tab.locator(".dt-contents-tabs").get_by_role("button", name=name).click()


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


def test_a_server_that_moves_is_asked_for_its_secret_again(canvas: Canvas, tab: Locator) -> None:
    with Simulator(secret=SECRET) as studio, Simulator(secret=SECRET) as moved:
        row = add_server(tab, "moving", studio.address, Shared_secret=SECRET)
        expect(row).to_contain_text("connected", timeout=DEADLINE_MS)

        row.get_by_role("button", name="Edit").click()
        fill(tab, Address=moved.address)
        expect(tab.get_by_role("alert")).to_contain_text("enter it again", timeout=DEADLINE_MS)
        expect(tab.get_by_label("Shared secret", exact=True)).to_be_focused()
        expect(row).to_contain_text("wrong shared secret", timeout=DEADLINE_MS)

        fill(tab, Shared_secret=SECRET)
        expect(row).to_contain_text("connected", timeout=DEADLINE_MS)


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
    with Simulator(catalog=Catalog(tables)) as big:
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
        canvas.wait_until_recorded()

        # The second one of that server shares its node.
        drag_to_canvas(canvas, row(tab, MODEL), {"x": EMPTY["x"] - 100, "y": 200})
        wait_for_nodes(canvas, "DTModelLoader", "DTModelLoader", "DTServer")
        canvas.wait_until_recorded()
        undo(canvas)
        wait_for_nodes(canvas, "DTModelLoader", "DTServer")


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
