"""How much one answer may hold: what was asked for bounds it, whatever a server sends."""

from __future__ import annotations

from ..errors import ProtocolError
from ..request import frames
from ..request.resolved import Resolved
from ..wire.tensor import HEADER_BYTES, TensorHeader

SPARE_PICTURES = 64  # more than asked for: layers, frames of a rule that we do not know
LEAST_BYTES = 2 << 30  # one picture of the greatest size that is accepted, and a preview of it
_ENLARGED = 4 * 4  # by an upscaler
_BYTES_PER_PIXEL = 4 * 2  # half floats with alpha
_CODEC_BYTES = 1 << 16  # what a codec may add to the smallest tensor


def wire_limit(header: TensorHeader) -> int:
    """More bytes than this no encoded tensor of that header has."""
    return HEADER_BYTES + header.size_bytes + header.size_bytes // 8 + _CODEC_BYTES


class Allowance:
    """Counts what arrives for one request; `address` is for the sentences."""

    def __init__(self, resolved: Resolved, address: str) -> None:
        settings, expected = resolved.settings, frames.pictures(resolved)
        area = int(settings["start_width"]) * int(settings["start_height"])
        self._address = address
        self._pictures = expected + SPARE_PICTURES
        self._bytes = max(LEAST_BYTES, expected * area * _ENLARGED * _BYTES_PER_PIXEL)
        self._announced = 0
        self._arrived = 0

    def announce(self, size_bytes: int) -> None:
        """All pictures together have so many bytes on the wire, the server says."""
        self._announced = size_bytes

    def take(self, header: TensorHeader, wire_bytes: int) -> None:
        """One more picture, still encoded. Raises ProtocolError if that is too much."""
        self._arrived += wire_bytes
        self._pictures -= 1
        self._bytes -= header.size_bytes
        if self._pictures < 0 or self._bytes < 0:
            raise ProtocolError(
                f"The server at {self._address} sends far more pictures than were asked for, so "
                "the rest is left out: see what answers at that address."
            )

    def check_complete(self) -> None:
        """At the end, if pictures arrived. Raises ProtocolError if more were announced."""
        if 0 < self._arrived < self._announced:
            raise ProtocolError(
                f"The server at {self._address} announced {_megabytes(self._announced)} of "
                f"pictures and sent {_megabytes(self._arrived)}: the others are missing; generate "
                "again, and look at its log."
            )


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.3g} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.3g} GB"
