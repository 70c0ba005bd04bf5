"""The user's private files: written whole, for their owner's eyes, by one process at a time."""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import logging
import os
import random
import secrets
import stat
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from .errors import DrawThingsError, Remedy
from .text import Template, Text, verbatim

READ_LIMIT = 64 * 1024 * 1024  # bytes; a catalogue of 10,000 entries has a tenth of it
LOCK_WAIT_S = 20.0  # 160 changes by four processes take about two
_LOOK_AGAIN_S = (0.001, 0.01)
_AS_IT_IS = getattr(os, "O_BINARY", 0)  # Windows changes line ends otherwise
_IN_USE_S = 2.0

_UNREADABLE = Template("private_file_unreadable", "{what} cannot be read: {file} {why}.")
_UNWRITABLE = Template("private_file_unwritable", "{what} cannot be written: {file} {why}.")
_NOT_JSON = Template("private_file_is_damaged", "is damaged")
_FOREIGN = Template("private_file_is_foreign", "is no file of this kind")
_TOO_LARGE = Template("private_file_is_too_large", "is larger than any file of this kind")
_FAILED = Template("private_file_failed", "is refused by the system ({reason})")
_LOCKED = Template("private_file_is_locked", "is held by another program")

_log = logging.getLogger("drawthings")
_T = TypeVar("_T")


class Locker(Protocol):
    """How a system locks an open file: `take` raises OSError where another one has it."""

    def take(self, descriptor: int) -> None: ...
    def give(self, descriptor: int) -> None: ...


# The systems' own locks and not the package filelock: these end with their process, whatever
# killed it, hold between any two open files, and are ten lines on each system.
class PosixLocker:
    """By `fcntl.flock`."""

    EXCLUSIVE_NOW, UNLOCK = 2 | 4, 8

    def __init__(self, flock: Callable[[int, int], None]) -> None:
        self._flock = flock

    def take(self, descriptor: int) -> None:
        self._flock(descriptor, self.EXCLUSIVE_NOW)

    def give(self, descriptor: int) -> None:
        self._flock(descriptor, self.UNLOCK)


class WindowsLocker:
    """By `msvcrt.locking`, of the first byte: it locks from where the file stands."""

    NOW, UNLOCK = 2, 0

    def __init__(self, locking: Callable[[int, int, int], None]) -> None:
        self._locking = locking

    def take(self, descriptor: int) -> None:
        self._locking(descriptor, self.NOW, 1)

    def give(self, descriptor: int) -> None:
        self._locking(descriptor, self.UNLOCK, 1)


def _system_locker() -> Locker:
    if sys.platform == "win32":
        import msvcrt

        return WindowsLocker(msvcrt.locking)
    import fcntl

    return PosixLocker(fcntl.flock)


locker: Locker = _system_locker()
_HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
# A network's file system without locks: threads of one process still take turns.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_threads: dict[str, threading.Lock] = defaultdict(threading.Lock)


@contextlib.contextmanager
def locked(path: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """While this lasts, no other thread or process has the lock of that file.

    The lock is an empty file beside it, `.NAME.lock`, which stays. Not for a file twice in one
    thread. Raises TimeoutError after `wait_s`, OSError where nothing can be written.
    """
    path = Path(os.path.realpath(path))
    end = time.monotonic() + wait_s
    ours = _threads[str(path)]
    if not ours.acquire(timeout=wait_s):
        raise TimeoutError
    try:
        make_folder(path.parent)
        descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            taken = _take(descriptor, end)
            try:
                yield
            finally:
                if taken:
                    locker.give(descriptor)
        finally:
            os.close(descriptor)
    finally:
        ours.release()


def _take(descriptor: int, end: float) -> bool:
    """Take the lock as soon as it is free; False on a file system that has none."""
    while True:
        try:
            locker.take(descriptor)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            if error.errno not in _HELD:
                raise
        else:
            return True
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(random.uniform(*_LOOK_AGAIN_S))  # noqa: S311 - so that none is always late


def make_folder(folder: Path) -> None:
    """A folder for its owner alone, unless it is there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def read(path: Path, limit: int = READ_LIMIT) -> bytes:
    """A regular file's bytes. Raises OSError; of another kind, or too large, too."""
    with _patient(lambda: open(path, "rb", opener=_without_waiting)) as file:
        found = _checked(file, limit)
        if os.name == "posix" and found.st_mode & 0o077:  # it was written by hand
            with contextlib.suppress(OSError):
                path.chmod(0o600)
        return file.read(limit)


def peek(path: Path, limit: int) -> bytes:
    """A file of the user's, which is read and left as it is: a regular one, of at most `limit`.

    Raises OSError, ValueError for a path that cannot be.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        _checked(file, limit)
        return file.read(limit)


def _checked(file: BinaryIO, limit: int) -> os.stat_result:
    """What the system says of an open file. Raises OSError unless it is a regular one that fits."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    if found.st_size > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return found


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # for the other end of a pipe


def write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put a file in place in one step, mode 0600: readers see the old one or the new one.

    `durable` waits for the disk, so that a power cut leaves one of both too. Raises OSError.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        _patient(lambda: os.replace(draft, path))  # noqa: PTH105 - it is a step of two names
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _patient(step: Callable[[], _T], within_s: float = _IN_USE_S) -> _T:
    """Windows refuses to open a file that is being replaced, and to replace one that is read."""
    end = time.monotonic() + within_s
    while True:
        try:
            return step()
        except PermissionError:
            if not isinstance(locker, WindowsLocker) or time.monotonic() > end:
                raise
        time.sleep(_LOOK_AGAIN_S[1])


class JsonFile:
    """One JSON object in a private file. `what` names it, as in "The list of servers".

    What goes wrong is an `error` with a sentence.
    """

    def __init__(self, path: Path, what: Text, error: type[DrawThingsError]) -> None:
        self.path = path
        self._what = what
        self._error = error

    def read(self) -> dict[str, Any]:
        """The object; an empty one where there is no file."""
        try:
            found = json.loads(read(self.path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            kind = {errno.EFBIG: _TOO_LARGE, errno.EINVAL: _FOREIGN, errno.EISDIR: _FOREIGN}
            why = kind[error.errno]() if error.errno in kind else _reason(error)
            raise self._failed(_UNREADABLE, why, Remedy.MEND_FILE) from None
        except (ValueError, RecursionError):
            raise self.damaged(_NOT_JSON()) from None
        if not isinstance(found, dict):
            raise self.damaged()
        return found

    def damaged(self, why: Text | None = None) -> DrawThingsError:
        """The error for a file that holds something else."""
        return self._failed(_UNREADABLE, why or _FOREIGN(), Remedy.MEND_FILE)

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """What it holds, to be changed in place; nobody else changes it meanwhile.

        Written at the end if it became another, not after an exception.
        """
        with self.locked():
            found = self.read()
            before = copy.deepcopy(found)
            yield found
            if found != before:
                self.write(found)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While this lasts, no other thread or process changes it."""
        with contextlib.ExitStack() as lock:
            self._in_words(lambda: lock.enter_context(locked(self.path)))
            self._clear_drafts()
            yield

    def write(self, found: dict[str, Any]) -> None:
        """Put another object in its place; to be called while it is locked."""
        data = json.dumps(found, indent=1).encode()
        self._in_words(lambda: write(self.path, data))

    def _clear_drafts(self) -> None:
        """Those that a killed process left: whoever writes this file has its lock."""
        path = Path(os.path.realpath(self.path))
        for draft in path.parent.glob(f"{path.name}.*.new"):
            with contextlib.suppress(OSError):
                draft.unlink()

    def _in_words(self, step: Callable[[], object]) -> None:
        try:
            step()
        except TimeoutError:
            raise self._failed(_UNWRITABLE, _LOCKED(), Remedy.CLOSE_OTHERS) from None
        except OSError as error:
            raise self._failed(_UNWRITABLE, _reason(error), Remedy.MAKE_WRITABLE) from None

    def _failed(self, template: Template, why: Text, remedy: Remedy) -> DrawThingsError:
        file = f"{self.path.parent.name}/{self.path.name}"
        return self._error(template(what=self._what, file=file, why=why), remedy=remedy)


def _reason(error: OSError) -> Text:
    return _FAILED(reason=verbatim(error.strerror or type(error).__name__))


_said: set[str] = set()


def say_once(text: Text | str) -> None:
    """To the log, once in this process: what is not remembered, for one."""
    sentence = str(text)
    if sentence not in _said:
        _said.add(sentence)
        _log.warning("%s", sentence)
