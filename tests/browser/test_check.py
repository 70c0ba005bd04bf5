"""Check this server: asked before, told row by row, saved as a report, ended by closing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from canvas import FACES, Canvas
from contrast import contrast
from drawthings.dt_core.doctor.examination import CHECKS
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script
from playwright.sync_api import Locator, expect
from sidebar import DEADLINE_MS, add_server

SECRET = "of this check alone"
FILM = "ltx_2_19b_distilled_q8p.ckpt"
CHECK_MS = 60_000
PALETTE = "app.extensionManager.setting.set('Comfy.ColorPalette', '{}')"
pytestmark = pytest.mark.parametrize("page_of_face", FACES[:1], indirect=True, ids=[FACES[0].name])


def opened(canvas: Canvas, card: Locator) -> Locator:
    expect(card).to_contain_text("connected", timeout=DEADLINE_MS)
    card.get_by_role("button", name="Check this server").click()
    dialog = canvas.page.locator("dialog.dt-check")
    expect(dialog.get_by_role("status")).to_contain_text("small pictures", timeout=DEADLINE_MS)
    return dialog


def test_a_server_is_checked_after_a_question_and_the_report_is_saved(
    canvas: Canvas, tab: Locator, tmp_path: Path
) -> None:
    fault = Fault.of("size", times=1)
    with Simulator(secret=SECRET, tls=True, faults=Script((fault,))) as studio:
        card = add_server(tab, "studio", studio.address, Shared_secret=SECRET)
        dialog = opened(canvas, card)
        assert studio.requests == ()
        canvas.screenshot("check-question")

        field = dialog.get_by_label("Model")
        for typed, told in (
            ("nothing_f16.ckpt", "has no model nothing"),
            (FILM, FILM),
            ("", "sd_"),
        ):
            field.fill(typed)
            field.press("Tab")
            expect(dialog.get_by_role("status")).to_contain_text(told, timeout=DEADLINE_MS)
        dialog.get_by_role("button", name="Generate and check").click()
        expect(field).to_have_count(0)
        rows = dialog.get_by_role("listitem")
        expect(rows.filter(has_text="The same seed again")).to_be_visible(timeout=CHECK_MS)
        canvas.screenshot("check-running")
        save = dialog.get_by_role("button", name="Save the report")
        expect(save).to_be_visible(timeout=CHECK_MS)
        expect(rows).to_have_count(len(CHECKS))
        expect(dialog.locator("[data-outcome=differs]")).to_have_count(1)
        expect(dialog.get_by_role("status")).to_contain_text("Differs: 1.")
        canvas.screenshot("check-done")

        with canvas.page.expect_download() as download:
            save.click()
        file = tmp_path / "report.json"
        download.value.save_as(file)
        port = str(studio.port)
    report = file.read_text("utf-8")
    assert json.loads(report)["counts"]["differs"] == 1
    for private in (SECRET, "studio", "127.0.0.1", port, ".ckpt"):
        assert private not in report
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_closing_the_dialog_ends_the_check_and_it_can_be_read_in_a_light_theme(
    canvas: Canvas, tab: Locator
) -> None:
    canvas.page.evaluate(PALETTE.format("light"))
    try:
        with Simulator(step_delay=0.3) as slow:
            dialog = opened(canvas, add_server(tab, "slow", slow.address))
            dialog.get_by_role("button", name="Generate and check").click()
            row = dialog.get_by_role("listitem").filter(has_text="A picture from text")
            expect(row).to_be_visible(timeout=CHECK_MS)
            for words in row.locator("span").all():
                assert contrast(words) > 4
            canvas.screenshot("check-light")
            dialog.get_by_role("button", name="Stop").click()
            expect(dialog).to_have_count(0)

            # Another check of the same server may begin, and no picture runs before it.
            check = "() => call('/check', { server: { saved: 'slow' }, id: 'again' })"
            canvas.page.wait_for_function(
                f"""async folder => {{
                    const {{ call }} = await import(`/extensions/${{folder}}/lib/backend.mjs`)
                    return ({check})().then(answer => answer.rows.length > 0, () => false)
                }}""",
                arg=canvas.pack_folder,
            )
            assert len(slow.requests) < 5
    finally:
        canvas.page.evaluate(PALETTE.format("dark"))
