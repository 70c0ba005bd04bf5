"""Our colours, settings and languages, as a user meets them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.demo import graph_file
from playwright.sync_api import expect

COLOR = "#2b4a58"
ADD = """kind => {
    const node = LiteGraph.createNode(kind)
    app.graph.add(node)
    return { color: node.color, saved: node.serialize().color ?? null, width: node.size[0] }
}"""


def test_a_new_node_has_our_colour_and_does_not_save_it(canvas: Canvas) -> None:
    added = canvas.page.evaluate(ADD, "DTModelLoader")

    assert added["color"] == COLOR
    assert added["saved"] is None
    assert added["width"] >= 315
    assert canvas.page.evaluate("app.graph.serialize().nodes[0].bgcolor ?? null") is None


def test_a_colour_of_the_users_own_is_saved_and_stays(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    canvas.page.evaluate(
        "() => void Object.assign(app.graph._nodes[0], {color: '#323', bgcolor: '#535'})"
    )
    saved = canvas.page.evaluate("app.graph.serialize()")
    canvas.load(saved)

    assert canvas.page.evaluate("app.graph._nodes[0].color") == "#323"


def test_nodes_of_others_keep_their_colour(canvas: Canvas) -> None:
    assert canvas.page.evaluate(ADD, "SaveImage")["color"] != COLOR


def test_the_setting_takes_the_colours_away_and_brings_them_back(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    name = "drawthingsnodes.node_colors"
    for wanted, color in ((False, ""), (True, COLOR)):
        canvas.set_setting(name, wanted)
        canvas.page.wait_for_function(
            "color => (app.graph._nodes[0].color ?? '') === color", arg=color
        )


def test_sockets_have_colours_of_their_own(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    canvas.page.evaluate(ADD, "DTSampler")
    canvas.screenshot("look")

    types = canvas.page.evaluate(
        "['DT_SERVER', 'DT_MODEL', 'DT_LORA', 'DT_CONTROL', 'DT_OPTIONS'].map(type => ["
        "app.canvas.default_connection_color_byType[type],"
        "app.canvas.constructor.link_type_colors[type],"
        "getComputedStyle(document.body).getPropertyValue(`--color-datatype-${type}`).trim()])"
    )

    assert all(len(set(colors)) == 1 and colors[0].startswith("#") for colors in types)
    assert len({colors[0] for colors in types}) == len(types)


TITLE_BAR = (400, 182)  # of a node at 300, 200 on a canvas that is not moved, px
OFFICIAL = Path(__file__).parents[1] / "data" / "official" / "text_to_image.json"


def select(canvas: Canvas) -> None:
    """Click on the only node, once it is drawn where it was put."""
    canvas.page.evaluate(
        "() => { app.graph._nodes[0].pos = [300, 200]; app.canvas.draw(true, true) }"
    )
    canvas.page.mouse.click(*TITLE_BAR)
    canvas.page.wait_for_function("app.canvas.selectedItems.size === 1")


@pytest.mark.parametrize(
    ("kind", "entry"),
    [("DTSampler", "Copy the configuration"), ("DTLoRA", "Refresh the server's lists")],
)
def test_the_menu_of_a_node_has_all_of_ours_below_one_entry(
    canvas: Canvas, kind: str, entry: str
) -> None:
    canvas.page.evaluate(ADD, kind)
    select(canvas)
    canvas.page.mouse.click(*TITLE_BAR, button="right")
    ours = canvas.page.get_by_text("Draw Things", exact=True)
    ours.last.hover()
    ours.last.click()

    expect(canvas.page.get_by_text(entry, exact=True)).to_be_visible()
    canvas.screenshot("menu")
    canvas.page.get_by_text(entry, exact=True).hover()
    canvas.page.mouse.click(1200, 800)
    canvas.page.evaluate("document.querySelector('.litecontextmenu')?.remove()")


def test_others_nodes_have_no_entry_of_ours(canvas: Canvas) -> None:
    offered = canvas.page.evaluate(
        """() => {
            const menu = app.extensions.find(one => one.name === 'drawthingsnodes.menu')
            return ['SaveImage', 'DTSampler'].map(kind =>
                menu.getNodeMenuItems(LiteGraph.createNode(kind)).length)
        }"""
    )

    assert offered == [0, 2]


@pytest.fixture
def all_offers(canvas: Canvas) -> Iterator[Canvas]:
    yield canvas
    for name in ("offer_recommended", "offer_conversion"):
        canvas.set_setting(f"drawthingsnodes.{name}", True)


def test_recommended_settings_are_offered_only_to_who_wants_it(all_offers: Canvas) -> None:
    graph = json.loads(graph_file("text_to_image").read_text(encoding="utf-8"))
    all_offers.load(graph)
    all_offers.choose("DTSampler", "steps", 77)
    offer = all_offers.page.locator(".dt-section-recommend").filter(has_text="Recommended")

    expect(offer).to_have_count(1)
    all_offers.set_setting("drawthingsnodes.offer_recommended", False)
    expect(offer).to_have_count(0)
    all_offers.set_setting("drawthingsnodes.offer_recommended", True)
    expect(offer).to_have_count(1)


def test_conversion_is_offered_only_to_who_wants_it(all_offers: Canvas) -> None:
    offer = all_offers.page.locator(".dt-convert-offer")
    graph = json.loads(OFFICIAL.read_text(encoding="utf-8"))
    all_offers.set_setting("drawthingsnodes.offer_conversion", False)
    all_offers.page.evaluate("graph => app.loadGraphData(graph)", graph)
    expect(offer).to_have_count(0)

    all_offers.set_setting("drawthingsnodes.offer_conversion", True)
    all_offers.page.evaluate("graph => app.loadGraphData(graph)", graph)
    expect(offer).to_have_count(1)
    all_offers.page.evaluate("document.querySelector('.dt-convert-offer').remove()")


@pytest.fixture
def chinese(canvas: Canvas) -> Iterator[Canvas]:
    canvas.speak("zh")
    canvas.clear()
    yield canvas
    canvas.speak("en")


def test_in_chinese_nodes_settings_and_help_are_chinese(chinese: Canvas) -> None:
    page = chinese.page
    page.evaluate(ADD, "DTSampler")
    node = page.evaluate(
        """() => {
            const [node] = app.graph._nodes
            const words = slots => slots.map(slot => slot.label ?? slot.localized_name)
            const named = node.widgets.filter(widget => widget.name !== 'control_after_generate')
            return { title: node.title, inputs: words(node.inputs), outputs: words(node.outputs),
                widgets: named.map(widget => widget.label) }
        }"""
    )
    select(chinese)
    page.get_by_test_id("info-button").first.click()
    expect(page.get_by_role("heading", name="输入", exact=True)).to_be_visible()
    expect(page.get_by_text("采样器执行的步数").first).to_be_attached()
    chinese.screenshot("chinese-help")
    page.evaluate("() => void app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    page.get_by_text("Draw Things", exact=True).last.click()
    expect(page.get_by_text("为节点着色")).to_be_visible()
    expect(page.get_by_text("Colour the nodes")).to_have_count(0)
    chinese.screenshot("chinese-settings")

    assert node["title"] == "DT 采样器"
    assert "种子" in node["widgets"]
    for words in (node["inputs"], node["outputs"], node["widgets"]):
        assert not any(text == text.lower() and text.isascii() for text in words if text)


# Two English words that are no name: names of models and files have capitals, digits, _ or dots.
ENGLISH = re.compile(r"(?<![\w.-])[a-z]{2,} [a-z]{2,}(?![\w.])")
SAID = """() => [...document.querySelectorAll('.dt-strip, .dt-sidebar, dialog.dt-browser')]
    .flatMap(root => [root.innerText, ...[...root.querySelectorAll('*')].flatMap(one =>
        [one.title, one.placeholder, one.getAttribute('aria-label')])])
    .filter(Boolean)"""

TOGGLE_SIDEBAR = (
    "() => void app.extensionManager.command.execute('Workspace.ToggleSidebarTab.drawthingsnodes')"
)


@pytest.fixture
def foreign(canvas: Canvas) -> Iterator[Canvas]:
    """The page in Japanese or Chinese, by its renderer."""
    canvas.speak("ja" if canvas.face.vue else "zh")
    canvas.clear()
    yield canvas
    canvas.page.keyboard.press("Escape")
    canvas.page.evaluate(TOGGLE_SIDEBAR)
    canvas.speak("en")


def test_what_nodes_sidebar_and_dialog_say_is_not_english(
    foreign: Canvas, simulator: Simulator
) -> None:
    page = foreign.page
    graph = json.loads(graph_file("text_to_image").read_text(encoding="utf-8"))
    [sampler] = [node for node in graph["nodes"] if node["type"] == "DTSampler"]
    sampler["widgets_values"][0] = 8_000_001 + len(simulator.requests)
    foreign.load(graph)
    foreign.choose("DTSampler", "sampler", "DDIM")  # which does not suit the model: a warning
    foreign.choose("DTSampler", "steps", 17)
    page.evaluate("() => void app.extensionManager.command.execute('Comfy.QueuePrompt')")
    page.locator(".dt-note").first.wait_for()
    page.locator(".dt-section-recommend .dt-button").first.wait_for()
    page.locator(".dt-details summary").first.evaluate("summary => summary.click()")
    page.evaluate(TOGGLE_SIDEBAR)
    page.locator(".dt-sidebar .dt-contents-tabs").wait_for()
    page.evaluate("() => void app.extensionManager.command.execute('drawthingsnodes.browse')")
    page.locator("dialog.dt-browser").wait_for()
    foreign.screenshot("foreign")

    said = [text.replace("drawthings simulator", "") for text in page.evaluate(SAID)]  # a command

    assert len(said) > 30
    assert [text for text in said if ENGLISH.search(text)] == []


def test_why_a_run_failed_and_what_a_route_refuses_is_told_in_the_users_language(
    canvas: Canvas,
) -> None:
    japanese = canvas.face.vue
    canvas.speak("ja" if japanese else "zh")
    try:
        graph = json.loads(graph_file("text_to_image").read_text(encoding="utf-8"))
        canvas.load(graph)
        canvas.choose("DTModelLoader", "model", "svd_i2v_1.0_f16.ckpt")  # wants an image
        canvas.page.evaluate("() => void app.extensionManager.command.execute('Comfy.QueuePrompt')")
        note = canvas.page.locator(".dt-note.dt-failed")
        wanted = "画像を与えて" if japanese else "请给它图像"
        expect(note).to_contain_text(wanted, timeout=15_000)
        refused = canvas.page.evaluate(
            """async path => {
                const { call } = await import(path)
                return call('/servers/remove', { name: 5 }).catch(error => error.message)
            }""",
            f"/extensions/{canvas.pack_folder}/lib/backend.mjs",
        )
        assert ("文字まで" if japanese else "个字符") in refused
        canvas.page.keyboard.press("Escape")
    finally:
        canvas.speak("en")


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_every_command_and_setting_of_ours_is_translated(canvas: Canvas, language: str) -> None:
    missing = canvas.page.evaluate(
        """async language => {
            const { [language]: texts } = await (await fetch('/api/i18n')).json()
            const ours = extension => extension.name.startsWith('drawthingsnodes.')
            const key = entry => entry.id.replaceAll('.', '_')
            const missing = []
            for (const { commands = [], settings = [] } of app.extensions.filter(ours)) {
                for (const c of commands) if (!texts.commands?.[key(c)]) missing.push(c.id)
                for (const s of settings) if (!texts.settings?.[key(s)]) missing.push(s.id)
            }
            return missing
        }""",
        language,
    )

    assert missing == []
