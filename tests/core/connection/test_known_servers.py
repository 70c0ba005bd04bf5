"""What is remembered of servers' certificates."""

from __future__ import annotations

import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from drawthings.dt_core import folders
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.errors import TrustError
from processes import together

ONE, OTHER = "ab" * 32, "cd" * 32


def test_a_certificate_is_remembered_replaced_and_forgotten(tmp_path: Path) -> None:
    known = KnownServers(tmp_path / "made" / "known.json")
    assert known.fingerprint("box:7859") is None
    known.remember("box:7859", ONE)
    known.remember("mac:7859", OTHER)
    known.remember("box:7859", OTHER)
    assert KnownServers(known.path).all() == {"box:7859": OTHER, "mac:7859": OTHER}
    known.forget("box:7859")
    known.forget("box:7859")  # there is none any more
    assert known.all() == {"mac:7859": OTHER}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_its_owner_may_change_the_list(tmp_path: Path) -> None:
    known = KnownServers(tmp_path / "made" / "known.json")
    known.remember("box:7859", ONE)
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(known.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", ['{"box:7859": {"fing', "[]", '{"box:7859": "ab"}', '{"a": {"fingerprint": "xy"}}']
)
def test_a_damaged_list_trusts_nobody_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    uses: list[Callable[[], object]] = [
        lambda: KnownServers(path).fingerprint("box:7859"),
        lambda: KnownServers(path).remember("box:7859", ONE),
    ]
    for use in uses:
        with pytest.raises(TrustError, match=r"Mend or remove .*known\.json"):
            use()
    assert path.read_text() == text


def test_servers_that_are_met_at_once_are_all_remembered(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    threads = [
        threading.Thread(target=KnownServers(path).remember, args=(f"box{i}:7859", ONE))
        for i in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KnownServers(path).all()) == 16


def test_two_processes_that_meet_a_server_at_once_never_fail(tmp_path: Path) -> None:
    preparation = "from drawthings.dt_core.connection.known_servers import KnownServers\n"
    preparation += "from pathlib import Path\n"
    work = """
for meeting in range(40):
    known = KnownServers(Path(arguments[0], f"known{meeting}.json"))
    known.remember("box:7859", "ab" * 32)
    assert known.fingerprint("box:7859") == "ab" * 32
"""
    together(2, preparation, work, [str(tmp_path)])
    assert len(list(tmp_path.glob("known*.json"))) == 40


def test_what_cannot_be_written_is_known_until_the_end_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "known.json"
    KnownServers(path).remember("box:7859", ONE)
    (tmp_path / ".known.json.lock").unlink()
    (tmp_path / ".known.json.lock").mkdir()  # as good as read-only, also for root
    KnownServers(path).remember("mac:7859", OTHER)
    KnownServers(path).remember("mac:7859", ONE)
    assert KnownServers(path).all() == {"box:7859": ONE, "mac:7859": ONE}
    name = f"{tmp_path.name}/known.json"
    said = (
        f"The list of known servers cannot be written: {name} is refused by the system (Is a "
        f"directory). Make {name} and its folder writable. "
        "Certificates of servers are remembered until this program ends."
    )
    assert [record.message for record in caplog.records] == [said]


def test_without_a_path_it_is_the_users_own_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(folders.HOME_VARIABLE, str(tmp_path / "chosen"))
    assert KnownServers().path == tmp_path / "chosen" / "known_servers.json"
    monkeypatch.delenv(folders.HOME_VARIABLE)
    assert KnownServers().path.parent.name == "drawthings"
