"""`drawthings inspect`: what made a picture, or what a serialized tensor holds."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

from .. import metadata
from ..errors import RequestError, TensorError
from ..metadata import generation_data as written
from ..settings.app_json import to_json
from ..text import Template
from . import exits, output

_TOO_LARGE = Template(
    "file_too_large",
    "{path} is larger than {max_bytes} GiB: no picture and no tensor.",
)
_UNREADABLE = Template("file_unreadable", "{path} cannot be read: {strerror}.")
_NEITHER = Template(
    "neither_picture_nor_tensor", "{name} is neither a picture nor a tensor. {error}"
)


_MAX_BYTES = 1 << 30


def run(options: argparse.Namespace) -> int:
    path = Path(options.file)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RequestError(_TOO_LARGE(path=str(path), max_bytes=_MAX_BYTES >> 30))
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(_UNREADABLE(path=str(path), strerror=str(error.strerror))) from None
    told = _picture(data)
    if told is None:
        told = _tensor(path.name, data)
    if options.json:
        output.as_json(told)
    elif told["kind"] == "picture":
        size = f"{told['width']}x{told['height']} px, {told['format']}" if told["format"] else ""
        output.lines(told["text"] or f"A picture that does not tell how it was made: {size}")
        if told["text"] and size:
            output.line(f"Picture: {size}")
    else:
        for key, value in told.items():
            output.line(f"{key:9} {value}")
    return exits.DONE


def _picture(data: bytes) -> dict[str, Any] | None:
    """What the picture says, and its size; None for what is no picture."""
    made = metadata.read(data)
    opened = _opened(data)
    if made is None and opened is None:
        return None
    width, height, kind = opened or (None, None, None)
    return {
        "kind": "picture",
        "format": kind,
        "width": width,
        "height": height,
        "prompt": made.prompt if made else None,
        "negative_prompt": made.negative_prompt if made else None,
        "configuration": to_json(made.settings) if made else None,
        "text": written.described(made) if made else None,
    }


def _opened(data: bytes) -> tuple[int, int, str] | None:
    """Width, height and format by the head of a picture file; its pixels are left alone."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.width, image.height, str(image.format)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _tensor(name: str, data: bytes) -> dict[str, Any]:
    import numpy as np

    from ..wire import tensor

    try:
        header = tensor.read_header(data)
        values = tensor.decode(data)
    except TensorError as error:
        raise RequestError(_NEITHER(name=name, error=str(error))) from None
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return {
        "kind": "tensor",
        "shape": list(values.shape),
        "type": header.datatype.name,
        "codec": header.codec,
        "bytes": len(data),
        "minimum": float(finite.min()) if finite.size else None,
        "maximum": float(finite.max()) if finite.size else None,
        "mean": float(finite.mean(dtype=np.float64)) if finite.size else None,
        "nonfinite": int(values.size - finite.size),
    }
