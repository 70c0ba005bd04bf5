"""Half floats: single floats with a change of range, and back, many at a time.

With torch if the program has it loaded. Without it in NumPy's integer operations, block by
block so that a block stays in the cache: NumPy's own conversion takes longer than all of
that together.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_finite", "to_half", "to_single", "to_unit"]

FloatArray = NDArray[np.float32]
HalfArray = NDArray[np.float16]

_BLOCK = 1 << 15  # values; a few arrays of it fit in the second-level cache

_CORES = 2
_MANY = 1 << 21  # values; for fewer, waking torch's threads costs more than they save

# A half float's bits, moved 13 up, are a single float's, but for the bias of the exponent:
# 127 instead of 15. A multiplication sets that right, subnormal numbers included.
_MANTISSA_BITS_MORE = 13
_REBIAS = np.float32(2.0 ** (127 - 15))
_HALF_INFINITY = 0x7C00
_HALF_SIGN = 0x8000
# A half float's bits as an integer have their sign repeated in all bits above it.
_WITHOUT_COPIES_OF_THE_SIGN = np.int32(-0x7000_0001)

# The other way, integers do: the least normal half becomes 0, what is below it something
# huge, like what is above 1; rounding adds almost half of the last bit that stays.
_WITHOUT_SIGN = 0x7FFF_FFFF
_LEAST_NORMAL = np.float32(2.0**-14)
_LEAST_BITS = int(_LEAST_NORMAL.view(np.uint32))
_LESS_EXPONENT = np.uint32((0xFFF - _LEAST_BITS) % (1 << 32))
_FIRST_EXPONENT = 1 << 10  # of a half: what that took away
_MOST = int(np.float32(1).view(np.uint32)) - _LEAST_BITS + 0xFFF
_HALF_BITS = int(np.float32(0.5).view(np.uint32))


def to_half(values: FloatArray, scale: float, offset: float, low: float) -> HalfArray:
    """clamp(values * scale + offset, low, 1) as half floats, rounded to nearest.

    `values` is float32 of any shape; `low` is 0 or -1, and what NaN becomes.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return _to_half_with(torch, values, scale, offset, low)
    result = np.empty(values.shape, np.float16)
    bits = result.view(np.uint16).reshape(-1)
    flat = np.ascontiguousarray(values).reshape(-1)

    def work(parts: Sequence[slice]) -> bool:
        room = np.empty((3, _BLOCK), np.uint32)
        with np.errstate(invalid="ignore", over="ignore"):
            for part in parts:
                wide, sign, rounded = room[:, : part.stop - part.start]
                block = wide.view(np.float32)
                np.multiply(flat[part], np.float32(scale), out=block)
                np.add(block, np.float32(offset), out=block)
                np.clip(block, low, 1, out=block)
                np.right_shift(wide, 16, out=sign)
                np.bitwise_and(sign, _HALF_SIGN, out=sign)
                np.bitwise_and(wide, _WITHOUT_SIGN, out=wide)
                # To nearest, ties to even.
                np.right_shift(wide, _MANTISSA_BITS_MORE, out=rounded)
                np.bitwise_and(rounded, 1, out=rounded)
                np.add(rounded, wide, out=rounded)
                np.add(rounded, _LESS_EXPONENT, out=rounded)
                unusual = np.maximum.reduce(rounded) > _MOST
                np.right_shift(rounded, _MANTISSA_BITS_MORE, out=rounded)
                np.add(rounded, _FIRST_EXPONENT, out=rounded)
                if unusual:
                    few = np.flatnonzero(~(block >= _LEAST_NORMAL))
                    rounded[few], broken = _small(block[few]), few[np.isnan(block[few])]
                    rounded[broken] = np.float16(abs(low)).view(np.uint16)
                    sign[broken] = _HALF_SIGN if low else 0
                np.bitwise_or(rounded, sign, out=rounded)
                np.copyto(bits[part], rounded, casting="unsafe")
        return True

    _shared(flat.size, work)
    return result


def _small(values: FloatArray) -> NDArray[np.uint32]:
    """The bits of half floats below the normal ones, of positive `values`."""
    # In the sum, the last bit of a single float is worth as much as that of such a half.
    bits: NDArray[np.uint32] = (values + np.float32(0.5)).view(np.uint32) - np.uint32(_HALF_BITS)
    return bits


def to_unit(values: HalfArray | FloatArray, scale: float, offset: float, out: FloatArray) -> bool:
    """clamp(values * scale + offset, 0, 1) into `out`; whether all values were finite.

    `out` is float32 of the same shape and contiguous. What it holds where a value is not
    finite is undefined.
    """
    torch = sys.modules.get("torch")
    if torch is not None and values.dtype == np.float16:
        return _to_unit_with(torch, values, scale, offset, out)
    flat = out.reshape(-1)
    given = np.ascontiguousarray(values).reshape(-1)

    def work(parts: Sequence[slice]) -> bool:
        finite = True
        with np.errstate(invalid="ignore", over="ignore"):
            for part in parts:
                target = flat[part]
                if given.dtype == np.float16:
                    finite = _widen(given[part].view(np.int16), target) and finite
                else:
                    np.copyto(target, given[part])
                    finite = bool(np.isfinite(target.sum())) and finite
                np.multiply(target, np.float32(scale), out=target)
                np.add(target, np.float32(offset), out=target)
                np.clip(target, 0, 1, out=target)
        return finite

    return _shared(flat.size, work)


# In blocks with torch too: they are too small for its own threads, which wait for each other
# in a busy loop. On a machine whose cores are busy (the server may be here, too) whole arrays
# take 40 times as long as on an idle one.


def _to_half_with(
    torch: Any, values: FloatArray, scale: float, offset: float, low: float
) -> HalfArray:
    result = np.empty(values.shape, np.float16)
    added, room = torch.tensor(float(offset)), torch.empty(_BLOCK)
    for given, made in _block_pairs(torch, values, result):
        block = room[: given.numel()]
        torch.add(added, given, alpha=scale, out=block)
        made.copy_(block.clamp_(low, 1).nan_to_num_(nan=low))
    return result


def _to_unit_with(
    torch: Any, values: NDArray[Any], scale: float, offset: float, out: FloatArray
) -> bool:
    added, total = torch.tensor(float(offset)), torch.zeros(())
    for given, made in _block_pairs(torch, values, out):
        made.copy_(given)
        total += made.sum()  # an infinity or a NaN spreads to it
        torch.add(added, made, alpha=scale, out=made).clamp_(0, 1)
    return math.isfinite(float(total))


def _block_pairs(torch: Any, given: NDArray[Any], made: NDArray[Any]) -> Iterator[tuple[Any, Any]]:
    one = _tensor(torch, given).reshape(-1).split(_BLOCK)
    other = torch.from_numpy(made.reshape(-1)).split(_BLOCK)
    return zip(one, other, strict=True)


def to_single(values: HalfArray | FloatArray) -> FloatArray:
    """The same values as single floats, without torch; `values` itself if it holds such."""
    if values.dtype != np.float16:
        return values.astype(np.float32, copy=False)
    result = np.empty(values.shape, np.float32)
    flat = result.reshape(-1)
    given = np.ascontiguousarray(values).reshape(-1)
    with np.errstate(all="ignore"):
        for part in _blocks(flat.size):
            if not _widen(given[part].view(np.int16), flat[part]):
                np.copyto(flat[part], given[part])
    return result


def are_finite(values: NDArray[Any]) -> bool:
    """Whether floats of any size hold neither NaN nor infinity."""
    torch = sys.modules.get("torch")
    with np.errstate(over="ignore", invalid="ignore"):
        if torch is not None and values.dtype == np.float32 and values.size >= _MANY:
            total = float(_tensor(torch, values).sum())
        else:
            total = float(values.sum())
    # Only a sum that overflowed needs a second look.
    return math.isfinite(total) or bool(np.isfinite(values).all())


def _widen(bits: NDArray[np.int16], out: FloatArray) -> bool:
    """Half floats' bits as single floats; whether all were finite, else those are wrong."""
    wide = out.view(np.int32)
    np.left_shift(bits, _MANTISSA_BITS_MORE, out=wide, dtype=np.int32)
    np.bitwise_and(wide, _WITHOUT_COPIES_OF_THE_SIGN, out=wide)
    np.multiply(out, _REBIAS, out=out)
    exponents = np.bitwise_and(bits, _HALF_INFINITY)
    return int(np.maximum.reduce(exponents)) < _HALF_INFINITY


def _tensor(torch: Any, array: NDArray[Any]) -> Any:
    if array.flags.writeable or not array.flags.c_contiguous:
        return torch.from_numpy(np.require(array, requirements=("C", "W")))
    # torch warns of arrays that it could write to and must not, so it gets their memory.
    kind = torch.float16 if array.dtype == np.float16 else torch.float32
    memory = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return torch.frombuffer(memory, dtype=kind).reshape(array.shape)


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))


def _shared(count: int, work: Callable[[Sequence[slice]], bool]) -> bool:
    """Let `work` do all blocks, many of them on two cores; whether it said yes to all."""
    parts = list(_blocks(count))
    if count < _MANY:
        return work(parts)
    with ThreadPoolExecutor(_CORES) as threads:
        return all(list(threads.map(work, (parts[first::_CORES] for first in range(_CORES)))))
