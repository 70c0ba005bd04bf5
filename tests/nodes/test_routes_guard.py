"""Who may ask our routes, by which name of this machine, and on whose threads they work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.nodes.host import compat
from drawthings.nodes.routes import MODULES, catalogs, guard, hosts, threads
from drawthings.nodes.servers import stored
from drawthings.nodes.servers.owner import here
from pages import FILE, asked, on_page, post

READS_ONLY = {
    "/catalog", "/convert", "/effects", "/export/configuration", "/import/configuration",
    "/import/picture", "/recommended", "/servers",
}  # fmt: skip
ALL_ROUTES = {route for module in MODULES for route in module.ROUTES}
REBOUND = {"Host": "rebound.example:8188"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    monkeypatch.delenv(hosts.ALLOWED_VARIABLE, raising=False)
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    return tmp_path


@pytest.fixture
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """The address of a server that takes connections and says nothing, and its connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", taken
        listening.shutdown(socket.SHUT_RDWR)
    for connection in taken:
        connection.close()


@pytest.mark.parametrize("route", sorted(ALL_ROUTES - READS_ONLY))
def test_what_changes_or_sends_wants_a_host_that_is_ours(route: str) -> None:
    given = {**REBOUND, **(FILE if route == "/upload" else {})}
    status, answer = asked(route, {}, given)
    assert (status, answer["code"]) == (403, "HostNotAllowed")
    assert "rebound.example" in answer["error"]
    assert hosts.ALLOWED_VARIABLE in answer["error"]
    assert answer["error_text"]["key"] == "host_not_allowed"


@pytest.mark.parametrize("route", sorted(READS_ONLY))
def test_what_only_reads_does_not_ask_for_the_host(route: str) -> None:
    assert asked(route, {}, REBOUND)[1].get("code") != "HostNotAllowed"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8188", "192.168.1.7", "[::1]:8188", "[fe80::1%eth0]:8188", "localhost",
        "LocalHost.:8188", "studio", "studio:8188", "studio.local:8188", "comfy.localhost",
    ],
)  # fmt: skip
def test_names_that_no_site_of_the_internet_can_have_are_ours(host: str) -> None:
    assert hosts.refusal(host) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "local.example:8188", "evil.local.example"],
)
def test_any_other_name_is_refused(host: str) -> None:
    assert hosts.refusal(host) is not None


def test_this_machines_own_name_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "Studio.Corp.Example")
    hosts._of_this_machine.cache_clear()
    assert hosts.refusal("studio.corp.example:8188") is None
    hosts._of_this_machine.cache_clear()


def test_the_user_allows_names_by_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hosts.ALLOWED_VARIABLE, "Comfy.Example.org:443, *.tail.net")
    allowed = ["comfy.example.org", "box.tail.net:8188", "a.b.tail.net."]
    refused = ["tail.net", "eviltail.net", "x.comfy.example.org", "comfy.example.org.evil.net"]
    assert [hosts.refusal(host) for host in allowed] == [None] * 3
    assert all(hosts.refusal(host) for host in refused)
    assert asked("/servers/default", {"name": ""}, {"Host": "box.tail.net"})[0] == 200


def test_forty_questions_to_a_silent_server_are_one_and_leave_comfyuis_threads_alone(
    silent: tuple[str, list[socket.socket]],
) -> None:
    address, connections = silent
    stored.save("mute", address, "automatic")
    jobs: list[Any] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, work: Any, /, *given: Any, **more: Any) -> Any:
            jobs.append(work)
            return super().submit(work, *given, **more)

    async def visit(client: Any) -> Any:
        asyncio.get_running_loop().set_default_executor(Counting(1))
        asking = {"server": {"saved": "mute"}}
        many = [asyncio.ensure_future(post(client, "/status", asking)) for _ in range(40)]
        listed = await post(client, "/servers", {})
        assert not any(one.done() for one in many)  # the list did not wait for them
        return listed, await asyncio.gather(*many)

    listed, answers = on_page(visit)

    assert [row["name"] for row in listed[1]["servers"]] == ["", "mute"]
    assert {(status, answer["code"]) for status, answer in answers} == {(200, "busy")}
    assert len(connections) == 1  # one question, and its handshake was tried once
    assert jobs == []


def test_a_status_ends_in_time_whatever_the_server_does(
    silent: tuple[str, list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.save("mute", silent[0], "plain text")
    monkeypatch.setattr(catalogs, "STATUS_TIMEOUT_S", 0.3)
    status, answer = asked("/status", {"server": {"saved": "mute"}})
    assert (status, answer["code"]) == (200, "busy")
    assert answer["sentence_text"]["key"] == "status_silent"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"name": NaN}', "body_no_number"),
        (b'{"name": -Infinity}', "body_no_number"),
        (b'{"name": 1e999}', "body_no_number"),
        (b'{"name": "\\ud800"}', "body_half_character"),
        (b'{"name": "\xed\xa0\x80"}', "body_no_json"),
        (b'{"name": "\xff"}', "body_no_json"),
        (b'{"name"', "body_no_json"),
        (b'{"a":' * 5000, "body_no_json"),
    ],
)
def test_a_body_that_json_cannot_be_is_one_sentence(body: bytes, key: str) -> None:
    status, answer = asked("/servers", body)
    assert status == 400
    assert answer["error_text"]["key"] == key


def test_whole_characters_of_two_halves_are_taken() -> None:
    status, answer = asked("/servers/default", json.dumps({"name": "\N{ARTIST PALETTE}"}).encode())
    assert (status, answer["code"]) == (400, "SettingsError")
    assert "no server" in answer["error"].lower()


def test_a_conversion_ends_when_its_browser_leaves() -> None:
    """Told by its own word, not by a clock: the work ends with Left, long before its end."""
    began, ended = threading.Event(), threading.Event()
    outcome: list[str] = []

    def endless(_body: Any, visit: Any) -> Any:
        began.set()
        try:
            while not ended.wait(0.01):
                visit.go_on()
        except BaseException as error:
            outcome.append(type(error).__name__)
            raise
        finally:
            ended.set()

    async def visit(_client: Any) -> None:
        app = web.Application()
        app.router.add_post("/long", guard.long_route(endless))
        async with TestServer(app) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"POST /long HTTP/1.1\r\nHost: localhost\r\n{guard.HEADER}: 1\r\n"
            writer.write(
                f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode()
            )
            await asyncio.to_thread(began.wait, 20)
            writer.close()
            assert await asyncio.to_thread(ended.wait, 20)
            del reader

    on_page(visit)
    assert outcome == ["Left"]


def test_what_waits_for_a_thread_never_begins_once_its_browser_has_gone() -> None:
    pool, hold, begun = ThreadPoolExecutor(1), threading.Event(), threading.Event()
    pool.submit(hold.wait, 20)

    class Gone:
        transport = None

    async def left() -> None:
        with pytest.raises(threads.Left):
            await threads.run_while_there(Gone(), pool, lambda _visit: begun.set())

    asyncio.run(left())
    hold.set()
    pool.shutdown(wait=True)
    assert not begun.is_set()
