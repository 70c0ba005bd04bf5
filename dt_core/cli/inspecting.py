"""`drawthings inspect`: what made a picture, or what a serialized tensor holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import metadata
from ..errors import RequestError, TensorError
from ..json_codec import to_json
from ..metadata import generation as written
from . import exits, output

_MAX_BYTES = 1 << 30


def run(options: argparse.Namespace) -> int:
    path = Path(options.file)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RequestError(f"{path.name} is larger than {_MAX_BYTES >> 30} GiB: it is neither.")
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path.name} cannot be read: {error.strerror}.") from None
    told = _picture(data)
    if told is None:
        told = _tensor(path.name, data)
    if options.json:
        output.as_json(told)
    elif "text" in told:
        output.line(told["text"])
    else:
        for key, value in told.items():
            output.line(f"{key:9} {value}")
    return exits.DONE


def _picture(data: bytes) -> dict[str, Any] | None:
    made = metadata.read(data)
    if made is None:
        return None
    return {
        "kind": "picture",
        "prompt": made.prompt,
        "negative_prompt": made.negative_prompt,
        "configuration": to_json(made.settings),
        "text": written.described(made),
    }


def _tensor(name: str, data: bytes) -> dict[str, Any]:
    import numpy as np

    from .. import tensor

    try:
        header = tensor.read_header(data)
        values = tensor.decode(data)
    except TensorError as error:
        raise RequestError(
            f"{name} is neither a picture that tells how it was made nor a tensor. {error}"
        ) from None
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
