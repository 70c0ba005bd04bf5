"""What a picture file says about how it was made: PNG, JPEG and whatever carries XMP.

The files are foreign: every length is checked, nothing is unpacked beyond a limit, and no
pixel is decoded.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from .generation_data import Generation, from_json
from .png import XMP_KEYWORD
from .xmp import MAX_PACKET, from_xmp, json_in

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
_ALONE = {0x01, *range(0xD0, 0xD8)}  # JPEG markers without a length
_SCAN = 0xDA
_EXIF_FOLDER, _USER_COMMENT = 0x8769, 0x9286
_MAX_ENTRIES = 512  # of one Exif folder
_MAX_TEXTS = 64
_PACKET = re.compile(rb"<x:xmpmeta\b.{0,4194304}?</x:xmpmeta\s*>", re.DOTALL)


def read(file: bytes) -> Generation | None:
    """What made the picture in a file; None where the file does not say.

    Raises SettingsError for metadata of the app with values that cannot be.
    """
    for number, (kind, text) in enumerate(_texts(file)):
        if number >= _MAX_TEXTS:
            break
        data = from_xmp(text) if kind == "xmp" else json_in(text)
        if data is not None:
            return from_json(data)
    return None


def _texts(file: bytes) -> Iterator[tuple[str, str]]:
    """XMP packets and Exif comments, in the order of trust."""
    if file.startswith(_PNG):
        yield from _png(file)
    elif file.startswith(_JPEG):
        yield from _jpeg(file)
    else:
        for found in _PACKET.finditer(file):
            yield "xmp", _utf8(found.group())


def _png(file: bytes) -> Iterator[tuple[str, str]]:
    later = []
    at = len(_PNG)
    while at + 12 <= len(file):
        (length,) = struct.unpack_from(">I", file, at)
        kind, data = file[at + 4 : at + 8], file[at + 8 : at + 8 + length]
        if len(data) < length or kind == b"IEND":
            break
        at += 12 + length
        if kind in {b"iTXt", b"zTXt", b"tEXt"}:
            keyword = data[:96].partition(b"\0")[0]
            if keyword == XMP_KEYWORD.encode():
                yield "xmp", _png_text(kind, data[len(keyword) + 1 :])
        elif kind == b"eXIf":
            later.append(data)
    for block in later:
        yield from _exif(block)


def _png_text(kind: bytes, rest: bytes) -> str:
    """The text behind the keyword of a text chunk; "" for one that is damaged or too long."""
    if kind == b"tEXt":
        return _utf8(rest)
    if kind == b"zTXt":
        return _unpacked(rest[1:])
    compressed = rest[:1] == b"\x01"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    return _unpacked(text) if compressed else _utf8(text)


def _unpacked(data: bytes) -> str:
    try:
        text = zlib.decompressobj().decompress(data, MAX_PACKET + 1)
    except zlib.error:
        return ""
    return "" if len(text) > MAX_PACKET else _utf8(text)


def _utf8(data: bytes) -> str:
    return data[: MAX_PACKET + 1].decode("utf-8", "replace")


def _jpeg(file: bytes) -> Iterator[tuple[str, str]]:
    later = []
    at = len(_JPEG)
    while at + 4 <= len(file) and file[at] == 0xFF:
        marker = file[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", file, at + 2)
        data = file[at + 4 : at + 2 + length]
        if marker == _SCAN or length < 2:
            break
        at += 2 + length
        if marker == 0xE1 and data.startswith(_JPEG_XMP):
            yield "xmp", _utf8(data[len(_JPEG_XMP) :])
        elif marker == 0xE1 and data.startswith(_JPEG_EXIF):
            later.append(data[len(_JPEG_EXIF) :])
    for block in later:
        yield from _exif(block)


def _exif(block: bytes) -> Iterator[tuple[str, str]]:
    """The UserComment of an Exif block, as text."""
    order = {b"MM\0*": ">", b"II*\0": "<"}.get(block[:4])
    if order is None or len(block) < 8:
        return
    first = _entries(block, struct.unpack_from(f"{order}I", block, 4)[0], order)
    folder = first.get(_EXIF_FOLDER)
    comment = _entries(block, folder[1], order).get(_USER_COMMENT) if folder else None
    if comment is None:
        return
    count, at = comment
    data = block[at : at + count]
    code, text = data[:8], data[8:]
    if code == b"UNICODE\0":
        yield "comment", text.decode("utf-16-be" if order == ">" else "utf-16-le", "replace")
    else:
        yield "comment", text.decode("utf-8", "replace")


def _entries(block: bytes, at: int, order: str) -> dict[int, tuple[int, int]]:
    """Count and value of each tag of a folder; later ones of the same tag are ignored."""
    if at + 2 > len(block):
        return {}
    (number,) = struct.unpack_from(f"{order}H", block, at)
    found: dict[int, tuple[int, int]] = {}
    for index in range(min(number, _MAX_ENTRIES)):
        place = at + 2 + index * 12
        if place + 12 > len(block):
            break
        tag, _kind, count, value = struct.unpack_from(f"{order}HHII", block, place)
        found.setdefault(tag, (count, value))
    return found
