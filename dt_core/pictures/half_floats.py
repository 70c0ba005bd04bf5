"""Half floats: single floats with a change of range, and back, many at a time.

With torch if the program has it loaded. Without it in NumPy's integer operations, block by
block so that a block stays in the cache. Of 1024x1024 px, `to_half` takes 1.1 ms with torch, 2.4
without, 6.4 with NumPy's own conversion in the same blocks; `to_unit` 1.3, 1.5 and 4.3 ms.
NaN is nothing to warn of here, whatever the processor makes of it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_finite", "to_half", "to_unit"]

FloatArray = NDArray[np.float32]
HalfArray = NDArray[np.float16]

_BLOCK = 1 << 15  # values, for torch: of more, it takes threads
_BLOCK_WITHOUT_TORCH = 1 << 16  # values; three arrays of it fit in the second-level cache

# A half float's bits, moved 13 up, are a single float's, but for the bias of the exponent:
# 127 instead of 15. A multiplication sets that right, subnormal numbers included.
_MANTISSA_BITS_MORE = 13
_REBIAS = np.float32(2.0 ** (127 - 15))
_UNBIAS = np.float32(2.0 ** (15 - 127))
_HALF_INFINITY = 0x7C00
_HALF_ONE = 0x3C00
_HALF_SIGN = 0x8000
# A half float's bits as an integer have their sign repeated in all bits above it.
_WITHOUT_COPIES_OF_THE_SIGN = np.int32(-0x7000_0001)
_WITHOUT_SIGN = 0x7FFF_FFFF
_ALMOST_HALF = 0xFFF  # of the last bit that stays: what rounding adds
_SINGLE_ONE = int(np.float32(1).view(np.uint32))


@np.errstate(all="ignore")
def to_half(
    values: FloatArray, scale: float, offset: float, low: float, out: HalfArray | None = None
) -> HalfArray:
    """clamp(values * scale + offset, low, 1) as half floats, rounded to nearest.

    `values` is float32 of any shape; `low` is 0 or -1, and what NaN becomes. `scale` and
    `offset` bring 0..1 into the range. `out` is of the same shape and contiguous, or new.
    """
    torch = sys.modules.get("torch")
    result = np.empty(values.shape, np.float16) if out is None else out
    if torch is not None:
        _to_half_with(torch, values, scale, offset, low, result)
        return result
    if not offset:
        # Small values keep all their digits here, too many for the rounding below.
        clamped: NDArray[Any] = np.clip(values * np.float32(scale), low, 1)
        np.copyto(result, np.nan_to_num(clamped, copy=False, nan=low), casting="unsafe")
        return result
    bits = result.view(np.uint16).reshape(-1)
    flat = np.ascontiguousarray(values).reshape(-1)
    usual = _in_0_to_1(flat)
    room = np.empty((3, min(_BLOCK_WITHOUT_TORCH, flat.size)), np.uint32)
    for part in _blocks(flat.size, _BLOCK_WITHOUT_TORCH):
        wide, sign, rounded = room[:, : part.stop - part.start]
        block = wide.view(np.float32)
        if usual:
            np.multiply(flat[part], np.float32(scale) * _UNBIAS, out=block)
            np.add(block, np.float32(offset) * _UNBIAS, out=block)
        else:
            np.multiply(flat[part], np.float32(scale), out=block)
            np.add(block, np.float32(offset), out=block)
            np.clip(block, low, 1, out=block)
            block[np.isnan(block)] = low
            np.multiply(block, _UNBIAS, out=block)
        np.right_shift(wide, 16, out=sign)
        np.bitwise_and(sign, _HALF_SIGN, out=sign)
        np.bitwise_and(wide, _WITHOUT_SIGN, out=wide)
        # To nearest, ties to even.
        np.right_shift(wide, _MANTISSA_BITS_MORE, out=rounded)
        np.bitwise_and(rounded, 1, out=rounded)
        np.add(rounded, wide, out=rounded)
        np.add(rounded, _ALMOST_HALF, out=rounded)
        np.right_shift(rounded, _MANTISSA_BITS_MORE, out=rounded)
        np.bitwise_or(rounded, sign, out=rounded)
        np.copyto(bits[part], rounded, casting="unsafe")
    return result


def _in_0_to_1(values: FloatArray) -> bool:
    # Negative numbers, infinities and NaN have more bits than 1.
    return int(np.maximum.reduce(values.view(np.uint32))) <= _SINGLE_ONE


def _in_range(values: HalfArray, low: float) -> bool:
    """Whether all are from `low`, -1 or 0, to 1."""
    most = int(np.maximum.reduce(values.view(np.int16)))
    least = int(np.maximum.reduce(values.view(np.uint16)))  # of the negative ones, if any
    return most <= _HALF_ONE and least <= (_HALF_ONE | _HALF_SIGN if low else _HALF_ONE)


@np.errstate(all="ignore")
def to_unit(values: HalfArray | FloatArray, scale: float, offset: float, out: FloatArray) -> bool:
    """clamp(values * scale + offset, 0, 1) into `out`; whether all values were finite.

    `out` is float32 of the same shape and contiguous. What it holds where a value is not
    finite is undefined.
    """
    torch = sys.modules.get("torch")
    given: NDArray[Any] = np.ascontiguousarray(values).reshape(-1)
    made: NDArray[Any] = out.reshape(-1)
    if given.dtype != np.float16:
        return _to_unit_from_single(given, scale, offset, made)
    if torch is not None:
        return _to_unit_with(torch, given, scale, offset, made)
    usual = _in_range(given, -1)
    clamp = not (usual and _fits(scale, offset))
    for part in _blocks(made.size, _BLOCK_WITHOUT_TORCH):
        target = made[part]
        _widen(given[part].view(np.int16), target)
        np.multiply(target, np.float32(scale), out=target)
        np.add(target, np.float32(offset), out=target)
        if clamp:
            np.clip(target, 0, 1, out=target)
    return usual or are_finite(given)


def _fits(scale: float, offset: float) -> bool:
    """Whether -1 to 1 lands within 0 to 1."""
    return offset >= scale and offset + scale <= 1


def _to_unit_from_single(given: FloatArray, scale: float, offset: float, made: FloatArray) -> bool:
    finite = True
    for part in _blocks(made.size, _BLOCK_WITHOUT_TORCH):
        target = made[part]
        finite = finite and bool(np.isfinite(given[part]).all())
        np.multiply(given[part], np.float32(scale), out=target)
        np.add(target, np.float32(offset), out=target)
        np.clip(target, 0, 1, out=target)
    return finite


# In blocks with torch too: they are too small for its own threads, which wait for each other
# in a busy loop. On a machine whose cores are busy (the server may be here, too) whole arrays
# take 40 times as long as on an idle one. With so many calls, one that can be left out counts:
# values that an integer comparison shows to be in range are not clamped.


def _to_half_with(
    torch: Any, values: FloatArray, scale: float, offset: float, low: float, result: HalfArray
) -> None:
    flat, halves = np.ascontiguousarray(values).reshape(-1), result.reshape(-1)
    added, room = torch.tensor(float(offset)), torch.empty(_BLOCK)
    for clamped in (False, True):
        for given, made in _block_pairs(torch, flat, halves):
            block = room[: given.numel()] if given.numel() < _BLOCK else room
            torch.add(added, given, alpha=scale, out=block)
            if clamped:
                block.clamp_(low, 1).nan_to_num_(nan=low)
            made.copy_(block)
        if _in_range(halves, low):  # half as many bytes to look at as there were before
            break


def _to_unit_with(
    torch: Any, values: HalfArray, scale: float, offset: float, out: FloatArray
) -> bool:
    usual = _in_range(values, -1)
    clamp = not (usual and _fits(scale, offset))
    added = torch.tensor(float(offset))
    for given, made in _block_pairs(torch, values, out):
        made.copy_(given)
        torch.add(added, made, alpha=scale, out=made)
        if clamp:
            made.clamp_(0, 1)
    return usual or are_finite(values)


def _block_pairs(torch: Any, given: NDArray[Any], made: NDArray[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(
        _tensor(torch, given).split(_BLOCK), torch.from_numpy(made).split(_BLOCK), strict=True
    )


def are_finite(values: NDArray[Any]) -> bool:
    """Whether floats of any size hold neither NaN nor infinity.

    By their bits: np.isfinite takes 18 times as long for half floats.
    """
    size = values.dtype.itemsize
    infinity = int(np.array(np.inf, values.dtype).view(f"u{size}"))
    sign = 1 << (8 * size - 1)
    # Without a sign, all negative numbers are above all others.
    most = int(values.view(f"u{size}").max(initial=0))
    if most < infinity:
        return True
    positive = int(values.view(f"i{size}").max(initial=0))
    return positive < infinity and most < infinity | sign


def _widen(bits: NDArray[np.int16], out: FloatArray) -> None:
    """Half floats' bits as single floats; those that are not finite come out wrong."""
    wide = out.view(np.int32)
    np.left_shift(bits, _MANTISSA_BITS_MORE, out=wide, dtype=np.int32)
    np.bitwise_and(wide, _WITHOUT_COPIES_OF_THE_SIGN, out=wide)
    np.multiply(out, _REBIAS, out=out)


def _tensor(torch: Any, array: NDArray[Any]) -> Any:
    if array.flags.writeable or not array.flags.c_contiguous:
        return torch.from_numpy(np.require(array, requirements=("C", "W")))
    # torch warns of arrays that it could write to and must not, so it gets their memory.
    kind = torch.float16 if array.dtype == np.float16 else torch.float32
    memory = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return torch.frombuffer(memory, dtype=kind).reshape(array.shape)


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
