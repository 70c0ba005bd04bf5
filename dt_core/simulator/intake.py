"""From the bytes of a request to arrays, as the real server reads them: what cannot be read
is absent (docs/protocol.md 3.5, 4.1), and what it would not survive is a trap (11.1).
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TensorError
from ..settings import flatbuffer
from ..settings.configuration import Configuration
from ..wire import tensor
from .inventory import Catalog

Array = NDArray[Any]

HINT_KINDS = frozenset(
    [
        "custom",
        "depth",
        "canny",
        "scribble",
        "pose",
        "normalbae",
        "color",
        "lineart",
        "softedge",
        "seg",
        "inpaint",
        "ip2p",
        "shuffle",
        "mlsd",
        "tile",
        "blur",
        "lowquality",
        "gray",
        "audio",
    ]
)
_HASH_SIZE = 32
_HEADER = struct.Struct("<I4i12i")
_RAW, _ZIP, _FPZIP = 0, 0x217, 0xF7217
_BF16 = 0x80000
_TYPES = {
    0x01000: "u1",
    0x02000: "<i4",
    0x04000: "<f4",
    0x08000: "<i8",
    0x10000: "<f8",
    0x20000: "<f2",
    _BF16: "<u2",
}
_MAX_BYTES = 1 << 31


@dataclass(frozen=True, slots=True)
class Reading:
    """One tensor: `array` is None where the server has no tensor, and `why` says what is wrong
    with it; `trap` says where it dies, hangs, or may die of it later."""

    array: Array | None = None
    trap: str = ""
    note: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """One entry of `hints`: those of its tensors that could be read, with their weights."""

    kind: str
    tensors: tuple[tuple[Array, float], ...]

    @property
    def arrays(self) -> tuple[Array, ...]:
        return tuple(array for array, _ in self.tensors)


@dataclass(slots=True)
class Asked:
    """A request as read. `notes` grow while it is being understood."""

    message: Any
    configuration: Configuration
    catalog: Catalog
    image: Array | None = None
    mask: Array | None = None
    hints: tuple[Hint, ...] = ()
    empty_texts: tuple[str, ...] = ()  # settings that were sent as ""
    traps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def hint(self, kind: str) -> tuple[tuple[Array, float], ...]:
        """The tensors of that kind that the server sees (docs/protocol.md 4.4)."""
        entries = [hint for hint in self.hints if hint.kind == kind]
        if kind in {"scribble", "color"}:
            entries = [hint for hint in entries if hint.arrays][-1:]
        return entries[0].tensors if entries else ()


def read_request(message: Any, configuration: Configuration, catalog: Catalog) -> Asked:
    merged, dropped = catalog.with_override(message.override)
    asked = Asked(message, configuration, merged, notes=dropped)
    asked.empty_texts = flatbuffer.empty_texts(message.configuration)
    blobs = {hashlib.sha256(blob).digest(): blob for blob in message.contents}
    if message.HasField("image"):
        asked.image = _floats(asked, "image", _blob(message.image, blobs))
    if message.HasField("mask"):
        asked.mask = _take(asked, "mask", _blob(message.mask, blobs))
        if asked.mask is not None and asked.mask.dtype != np.uint8:
            asked.notes.append("the mask is not uint8: its bytes are read as mask codes")
            asked.mask = _as_codes(asked.mask)
    for hint in message.hints:
        if hint.hintType in HINT_KINDS:
            asked.hints += (_hint(asked, hint, blobs),)
        else:
            asked.notes.append(f'unknown hint "{hint.hintType}": ignored')
    return asked


def _hint(asked: Asked, hint: Any, blobs: Mapping[bytes, bytes]) -> Hint:
    name = hint.hintType
    read = _take if name == "scribble" else _floats
    tensors = (
        (read(asked, f"{name} hint", _blob(entry.tensor, blobs)), entry.weight)
        for entry in hint.tensors
    )
    return Hint(name, tuple((array, weight) for array, weight in tensors if array is not None))


def _blob(value: bytes, blobs: Mapping[bytes, bytes]) -> bytes | None:
    """The bytes of a tensor; None for a hash of something that was not sent."""
    return blobs.get(value) if len(value) == _HASH_SIZE else value


def _take(asked: Asked, what: str, data: bytes | None) -> Array | None:
    reading = Reading(why="is a hash without its content") if data is None else read_tensor(data)
    if reading.trap:
        asked.traps.append(f"the {what} {reading.trap}")
    elif reading.note:
        asked.notes.append(f"the {what} {reading.note}")
    elif reading.array is None:
        asked.notes.append(
            f"the {what} {reading.why or 'is not a tensor'}: the server drops it in silence, "
            "treated as absent"
        )
    return reading.array


def _floats(asked: Asked, what: str, data: bytes | None) -> Array | None:
    array = _take(asked, what, data)
    if array is not None and array.dtype.kind != "f":
        asked.traps.append(f"the {what} has integer values, and the server has no conversion")
        return None
    return array


def _as_codes(mask: Array) -> Array:
    count = math.prod(mask.shape)
    return np.frombuffer(mask.tobytes(), np.uint8)[:count].reshape(mask.shape)


def read_tensor(data: bytes) -> Reading:
    """A tensor as the real server reads it (docs/protocol.md 3.5)."""
    if len(data) < _HEADER.size:
        return Reading(why=f"has {len(data)} of the {_HEADER.size} bytes of a header")
    codec, memory, form, datatype, _, *dims = _HEADER.unpack_from(data)
    shape = tuple(dims[: dims.index(0)] if 0 in dims else dims)
    if memory != 1:
        return Reading(trap=f"claims memory type {memory}, which is not the CPU's")
    if form not in {1, 2, 4}:
        return Reading(trap=f"has the unknown format {form}")
    kind = _TYPES.get(datatype & 0xFF000)
    if kind is None:
        return Reading(trap=f"has the unknown datatype {datatype:#x}")
    size = math.prod(shape) * np.dtype(kind).itemsize
    if not shape or min(shape) < 0:
        return Reading(trap=f"has the impossible shape {list(shape)}")
    payload = data[_HEADER.size :]
    if codec not in {_RAW, _ZIP, _FPZIP}:
        return Reading(why=f"has the unknown codec {codec:#x}")
    if not payload:
        return Reading(why="ends after its header")
    if codec == _RAW and len(payload) < size:
        return Reading(why=f"has {len(payload)} of its {size} bytes")
    if size > _MAX_BYTES:
        return Reading(trap=f"has the shape {list(shape)}, more than any memory holds")
    if codec == _FPZIP:
        return _read_fpzip(data, kind)
    note = ""
    if codec == _ZIP:
        try:
            payload, trap, note = _inflate(payload, size)
        except zlib.error:
            return Reading(why="is damaged zip")
        if trap:
            return Reading(trap=trap)
    if datatype & 0xFF000 == _BF16:
        return Reading(trap="is bfloat16, and the server has no conversion")
    return Reading(np.frombuffer(payload[:size], kind).reshape(shape), note=note)


def _inflate(payload: bytes, size: int) -> tuple[bytes, str, str]:
    """The bytes, why the server would hang, and a note. Raises zlib.error."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = stream.decompress(payload, size + 1)
    if len(inflated) >= size:
        return inflated[:size], "", ""
    if not stream.eof:
        return b"", "is a truncated zip stream, on which the server waits for ever", ""
    return inflated.ljust(size, b"\0"), "", "is shorter than its header says: the rest is garbage"


def _read_fpzip(data: bytes, kind: str) -> Reading:
    if np.dtype(kind).kind != "f":
        return Reading(why="is fpzip of integers")
    if not tensor.begins_as_fpzip(memoryview(data)[_HEADER.size :]):
        return Reading(why="does not begin as fpzip does")
    try:
        return Reading(tensor.decode(data))
    except TensorError as error:
        return Reading(trap=f"is damaged fpzip ({error})")
