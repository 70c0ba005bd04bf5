"""Model files on their way from the sidebar to a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from playwright.sync_api import Locator, expect
from sidebar import DEADLINE_MS, add_node, add_server, card, close_tab, open_tab

CONTENT = b"no model, but bytes " * 4000


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
    expect(line(tab, wrong.name)).to_contain_text("Import it in the Draw Things app")
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
