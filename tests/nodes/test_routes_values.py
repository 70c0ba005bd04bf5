"""Values that ended in a traceback or leaked further: each is one sentence, or is left out."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE, ServerProfile, TlsMode
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.running.reporting import Problem
from drawthings.nodes.server import DTServer
from drawthings.nodes.servers import lists, stored
from drawthings.nodes.servers.owner import here
from pages import asked


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setattr(compat, "user_folder", lambda: folder)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    return folder


def written(folder: Path, *rows: Any) -> None:
    (folder / "servers.json").write_text(json.dumps({"servers": rows}), "utf-8")


def by_node(**given: Any) -> Any:
    defaults = {"address": "127.0.0.1:1", "tls": "automatic"}
    return DTServer.execute(**{**defaults, **given}).args[0]


def test_a_tls_word_that_is_none_is_told_with_the_choices_wherever_it_stands(folder: Path) -> None:
    choices = [mode.value for mode in TlsMode]
    for body in (
        {"name": "x", "address": "a", "tls": "ssl"},
        {"server": {"address": "127.0.0.1:1", "tls": "ssl"}},
    ):
        route = "/servers/save" if "name" in body else "/catalog"
        status, answer = asked(route, body)
        assert status == 400
        assert all(choice in answer["error"] for choice in choices)
    with pytest.raises(Problem) as caught:
        by_node(tls="ssl")
    assert all(choice in str(caught.value) for choice in choices)
    written(folder, {"name": "x", "address": "a", "tls": "ssl"})
    status, answer = asked("/servers", {})
    assert status == 400
    assert "servers.json" in answer["error"]
    assert all(choice in answer["error"] for choice in choices)


@pytest.mark.parametrize(
    "row", [1, {}, {"name": 1, "address": "a"}, {"name": "x", "address": "a", "secret_name": 7}]
)
def test_an_entry_that_is_none_is_told_with_its_file(row: Any, folder: Path) -> None:
    written(folder, row)
    status, answer = asked("/servers", {})
    assert status == 400
    assert "servers.json" in answer["error"]


def test_a_damaged_list_stops_no_refresh_of_the_servers_in_use(folder: Path) -> None:
    with Simulator() as server:
        here().clients.client(ServerProfile(server.address))
        (folder / "servers.json").write_text("{", "utf-8")
        status, answer = asked("/refresh", {})
    assert status == 200
    assert sorted(row["ok"] for row in answer["servers"]) == [False, True]
    assert any("servers.json" in row["sentence"] for row in answer["servers"])


@pytest.mark.parametrize("make", ["device", "folder", "large", "missing", "nobody", "nul", "text"])
def test_an_authority_is_read_from_a_small_regular_file_only(make: str, folder: Path) -> None:
    path = folder / "authority.pem"
    if make == "folder":
        path.mkdir()
    elif make == "large":
        path.write_bytes(b"-----BEGIN CERTIFICATE-----" + bytes(1 << 20))
    elif make == "text":
        path.write_text("no certificate", "utf-8")
    name = {"device": os.devnull, "nobody": "~nobody_of_that_name/a.pem", "nul": "a\0b"}.get(make)
    with Simulator(tls=True) as server:
        stored.save("s", server.address, TlsMode.AUTHORITY.value, "", name or str(path))
        status, answer = asked("/status", {"server": {"saved": "s"}})
    assert (status, answer["code"]) == (200, "certificate")
    assert "file" in answer["sentence"]


def test_a_graph_names_no_authority_but_one_of_the_users(folder: Path) -> None:
    elsewhere = folder.parent / "else.pem"
    elsewhere.write_text("private words", "utf-8")
    authority = TlsMode.AUTHORITY.value
    with pytest.raises(Problem) as caught:
        by_node(tls=authority, ca_file=str(elsewhere))
    assert "else.pem" in str(caught.value)
    assert str(folder.parent) not in str(caught.value)
    with pytest.raises(Problem):  # out of our folder again
        by_node(tls=authority, ca_file=str(folder / ".." / "else.pem"))

    assert by_node(tls=authority, ca_file=str(folder / "mine.pem")).tls is TlsMode.AUTHORITY
    stored.save("s", "127.0.0.1:1", authority, "", str(elsewhere))
    assert by_node(tls=authority, ca_file=str(elsewhere)).ca_file == str(elsewhere)


def test_a_removed_server_stays_removed_though_its_answer_comes_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator() as server:
        stored.save("s", server.address, "automatic")
        profile = stored.named("s")
        learn, hold, asking = lists.KnownLists.learn, threading.Event(), threading.Event()

        def late(self: Any, *given: Any) -> None:
            asking.set()
            assert hold.wait(20)
            learn(self, *given)

        monkeypatch.setattr(lists.KnownLists, "learn", late)
        thread = threading.Thread(
            target=here().lists.refresh, args=(profile, here().lists.ticket(profile))
        )
        thread.start()
        assert asking.wait(20)
        assert asked("/servers/remove", {"name": "s"})[0] == 200
        hold.set()
        thread.join(20)
        assert here().lists.known(profile) is None
        assert profile not in here().clients.profiles()
        assert not list(folder.glob("catalogs/*.json"))


def test_a_removed_server_is_not_in_use_again_by_a_refresh_that_began_before(folder: Path) -> None:
    with Simulator() as server:
        stored.save("s", server.address, "automatic")
        profile = stored.named("s")
        ticket = here().lists.ticket(profile)
        asked("/servers/remove", {"name": "s"})
        here().lists.refresh(profile, ticket)
        assert profile not in here().clients.profiles()
        assert here().lists.known(profile) is None


@pytest.mark.parametrize("asked_at", [time.time() + 1e6, "1e999", float("nan")])
def test_a_catalogue_of_the_future_counts_as_stale(asked_at: Any, folder: Path) -> None:
    profile = stored.default_profile()
    here().lists.learn(profile, Catalog(greeting="hello"))
    (path,) = folder.glob("catalogs/*.json")
    data = {**json.loads(path.read_text("utf-8")), "asked_at": asked_at}
    here().lists.forget(profile)
    path.write_text(json.dumps(data), "utf-8")
    known = here().lists.known(profile)
    assert known is not None
    ahead = time.time() + 1e6
    os.utime(path, (ahead, ahead))
    here().lists._known.clear()
    known = here().lists.known(profile)
    assert known is not None
    assert not known.is_fresh
    answer = asked("/catalog", {"server": None})[1]
    assert answer["stale"]


IMPOSSIBLE = (-5, 0, 0.3, 1, 129, 1e300, 10**400, float("inf"), float("nan"), "16", True, None)


@pytest.mark.parametrize("number", IMPOSSIBLE)
def test_an_impossible_number_of_a_catalogue_is_left_out(number: Any, folder: Path) -> None:
    model = {
        "file": "z_image_own_f16.ckpt", "name": "Own", "version": "z_image",
        "default_scale": number, "frames_per_second": number,
    }  # fmt: skip
    lora = {"file": "l.ckpt", "version": "z_image", "weight": {"value": number}}
    upscaler = {"file": "u.ckpt", "scale_factor": number}
    catalog = Catalog.from_json(
        {"models": [model], "loras": [lora], "upscalers": [upscaler], "browsable": True}
    )
    here().lists.learn(stored.default_profile(), catalog)
    body = {"server": None, "model": "z_image_own_f16.ckpt", "loras": ["l.ckpt"]}
    status, answer = asked("/recommended", body)
    assert status == 200, answer
    assert 64 <= answer["values"]["start_width"] <= 8192
    status, answer = asked("/catalog", {"server": None})
    assert status == 200
    assert 1 <= answer["upscalers"][0]["scale_factor"] <= 16
