"""Memory that a program and its children both map, and the names by which they find it.

On Windows a section of the page file, elsewhere a file whose name the child takes away as soon
as it has mapped it. What a program left that was killed before that, the next one removes.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import secrets
import sys
import tempfile
import time
from pathlib import Path

from ..errors import TensorError
from ..text import Template

_NO_ROOM = Template(
    "no_room_for_picture",
    "There is no room for a picture of {size} MiB in shared memory or the temporary folder "
    "({why}); free some space.",
)

FOLDER = "/dev/shm"  # noqa: S108 - mkstemp makes the file private
LEFT_AFTER_S = 60  # a name lives for a moment only; another container may share the folder
_PREFIX = "drawthings-fpzip"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-\w+")


class SharedBlock:
    """So many bytes; `name` is for the child. Raises TensorError where there is no room."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        try:
            if sys.platform == "win32":
                self.name = section_name(secrets.token_hex(16))
                self.map = mmap.mmap(-1, size_bytes, tagname=self.name)
            else:
                self.name, self.map = _map_new_file(size_bytes)
        except OSError as error:
            raise TensorError(_NO_ROOM(size=size_bytes >> 20, why=str(error.strerror))) from error

    def forget_name(self) -> None:
        """Remove the file; the memory lives on in those who mapped it."""
        if has_file(self.name):
            Path(self.name).unlink(missing_ok=True)

    def close(self) -> None:
        self.forget_name()
        # Where the traceback of an error still holds an array of it, it goes with that.
        with contextlib.suppress(BufferError):
            self.map.close()


def section_name(token: str) -> str:
    """What Windows calls it: of this session only, and gone with the last who has it open."""
    return f"Local\\{_PREFIX}-{token}"


def has_file(name: str) -> bool:
    """Whether that name is a file's, which somebody has to remove."""
    return not name.startswith("Local\\")


def remove_leftovers() -> int:
    """Remove the files of programs that were killed; how many there were."""
    removed = 0
    for folder in {FOLDER, tempfile.gettempdir()}:
        with contextlib.suppress(OSError):
            for path in list(Path(folder).glob(f"{_PREFIX}-*")):
                with contextlib.suppress(OSError):
                    if is_left(path.name, time.time() - path.stat().st_mtime):
                        path.unlink()
                        removed += 1
    return removed


def is_left(name: str, age_s: float) -> bool:
    """Whether nobody can need a file of that name any more."""
    found = _NAME.fullmatch(name)
    return found is not None and age_s > LEFT_AFTER_S and not _runs(int(found[1]))


def _runs(process: int) -> bool:
    if sys.platform == "win32":  # which has no such files, and where kill would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _map_new_file(size_bytes: int) -> tuple[str, mmap.mmap]:
    # Not everywhere is there a /dev/shm, and in a container there may be too little of it.
    with contextlib.suppress(OSError):
        return _map_file_in(FOLDER, size_bytes)
    return _map_file_in(tempfile.gettempdir(), size_bytes)


def _map_file_in(folder: str, size_bytes: int) -> tuple[str, mmap.mmap]:
    descriptor, name = tempfile.mkstemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=folder)
    try:
        # Reserve it all now: writing to a mapping of a full disk would kill this process.
        if sys.platform == "linux":
            os.posix_fallocate(descriptor, 0, size_bytes)
        else:
            chunk = bytes(1 << 20)
            for start in range(0, size_bytes, len(chunk)):
                os.write(descriptor, chunk[: size_bytes - start])
        return name, mmap.mmap(descriptor, size_bytes)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
