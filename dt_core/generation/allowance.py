"""How much one answer may hold: what was asked for bounds it, whatever a server sends."""

from __future__ import annotations

import math

from ..errors import ProtocolError, Remedy, TensorError
from ..pictures import previews
from ..request import frames
from ..request.resolved import Resolved
from ..text import Template
from ..wire.tensor import HEADER_BYTES, Datatype, TensorHeader

_TOO_MANY = Template(
    "far_more_pictures",
    "The server at {address} sends far more pictures than were asked for, so the rest is left out.",
)
_TOO_LARGE = Template(
    "far_larger_pictures",
    "The server at {address} sends a picture of {sent} px where at most {asked} px can be.",
)
_NO_PICTURE = Template(
    "no_picture_shape", "An array of shape {shape} and type {datatype} is no picture."
)
_ENDLESS = Template(
    "far_larger_message",
    "The server at {address} sends far more at once than was asked for.",
)
_FAR_MORE = Template(
    "far_more_than_asked", "The server at {address} sends far more than was asked for."
)
_MISSING = Template(
    "pictures_missing",
    "The server at {address} announced {announced} of pictures and sent {sent}: the others are "
    "missing.",
)

SPARE_PICTURES = 64  # more than asked for: layers, frames of a rule that we do not know
_SPARE_SHARE = 8  # an eighth of the pixels more
_SPARE_PIXELS = 1 << 20  # for those of small pictures: 16 MiB when decoded
_SPARE_SIDE_PX = 64  # one step of the sizes that models have
_MOST_ENLARGED = 4  # by an upscaler
_CHANNELS, _VALUE_BYTES = 4, 4  # with alpha, as an Intel Mac sends it
_CODEC_BYTES = 1 << 16  # what a codec may add to the smallest tensor
# Values for each pixel of what is asked for: of previews that show whole pixels, and of those
# whose cells stand for several, as those of all films do.
_OF_PIXELS, _OF_CELLS = 3.0, 0.5
_SPARE_CELLS = 16  # at each side: rows of sound below the picture, and rounding
_SOUND_CHANNELS = 2
_SOUND_RATE_HZ = 48_000  # the highest of any family
_SPARE_SOUND_S = 10
_LEAST_MESSAGE_BYTES = 1 << 20
_MOST_STATUSES = 20_000  # steps, downloads, sizes; no honest run has as many


def wire_limit(header: TensorHeader) -> int:
    """More bytes than this no encoded tensor of that header has."""
    return _on_the_wire(header.size_bytes)


def _on_the_wire(size_bytes: int) -> int:
    return HEADER_BYTES + size_bytes + size_bytes // 8 + _CODEC_BYTES


class Allowance:
    """Counts what arrives for one request; `address` is for the sentences.

    `message_bytes` is the most that one message may have: the largest of its tensors, whole.
    """

    def __init__(self, resolved: Resolved, address: str) -> None:
        expected = frames.most_pictures(resolved)
        factor = _enlarged(resolved)
        size = resolved.size
        self._address = address
        self._sides = tuple(side * factor + _SPARE_SIDE_PX for side in (size.width, size.height))
        self._picture_pixels = math.prod(self._sides)
        self._pictures = expected + SPARE_PICTURES
        asked = expected * self._picture_pixels
        self._pixels = asked + asked // _SPARE_SHARE + _SPARE_PIXELS
        self._announced = 0
        self._arrived = 0
        self._statuses = _MOST_STATUSES
        self._preview_sides = (size.width + _SPARE_SIDE_PX, size.height + _SPARE_SIDE_PX)
        self._preview_bytes = _preview_values(resolved, expected) * _VALUE_BYTES
        self._samples = _samples(resolved, expected)
        sound_bytes = self._samples * _SOUND_CHANNELS * _VALUE_BYTES
        one = self._picture_pixels * _CHANNELS * _VALUE_BYTES
        count = 2 * (int(resolved.settings["steps"]) + 1)  # with high resolution fix
        self._kept_bytes = _LEAST_MESSAGE_BYTES + _on_the_wire(
            self._pixels * _CHANNELS * _VALUE_BYTES + sound_bytes + count * self._preview_bytes
        )
        self.message_bytes = _LEAST_MESSAGE_BYTES + _on_the_wire(
            max(one, self._preview_bytes, sound_bytes)
        )

    def announce(self, size_bytes: int) -> None:
        """All pictures together have so many bytes on the wire, the server says."""
        self._announced = size_bytes

    def check_message(self, size_bytes: int) -> None:
        """One more message, not yet read. Raises ProtocolError if it is too large."""
        if size_bytes > self.message_bytes:
            raise ProtocolError(_ENDLESS(address=self._address), remedy=Remedy.SEE_WHO_ANSWERS)

    def keep_message(self, size_bytes: int) -> None:
        """One more message, which is kept as it came, with all others of the answer.

        Raises ProtocolError if it is too large, or far too much came by now.
        """
        self.check_message(size_bytes)
        self._kept_bytes -= size_bytes
        if self._kept_bytes < 0 or not self.has_room_for_status():
            raise ProtocolError(_FAR_MORE(address=self._address), remedy=Remedy.SEE_WHO_ANSWERS)

    def check_picture(self, header: TensorHeader) -> None:
        """A picture begins with this. Raises ProtocolError if it is far too large or one too
        many, TensorError if it is no picture."""
        height, width = _picture_size(header)
        if height * width > self._picture_pixels:
            raise ProtocolError(
                _TOO_LARGE(
                    address=self._address,
                    sent=f"{width}x{height}",
                    asked="x".join(map(str, self._sides)),
                ),
                remedy=Remedy.SEE_WHO_ANSWERS,
            )
        if self._pictures < 1 or self._pixels < height * width:
            raise ProtocolError(_TOO_MANY(address=self._address), remedy=Remedy.SEE_WHO_ANSWERS)

    def take(self, header: TensorHeader, wire_bytes: int) -> None:
        """One more picture, still encoded. Raises what `check_picture` does."""
        self._arrived += wire_bytes
        self.check_picture(header)
        self._pictures -= 1
        self._pixels -= math.prod(_picture_size(header))

    def has_room_for_status(self) -> bool:
        """One more status; False when there were far more than any run has."""
        self._statuses -= 1
        return self._statuses >= 0

    def fits_preview(self, header: TensorHeader, wire_bytes: int) -> bool:
        """Whether that can be a preview of what was asked for."""
        if len(header.shape) != 4 or header.size_bytes > self._preview_bytes:
            return False
        _, height, width, _ = header.shape
        most_wide, most_high = self._preview_sides
        fits = height <= most_high + _SPARE_CELLS and width <= most_wide
        return fits and previews.can_be_shown(height, width) and wire_bytes <= wire_limit(header)

    def take_sound(self, header: TensorHeader) -> bool:
        """One more piece of sound; False if that is more than the film lasts, or no sound."""
        if len(header.shape) != 2 or header.shape[0] > _SOUND_CHANNELS:
            return False
        if header.datatype not in {Datatype.F32, Datatype.F16} or header.shape[1] > self._samples:
            return False
        self._samples -= header.shape[1]
        return True

    def check_complete(self) -> None:
        """At the end, if pictures arrived. Raises ProtocolError if more were announced."""
        if 0 < self._arrived < self._announced:
            announced, sent = _megabytes(self._announced), _megabytes(self._arrived)
            raise ProtocolError(
                _MISSING(address=self._address, announced=announced, sent=sent),
                remedy=Remedy.READ_LOG,
            )


def _picture_size(header: TensorHeader) -> tuple[int, int]:
    """Height and width. Raises TensorError for what is no picture (docs/protocol.md 3.7)."""
    shape = header.shape[1:] if len(header.shape) == 4 and header.shape[0] == 1 else header.shape
    is_picture = len(shape) == 3 and shape[2] in {1, 3, 4}
    if not is_picture or header.datatype not in {Datatype.F16, Datatype.F32}:
        raise TensorError(_NO_PICTURE(shape=str(list(header.shape)), datatype=header.datatype.name))
    return shape[0], shape[1]


def _enlarged(resolved: Resolved) -> int:
    """How many times wider and higher an upscaler makes the pictures, at most."""
    name = str(resolved.settings["upscaler"] or "")
    if not name:
        return 1
    known = resolved.catalog.upscaler(name) if resolved.catalog else None
    own = known.scale_factor if known else _MOST_ENLARGED
    factor = max(own, int(resolved.settings["upscaler_scale_factor"]), 1)
    return min(factor, _MOST_ENLARGED)


def _preview_values(resolved: Resolved, expected: int) -> int:
    """How many values a preview of the whole run has at most."""
    family, size = resolved.family, resolved.size
    if family is None or family.latent_scale is None:
        area = (size.width + _SPARE_SIDE_PX) * (size.height + _SPARE_SIDE_PX)
        return math.ceil(area * max(_OF_PIXELS, _OF_CELLS * expected))
    recipes = (family.preview, *family.preview.alternatives)
    channels = max(family.latent_channels, *(recipe.channels for recipe in recipes))
    count = frames.latent(family, expected) if family.is_video else expected
    cells = math.prod(
        side // family.latent_scale + _SPARE_CELLS for side in (size.width, size.height)
    )
    return cells * channels * count


def _samples(resolved: Resolved, expected: int) -> int:
    """Of each channel of sound, at most."""
    family = resolved.family
    rate_hz = (family.audio_sample_rate if family else None) or _SOUND_RATE_HZ
    per_second = [frames.per_second(resolved), family.fps if family else None]
    slowest = max(1.0, min((float(fps) for fps in per_second if fps), default=1.0))
    seconds = expected / slowest
    return math.ceil((seconds + seconds / _SPARE_SHARE + _SPARE_SOUND_S) * rate_hz)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.3g} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.3g} GB"
