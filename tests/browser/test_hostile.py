"""A server with hostile names and words: they are text on the page, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script
from drawthings.tools.demo import graph_file
from playwright.sync_api import expect

MARKUP = "<img src=x onerror=\"window.broken='in'\">"
NAME = "evil"
DEADLINE_MS = 20_000
# What the page would be if a name had become more than text.
INJECTED = "() => [window.broken ?? '', document.querySelectorAll('img[src=x]').length]"


@pytest.fixture
def evil(canvas: Canvas) -> Iterator[Simulator]:
    names = Fault.of("bad_catalog", what="names", times=0)
    with Simulator(faults=Script((names,))) as server:
        row = {"name": NAME, "address": server.address, "tls": "plain text", "fingerprint": ""}
        canvas.call("/servers/save", row)
        yield server
    canvas.call("/servers/remove", {"name": NAME})


def unharmed(canvas: Canvas) -> None:
    assert canvas.page.evaluate(INJECTED) == ["", 0]


def test_names_of_a_server_are_text_in_the_sidebar(canvas: Canvas, evil: Simulator) -> None:
    button = canvas.page.get_by_role("button", name="Draw Things: servers").first
    button.click()
    tab = canvas.page.locator(".dt-sidebar")
    tab.locator(".dt-server").filter(has_text=NAME).first.click()
    rows = tab.locator(".dt-browser-row")
    for kind in ("ControlNets", "LoRAs", "Models"):  # the last one stays chosen
        tab.locator(".dt-contents-tabs").get_by_role("button", name=kind).click()
        expect(rows.filter(has_text=MARKUP).first).to_be_visible(timeout=DEADLINE_MS)
        expect(rows.filter(has_text="../../../etc/passwd.ckpt").first).to_be_visible()
        for text in rows.all_inner_texts():
            assert all(part.isprintable() for part in text.split("\n")), text
    canvas.screenshot("hostile-sidebar")
    unharmed(canvas)
    button.click()


def test_names_and_words_of_a_server_are_text_on_a_node(canvas: Canvas, evil: Simulator) -> None:
    graph = copy.deepcopy(json.loads(graph_file("text_to_image").read_text(encoding="utf-8")))
    canvas.load(graph)
    canvas.page.evaluate(
        """([name, model]) => {
            const server = LiteGraph.createNode('DTServer')
            server.pos = [-480, 0]
            app.graph.add(server)
            server.widgets.find(widget => widget.name === 'saved_server').value = name
            const loader = app.graph._nodes.find(node => node.type === 'DTModelLoader')
            server.connect(0, loader, loader.inputs.findIndex(input => input.name === 'server'))
            const file = loader.widgets.find(widget => widget.name === 'model_file')
            file.value = model
        }""",
        [NAME, f"{MARKUP}.ckpt"],
    )
    canvas.show_all()
    assert evil.faults is not None
    evil.faults.add(Fault.of("status", code="INTERNAL", details=MARKUP, picture=1, times=0))
    canvas.run()
    note = canvas.page.locator(".dt-section-notes").locator("visible=true")
    expect(note.first).to_contain_text("picture(s) arrived", timeout=DEADLINE_MS)
    expect(note.first).to_contain_text(MARKUP)
    canvas.screenshot("hostile-node")
    unharmed(canvas)
