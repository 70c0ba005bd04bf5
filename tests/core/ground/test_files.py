"""Private files: nothing is lost between processes, and what cannot be read is said."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from drawthings.dt_core import files
from drawthings.dt_core.errors import Remedy, SettingsError
from drawthings.dt_core.files import JsonFile, PosixLocker, WindowsLocker
from drawthings.dt_core.text import verbatim
from processes import together

fcntl = pytest.importorskip("fcntl", reason="these tests play Windows on another system")
WRITES = """
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.secret_store import SecretStore
from pathlib import Path
"""
# What msvcrt.locking does, made of another lock of this system: of bytes, from where the file
# stands, refused with EACCES.
AS_WINDOWS = """
from drawthings.dt_core import files
import fcntl
def locking(descriptor, mode, count):
    fcntl.lockf(descriptor, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB, count)
files.locker = files.WindowsLocker(locking)
"""


def file(path: Path) -> JsonFile:
    return JsonFile(path, verbatim("The list"), SettingsError)


@pytest.mark.parametrize("system", ["", AS_WINDOWS], ids=["posix", "windows"])
def test_four_processes_write_160_entries_and_none_is_lost(tmp_path: Path, system: str) -> None:
    work = """
for entry in range(40):
    KnownServers(Path(arguments[0], "known.json")).remember(f"box{number}-{entry}:7859", "ab" * 32)
    SecretStore(Path(arguments[0], "secrets.json")).save(f"secret {number}-{entry}", "hush")
"""
    together(4, WRITES + system, work, [str(tmp_path)])
    for name in ("known.json", "secrets.json"):
        assert len(json.loads((tmp_path / name).read_text())) == 160
    assert not list(tmp_path.glob("*.new"))


def test_readers_see_whole_files_only_while_they_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    ended = threading.Event()

    def change() -> None:
        for size in range(200):
            files.write(path, json.dumps(["x" * 1000] * size).encode(), durable=False)
        ended.set()

    files.write(path, b"[]")
    writer = threading.Thread(target=change)
    writer.start()
    lengths = [len(json.loads(files.read(path)))]
    while not ended.is_set():
        lengths.append(len(json.loads(files.read(path))))
    writer.join()
    assert lengths == sorted(lengths)


def test_a_killed_process_leaves_the_lock_free_and_its_draft_is_cleared(tmp_path: Path) -> None:
    script = f"""
import sys, types, os, signal
pack = types.ModuleType("drawthings"); pack.__path__ = [{str(files.__file__).rsplit("/", 2)[0]!r}]
sys.modules["drawthings"] = pack
from drawthings.dt_core import files
from pathlib import Path
path = Path({str(tmp_path / "list.json")!r})
with files.locked(path):
    path.with_name("list.json.1.dead.new").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    with file(tmp_path / "list.json").changing() as found:
        found["a"] = 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".list.json.lock", "list.json"]


def test_who_waits_for_a_lock_gives_up_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.json"
    with (tmp_path / ".list.json.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # as another process would
        monkeypatch.setattr(files, "_threads", {str(path): threading.Lock()})
        with pytest.raises(TimeoutError), files.locked(path, wait_s=0.05):
            pass
    with files.locked(path, wait_s=0.05):
        pass


@pytest.mark.parametrize(
    ("refusal", "held"),
    [(errno.EACCES, True), (errno.EDEADLK, True), (errno.ENOLCK, False), (errno.ENOTSUP, False)],
)
def test_a_file_system_without_locks_is_told_from_a_lock_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int, held: bool
) -> None:
    def locking(_descriptor: int, _mode: int, _count: int) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(files, "locker", WindowsLocker(locking))
    if held:
        with pytest.raises(TimeoutError), files.locked(tmp_path / "a", wait_s=0.05):
            pass
    else:
        with files.locked(tmp_path / "a"):
            files.write(tmp_path / "a", b"{}")
        assert (tmp_path / "a").exists()


def test_both_systems_lock_for_themselves_and_let_go(tmp_path: Path) -> None:
    def locking(descriptor: int, mode: int, count: int) -> None:
        free = fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.flock(descriptor, free) if count == 1 else pytest.fail("one byte is locked")

    for locker in (PosixLocker(fcntl.flock), WindowsLocker(locking)):
        with (tmp_path / "a").open("w") as one, (tmp_path / "a").open("w") as two:
            locker.take(one.fileno())
            with pytest.raises(OSError, match="unavailable"):
                locker.take(two.fileno())
            locker.give(one.fileno())
            locker.take(two.fileno())


def test_a_file_in_use_is_tried_again_on_windows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def after(refusals: int) -> Callable[[], str]:
        left = [PermissionError(errno.EACCES, "in use")] * refusals

        def step() -> str:
            if left:
                raise left.pop()
            return "done"

        return step

    with pytest.raises(PermissionError):
        files._patient(after(1))
    monkeypatch.setattr(files, "locker", WindowsLocker(lambda *_: None))
    assert files._patient(after(2)) == "done"
    with pytest.raises(PermissionError):
        files._patient(after(1000), within_s=0.05)


def test_files_and_folders_are_their_owners_alone_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "made" / "list.json", tmp_path / "link.json"
    link.symlink_to(real)
    with file(link).changing() as found:
        found["a"] = 1
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert stat.S_IMODE(real.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((real.parent / ".list.json.lock").stat().st_mode) == 0o600
    real.chmod(0o644)
    assert file(link).read() == {"a": 1}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1', "is damaged"),
        (b"", "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"[1]", "is no file of this kind"),
        (b"3", "is no file of this kind"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_stays_as_it_is(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(content)
    for use in (file(path).read, lambda: file(path).changing().__enter__()):
        with pytest.raises(SettingsError) as caught:
            use()
        assert str(caught.value) == (
            f"The list cannot be read: {tmp_path.name}/list.json {said}. "
            f"Mend or remove {tmp_path.name}/list.json."
        )
        assert caught.value.remedy is Remedy.MEND_FILE
    assert path.read_bytes() == content


def test_a_pipe_a_folder_and_a_huge_file_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    with (tmp_path / "huge.json").open("wb") as huge:
        huge.truncate(files.READ_LIMIT + 1)
    before = time.monotonic()
    for name, said in (("pipe", "no file"), ("folder", "no file"), ("huge", "is larger than")):
        with pytest.raises(SettingsError, match=said):
            file(tmp_path / f"{name}.json").read()
    assert time.monotonic() - before < 2


def test_without_a_file_it_is_empty_and_an_unchanged_one_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    assert file(path).read() == {}
    with file(path).changing():
        pass
    assert not path.exists()


def test_a_change_that_fails_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    files.write(path, b'{"a": 1}')

    def fail() -> None:
        with file(path).changing() as found:
            found["a"] = 2
            raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        fail()
    assert file(path).read() == {"a": 1}
    with file(path).changing() as found:  # the lock is free again
        found["a"] = 3
    assert file(path).read() == {"a": 3}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("a file where a folder should be")
    with pytest.raises(SettingsError, match="cannot be written") as caught:
        file(tmp_path / "in the way" / "list.json").changing().__enter__()
    assert caught.value.remedy is Remedy.MAKE_WRITABLE
    assert "\n" not in str(caught.value)
