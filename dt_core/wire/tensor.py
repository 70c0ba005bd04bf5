"""Arrays to and from the tensors of the wire: header, codecs, limits (docs/protocol.md 3).

Everything that a server sends is taken for hostile here: sizes are checked in unbounded
integers before anything is allocated, and fpzip runs in a child process.
What the numbers in a tensor mean is the business of `pixels` and `preview`.
"""

from __future__ import annotations

import ctypes
import enum
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import Remedy, TensorError
from ..text import Template
from . import fpzip_pool
from .range_decoder import RangeDecoder

_SHORT_HEADER = Template(
    "tensor_short_header",
    "The tensor ends inside its header, after {arrived} of {size} bytes.",
)
_UNKNOWN_CODEC = Template(
    "tensor_unknown_codec",
    "The tensor is compressed in an unknown way (identifier {identifier}); this client may be "
    "too old for the server.",
)
_ODD_MEMORY = Template(
    "tensor_odd_memory",
    "The tensor claims to be in memory of type {memory}, not of the CPU.",
)
_UNKNOWN_ORDER = Template(
    "tensor_unknown_order", "The tensor has an unknown order of dimensions ({layout})."
)
_UNKNOWN_TYPE = Template(
    "tensor_unknown_type", "The tensor has an unknown type of elements ({datatype})."
)
_EMPTY = Template("tensor_empty", "The tensor is empty: its first dimension is 0.")
_NEGATIVE = Template("tensor_negative_dimension", "The tensor has a negative dimension: {shape}.")
_NOT_SENDABLE = Template(
    "array_not_sendable", "An array of {dtype} cannot be sent; convert it first."
)
_NOT_SENDABLE_AS = Template(
    "array_not_sendable_as", "An array of {dtype} cannot be sent as {wanted}; convert it first."
)
_ODD_SHAPE = Template("array_odd_shape", "An array of shape {shape} cannot be sent.")
_NO_CODEC = Template("no_such_codec", "There is no codec '{codec}'; use raw, zip or fpzip.")
_TOO_LARGE = Template(
    "tensor_too_large",
    "A tensor of shape {shape} would take {size} MiB; {most} MiB is the most that is accepted.",
)
_ZIP_CUT_OFF = Template(
    "tensor_zip_cut_off",
    "The tensor's zip data is cut off: {values} of {size_bytes} bytes came out.",
)
_ZIP_TOO_LITTLE = Template(
    "tensor_zip_too_little",
    "The tensor's zip data holds too little: {values} of {size_bytes} bytes came out.",
)
_ODD_FPZIP_TYPE = Template(
    "tensor_odd_fpzip_type",
    "The tensor claims to hold {name} values in fpzip, which cannot be.",
)
_NO_FPZIP = Template(
    "tensor_no_fpzip",
    "The tensor's fpzip data is damaged: it does not begin like fpzip data.",
)
_FPZIP_TYPE = Template(
    "tensor_fpzip_type",
    "The tensor's fpzip data holds {kind} values, which do not fit {name}.",
)
_ODD_PRECISION = Template(
    "tensor_fpzip_precision", "The tensor's fpzip data has an impossible precision ({precision})."
)
_FPZIP_COUNT = Template(
    "tensor_fpzip_count",
    "The tensor's fpzip data holds {count} values, which do not fill its shape {shape}.",
)
_CUT_OFF = Template("tensor_cut_off", "The tensor is cut off: {arrived} of {size} bytes arrived.")
_ZIP_DAMAGED = Template("tensor_zip_damaged", "The tensor's zip data is damaged ({error}).")
_FPZIP_UNUSABLE = Template("fpzip_unusable", "fpzip cannot be used ({why}).")


__all__ = [
    "HEADER_BYTES",
    "MAX_BYTES",
    "MAX_WIRE_BYTES",
    "Codec",
    "Datatype",
    "Layout",
    "TensorHeader",
    "decode",
    "encode",
    "lend",
    "read_header",
]

_T = TypeVar("_T")
Codec = Literal["raw", "zip", "fpzip"]
Buffer = bytes | bytearray | memoryview


class Layout(enum.IntEnum):
    """The order of dimensions that a tensor claims; the data does not depend on it."""

    NCHW = 1
    NHWC = 2
    CHWN = 4


class Datatype(enum.IntEnum):
    """Element types (docs/protocol.md 3.1), named as in the table there but letters first.

    The quantised type of weights, 0x40000, is missing: it has no place in a picture.
    """

    U8 = 0x01000
    S32 = 0x02000
    F32 = 0x04000
    S64 = 0x08000
    F64 = 0x10000
    F16 = 0x20000
    BF16 = 0x80000


_HEADER = struct.Struct("<I4i12i")
HEADER_BYTES = _HEADER.size
MAX_RANK = 12
CPU_MEMORY = 1

# The largest picture that families and upscalers can make, 8192x8192 with alpha in half
# floats, has half of this; it is also what a request may cost in memory without a question.
MAX_BYTES = 1 << 30
# Deflate and fpzip may enlarge noise a little.
MAX_WIRE_BYTES = HEADER_BYTES + MAX_BYTES + MAX_BYTES // 8

# A rank-3 tensor with more channels than this carries no row step (docs/protocol.md 3.1).
_MAX_STEP_CHANNELS = 4095

_IDENTIFIERS: dict[Codec, int] = {"raw": 0, "zip": 0x217, "fpzip": 0xF7217}
_CODECS: dict[int, Codec] = {number: codec for codec, number in _IDENTIFIERS.items()}

# What the elements look like in the payload.
_WIRE_DTYPES: dict[Datatype, np.dtype[Any]] = {
    Datatype.U8: np.dtype("u1"),
    Datatype.S32: np.dtype("<i4"),
    Datatype.F32: np.dtype("<f4"),
    Datatype.S64: np.dtype("<i8"),
    Datatype.F64: np.dtype("<f8"),
    Datatype.F16: np.dtype("<f2"),
    Datatype.BF16: np.dtype("<u2"),
}
_DATATYPES = {
    dtype: datatype for datatype, dtype in _WIRE_DTYPES.items() if datatype is not Datatype.BF16
}
# Bits of precision that hold every value; 1 + 8 + 10 bits do for a half float in float32.
_FPZIP_PRECISION = {Datatype.F16: 19, Datatype.F32: 32, Datatype.F64: 64}

# fpzip's format 0x0110 in its fast floating-point mode, the only one that servers use.
_FPZIP_MAGIC = b"fpz\x00"
_FPZIP_VERSION = (0x0110, 1)


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """The checked header of a tensor.

    `shape` has 1 to 12 positive dimensions. `dtype` is that of the decoded array; it is
    float32 for BF16, which NumPy does not have. `size_bytes` is the size of the
    uncompressed payload, at most MAX_BYTES.
    """

    codec: Codec
    layout: Layout
    datatype: Datatype
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    size_bytes: int


def read_header(data: Buffer) -> TensorHeader:
    """Read and check the first 68 bytes; the payload need not be there.

    Raises:
        TensorError: the header is cut off, or something in it is unknown or absurd.
    """
    if len(data) < HEADER_BYTES:
        raise TensorError(_SHORT_HEADER(arrived=len(data), size=HEADER_BYTES))
    identifier, memory, layout, datatype, _reserved, *dims = _HEADER.unpack_from(data)
    if identifier not in _CODECS:
        raise TensorError(_UNKNOWN_CODEC(identifier=f"{identifier:#x}"))
    if memory != CPU_MEMORY:
        raise TensorError(_ODD_MEMORY(memory=memory))
    if layout not in Layout.__members__.values():
        raise TensorError(_UNKNOWN_ORDER(layout=layout))
    if datatype not in Datatype.__members__.values():
        raise TensorError(_UNKNOWN_TYPE(datatype=f"{datatype:#x}"))
    # The rank ends at the first zero; what follows is not a dimension (docs/protocol.md 3.1).
    shape = tuple(dims[: dims.index(0)] if 0 in dims else dims)
    if not shape:
        raise TensorError(_EMPTY())
    if min(shape) < 0:
        raise TensorError(_NEGATIVE(shape=str(list(shape))))
    wire_dtype = _WIRE_DTYPES[Datatype(datatype)]
    size_bytes = math.prod(shape) * wire_dtype.itemsize
    _check_size(shape, size_bytes)
    return TensorHeader(
        codec=_CODECS[identifier],
        layout=Layout(layout),
        datatype=Datatype(datatype),
        shape=shape,
        dtype=np.dtype(np.float32) if datatype == Datatype.BF16 else wire_dtype,
        size_bytes=size_bytes,
    )


def decode(data: Buffer) -> NDArray[Any]:
    """Decode one serialized tensor.

    Returns an array of the header's shape in native byte order: uint8, int32, int64,
    float16, float32 or float64; BF16 becomes float32, exactly. A raw or zip result is
    read-only and a raw one is a view of `data` where alignment allows, so do not change a
    bytearray while the array lives. Bytes after the payload are ignored, as the server does.

    Raises:
        TensorError: the tensor is damaged, hostile or absurd; also if it is
            fpzip-compressed and fpzip is not installed.
    """
    header = read_header(data)
    if header.codec != "fpzip":
        return lend(data, lambda values: values)
    with np.errstate(all="ignore"):
        return lend(data, lambda values: values.astype(header.dtype))


def lend(data: Buffer, use: Callable[[NDArray[Any]], _T]) -> _T:
    """Decode one serialized tensor for `use` only, which gets the array and may not keep it.

    Saves the copy that `decode` makes of an fpzip result, and half floats in fpzip, which
    has none, stay the float32 that they are there. The rest, and what is raised, is as there.
    """
    view = memoryview(data).cast("B")
    header = read_header(view)
    payload = view[HEADER_BYTES:]
    if header.codec == "fpzip":
        _check_fpzip(payload, header)
        # fpzip knows two types only (docs/protocol.md 3.4).
        dtype = np.float64 if header.datatype is Datatype.F64 else np.float32
        return fpzip_pool.decode_payload(payload, header.shape, dtype, use)
    return use(_plain(payload, header))


def _plain(payload: memoryview, header: TensorHeader) -> NDArray[Any]:
    if header.codec == "zip":
        payload = memoryview(_inflate(payload, header.size_bytes))
    elif len(payload) < header.size_bytes:
        raise TensorError(_CUT_OFF(arrived=len(payload), size=header.size_bytes))
    wire_dtype = _WIRE_DTYPES[header.datatype]
    values = np.frombuffer(payload, wire_dtype, math.prod(header.shape))
    if header.datatype is Datatype.BF16:
        # The upper half of a float32.
        values = np.left_shift(values, 16, dtype=np.uint32).view(np.float32)
    elif not values.flags.aligned:
        values = values.copy()
    values.flags.writeable = False
    shaped: NDArray[Any] = values.reshape(header.shape)
    return shaped


def encode(
    array: NDArray[Any],
    codec: Codec = "raw",
    *,
    layout: Layout | None = None,
    datatype: Datatype | None = None,
) -> bytes:
    """Serialize an array.

    `array` has 1 to 12 dimensions of at least 1 and is uint8, int32, int64, float16,
    float32 or float64. `layout` is NHWC by default, NCHW below rank 3. `datatype` is
    that of the array by default; Datatype.BF16 rounds a float32 array to nearest.

    `codec` is what to try, and data that does not become smaller is sent raw: "zip" is
    deflate, and "fpzip" is what servers do: fpzip for floats, deflate for the rest. fpzip
    runs in this process for half floats only.

    Raises:
        TensorError: the array cannot be a tensor, or fpzip is not installed.
    """
    native = array.dtype.newbyteorder("<")
    if datatype is None:
        datatype = _DATATYPES.get(native)
    if datatype is None or native != (
        np.dtype("<f4") if datatype is Datatype.BF16 else _WIRE_DTYPES[datatype]
    ):
        if datatype is None:
            raise TensorError(_NOT_SENDABLE(dtype=str(array.dtype)))
        raise TensorError(_NOT_SENDABLE_AS(dtype=str(array.dtype), wanted=datatype.name))
    if not 1 <= array.ndim <= MAX_RANK or 0 in array.shape:
        raise TensorError(_ODD_SHAPE(shape=str(list(array.shape))))
    if codec not in _IDENTIFIERS:
        raise TensorError(_NO_CODEC(codec=codec))
    values = np.ascontiguousarray(array, dtype=native)
    if datatype is Datatype.BF16:
        values = _round_to_bf16(values)
    _check_size(array.shape, values.nbytes)
    if layout is None:
        layout = Layout.NHWC if array.ndim >= 3 else Layout.NCHW

    raw = values.reshape(-1).view(np.uint8).data
    used: Codec = "fpzip" if codec == "fpzip" and datatype in _FPZIP_PRECISION else "zip"
    payload: Buffer | None = None
    if codec != "raw":
        payload = _fpzip(values, datatype) if used == "fpzip" else _deflate(raw)
    if payload is None or len(payload) >= len(raw):
        used, payload = "raw", raw

    dims = list(array.shape) + [0] * (MAX_RANK - array.ndim)
    if array.ndim == 3 and layout == Layout.NHWC and dims[2] <= _MAX_STEP_CHANNELS:
        # Bytes of a row, rounded up to four, behind the zero that ends the rank.
        dims[4] = (dims[1] * dims[2] * values.itemsize + 3) & ~3
    header = _HEADER.pack(_IDENTIFIERS[used], CPU_MEMORY, layout, datatype, 0, *dims)
    return b"".join((header, payload))


def filled(shape: tuple[int, ...], fill: Callable[[NDArray[np.float16]], None]) -> bytes:
    """A raw tensor of half floats, NHWC, whose values `fill` writes: nobody copies them.

    `shape` has four dimensions. `fill` gets the array with anything in it, writes every
    value, and keeps no reference to it.
    """
    size_bytes = math.prod(shape) * 2
    _check_size(shape, size_bytes)
    dims = (*shape, *(0,) * (MAX_RANK - len(shape)))
    header = _HEADER.pack(_IDENTIFIERS["raw"], CPU_MEMORY, Layout.NHWC, Datatype.F16, 0, *dims)
    data: bytes = _new_bytes(None, HEADER_BYTES + size_bytes)
    memory = (ctypes.c_char * len(data)).from_address(_start_of(data))
    whole = np.frombuffer(memoryview(memory), np.uint8)
    whole[:HEADER_BYTES] = np.frombuffer(header, np.uint8)
    fill(whole[HEADER_BYTES:].view(np.float16).reshape(shape))
    return data


# Python lets the maker of a bytes object write into it until somebody else has it.
_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_start_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(
    ("PyBytes_AsString", ctypes.pythonapi)
)


def _check_size(shape: tuple[int, ...], size_bytes: int) -> None:
    if size_bytes > MAX_BYTES:
        raise TensorError(
            _TOO_LARGE(
                shape=str(list(shape)),
                size=f"{size_bytes / (1 << 20):.6g}",
                most=MAX_BYTES >> 20,
            )
        )


def _inflate(payload: memoryview, size_bytes: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # Bounded: a stream that yields more is cut where the announced data ends.
        values = inflater.decompress(payload, size_bytes)
    except zlib.error as error:
        raise TensorError(_ZIP_DAMAGED(error=str(error))) from None
    if len(values) < size_bytes:
        what = _ZIP_TOO_LITTLE if inflater.eof else _ZIP_CUT_OFF
        raise TensorError(what(values=len(values), size_bytes=size_bytes))
    return values


def _deflate(raw: memoryview) -> bytes:
    # Without a zlib wrapper, with the parameters of the Linux server (docs/protocol.md 3.3).
    deflater = zlib.compressobj(
        zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS, memLevel=9
    )
    return deflater.compress(raw) + deflater.flush()


def _fpzip(values: NDArray[Any], datatype: Datatype) -> bytes | None:
    """The stream, or None if it would not fit in the room of the raw values."""
    # fpzip counts its four axes from the last; more leading ones are merged.
    shape = (1, 1, 1, *values.shape)
    grid = values.reshape(math.prod(shape[:-3]), *shape[-3:])
    precision = _FPZIP_PRECISION[datatype]
    if datatype is not Datatype.F16:  # what grows far may end the process inside the library
        return fpzip_pool.encode_values(grid, precision)
    try:
        import fpzip
    except ImportError as error:
        raise TensorError(_FPZIP_UNUSABLE(why=str(error)), remedy=Remedy.INSTALL_FPZIP) from error
    try:
        packed: bytes = fpzip.compress(grid.astype(np.float32), precision=precision, order="C")
    except fpzip.FpzipWriteError:
        return None  # what grows: fpzip 1.2.4 has no room for that
    return packed


def _round_to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    bits = values.view(np.uint32)
    # To nearest, ties to even; a NaN could overflow into an infinity, so it stays quiet NaN.
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    rounded = np.where(np.isnan(values), bits | 0x0040_0000, rounded)
    return (rounded >> 16).astype("<u2")


def begins_as_fpzip(payload: memoryview) -> bool:
    """Whether a stream says that it is fpzip's, of the version and mode that servers use."""
    return _is_fpzip(RangeDecoder(payload[:64]))


def _is_fpzip(bits: RangeDecoder) -> bool:
    magic = bytes(bits.take(8) for _ in _FPZIP_MAGIC)
    return magic == _FPZIP_MAGIC and (bits.take(16), bits.take(8)) == _FPZIP_VERSION


def _check_fpzip(payload: memoryview, header: TensorHeader) -> None:
    """Refuse a stream whose own header does not fit the tensor's, before C code sees it."""
    if header.datatype not in _FPZIP_PRECISION:
        raise TensorError(_ODD_FPZIP_TYPE(name=header.datatype.name))
    # The stream's header is range-coded: four characters of 8 bits, two version numbers, the
    # type, the precision and four dimensions, all uncompressed in effect.
    bits = RangeDecoder(payload[:64])
    if not _is_fpzip(bits):
        raise TensorError(_NO_FPZIP())
    is_double, precision = bits.take(1) == 1, bits.take(7)
    count = math.prod(bits.take(32) for _ in range(4))
    if is_double != (header.datatype is Datatype.F64):
        raise TensorError(
            _FPZIP_TYPE(kind="double" if is_double else "float", name=header.datatype.name)
        )
    if not 2 <= precision <= (64 if is_double else 32):
        raise TensorError(_ODD_PRECISION(precision=precision))
    if count != math.prod(header.shape):
        raise TensorError(_FPZIP_COUNT(count=count, shape=str(list(header.shape))))
