"""What nodes say below their widgets: connection, progress, warnings, what matters."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.demo import graph_file
from playwright.sync_api import Locator, expect

SAMPLER, LOADER = "DTSampler", "DTModelLoader"
DEADLINE_MS = 15_000


def graph_of(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(graph_file(name).read_text(encoding="utf-8"))
    return graph


def section(canvas: Canvas, name: str) -> Locator:
    return canvas.page.locator(f".dt-section-{name}").filter(has_text="").locator("visible=true")


def widget(canvas: Canvas, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = canvas.page.evaluate(
        """([kind, name]) => {
            const node = app.graph._nodes.find(node => node.type === kind)
            const { value, disabled, tooltip, hidden } = node.widgets.find(w => w.name === name)
            return { value, disabled: !!disabled, tooltip: tooltip ?? '', hidden: !!hidden }
        }""",
        [kind, name],
    )
    return found


def connect_server(canvas: Canvas, address: str, tls: str = "automatic") -> None:
    canvas.page.evaluate(
        """([address, tls]) => {
            const server = LiteGraph.createNode('DTServer')
            server.pos = [-480, 0]
            app.graph.add(server)
            server.widgets[0].value = address
            server.widgets[1].value = tls
            const loader = app.graph._nodes.find(node => node.type === 'DTModelLoader')
            server.connect(0, loader, loader.inputs.findIndex(input => input.name === 'server'))
        }""",
        [address, tls],
    )
    canvas.show_all()


def test_the_loader_tells_that_the_default_server_is_connected(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image"))
    line = section(canvas, "status")
    expect(line).to_contain_text("connected", timeout=DEADLINE_MS)
    expect(line).to_contain_text("plain text")
    canvas.screenshot("status")


def test_a_server_that_only_the_graph_names_is_not_asked_until_it_is_stored(
    canvas: Canvas,
) -> None:
    with Simulator(tls=True, secret="hush") as other:
        canvas.load(graph_of("text_to_image"))
        connect_server(canvas, other.address)
        line = section(canvas, "status")
        expect(line).to_contain_text("not in your list", timeout=DEADLINE_MS)
        assert other.requests == ()

        canvas.page.get_by_role("button", name="Add this server").click()
        canvas.page.get_by_role("dialog").locator("input").fill("attic")
        canvas.page.keyboard.press("Enter")

        expect(line).to_contain_text("wrong shared secret", timeout=DEADLINE_MS)
        canvas.screenshot("status-secret")
    canvas.page.evaluate(
        """async () => {
            const { call } = await import(
                [...document.scripts, ...document.querySelectorAll('link')]
                    .map(e => e.href ?? '').find(href => href.endsWith('/style.css') &&
                    href.includes('extensions')).replace('style.css', 'lib/backend.mjs'))
            await call('/servers/remove', { name: 'attic' })
        }"""
    )


def test_progress_tells_steps_and_goes_away_at_the_end(
    canvas: Canvas, simulator: Simulator
) -> None:
    graph = graph_of("text_to_image_two_loras")
    next(n for n in graph["nodes"] if n["type"] == SAMPLER)["widgets_values"][0] = 7_000_001 + len(
        simulator.requests
    )
    canvas.load(graph)
    simulator.step_delay, before = 0.5, simulator.step_delay
    try:
        canvas.run()
        line = section(canvas, "progress")
        expect(line).to_contain_text("step", timeout=DEADLINE_MS)
        expect(line).to_contain_text("s left", timeout=DEADLINE_MS)
        canvas.screenshot("progress")
    finally:
        simulator.step_delay = before
    expect(line).to_have_count(0, timeout=DEADLINE_MS)


def test_a_job_behind_another_one_says_that_it_waits(canvas: Canvas, simulator: Simulator) -> None:
    graph = graph_of("text_to_image")
    sampler = next(n for n in graph["nodes"] if n["type"] == SAMPLER)
    sampler["widgets_values"][0] = 7_100_001 + len(simulator.requests)
    canvas.load(graph)
    with simulator.busy():
        canvas.run()
        expect(section(canvas, "progress")).to_contain_text(
            "waiting in the server's queue", timeout=DEADLINE_MS
        )
        canvas.screenshot("waiting")
    expect(section(canvas, "progress")).to_have_count(0, timeout=DEADLINE_MS)


def test_warnings_of_a_run_stay_on_the_node_until_the_next_one(
    canvas: Canvas, simulator: Simulator
) -> None:
    graph = copy.deepcopy(graph_of("text_to_image"))
    sampler = next(n for n in graph["nodes"] if n["type"] == SAMPLER)
    sampler["widgets_values"][0] = 7_200_001 + len(simulator.requests)
    canvas.load(graph)
    canvas.choose(SAMPLER, "sampler", "DDIM")  # does not suit a flow model
    canvas.run()
    notes = section(canvas, "notes")
    expect(notes).to_contain_text("does not suit", timeout=DEADLINE_MS)
    canvas.screenshot("notes")
    serialized = json.dumps(canvas.page.evaluate("app.graph.serialize()"))
    assert "does not suit" not in serialized
    assert "drawthingsnodes_strip" not in json.dumps(canvas.prompt())


def test_what_has_no_effect_is_dimmed_with_its_reason_and_keeps_its_value(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image"))
    canvas.page.wait_for_function(
        """() => app.graph._nodes.find(n => n.type === 'DTSampler')
            .widgets.find(w => w.name === 'strength').disabled"""
    )
    strength = widget(canvas, SAMPLER, "strength")
    assert "Used only with an image" in strength["tooltip"]
    assert strength["value"] == 1
    assert not widget(canvas, SAMPLER, "steps")["disabled"]
    expect(section(canvas, "matters")).to_contain_text("2 settings have no effect")
    sampler = next(n for n in canvas.prompt().values() if n["class_type"] == SAMPLER)
    assert sampler["inputs"]["strength"] == 1
    canvas.screenshot("matters")


def test_recommended_settings_are_offered_and_taken_over_by_one_click(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image"))
    canvas.choose(SAMPLER, "steps", 50)
    offer = section(canvas, "recommend")
    expect(offer).to_contain_text("4 steps", timeout=DEADLINE_MS)
    assert widget(canvas, SAMPLER, "steps")["value"] == 50  # nothing happens by itself

    canvas.page.get_by_role("button", name="Use", exact=True).click()

    assert widget(canvas, SAMPLER, "steps")["value"] == 4
    assert widget(canvas, SAMPLER, "width")["value"] == 1024  # as good as the recommended size
    assert widget(canvas, SAMPLER, "height")["value"] == 768
    expect(offer).to_have_count(0, timeout=DEADLINE_MS)


@pytest.mark.parametrize("text", ["connected", "steps"])
def test_the_strip_is_never_saved(canvas: Canvas, text: str) -> None:
    canvas.load(graph_of("text_to_image"))
    expect(section(canvas, "status")).to_contain_text("connected", timeout=DEADLINE_MS)
    saved = canvas.page.evaluate("app.graph.serialize()")
    before = graph_of("text_to_image")
    for node in before["nodes"]:
        after = next(n for n in saved["nodes"] if n["id"] == node["id"])
        assert after["widgets_values"] == node["widgets_values"], text
