"""Real front ends in headless Chromium, each before a real ComfyUI and one simulator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from canvas import FACES, Canvas, Face
from drawthings.dt_core.simulator import Simulator
from front_ends import ARTIFACTS, Servers
from playwright.sync_api import Browser, Locator, sync_playwright
from sidebar import close_tab, open_tab, remove, search

INSTALL_TIMEOUT_S = 900
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PLACES = (
    "/usr/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NO_BROWSER = "Chromium or Chrome is not installed: install it, or set CHROMIUM to it"
COMMANDS = ("chromium", "google-chrome", "chromium-browser", "chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        if find_chromium() is None:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))
        else:  # the first test may have to install ComfyUI
            item.add_marker(pytest.mark.timeout(INSTALL_TIMEOUT_S))
            # A front end on two busy cores may miss a click; the report names what ran twice.
            item.add_marker(pytest.mark.flaky(reruns=1))


@cache
def find_chromium() -> str | None:
    """The browser: CHROMIUM, a usual place, or a usual command; None where there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for place in PLACES:
        if Path(place).is_file():
            return place
    return next(filter(None, map(shutil.which, COMMANDS)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator(step_delay=0.1) as running:
        yield running


@pytest.fixture(scope="session")
def servers(simulator: Simulator) -> Iterator[Servers]:
    started = Servers(simulator.address)
    yield started
    started.stop()


@pytest.fixture(scope="session", params=FACES, ids=lambda face: face.name)
def page_of_face(
    request: pytest.FixtureRequest, browser: Browser, servers: Servers
) -> Iterator[Canvas]:
    """An open ComfyUI page; all tests of one face share it, as opening takes seconds."""
    face: Face = request.param
    comfyui = servers.with_front_end(face.version)
    with browser.new_context(viewport={"width": 1600, "height": 1000}) as context:
        opened = Canvas(context.new_page(), face, comfyui, ARTIFACTS)
        opened.open()
        yield opened


@pytest.fixture
def canvas(page_of_face: Canvas) -> Iterator[Canvas]:
    """The page, emptied; afterwards it must not have complained about us."""
    page_of_face.clear()
    page_of_face.forget_complaints()
    yield page_of_face
    assert page_of_face.page_errors == []
    assert page_of_face.complaints_about_us() == []


@pytest.fixture
def tab(canvas: Canvas) -> Iterator[Locator]:
    """The open tab of the sidebar; stored servers and lines of uploads are removed afterwards."""
    opened = open_tab(canvas)
    yield opened
    search(opened, "")
    for dismiss in opened.get_by_role("button", name="Remove from the list").all()[::-1]:
        dismiss.click()
    while opened.get_by_role("button", name="Remove", exact=True).count():
        remove(canvas, opened)
    close_tab(canvas)
