"""PNG files with metadata: ComfyUI's text chunks, and beside them what the app reads."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..pictures.values import Size
from .generation_data import Generation
from .xmp import to_xmp

XMP_KEYWORD = "XML:com.adobe.xmp"
COMPRESS_LEVEL = 4  # ComfyUI's own
_PERCEPTUAL = b"\0"  # rendering intent of the sRGB chunk


def encode(
    pixels: NDArray[np.uint8],
    texts: Mapping[str, str] | None = None,
    generation: Generation | None = None,
) -> bytes:
    """A PNG file of uint8 [H, W, C], C = 1, 3 or 4, sRGB.

    `texts` become text chunks, `generation` what the app reads. No other file changes.
    """
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    info, extra = PngInfo(), {}
    for keyword, text in (texts or {}).items():
        info.add_text(keyword, text)
    if generation is not None:
        info.add(b"sRGB", _PERCEPTUAL)
        info.add_itxt(XMP_KEYWORD, to_xmp(generation))
        extra["exif"] = exif(Size(*image.size))
    file = io.BytesIO()
    _save(image, file, pnginfo=info, compress_level=COMPRESS_LEVEL, **extra)
    return file.getvalue()


def _save(image: Image.Image, file: io.BytesIO, **options: Any) -> None:
    image.save(file, "PNG", **options)


def exif(size: Size) -> bytes:
    """A big-endian Exif block that tells width and height, and nothing else."""
    exif_at = 8 + 2 + 12 + 4
    head = struct.pack(">2sHI", b"MM", 42, 8)
    first = struct.pack(">HHHIII", 1, 0x8769, 4, 1, exif_at, 0)
    entries = [
        struct.pack(">HHII", tag, 4, 1, px)
        for tag, px in zip((0xA002, 0xA003), (size.width, size.height), strict=True)
    ]
    return head + first + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)
