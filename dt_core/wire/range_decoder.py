"""Plain numbers out of fpzip's range coder: what the header of an fpzip stream says."""

from __future__ import annotations

__all__ = ["RangeDecoder"]


class RangeDecoder:
    """Reads plain numbers from fpzip's range coder; past the end it reads zeros."""

    _MASK = 0xFFFF_FFFF

    def __init__(self, data: memoryview) -> None:
        self._data = bytes(data)
        self._next = 0
        self._low = 0
        self._range = self._MASK
        self._code = 0
        self._shift_in(4)

    def take(self, bits: int) -> int:
        """The next number; those above 16 bits come in halves, the lower one first."""
        if bits > 16:
            return self.take(16) | self.take(bits - 16) << 16
        self._range >>= bits
        value = ((self._code - self._low) & self._MASK) // self._range
        # Only in damaged data is it more; then the interval must not leave its bounds.
        value = min(value, (1 << bits) - 1)
        self._low = (self._low + value * self._range) & self._MASK
        while not (self._low ^ (self._low + self._range & self._MASK)) >> 24:
            self._shift_in(1)
            self._range = self._range << 8 & self._MASK
        if not self._range >> 16:
            # The interval straddles a carry: cut it off there.
            self._shift_in(2)
            self._range = -self._low & self._MASK
        return value

    def _shift_in(self, count: int) -> None:
        for _ in range(count):
            byte = self._data[self._next] if self._next < len(self._data) else 0
            self._next += 1
            self._code = (self._code << 8 | byte) & self._MASK
            self._low = self._low << 8 & self._MASK
