"""Where a picture is written: the pattern of --output, checked before anything is generated."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import RequestError
from ..text import Template

_NO_PLACEHOLDER = Template(
    "output_placeholder", "--output knows no placeholder '{unknown}': there are {known}."
)
_NOT_PNG = Template("output_not_png", "--output '{text}': pictures are PNG files.")
_NO_FOLDER = Template("output_no_folder", "{folder} cannot be written to: {there} is no folder.")
_NO_PERMISSION = Template(
    "output_no_permission", "{folder} cannot be written to: there is no permission."
)


DEFAULT = "{model}_{seed}.png"
_KNOWN = ("model", "seed", "index", "date", "time")
_HOLE = re.compile(r"\{([^{}]*)\}")
_BINARY = getattr(os, "O_BINARY", 0)
_ENDINGS = (".ckpt", ".safetensors")


class Pattern:
    """File names for pictures. `text` may be a folder: then the default names go in there.

    Raises RequestError for holes that nobody fills, for another kind of file than PNG, and
    for a folder that cannot be written to.
    """

    def __init__(self, text: str) -> None:
        is_folder = text.endswith(("/", os.sep)) or Path(text).is_dir()
        self.text = str(Path(text) / DEFAULT) if is_folder else text
        unknown = [hole for hole in _HOLE.findall(self.text) if hole not in _KNOWN]
        if unknown:
            known = " ".join(f"{{{name}}}" for name in _KNOWN)
            raise RequestError(_NO_PLACEHOLDER(unknown=unknown[0], known=known))
        ending = Path(_HOLE.sub("", self.text)).suffix.lower()
        if ending in {".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp"}:
            raise RequestError(_NOT_PNG(text=text))
        self._now = dt.datetime.now().astimezone()

    def check(self, model: str, seed: int) -> None:
        """Raise RequestError if the first picture could not be written: see it in time."""
        folder = self.path(model, seed, 0).parent
        there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
        if not there.is_dir():
            raise RequestError(_NO_FOLDER(folder=str(folder), there=str(there)))
        if not os.access(there, os.W_OK):
            raise RequestError(_NO_PERMISSION(folder=str(folder)))

    def path(self, model: str, seed: int, index: int) -> Path:
        """The file for a picture, `index` from 0; `free` makes it one that is not there."""
        short = next((model.removesuffix(e) for e in _ENDINGS if model.endswith(e)), model)
        values = {
            "model": re.sub(r'[/\\:*?"<>|]', "_", short) or "picture",
            "seed": str(seed),
            "index": f"{index + 1:04}",
            "date": f"{self._now:%Y-%m-%d}",
            "time": f"{self._now:%H%M%S}",
        }
        path = Path(_HOLE.sub(lambda hole: values[hole[1]], self.text))
        return path if path.suffix.lower() == ".png" else Path(f"{path}.png")


def free(path: Path) -> Path:
    """The path itself, or one with a number behind it: nothing is written over."""
    return next(candidate for candidate in _candidates(path) if not candidate.exists())


def new_file(path: Path, data: bytes) -> Path:
    """A file of that name, or one with a number behind it: whole, or not there at all.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for candidate in _candidates(path):
        try:
            descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        except FileExistsError:
            continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except BaseException:
            with contextlib.suppress(OSError):
                candidate.unlink()
            raise
        return candidate
    raise FileExistsError(str(path))


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, sys.maxsize):
        yield path.with_name(f"{path.stem}_{number}{path.suffix}")
