"""The child process that runs fpzip: a plain script, run by `fpzip_pool`.

It knows fpzip's C functions and the shared memory, and nothing of tensors: the parent
has checked every size. fpzip's decoder does not know where its input ends and may kill
the process that runs it; that process is this one (docs/protocol.md 3.4).

One JSON object per line comes in on stdin; two go out on stdout, when decoding begins and
when it is done. After any answer but "ok" the process ends, because a damaged stream may
have damaged its heap.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

# Address space: a result of 2 GiB (half floats travel as float32), its payload, both twice
# more without the C functions, and the libraries.
ADDRESS_SPACE_BYTES = 8 << 30

Decoder = Callable[[Any, int, int, Any], None]


class DamagedError(Exception):
    """The stream is not what its header promised: one word, which the parent knows."""


class _Stream(ctypes.Structure):
    """fpzip's public `FPZ` structure."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("precision", ctypes.c_int),
        ("nx", ctypes.c_int),
        ("ny", ctypes.c_int),
        ("nz", ctypes.c_int),
        ("nf", ctypes.c_int),
    )


def confine() -> None:
    """Let a crash be quiet and cheap: no core file, no dialog, bounded memory."""
    if sys.platform == "win32":
        # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002)
        return
    import resource

    for limit, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, ADDRESS_SPACE_BYTES),
    ):
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(limit)[1]
            if hard == resource.RLIM_INFINITY or hard > bound:
                resource.setrlimit(limit, (bound, bound))


def private_stdout() -> TextIO:
    """Take stdout for the answers; what a library prints goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    return answers


def make_decoder(portable: bool) -> Decoder:
    """Choose how to call fpzip.

    The C functions, where the extension exports them, decode straight into the shared
    memory and tell how many bytes they read. Otherwise the Python function has to do,
    and only a second decoding with another padding shows that the stream was too short.

    Raises:
        ImportError: fpzip or NumPy is missing or unusable.
    """
    import fpzip
    import numpy as np

    def decode_portable(memory: Any, start: int, length: int, out: Any) -> None:
        # fpzip reads a few bytes more than it uses, so both paddings are long enough
        # for the last values of a stream that lacks its end.
        stream = bytes(memory[start : start + length])
        values, again = (
            fpzip.decompress(stream + padding * 4096, order="C").reshape(-1).view(out.dtype)
            for padding in (b"\x00", b"\xa5")
        )
        if values.size != out.size:
            raise DamagedError("count")
        if values.tobytes() != again.tobytes():
            raise DamagedError("cut")
        out[:] = values

    try:
        library = ctypes.CDLL(fpzip.__file__)
        opened, read_header = library.fpzip_read_from_buffer, library.fpzip_read_header
        read, closed = library.fpzip_read, library.fpzip_read_close
    except (OSError, AttributeError, TypeError):
        return decode_portable
    if portable:
        return decode_portable
    opened.restype, opened.argtypes = ctypes.POINTER(_Stream), (ctypes.c_void_p,)
    read_header.restype, read_header.argtypes = ctypes.c_int, (ctypes.POINTER(_Stream),)
    read.restype, read.argtypes = ctypes.c_size_t, (ctypes.POINTER(_Stream), ctypes.c_void_p)
    closed.restype, closed.argtypes = None, (ctypes.POINTER(_Stream),)

    def decode_direct(memory: Any, start: int, length: int, out: Any) -> None:
        payload = np.frombuffer(memory, np.uint8, length, start)
        stream = opened(payload.ctypes.data)
        if not stream or not read_header(stream):
            raise DamagedError("header")
        header = stream.contents
        if header.nx * header.ny * header.nz * header.nf != out.size:
            raise DamagedError("count")
        if header.type != (out.dtype == np.float64):
            raise DamagedError("type")
        used = read(stream, out.ctypes.data)
        closed(stream)
        if used == 0:
            raise DamagedError("refused")
        if used > length:
            raise DamagedError("cut")

    return decode_direct


class SharedMemory:
    """The parent's memory, mapped here; replaced when the parent names another."""

    def __init__(self) -> None:
        self._name = ""
        self._map: mmap.mmap | None = None

    def open(self, name: str, size_bytes: int) -> mmap.mmap:
        if self._map is None or name != self._name:
            if self._map is not None:
                self._map.close()
            if sys.platform == "win32":
                self._map = mmap.mmap(-1, size_bytes, tagname=name)
            else:
                descriptor = os.open(name, os.O_RDWR)
                # At once: a program that is killed has no time for it.
                Path(name).unlink()
                self._map = mmap.mmap(descriptor, size_bytes)
                os.close(descriptor)
            self._name = name
        return self._map


def decode(order: dict[str, Any], memory: mmap.mmap, decoder: Decoder) -> None:
    """Decode one payload of the shared memory into its beginning.

    `order` holds "payload" (offset and length in bytes), "count" (of values) and
    "dtype" of the result: float32 or float64.
    """
    import numpy as np

    start, length = order["payload"]
    decoder(memory, start, length, np.frombuffer(memory, order["dtype"], order["count"]))


def encode(order: dict[str, Any], memory: mmap.mmap) -> int:
    """Encode the values at the memory's beginning; the stream's length, 0 if it would grow.

    `order` holds "grid" (four dimensions), "precision" (bits), "dtype", "count", and
    "payload": offset and length of the room for the stream.
    """
    import fpzip
    import numpy as np

    values = np.frombuffer(memory, order["dtype"], order["count"]).reshape(order["grid"])
    start, room = order["payload"]
    try:
        stream = fpzip.compress(values, precision=order["precision"], order="C")
    except fpzip.FpzipWriteError:
        return 0  # fpzip 1.2.4 has no room for what grows
    if len(stream) > room:
        return 0
    memory[start : start + len(stream)] = stream
    return len(stream)


def serve(orders: TextIO, answers: TextIO, decoder: Decoder) -> None:
    """Answer orders until the parent closes stdin or a stream proves damaged."""
    shared = SharedMemory()
    for line in orders:
        order = json.loads(line)
        if hasattr(signal, "alarm"):
            # A decoding that never ends must end even if the parent is gone.
            signal.alarm(int(order["timeout_s"]) + 5)
        print(json.dumps({"begun": True}), file=answers, flush=True)
        answer: dict[str, Any] = {"ok": True}
        try:
            memory = shared.open(order["memory"], order["memory_bytes"])
            if "precision" in order:
                answer["length"] = encode(order, memory)
            else:
                decode(order, memory, decoder)
        except DamagedError as error:
            answer = {"damaged": str(error)}
        except MemoryError:
            answer = {"failed": "memory"}
        except Exception as error:
            # fpzip's own errors, and whatever NumPy makes of a strange result.
            answer = {"damaged": str(error) or type(error).__name__}
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        print(json.dumps(answer), file=answers, flush=True)
        if "ok" not in answer:
            return


def main() -> None:
    """Arguments: folders to look for fpzip and NumPy in, as JSON, and "portable" or "direct"."""
    answers = private_stdout()
    confine()
    sys.path.extend(json.loads(sys.argv[1]))
    try:
        decoder = make_decoder(portable=sys.argv[2] == "portable")
    except Exception as error:
        # A binary for another NumPy raises more than ImportError.
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"ready": True}), file=answers, flush=True)
    serve(sys.stdin, answers, decoder)


if __name__ == "__main__":
    main()
