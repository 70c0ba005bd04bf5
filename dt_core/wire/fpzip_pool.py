"""fpzip in child processes, a few of them, started when needed.

fpzip's C code kills its process on a damaged stream, may do so on values that do not shrink,
and holds the interpreter lock (docs/protocol.md 3.4), so none of that happens here. This module
knows processes and shared memory. What a tensor is, it does not know: `tensor` checks sizes
before it asks.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import Remedy, TensorError
from ..text import Template, Text, verbatim
from .shared_block import SharedBlock, remove_leftovers

_WORKERS_DIE = Template(
    "fpzip_workers_die",
    "The processes that decompress pictures die as soon as they start.",
)
_NOT_INSTALLED = Template(
    "fpzip_not_installed",
    "The picture is fpzip-compressed and {name} is not installed.",
)
_NO_PYTHON = Template(
    "fpzip_no_python",
    "The picture is fpzip-compressed and there is no Python executable to decode it with.",
)
_UNUSABLE = Template(
    "fpzip_unusable_here",
    "The picture is fpzip-compressed and fpzip cannot be used ({why}).",
)
_NO_WORKER = Template(
    "fpzip_no_worker",
    "No process could be started to decompress the picture ({error}).",
)


__all__ = [
    "Pool",
    "at_once",
    "decode_payload",
    "encode_values",
    "process_ids",
    "shutdown",
    "warm_up",
]


_NOT_COMPRESSED = Template(
    "fpzip_not_compressed", "The values could not be compressed ({why}): send them uncompressed."
)
_CRASHED = Template("fpzip_crashed", "fpzip crashed on it or never ended")()
_DAMAGED = Template("fpzip_damaged", "The picture's compressed data is damaged ({why}).")
_NOT_DECOMPRESSED = Template(
    "fpzip_not_decompressed", "The picture could not be decompressed: {why}."
)
# What the child says, in words; fpzip's and NumPy's own it passes on.
_REASONS = {
    "count": Template("fpzip_count", "it holds another number of values than its header says")(),
    "type": Template("fpzip_type", "it holds values of another type than its header says")(),
    "header": Template("fpzip_header", "its header is not valid")(),
    "cut": Template("fpzip_cut", "its end is missing")(),
    "refused": Template("fpzip_refused", "fpzip refuses it")(),
    "memory": Template("fpzip_memory", "there is not enough memory")(),
}

# More children than this only compete for memory bandwidth with the program that uses us.
MAX_WORKERS = 4
# Workers stay through the pauses between the pictures of one session, not for a day.
IDLE_SECONDS = 60.0
# First import of NumPy and fpzip from a cold disk under a virus scanner.
STARTUP_SECONDS = 60.0
# A core decodes 20 million values in a second; these allow for one a hundred times slower.
TIMEOUT_BASE_S = 10.0
TIMEOUT_PER_MILLION_VALUES_S = 5.0
SLACK_BYTES = 4096  # zeros behind a payload: fpzip reads past the end of a damaged one

_T = TypeVar("_T")
_R = TypeVar("_R")
_WORKER = Path(__file__).with_name("fpzip_worker.py")


# Of killed processes, on Windows of those that the task manager ends: for want of memory, too.
_ENDED_FROM_OUTSIDE = (
    {1} if sys.platform == "win32" else {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP}
)
_ENDS_WITHIN_S = 5.0


class _WorkerLostError(Exception):
    """The child was gone before it heard of the payload; another one can do it."""


class _KilledError(Exception):
    """Somebody ended the child at its work. Once is no reason to give up."""


def _library_folders() -> list[str]:
    """Where this process finds fpzip and NumPy; a child may look elsewhere by itself.

    Raises:
        TensorError: fpzip is not installed.
    """
    folders = []
    for name in ("fpzip", "numpy"):
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            raise TensorError(_NOT_INSTALLED(name=name), remedy=Remedy.INSTALL_FPZIP)
        origin = Path(spec.origin)
        folder = origin.parent.parent if spec.submodule_search_locations else origin.parent
        folders.append(str(folder.resolve()))
    return folders


class _Worker:
    """One child process and the memory shared with it. Used by one thread at a time."""

    def __init__(self, mode: str) -> None:
        if not sys.executable:
            raise TensorError(_NO_PYTHON(), remedy=Remedy.STOP_COMPRESSION)
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        else:
            options["start_new_session"] = True  # Ctrl+C is for the program, not for its children
        # -I: a folder or variable that shadows modules of the standard library here must
        # not do so there. One thread: the child does no algebra.
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER), json.dumps(_library_folders()), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            **options,
        )
        self.idle_since = time.monotonic()
        self._ready = self._ended_by_us = False
        self._block: SharedBlock | None = None

    def decode(
        self,
        payload: memoryview,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> NDArray[Any]:
        """The values, in the shared memory: they last until the next call."""
        count = math.prod(shape)
        result_bytes = count * dtype.itemsize
        start = -(-result_bytes // 64) * 64
        # Room for a payload as big as the result, so that the next picture fits as well.
        block = self._room(start + max(len(payload), result_bytes) + SLACK_BYTES)
        end = start + len(payload)
        # NumPy lets other threads run while it copies; a slice of a mapping does not.
        np.copyto(np.frombuffer(block.map, np.uint8, len(payload), start), payload)
        block.map[end : end + SLACK_BYTES] = bytes(SLACK_BYTES)
        self._ordered({"payload": [start, len(payload)], "count": count, "dtype": dtype.name})
        result = np.frombuffer(block.map, dtype, count).reshape(shape)
        result.flags.writeable = False
        return result

    def encode(self, values: NDArray[Any], precision: int) -> bytes | None:
        """The stream of an array of four dimensions; None for one that would grow."""
        start = -(-values.nbytes // 64) * 64
        block = self._room(start + values.nbytes + SLACK_BYTES)
        np.copyto(np.frombuffer(block.map, values.dtype, values.size).reshape(values.shape), values)
        order = {"grid": values.shape, "precision": precision, "payload": [start, values.nbytes]}
        answer = self._ordered({**order, "count": values.size, "dtype": values.dtype.name})
        length = int(answer["length"])
        return bytes(block.map[start : start + length]) if length else None

    def _room(self, size_bytes: int) -> SharedBlock:
        if not self._ready:
            self._greet()
        if self._block is None or self._block.size_bytes < size_bytes:
            self._close_block()
            self._block = SharedBlock(size_bytes)
        return self._block

    def _ordered(self, order: dict[str, Any]) -> dict[str, Any]:
        """What the child says when it has done what `order` says. Raises TensorError."""
        assert self._block is not None  # noqa: S101
        timeout_s = TIMEOUT_BASE_S + TIMEOUT_PER_MILLION_VALUES_S * order["count"] / 1e6
        place = {"memory": self._block.name, "memory_bytes": self._block.size_bytes}
        answer = self._ask({**order, **place, "timeout_s": timeout_s}, timeout_s)
        self._block.forget_name()  # where the child died before it did that itself
        if "ok" in answer:
            return answer
        if "precision" in order:
            raise TensorError(_NOT_COMPRESSED(why=_reason(answer)))
        raise _complaint(answer)

    def kill(self) -> None:
        """End the child while another thread waits for its answer; that one calls `close`."""
        self._end()
        if self._block is not None:
            self._block.forget_name()

    def close(self) -> None:
        """End the child and give the shared memory back."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._close_block()

    def _close_block(self) -> None:
        if self._block is not None:
            self._block.close()
            self._block = None

    def _greet(self) -> None:
        with self._killed_after(STARTUP_SECONDS):
            answer = self._answer()
        if answer is None:
            raise _WorkerLostError
        if "ready" not in answer:
            raise TensorError(
                _UNUSABLE(why=str(answer.get("missing"))), remedy=Remedy.INSTALL_FPZIP
            )
        self._ready = True

    def _ask(self, order: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        assert self.process.stdin is not None  # noqa: S101
        with self._killed_after(timeout_s):
            try:
                self.process.stdin.write(json.dumps(order).encode("ascii") + b"\n")
                self.process.stdin.flush()
            except OSError:
                raise _WorkerLostError from None
            # The child says when it begins: dying earlier is not the picture's fault.
            if self._answer() is None:
                raise _WorkerLostError
            answer = self._answer()
        if answer is None and not self._ended_by_us and self._was_killed():
            raise _KilledError
        return answer or {"died": True}

    def _was_killed(self) -> bool:
        """Whether somebody ended the child, who was not in trouble itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(_ENDS_WITHIN_S) in _ENDED_FROM_OUTSIDE
        return False

    def _end(self) -> None:
        self._ended_by_us = True
        self.process.kill()

    def _answer(self) -> dict[str, Any] | None:
        """The child's next line; None when it died."""
        assert self.process.stdout is not None  # noqa: S101
        try:
            answer = json.loads(self.process.stdout.readline())
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    @contextlib.contextmanager
    def _killed_after(self, timeout_s: float) -> Iterator[None]:
        # Reads of pipes have no timeout on Windows, so a timer ends the child instead.
        timer = threading.Timer(timeout_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _complaint(answer: dict[str, Any]) -> TensorError:
    told = _NOT_DECOMPRESSED if "failed" in answer else _DAMAGED
    return TensorError(told(why=_reason(answer)), remedy=Remedy.GENERATE_AGAIN)


def _reason(answer: dict[str, Any]) -> Text:
    said = answer.get("failed") or answer.get("damaged")
    return _REASONS.get(str(said), verbatim(str(said))) if said else _CRASHED


class Pool:
    """A few children that decode in parallel.

    Threads may share it. Children start when there is work for them or at `warm_up`, stop
    when idle for `idle_s` seconds, and end by themselves when this process does.
    """

    def __init__(
        self, size: int | None = None, *, idle_s: float = IDLE_SECONDS, mode: str = "direct"
    ) -> None:
        self.size = size or max(1, min(MAX_WORKERS, os.cpu_count() or 1))
        self._idle_s = idle_s
        self._mode = mode
        self._slots = threading.BoundedSemaphore(self.size)
        self._warming = threading.Lock()
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._reaper: threading.Thread | None = None
        self._cleared = False

    def warm_up(self, count: int | None = None) -> None:
        """Start children, all by default, without waiting for them.

        Does nothing where fpzip is not installed: it may not be needed.
        """
        wanted = min(count or self.size, self.size)
        with self._warming, contextlib.suppress(TensorError):
            while len(self._all) < wanted:
                self._give_back(self._start())

    def decode(
        self,
        payload: bytes | bytearray | memoryview,
        shape: tuple[int, ...],
        dtype: Any,
        use: Callable[[NDArray[Any]], _T],
    ) -> _T:
        """Decode one fpzip stream, which must hold as many values as `shape`, for `use`.

        `dtype` is float32 or float64. `use` gets an array of the shared memory and may not
        keep it; what it returns is returned.

        Raises:
            TensorError: the stream is damaged, decoding took too long, or there is no
                fpzip, memory or process to decode with.
        """
        data = memoryview(payload).cast("B")
        try:
            return self._done(lambda worker: worker.decode(data, shape, np.dtype(dtype)), use)
        except _KilledError:
            raise _complaint({}) from None

    def encode(self, values: NDArray[Any], precision: int) -> bytes | None:
        """Encode an array of four dimensions, float32 or float64, with so many bits of
        precision. None where the stream would be larger than the values.

        Raises:
            TensorError: it took too long, or there is no fpzip, memory or process.
        """
        try:
            return self._done(
                lambda worker: worker.encode(values, precision), lambda stream: stream
            )
        except _KilledError:
            raise TensorError(_NOT_COMPRESSED(why=_CRASHED)) from None

    def _done(self, work: Callable[[_Worker], _R], use: Callable[[_R], _T]) -> _T:
        """What `use` makes of a child's work; of another one's, where a child is lost, and once
        where one is killed."""
        kills = 0
        with self._slots:
            for _ in range(self.size + 2):
                worker = self._take()
                try:
                    result = work(worker)
                except _WorkerLostError:
                    self._discard(worker)
                    continue
                except _KilledError:
                    self._discard(worker)
                    kills += 1
                    if kills > 1:
                        raise
                    continue
                except BaseException:
                    self._discard(worker)
                    raise
                try:
                    return use(result)
                finally:
                    self._give_back(worker)
        raise TensorError(_WORKERS_DIE(), remedy=Remedy.STOP_COMPRESSION)

    def shutdown(self) -> None:
        """Stop all children. The pool can be used again afterwards."""
        with self._changed:
            idle, busy = self._idle, self._all.difference(self._idle)
            self._idle, self._all = [], set()
            self._changed.notify_all()
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.close()

    def process_ids(self) -> list[int]:
        """The children that run at the moment."""
        with self._changed:
            return [worker.process.pid for worker in self._all if worker.process.poll() is None]

    def _start(self) -> _Worker:
        if not self._cleared:
            self._cleared = True
            remove_leftovers()
        try:
            worker = _Worker(self._mode)
        except OSError as error:
            raise TensorError(
                _NO_WORKER(error=str(error)), remedy=Remedy.STOP_COMPRESSION
            ) from error
        with self._changed:
            self._all.add(worker)
        return worker

    def _take(self) -> _Worker:
        while True:
            with self._changed:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._start()
            if worker.process.poll() is None:
                return worker
            self._discard(worker)

    def _give_back(self, worker: _Worker) -> None:
        worker.idle_since = time.monotonic()
        with self._changed:
            if worker in self._all:
                self._idle.append(worker)
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, daemon=True)
                    self._reaper.start()
                return
        worker.close()  # `shutdown` came in between

    def _discard(self, worker: _Worker) -> None:
        with self._changed:
            self._all.discard(worker)
        worker.close()

    def _reap(self) -> None:
        """Stop children that have been idle too long; end when none is left."""
        while True:
            with self._changed:
                if not self._all:
                    self._reaper = None
                    return
                now = time.monotonic()
                stale = [w for w in self._idle if now - w.idle_since >= self._idle_s]
                for worker in stale:
                    self._idle.remove(worker)
                    self._all.discard(worker)
                if not stale:
                    oldest = min((w.idle_since for w in self._idle), default=now)
                    self._changed.wait(max(0.01, oldest + self._idle_s - now))
            for worker in stale:
                worker.close()


def at_once() -> int:
    """How many streams can be decoded at the same time."""
    return _pool.size


_pool = Pool()
decode_payload = _pool.decode
encode_values = _pool.encode
warm_up = _pool.warm_up
process_ids = _pool.process_ids
shutdown = _pool.shutdown
atexit.register(shutdown)
