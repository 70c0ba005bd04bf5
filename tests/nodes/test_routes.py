"""The HTTP routes as a page, a foreign page and a script would use them."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.connection import discovery
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.routes import MODULES
from drawthings.nodes.routes.guard import HEADER
from drawthings.nodes.servers import kept, owner
from drawthings.nodes.servers.owner import here
from pages import asked

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user folder of its own, and no server on the default port."""
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    return tmp_path


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(secret=SECRET, tls=True) as running:
        yield running


def stored(simulator: Simulator, secret: str | None = SECRET) -> Any:
    status, answer = asked(
        "/servers/save",
        {"name": "studio", "address": simulator.address, "tls": "automatic", "secret": secret},
    )
    assert status == 200, answer
    return answer


ALL_ROUTES = sorted(route for module in MODULES for route in module.ROUTES)


@pytest.mark.parametrize("route", ALL_ROUTES)
def test_a_page_without_our_header_gets_nothing(route: str) -> None:
    status, answer = asked(route, {}, {HEADER: None})
    assert status == 403
    assert HEADER in answer["error"]
    assert answer["error_text"] == {
        "key": "header_missing", "values": {"header": HEADER}, "text": answer["error"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'"' + b"x" * (8 << 20) + b'"', "application/json", 413),
    ],
)
def test_what_is_no_json_object_is_refused_in_words(
    body: bytes, content_type: str, status: int
) -> None:
    given, answer = asked("/servers", body, {"Content-Type": content_type})
    assert given == status
    assert answer["error"].endswith(".")


def test_a_stored_server_is_listed_with_its_secret_only_told_to_be_there(
    simulator: Simulator, folder: Path
) -> None:
    answer = stored(simulator)

    assert [row["name"] for row in answer["servers"]] == ["", "studio"]
    assert answer["servers"][1]["secret"] == "stored"
    assert SECRET not in json.dumps(answer)
    assert SECRET not in (folder / "servers.json").read_text("utf-8")
    assert (folder / "secrets.json").stat().st_mode & 0o077 == 0


def test_renaming_keeps_the_secret_and_the_default_and_removing_forgets_both(
    simulator: Simulator, folder: Path
) -> None:
    stored(simulator)
    asked("/servers/default", {"name": "studio"})
    _, renamed = asked(
        "/servers/save", {"name": "attic", "was": "studio", "address": simulator.address}
    )
    assert [(row["name"], row["secret"], row["default"]) for row in renamed["servers"]] == [
        ("", "none", False),
        ("attic", "stored", True),
    ]
    assert asked("/status", {"server": None})[1]["code"] == "connected"

    _, removed = asked("/servers/remove", {"name": "attic"})
    assert [(row["name"], row["default"]) for row in removed["servers"]] == [("", True)]
    assert json.loads((folder / "secrets.json").read_text("utf-8")) == {}


def test_a_taken_name_and_an_impossible_address_are_refused(simulator: Simulator) -> None:
    stored(simulator)
    status, answer = asked("/servers/save", {"name": "studio", "address": "elsewhere"})
    assert (status, answer["code"]) == (400, "SettingsError")
    status, answer = asked("/servers/save", {"name": "x", "address": "http://a/b"})
    assert status == 400
    assert "not a server address" in answer["error"]


def test_a_damaged_list_of_servers_is_told_in_words(folder: Path) -> None:
    (folder / "servers.json").write_text("{", "utf-8")
    status, answer = asked("/servers", {})
    assert status == 400
    assert "servers.json" in answer["error"]


@pytest.mark.parametrize("route", ["/catalog", "/status"])
def test_an_address_that_only_the_request_names_is_not_asked(
    route: str, simulator: Simulator
) -> None:
    status, answer = asked(route, {"server": {"address": simulator.address}})
    assert (status, answer["code"]) in {(403, "UnknownServer"), (200, "unknown_server")}
    assert not here().clients.profiles()


def test_status_tells_each_state_apart(simulator: Simulator, folder: Path) -> None:
    stored(simulator)
    good = asked("/status", {"server": {"saved": "studio"}})[1]
    assert good["code"] == "connected"
    assert good["tls"] == "own"  # the simulator's, on this machine
    assert good["latency_ms"] > 0
    assert good["models"] > 50

    stored_again = {"name": "studio", "was": "studio", "address": simulator.address}
    asked("/servers/save", {**stored_again, "secret": "wrong"})
    assert asked("/status", {"server": {"saved": "studio"}})[1]["code"] == "wrong_secret"

    (folder / "secrets.json").write_text("{}", "utf-8")
    assert asked("/status", {"server": {"saved": "studio"}})[1]["code"] == "secret_not_stored"

    assert asked("/status", {"server": None})[1]["code"] == "unreachable"


def test_status_tells_a_tls_mismatch_both_ways_and_a_foreign_certificate() -> None:
    def state(simulator: Simulator, tls: str, fingerprint: str = "") -> str:
        asked("/servers/remove", {"name": "s"})
        asked(
            "/servers/save",
            {"name": "s", "address": simulator.address, "tls": tls, "fingerprint": fingerprint},
        )
        code: str = asked("/status", {"server": {"saved": "s"}})[1]["code"]
        return code

    with Simulator() as plain:
        assert state(plain, "TLS") == "tls_mismatch"
        assert state(plain, "automatic") == "connected"
    with Simulator(tls=True) as encrypted:
        assert state(encrypted, "plain text") == "tls_mismatch"
        assert state(encrypted, "TLS", "0" * 64) == "certificate_changed"
    with Simulator(model_browser=False) as shy:
        assert state(shy, "automatic") == "browsing_off"


def test_a_changed_certificate_tells_both_and_is_accepted_by_its_fingerprint_only() -> None:
    with Simulator(tls=True) as simulator:
        # Not a loopback address, yet this machine: its own simulator is no exception there.
        address = f"0.0.0.0:{simulator.port}"
        kept.known_servers().remember(address, "ab" * 32)
        asked("/servers/save", {"name": "s", "address": address, "tls": "TLS"})
        server = {"server": {"saved": "s"}}
        status, answer = asked("/status", server)
        assert (status, answer["code"]) == (200, "certificate_changed")
        assert answer["expected"] == "ab" * 32
        presented = answer["presented"]

        assert asked("/servers/accept", {**server, "fingerprint": "cd" * 32})[0] == 400
        assert asked("/status", server)[1]["code"] == "certificate_changed"
        assert asked("/servers/accept", {**server, "fingerprint": presented})[0] == 200
        found = asked("/status", server)[1]
        assert (found["code"], found["tls"]) == ("connected", "own")

        elsewhere = {"server": {"address": "192.0.2.1"}, "fingerprint": presented}
        assert asked("/servers/accept", elsewhere)[0] == 403


def test_the_catalogue_names_files_names_and_families(simulator: Simulator) -> None:
    stored(simulator)
    asked("/status", {"server": {"saved": "studio"}})
    _, answer = asked("/catalog", {"server": {"saved": "studio"}})

    assert answer["known"]
    assert not answer["stale"]
    model = next(row for row in answer["models"] if "z_image" in row["file"])
    assert model["name"]
    assert model["family_name"] == "Z Image"
    assert model["installed"]
    assert {"default_weight", "lower_weight"} <= answer["loras"][0].keys()


def test_a_server_that_is_away_keeps_its_list_over_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Simulator() as simulator:
        server = {"name": "s", "address": simulator.address}
        asked("/servers/save", server)
        asked("/status", {"server": {"saved": "s"}})
    owner.restart()

    _, answer = asked("/catalog", {"server": {"saved": "s"}})

    assert answer["known"]
    assert len(answer["models"]) > 50
    assert answer["models"][0]["file"] in here().lists.current().models


def announcement(name: str, port: int) -> bytes:
    """As Linux servers make it: it announces more records than it holds."""

    def record(owner: bytes, kind: int, data: bytes) -> bytes:
        return owner + struct.pack(">HHIH", kind, 1, 120, len(data)) + data

    service = b"\x08_dt-grpc\x04_tcp\x05local\x00"
    instance = bytes([len(name.encode())]) + name.encode() + service
    place = struct.pack(">3H", 0, 0, port) + b"\x03box\x05local\x00"
    header = struct.pack(">6H", 0, 0x8400, 0, 4, 0, 6)
    return header + record(service, 12, instance) + record(instance, 33, place)


def test_servers_that_announce_themselves_are_offered_unless_they_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def listen() -> socket.socket:
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard.bind(("127.0.0.1", 0))
        for name, port in (("listed_tls", 7001), ("the\u202ebox_notls", 7002)):
            heard.sendto(announcement(name, port), heard.getsockname())
        return heard

    monkeypatch.setattr(discovery, "_multicast", listen)
    asked("/servers/save", {"name": "known", "address": "127.0.0.1:7001"})

    status, answer = asked("/servers/discover", {"seconds": 0.2})

    assert status == 200
    assert answer["found"] == [{"name": "the box", "address": "127.0.0.1:7002", "tls": "automatic"}]


@pytest.mark.parametrize("seconds", [0, -1, 11, "3", None])
def test_the_network_is_listened_to_for_a_bounded_time(seconds: Any) -> None:
    status, answer = asked("/servers/discover", {"seconds": seconds})
    assert status == 400
    assert "seconds" in answer["error"]


def test_a_network_that_cannot_be_listened_to_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> socket.socket:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(discovery, "_multicast", refuse)
    status, answer = asked("/servers/discover", {"seconds": 0.1})
    assert status == 400
    assert "Type the server's address into DT Server" in answer["error"]


def test_pictures_of_examples_are_copied_once_and_only_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    monkeypatch.setattr(compat, "input_folder", lambda: folder)
    (folder / "portrait.png").write_bytes(b"the user's own")
    names = ["dusk_lake.png", "portrait.png", "../routes/guard.py", "/etc/hosts", "none.png", 7]

    assert asked("/examples/pictures", {"names": names}) == (200, {"copied": ["dusk_lake.png"]})
    assert {path.name for path in folder.iterdir()} == {"dusk_lake.png", "portrait.png"}
    assert (folder / "portrait.png").read_bytes() == b"the user's own"
    assert (folder / "dusk_lake.png").read_bytes().startswith(b"\x89PNG")
    assert asked("/examples/pictures", {"names": names}) == (200, {"copied": []})


@pytest.mark.parametrize("names", [None, "dusk_lake.png", ["a.png"] * 101])
def test_what_is_no_short_list_of_pictures_is_refused(names: Any) -> None:
    status, answer = asked("/examples/pictures", {"names": names})

    assert (status, answer["code"]) == (400, "Refused")
    assert "'names' must be a list" in answer["error"]
