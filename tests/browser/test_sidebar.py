"""The sidebar tab: a user stores servers there, with their secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from playwright.sync_api import Locator, expect

SECRET = "hush, little server"
DEADLINE_MS = 15_000


@pytest.fixture
def tab(canvas: Canvas) -> Iterator[Locator]:
    button = canvas.page.get_by_role("button", name="Draw Things: servers").first
    button.click()
    opened = canvas.page.locator(".dt-sidebar")
    expect(opened).to_be_visible()
    yield opened
    while opened.get_by_role("button", name="Remove", exact=True).count():
        remove(canvas, opened)
    button.click()


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


def test_a_server_with_a_secret_is_added_corrected_and_made_the_default(
    canvas: Canvas, tab: Locator
) -> None:
    with Simulator(secret=SECRET, tls=True) as studio:
        tab.get_by_role("button", name="Add a server").click()
        fill(tab, Name="studio", Address=studio.address, Shared_secret="a wrong one")
        row = tab.locator(".dt-server").filter(has_text="studio")
        expect(row).to_contain_text("wrong shared secret", timeout=DEADLINE_MS)
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


def test_an_impossible_address_is_refused_in_words(tab: Locator) -> None:
    tab.get_by_role("button", name="Add a server").click()
    fill(tab, Name="nowhere", Address="http://somewhere/else")
    expect(tab.get_by_role("alert")).to_contain_text("not a server address")
    tab.get_by_role("button", name="Cancel").click()
