"""Whatever any JSON is sent to any route: a sentence or an answer, and never a fault of ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from any_json import NEARLY, bodies, values, written
from drawthings.dt_core.connection import discovery
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.nodes.host import compat
from drawthings.nodes.routes import MODULES
from drawthings.nodes.servers import stored
from drawthings.nodes.servers.owner import here
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pages import FILE, asked

ROUTES = sorted(route for module in MODULES for route in module.ROUTES)
EXAMPLES = int(os.environ.get("DRAWTHINGS_FUZZ_EXAMPLES", "25"))
_SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network in which no name leads anywhere, and nothing is asked in the background."""

    def nowhere(*_given: Any, **_more: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path / "user")
    monkeypatch.setattr(compat, "input_folder", lambda: tmp_path / "input")
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    monkeypatch.setattr(discovery, "_multicast", nowhere)
    monkeypatch.setattr(socket, "getaddrinfo", _only_here(socket.getaddrinfo))
    return tmp_path


def _only_here(look_up: Any) -> Any:
    def found(host: Any, *given: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", None):
            raise socket.gaierror(socket.EAI_NONAME, "no network")
        return look_up(host, *given, **more)

    return found


def fresh(folder: Path) -> None:
    shutil.rmtree(folder / "user", ignore_errors=True)
    for profile in here().clients.profiles():
        here().clients.forget(profile)
    stored.save("studio", "127.0.0.1:1", "plain text")


def assert_in_words(status: int, answer: Any) -> None:
    assert status < 500, answer
    if status >= 400:
        assert answer["error"].strip()
        assert answer["error_text"]["text"] == answer["error"]
        assert "Traceback" not in answer["error"]


@pytest.mark.parametrize("route", ROUTES)
@_SETTINGS
@given(body=bodies)
def test_any_json_is_answered_or_refused_in_words(route: str, folder: Path, body: Any) -> None:
    fresh(folder)
    assert_in_words(*asked(route, written(body)))


@_SETTINGS
@given(query=st.dictionaries(st.sampled_from(["name", "id", "server", "overwrite"]), st.one_of(
    st.sampled_from([one for one in NEARLY if isinstance(one, str) and one.isprintable()]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    values.map(lambda value: written(value).decode()[:500]),  # aiohttp takes lines of 8 KiB
)), content=st.binary(max_size=40))  # fmt: skip
def test_any_upload_is_taken_or_refused_in_words(
    folder: Path, query: dict[str, str], content: bytes
) -> None:
    fresh(folder)
    assert_in_words(*asked(f"/upload?{urlencode(query)}", content, FILE))
    assert not list((folder / "user").glob("uploads/*"))


@_SETTINGS
@given(content=st.binary(max_size=200))
@example(content=b"\x89PNG\r\n\x1a\n")
def test_any_bytes_are_a_picture_or_refused_in_words(content: bytes) -> None:
    assert_in_words(*asked("/import/picture", content, FILE))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("text", ["{", "[" * 3000, '{"servers": 1}', '{"servers": [1]}', "null"])
def test_damaged_files_of_ours_are_told_in_words(route: str, text: str, folder: Path) -> None:
    for name in ("servers.json", "secrets.json", "known_servers.json"):
        (folder / "user").mkdir(exist_ok=True)
        (folder / "user" / name).write_text(text, "utf-8")
    body = {"name": "x", "address": "127.0.0.1:1", "secret": "s", "server": {"saved": "studio"}}
    given = FILE if route == "/upload" else None
    assert_in_words(*asked(route, body, given))


@pytest.mark.parametrize("route", ROUTES)
def test_a_user_folder_that_cannot_be_written_is_told_in_words(route: str, folder: Path) -> None:
    (folder / "user").write_text("a file stands where the folder should", "utf-8")
    body = {"name": "x", "address": "127.0.0.1:1", "secret": "s"}
    given = FILE if route == "/upload" else None
    with contextlib.suppress(OSError):
        assert_in_words(*asked(f"{route}?name=a.ckpt", body, given))
