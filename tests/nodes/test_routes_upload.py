"""Uploads through the routes: received, sent on, told by events, and nothing left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.dt_core.simulator import Simulator, receiving
from drawthings.nodes.host import compat
from drawthings.nodes.routes import PREFIX, uploads
from drawthings.nodes.routes.guard import HEADER
from drawthings.nodes.servers import stored
from drawthings.nodes.servers.lists import KnownLists
from drawthings.nodes.servers.owner import here
from pages import FILE, on_page, post

SECRET = "correct horse battery staple"
NAME = "my_style_lora_f16.ckpt"
CONTENT = bytes(range(256)) * 12_000  # three chunks, less than one write


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator(secret=SECRET) as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Simulator) -> Path:
    """A user folder of its own, with one stored server."""
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    monkeypatch.setattr(KnownLists, "refresh_in_background", lambda _self, _profile: None)
    stored.save("studio", server.address, "automatic", secret=SECRET)
    return tmp_path


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        compat, "send_event", lambda name, data: sent.append({"event": name, **data})
    )
    return sent


async def send(
    client: Any,
    content: Any = CONTENT,
    server: Any = {"saved": "studio"},  # noqa: B006 (never changed)
    headers: dict[str, str] | None = None,
    **query: str,
) -> tuple[int, Any]:
    given = urlencode({"name": NAME, "id": "u1", "server": json.dumps(server), **query})
    data = BytesIO(content) if isinstance(content, bytes) else content
    answer = await client.post(f"{PREFIX}/upload?{given}", data=data, headers=headers or FILE)
    return answer.status, await answer.json()


async def reached(events: list[dict[str, Any]], phase: str, *ids: str) -> None:
    """Wait until each of these uploads has come to a phase."""
    while not {event["id"] for event in events if event["phase"] == phase} >= {*ids}:
        await asyncio.sleep(0.01)


def uploaded(**changes: Any) -> tuple[int, Any]:
    answer: tuple[int, Any] = on_page(lambda client: send(client, **changes))
    return answer


def left_behind(folder: Path) -> list[Path]:
    return list((folder / "uploads").glob("*"))


def test_a_file_reaches_the_server_and_events_tell_how_far_it_is(
    server: Simulator, folder: Path, events: list[dict[str, Any]]
) -> None:
    status, answer = uploaded()

    assert status == 200, answer
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert answer == {"id": "u1", "name": NAME, "size": len(CONTENT), "sha256": digest}
    assert NAME in server.files()
    phases = list(dict.fromkeys(event["phase"] for event in events))
    assert phases == ["receiving", "sending", "hashing", "done"]
    assert {(e["event"], e["id"]) for e in events} == {("drawthingsnodes.upload", "u1")}
    assert (events[-1]["sent"], events[-1]["total"]) == (len(CONTENT), len(CONTENT))
    assert not left_behind(folder)
    assert SECRET not in json.dumps([answer, events])


def test_a_file_larger_than_one_write_arrives_whole(server: Simulator, folder: Path) -> None:
    content = CONTENT * 4
    assert len(content) > 2 * uploads.PIECE
    assert uploaded(content=content)[1]["sha256"] == hashlib.sha256(content).hexdigest()
    assert not left_behind(folder)


def test_overwriting_has_to_be_asked_for(folder: Path) -> None:
    async def visit(client: Any) -> list[tuple[int, Any]]:
        first = await send(client)
        second = await send(client, b"other")
        third = await send(client, b"other", overwrite="1")
        there = await post(
            client, "/files/exist", {"server": {"saved": "studio"}, "files": [NAME, "no.ckpt"]}
        )
        return [first, second, third, there]

    first, second, third, there = on_page(visit)
    assert first[0] == 200
    assert (second[0], second[1]["code"]) == (409, "Exists")
    assert third[1]["sha256"] == hashlib.sha256(b"other").hexdigest()
    assert there == (
        200,
        {
            "files": [
                {"name": NAME, "exists": True, "refused": ""},
                {"name": "no.ckpt", "exists": False, "refused": ""},
            ]
        },
    )
    assert not left_behind(folder)


def test_an_upload_is_cancelled_while_it_comes_in(
    server: Simulator, folder: Path, events: list[dict[str, Any]]
) -> None:
    async def visit(client: Any) -> Any:
        go_on = asyncio.Event()

        async def slow() -> Any:
            yield CONTENT * 2
            await go_on.wait()
            yield CONTENT

        sending = asyncio.create_task(send(client, slow()))
        await reached(events, "receiving", "u1")
        cancelled = await post(client, "/upload/cancel", {"id": "u1"})
        go_on.set()
        return cancelled, await sending, await post(client, "/upload/cancel", {"id": "u1"})

    cancelled, outcome, again = on_page(visit)
    assert cancelled == (200, {"cancelled": True})
    assert (outcome[0], outcome[1]["code"]) == (400, "Cancelled")
    assert again == (200, {"cancelled": False})
    assert events[-1]["phase"] == "failed"
    assert "cancelled" in events[-1]["sentence"]
    assert NAME not in server.files()
    assert not left_behind(folder)


def test_an_upload_is_cancelled_while_it_goes_out(
    server: Simulator, folder: Path, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is held up, so that the page is sure to be in time."""
    take = receiving.Upload.take

    def slow(self: Any, request: Any) -> Iterator[Any]:
        yield from take(self, request)
        server._stopping.wait(0.5)

    monkeypatch.setattr(receiving.Upload, "take", slow)

    async def visit(client: Any) -> Any:
        sending = asyncio.create_task(send(client))
        await reached(events, "sending", "u1")
        await post(client, "/upload/cancel", {"id": "u1"})
        return await sending

    status, answer = on_page(visit)
    assert (status, answer["code"]) == (400, "Cancelled")
    assert NAME not in server.files()
    assert not left_behind(folder)


@pytest.mark.parametrize("name", ["../evil.ckpt", "custom_lora.json", "x.safetensors", ""])
def test_a_name_that_no_model_file_has_is_refused_before_the_file_comes(
    name: str, folder: Path
) -> None:
    status, answer = uploaded(name=name)
    assert (status, answer["code"]) == (400, "RequestError")
    assert not left_behind(folder)


def test_only_known_servers_get_files(server: Simulator) -> None:
    stranger = {"address": server.address}
    status, answer = uploaded(server=stranger)
    assert (status, answer["code"]) == (403, "UnknownServer")
    asked = {"server": stranger, "files": [NAME]}
    status, answer = on_page(lambda client: post(client, "/files/exist", asked))
    assert (status, answer["code"]) == (403, "UnknownServer")
    assert NAME not in server.files()


def test_a_form_and_a_body_that_is_too_large_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {HEADER: "1", "Content-Type": "multipart/form-data; boundary=x"}
    assert uploaded(headers=form)[0] == 415
    monkeypatch.setattr(uploads, "SIZE_LIMIT", 1000)

    async def unannounced() -> Any:
        yield CONTENT

    assert uploaded()[0] == 413
    assert uploaded(content=unannounced())[0] == 413
    assert not left_behind(folder)


def test_a_full_disk_is_told_before_the_file_comes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SPARE", 1 << 60)
    status, answer = uploaded()
    assert status == 507
    assert "no room" in answer["error"]
    assert not left_behind(folder)


def test_a_wrong_secret_is_told_without_it(folder: Path, server: Simulator) -> None:
    stored.save("studio", server.address, "automatic", was="studio", secret="wrong-one")
    status, answer = uploaded(overwrite="1")
    assert (status, answer["code"]) == (400, "SecretRejected")
    assert "wrong-one" not in json.dumps(answer)
    assert not left_behind(folder)


@pytest.mark.parametrize("files", [None, "a.ckpt", [1], ["x"] * 1001])
def test_a_list_of_files_is_checked(files: Any) -> None:
    body = {"server": {"saved": "studio"}, "files": files}
    status, answer = on_page(lambda client: post(client, "/files/exist", body))
    assert status in (400, 413)
    assert answer["error"].startswith(("'files'", "At most"))


@pytest.mark.parametrize("second", [NAME, NAME.upper().replace(".CKPT", ".ckpt")])
def test_of_two_uploads_of_one_name_the_second_is_refused_even_if_it_may_overwrite(
    second: str, server: Simulator, folder: Path, events: list[dict[str, Any]]
) -> None:
    async def visit(client: Any) -> Any:
        go_on = asyncio.Event()

        async def slow() -> Any:
            yield CONTENT * 2
            await go_on.wait()

        first = asyncio.create_task(send(client, slow()))
        await reached(events, "receiving", "u1")
        refused = await send(client, b"other", name=second, id="u2", overwrite="1")
        other = await send(client, b"another", name="other.ckpt", id="u3")
        go_on.set()
        return refused, other, await first

    refused, other, first = on_page(visit)
    assert (refused[0], refused[1]["code"]) == (409, "Exists")
    assert refused[1]["error_text"]["key"] == "upload_same_file"
    assert (other[0], first[0]) == (200, 200)
    assert first[1]["sha256"] == hashlib.sha256(CONTENT * 2).hexdigest()
    assert not left_behind(folder)


def test_a_cancelled_upload_frees_its_place_at_once_though_its_browser_sends_nothing(
    folder: Path, events: list[dict[str, Any]]
) -> None:
    async def visit(client: Any) -> Any:
        never = asyncio.Event()

        async def stuck() -> Any:
            yield CONTENT * 2
            await never.wait()

        stuck_ones = [
            asyncio.create_task(send(client, stuck(), name=f"{place}.ckpt", id=place))
            for place in ("a", "b")
        ]
        await reached(events, "receiving", "a", "b")
        full = await send(client, id="c")
        await post(client, "/upload/cancel", {"id": "a"})
        free = await send(client, id="a")  # even of that very id
        await post(client, "/upload/cancel", {"id": "b"})
        ends = [await asyncio.wait_for(one, 20) for one in stuck_ones]
        return full, free, ends

    full, free, ends = on_page(visit)
    assert (full[0], full[1]["error_text"]["key"]) == (429, "uploads_at_once")
    assert free[0] == 200
    assert [(status, answer["code"]) for status, answer in ends] == [(400, "Cancelled")] * 2
    with here().transfers.changed() as under_way:
        assert not under_way
    assert not left_behind(folder)


@pytest.mark.parametrize("name", ["my\u202elora.ckpt", "zero\u200bwidth.ckpt", "tab\tin.ckpt"])
def test_a_name_that_no_catalogue_lists_is_refused_before_the_file_comes(
    name: str, server: Simulator, folder: Path
) -> None:
    status, answer = uploaded(name=name)
    assert (status, answer["code"]) == (400, "RequestError")
    assert server.files().isdisjoint({name})
    assert not (folder / "uploads").exists()


def test_an_empty_file_is_named_as_the_user_named_it(server: Simulator, folder: Path) -> None:
    async def nothing() -> Any:
        return
        yield b""

    for content in (b"", nothing()):
        status, answer = uploaded(content=content)
        assert status == 400
        assert answer["error_text"]["values"] == {"name": NAME}
        assert ".part" not in answer["error"]
    assert NAME not in server.files()


def test_a_folder_that_cannot_be_written_is_one_sentence(folder: Path) -> None:
    (folder / "uploads").write_text("no folder", "utf-8")
    status, answer = uploaded()
    assert (status, answer["error_text"]["key"]) == (507, "upload_not_kept")
