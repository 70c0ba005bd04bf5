"""What is kept of servers: as long as they are on the list, and never without bound."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE, ServerProfile
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.routes import guard, permitted
from drawthings.nodes.routes import servers as routes
from drawthings.nodes.servers import lists, owner
from drawthings.nodes.servers import stored as servers
from drawthings.nodes.servers.lists import KnownLists
from drawthings.nodes.servers.owner import here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    monkeypatch.setattr(KnownLists, "refresh_in_background", lambda _self, _profile: None)
    return tmp_path


@pytest.fixture
def studio() -> Iterator[ServerProfile]:
    """A stored server that nodes have used and that has told what it has."""
    with Simulator() as running:
        servers.save("studio", running.address, "automatic")
        profile = servers.named("studio")
        assert here().lists.refresh(profile)[0]
        yield profile


def catalogs(folder: Path) -> set[Path]:
    return set((folder / "catalogs").glob("*.json"))


def may_be_asked(profile: ServerProfile) -> bool:
    try:
        permitted.profile_of({"server": {"address": profile.address}})
    except guard.UnknownServer:
        return False
    return True


def test_a_removed_server_is_not_asked_any_more_and_its_list_is_gone(
    studio: ServerProfile, folder: Path
) -> None:
    assert may_be_asked(studio)
    assert catalogs(folder)

    routes.remove({"name": "studio"})

    assert not may_be_asked(studio)
    assert here().lists.known(studio) is None
    assert not catalogs(folder)


def test_a_server_that_moved_is_not_asked_at_its_old_address(studio: ServerProfile) -> None:
    routes.save({"name": "studio", "was": "studio", "address": "elsewhere.local"})
    assert not may_be_asked(studio)
    assert may_be_asked(servers.named("studio"))


def test_a_removed_server_that_another_name_still_has_stays(studio: ServerProfile) -> None:
    servers.save("again", studio.address, "automatic")
    routes.remove({"name": "studio"})
    assert may_be_asked(studio)
    assert here().lists.known(studio)


def test_only_the_newest_lists_stay_on_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "FILES_LIMIT", 3)
    profiles = [ServerProfile(f"server{number}.local") for number in range(5)]
    draft = folder / "catalogs" / "dead.1.new"
    for age, profile in enumerate(reversed(profiles[:-1])):
        here().lists.learn(profile, Catalog(greeting=profile.address))
        stored = lists._place(profile)
        if stored.exists():
            then = time.time() - 1000 * (age + 1)
            os.utime(stored, (then, then))
    draft.write_text("{")
    os.utime(draft, (0, 0))

    here().lists.learn(profiles[-1], Catalog(greeting="new"))

    assert catalogs(folder) == {lists._place(profile) for profile in profiles[-3:]}
    assert not draft.exists()


def test_the_same_answer_makes_a_list_young_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = ServerProfile("server.local")
    here().lists.learn(profile, Catalog(greeting="hello"))
    [path] = catalogs(folder)
    os.utime(path, (0, 0))

    here().lists.learn(profile, Catalog(greeting="hello"))

    owner.restart()
    found = here().lists.known(profile)
    assert found is not None
    assert found.is_fresh
    assert path.stat().st_mtime > time.time() - 60


def test_a_list_that_cannot_be_kept_is_known_all_the_same_and_that_is_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "catalogs").write_text("a file where the folder should be")
    for number in range(2):
        profile = ServerProfile(f"server{number}.local")
        here().lists.learn(profile, Catalog(greeting="hello"))
        assert here().lists.known(profile) is not None
    [said] = [record.message for record in caplog.records]
    assert said.startswith("What servers have is not kept on this machine")


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff", b"[]", b'{"format": 1}'])
def test_a_list_that_cannot_be_read_counts_as_none(folder: Path, content: bytes) -> None:
    path = lists._place(ServerProfile("server.local"))
    path.parent.mkdir()
    path.write_bytes(content)
    assert here().lists.known(ServerProfile("server.local")) is None
