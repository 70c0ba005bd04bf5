"""How a server is: each state has its words, its colour and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.child import free_port
from playwright.sync_api import expect

GOOD, FAIR, BAD = "rgb(63, 183, 104)", "rgb(217, 162, 51)", "rgb(224, 88, 79)"
SECRET = "hush, little server"
DEADLINE_MS = 15_000
STOPS_MS = 20_000  # until a connection that nobody takes is given up

# By the name of the server: what its line says, its colour, what to do, what the tooltip says.
EXPECTED = {
    "good": ("connected · good", GOOD, "", "84 models, 48 LoRAs, 39 ControlNets"),
    "wrong": ("wrong shared secret", BAD, "Enter the server's shared secret again", "is wrong"),
    "without": ("wrong shared secret", BAD, "Enter the server's shared secret", "none is given"),
    "plain": ("TLS does not match", BAD, 'Choose "automatic" as TLS mode', "does not speak TLS"),
    "encrypted": ("TLS does not match", BAD, 'Choose "automatic" as TLS mode', "speaks TLS, and"),
    "closed": (
        "does not list its models",
        FAIR,
        "Switch model browsing on",
        "Nothing is encrypted",
    ),
    "gone": ("not reachable", BAD, "Start the server", "nothing listens there"),
}


@pytest.fixture
def stored(canvas: Canvas) -> Iterator[None]:
    """A server in each state, stored by its name."""
    with (
        Simulator() as open_one,
        Simulator(tls=True, secret=SECRET) as locked,
        Simulator(model_browser=False) as closed,
    ):
        gone = f"127.0.0.1:{free_port()}"
        rows = (
            ("good", locked.address, "automatic", SECRET),
            ("wrong", locked.address, "automatic", "another one"),
            ("without", locked.address, "automatic", None),
            ("plain", open_one.address, "TLS", None),
            ("encrypted", locked.address, "plain text", None),
            ("closed", closed.address, "automatic", None),
            ("gone", gone, "automatic", None),
        )
        for name, address, tls, secret in rows:
            row = {"name": name, "address": address, "tls": tls, "secret": secret}
            canvas.call("/servers/save", row)
        yield
        for name, *_ in rows:
            canvas.call("/servers/remove", {"name": name})


def test_every_state_of_a_server_has_its_words_and_what_to_do(canvas: Canvas, stored: None) -> None:
    places = {name: (number % 4, number // 4) for number, name in enumerate(EXPECTED)}
    canvas.build(
        {
            name: ["DTServer", 40 + x * 360, 60 + y * 420, {"saved_server": name}]
            for name, (x, y) in places.items()
        },
        [],
    )
    canvas.show_all()
    sections = canvas.page.locator(".dt-section-status")
    expect(sections).to_have_count(len(EXPECTED))

    for place, (line, color, fix, detail) in enumerate(EXPECTED.values()):
        section = sections.nth(place)
        expect(section).to_contain_text(line, timeout=STOPS_MS)
        expect(section.locator(".dt-dot")).to_have_css("color", color)
        expect(section).to_contain_text(fix)
        assert detail in (section.locator(".dt-line").first.get_attribute("title") or "")
    canvas.screenshot("states")
    assert SECRET not in canvas.page.content()


# What a certificate proves; stock servers present one whose key is public.
TRUST = {
    "none": ("plain text", "can be read on the network"),
    "stock": ("public stock certificate", "does not prove who the server is"),
    "pinned": ("pinned certificate", "this is your server"),
    "own": ("own certificate", "the same as when it was first seen"),
    "system": ("system certificate", "that this system trusts"),
    "authority": ("own authority", "Your own certificate authority"),
}


def test_every_kind_of_trust_in_a_certificate_is_told_in_words(canvas: Canvas) -> None:
    for kind, (line, meaning) in TRUST.items():
        told = canvas.page.evaluate(
            """async ([folder, tls]) => {
                const words = await import(`/extensions/${folder}/lib/status_words.mjs`)
                const status = { code: 'connected', sentence: '', name: 'attic', address: 'attic:1',
                    latency_ms: 12.4, tls, models: 3, loras: 2, controls: 1 }
                return [words.lineOf(status), words.detailsOf(status), words.fixOf(status)]
            }""",
            [canvas.pack_folder, kind],
        )
        assert told[0].startswith("connected · attic · 12 ms · ")
        assert line in told[0]
        assert meaning in told[1]
        assert told[2] == ""
