"""What nodes say below their widgets: connection, progress, warnings, what matters."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canvas import PINNED, Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.certificate import own_certificate
from drawthings.dt_core.simulator.faults import Fault, Script
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


ATTIC = "attic"


@pytest.fixture
def attic(canvas: Canvas) -> Iterator[Canvas]:
    """The page; a server that a test stores under that name is removed afterwards."""
    yield canvas
    canvas.call("/servers/remove", {"name": ATTIC})


def store(canvas: Canvas, address: str, tls: str = "automatic") -> None:
    row = {"name": ATTIC, "address": address, "tls": tls, "fingerprint": "", "ca_file": ""}
    canvas.call("/servers/save", row)


def toasts(canvas: Canvas) -> Locator:
    return canvas.page.locator(".p-toast-message")


def with_seed(name: str, seed: int) -> dict[str, Any]:
    graph = graph_of(name)
    next(n for n in graph["nodes"] if n["type"] == SAMPLER)["widgets_values"][0] = seed
    return graph


def test_the_status_follows_a_server_that_goes_away_and_comes_back(attic: Canvas) -> None:
    line = section(attic, "status")
    again = attic.page.get_by_role("button", name="Try again")
    back = toasts(attic).filter(has_text="is connected again")
    with Simulator() as other:
        store(attic, other.address)
        attic.load(graph_of("text_to_image"))
        connect_server(attic, other.address)
        expect(line).to_contain_text(ATTIC, timeout=DEADLINE_MS)
        expect(line).to_contain_text("connected", timeout=DEADLINE_MS)
        expect(back).to_have_count(0)
    again.click()
    expect(line).to_contain_text("not reachable", timeout=DEADLINE_MS)
    attic.screenshot("status-away")
    with Simulator(port=other.port):
        again.click()
        expect(line).not_to_contain_text("not reachable", timeout=DEADLINE_MS)
        expect(line).to_contain_text("connected", timeout=DEADLINE_MS)


def test_why_a_run_failed_stands_on_the_node_until_the_next_one(canvas: Canvas) -> None:
    """Newer front ends tell only that a node failed."""
    fault = Fault.of("status", code="RESOURCE_EXHAUSTED", details="too much", times=1)
    run = canvas.page.get_by_role("button", name="Run", exact=True)
    with Simulator(faults=Script((fault,))) as other:
        canvas.load(with_seed("text_to_image", 6001))
        connect_server(canvas, other.address, "plain text")
        run.click()
        note = section(canvas, "notes")
        expect(note).to_contain_text("too much", timeout=DEADLINE_MS)
        expect(note).to_contain_text("at a limit of its own")
        if canvas.face.version == PINNED:  # this one has a dialog of its own
            canvas.page.locator(".p-dialog-mask").wait_for()
            canvas.page.keyboard.press("Escape")
            expect(canvas.page.locator(".p-dialog-mask")).to_have_count(0)
        canvas.screenshot("failed")
        canvas.page.evaluate(
            "app.api.addEventListener('execution_success', () => { window.dtEnded = true })"
        )
        run.click()
        expect(note).to_have_count(0, timeout=DEADLINE_MS)
        canvas.page.wait_for_function("window.dtEnded", timeout=DEADLINE_MS)


def test_a_changed_certificate_is_told_and_accepted_on_the_node(
    attic: Canvas, tmp_path: Path
) -> None:
    line = section(attic, "status")
    first, second = (own_certificate(tmp_path / name) for name in ("first", "second"))
    with Simulator(tls=True, certificate=first[0], private_key=first[1]) as other:
        store(attic, other.address, "TLS")
        attic.load(graph_of("text_to_image"))
        connect_server(attic, other.address, "TLS")
        expect(line).to_contain_text("own certificate", timeout=DEADLINE_MS)
    with Simulator(
        tls=True, certificate=second[0], private_key=second[1], port=other.port
    ) as changed:
        attic.page.get_by_role("button", name="Try again").click()
        expect(line).to_contain_text("certificate changed", timeout=DEADLINE_MS)
        attic.screenshot("status-certificate")

        attic.page.get_by_role("button", name="Accept the new certificate").click()

        expect(line).not_to_contain_text("certificate changed", timeout=DEADLINE_MS)
        expect(line).to_contain_text("connected", timeout=DEADLINE_MS)
        assert changed.echo_count > 0


def test_the_loader_tells_that_the_default_server_is_connected(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image"))
    line = section(canvas, "status")
    expect(line).to_contain_text("connected", timeout=DEADLINE_MS)
    expect(line).to_contain_text("plain text")
    canvas.screenshot("status")


def test_a_server_that_only_the_graph_names_is_not_asked_until_it_is_stored(
    attic: Canvas,
) -> None:
    with Simulator(tls=True, secret="hush") as other:
        attic.load(graph_of("text_to_image"))
        connect_server(attic, other.address)
        line = section(attic, "status")
        expect(line).to_contain_text("not in your list", timeout=DEADLINE_MS)
        assert other.requests == ()

        attic.page.get_by_role("button", name="Add this server").click()
        attic.page.get_by_role("dialog").locator("input").fill(ATTIC)
        attic.page.keyboard.press("Enter")

        expect(line).to_contain_text("wrong shared secret", timeout=DEADLINE_MS)
        attic.screenshot("status-secret")


def test_a_server_is_added_with_its_secrets_name_and_only_once(attic: Canvas) -> None:
    with Simulator() as other:
        attic.load(graph_of("text_to_image"))
        connect_server(attic, other.address)
        attic.page.evaluate(
            """() => { const node = app.graph._nodes.find(n => n.type === 'DTServer')
            const widget = node.widgets.find(w => w.name === 'secret_name')
            widget.value = 'Lab'; widget.callback?.('Lab') }"""
        )
        line = section(attic, "status")
        expect(line).to_contain_text("not in your list", timeout=DEADLINE_MS)
        attic.page.get_by_role("button", name="Add this server").click()
        attic.page.get_by_role("dialog").locator("input").fill("the lab")
        attic.page.keyboard.press("Enter")
        expect(line).not_to_contain_text("not in your list", timeout=DEADLINE_MS)
        expect(line).to_contain_text(
            "secret", timeout=DEADLINE_MS
        )  # of that name there is none yet
        rows = attic.page.evaluate(SERVERS)
        assert [row["secret_name"] for row in rows if row["name"] == "the lab"] == ["Lab"]
        expect(attic.page.get_by_role("button", name="Add this server")).to_have_count(0)


SERVERS = """async () => (await (await fetch('/drawthingsnodes/servers', {
    method: 'POST', body: '{}',
    headers: {'Content-Type': 'application/json', 'X-Draw-Things-Nodes': '1'},
})).json()).servers"""


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


SEEN = """() => {
    window.dtSeen = []
    new MutationObserver(() => {
        for (const { textContent } of document.querySelectorAll('.dt-section-progress')) {
            if (textContent && !window.dtSeen.includes(textContent)) window.dtSeen.push(textContent)
        }
    }).observe(document.body, { childList: true, subtree: true })
}"""


def test_every_phase_of_a_run_is_seen_in_its_order(canvas: Canvas, simulator: Simulator) -> None:
    canvas.load(with_seed("text_to_image", 7_300_001 + len(simulator.requests)))
    canvas.page.evaluate(SEEN)
    with simulator.busy():  # no phase passes before the page has drawn the first one
        canvas.run()
        expect(section(canvas, "progress")).to_contain_text("waiting", timeout=DEADLINE_MS)
    canvas.page.wait_for_function("window.dtSeen.some(text => text.includes('receiving'))")

    phases = ["waiting", "prompt read", "step 1 of 4", "decoding", "receiving"]
    assert in_order(canvas, phases) == phases
    expect(section(canvas, "progress")).to_have_count(0, timeout=DEADLINE_MS)


def in_order(canvas: Canvas, phases: list[str]) -> list[str]:
    """Those of the phases that were seen, in the order in which they were."""
    seen: list[str] = canvas.page.evaluate("window.dtSeen")
    first = {
        phase: next(i for i, text in enumerate(seen) if phase in text)
        for phase in phases
        if any(phase in text for text in seen)
    }
    return sorted(first, key=first.__getitem__)


def test_second_pass_and_upscaling_are_told(canvas: Canvas, simulator: Simulator) -> None:
    canvas.load(with_seed("hires_fix_upscaler", 7_310_001 + len(simulator.requests)))
    canvas.page.evaluate(SEEN)
    canvas.run()
    canvas.page.wait_for_function("window.dtSeen.some(text => text.includes('receiving'))")

    phases = ["step", "second pass begins", "second pass, step", "upscaling", "receiving"]
    assert in_order(canvas, phases) == phases
    expect(section(canvas, "progress")).to_have_count(0, timeout=DEADLINE_MS)


DOWNLOAD = {"phase": "downloading", "received": 6e8, "expected": 2.4e9, "item": 1, "items": 3}


def test_a_download_of_the_server_and_a_long_rest_are_told_in_words(canvas: Canvas) -> None:
    canvas.load(graph_of("text_to_image"))
    for event, words in (
        (DOWNLOAD, "the server downloads file 1 of 3: 25 %"),
        ({"phase": "stage", "stage": "sampling", "step": 2, "steps": 9, "left": 200}, "3 min left"),
        ({"phase": "waiting", "waited": 40, "number": 2, "requests": 4}, "2 of 4: waiting"),
    ):
        # Again and again: that the queue is empty may be told late, and wipes the line.
        canvas.page.wait_for_function(
            """([event, words]) => {
                const node = app.graph._nodes.find(node => node.type === 'DTSampler')
                const detail = { node: String(node.id), ...event }
                app.api.dispatchCustomEvent('drawthingsnodes.progress', detail)
                return [...document.querySelectorAll('.dt-section-progress')]
                    .some(one => one.checkVisibility() && one.textContent.includes(words))
            }""",
            arg=[event, words],
        )
    canvas.page.evaluate("app.api.dispatchCustomEvent('execution_success', {})")
    expect(section(canvas, "progress")).to_have_count(0)


@pytest.fixture
def slow(canvas: Canvas, simulator: Simulator) -> Iterator[Canvas]:
    """The page before a server that takes its time; nothing runs afterwards."""
    simulator.step_delay, before = 1.5, simulator.step_delay
    yield canvas
    simulator.step_delay = before
    canvas.page.evaluate("app.api.interrupt()")
    expect(section(canvas, "progress")).to_have_count(0, timeout=DEADLINE_MS)


def test_a_page_that_is_loaded_again_during_a_run_shows_how_far_it_is(
    slow: Canvas, simulator: Simulator
) -> None:
    slow.load(with_seed("text_to_image_two_loras", 7_400_001 + len(simulator.requests)))
    slow.run()
    line = section(slow, "progress")
    expect(line).to_contain_text("step 1", timeout=DEADLINE_MS)

    slow.reload()

    expect(line).to_contain_text("step", timeout=DEADLINE_MS)
    slow.screenshot("progress-reloaded")


def test_a_run_that_is_interrupted_leaves_no_bar(slow: Canvas, simulator: Simulator) -> None:
    slow.load(with_seed("text_to_image", 7_500_001 + len(simulator.requests)))
    slow.run()
    line = section(slow, "progress")
    expect(line).to_contain_text("step", timeout=DEADLINE_MS)

    slow.page.evaluate("app.extensionManager.command.execute('Comfy.Interrupt')")

    expect(line).to_have_count(0, timeout=DEADLINE_MS)
    simulator.wait_for(lambda record: record.outcome == "cancelled", 5)


def test_a_server_that_dies_during_a_run_leaves_no_bar_and_a_true_status(attic: Canvas) -> None:
    with Simulator(step_delay=1.5) as other:
        store(attic, other.address)
        attic.load(with_seed("text_to_image", 7_600_001))
        connect_server(attic, other.address)
        attic.run()
        expect(section(attic, "progress")).to_contain_text("step", timeout=DEADLINE_MS)
    expect(section(attic, "progress")).to_have_count(0, timeout=2 * DEADLINE_MS)
    expect(section(attic, "status")).to_contain_text("not reachable", timeout=DEADLINE_MS)
    attic.page.keyboard.press("Escape")


def test_a_closed_subgraph_tells_how_far_the_sampler_in_it_is(
    slow: Canvas, simulator: Simulator
) -> None:
    slow.load(with_seed("text_to_image", 7_700_001 + len(simulator.requests)))
    slow.page.evaluate(
        """() => void app.graph.convertToSubgraph(
            new Set([app.graph._nodes.find(node => node.type === 'DTSampler')]))"""
    )
    slow.run()

    slow.page.wait_for_function(
        """() => app.graph._nodes.find(node => node.subgraph).widgets
            .some(widget => String(widget.value).includes('step 1 of 4'))"""
    )
    slow.screenshot("progress-subgraph")


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
