"""Pictures of one size side by side in one array, so that nobody has to copy them together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Place", "Stack", "joined"]

FloatArray = NDArray[np.float32]
Place = Callable[[int, int], FloatArray]


class Stack:
    """Room for the pictures of a generation: float32 [expected, height, width, 3].

    The first picture that is there decides on the size. One of another size, and one too
    many, gets an array of its own. Room that is not used costs address space only.
    """

    def __init__(self, expected: int) -> None:
        self._expected = max(expected, 1)
        self._array: FloatArray | None = None
        self._reserved = 0
        self._lock = threading.Lock()

    def reserve(self) -> Place:
        """The next place: called with height and width it gives [height, width, 3], with
        anything in it."""
        number, self._reserved = self._reserved, self._reserved + 1

        def place(height: int, width: int) -> FloatArray:
            with self._lock:
                if self._array is None:
                    self._array = self._made(height, width)
            if number < len(self._array) and self._array.shape[1:3] == (height, width):
                mine: FloatArray = self._array[number]
                return mine
            return np.empty((height, width, 3), np.float32)

        return place

    def _made(self, height: int, width: int) -> FloatArray:
        try:
            return np.empty((self._expected, height, width, 3), np.float32)
        except MemoryError:  # what is expected may be wrong
            return np.empty((1, height, width, 3), np.float32)


def joined(pictures: Sequence[FloatArray]) -> FloatArray | None:
    """The pictures, [height, width, 3] each, as one array of [N, height, width, 3].

    None unless they lie in their order, without a gap, in one `Stack`.
    """
    first = pictures[0]
    whole = first.base
    if whole is None or whole.ndim != 4 or whole.shape[1:] != first.shape:
        return None
    start = (_address(first) - _address(whole)) // first.nbytes
    rows = whole[start : start + len(pictures)]
    same = len(rows) == len(pictures) and all(
        picture.base is whole and _address(picture) == _address(row) and picture.shape == row.shape
        for picture, row in zip(pictures, rows, strict=True)
    )
    return rows if same else None


def _address(array: FloatArray) -> int:
    return int(array.__array_interface__["data"][0])
