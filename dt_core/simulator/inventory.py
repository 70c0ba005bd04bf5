"""What the simulated server has: files, and descriptions of them (docs/protocol.md 7).

Reads catalog.json or a file of the same form: an object with the five lists of a
MetadataOverride and "files", the names of files without a description. Strict where the
real server's decoder is strict: an entry that lacks a required key does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..models.families import FAMILIES
from ..wire import protobuf

Description = Mapping[str, Any]

_TEXT = {"name": str, "file": str, "version": str}
_REQUIRED: Mapping[str, Mapping[str, type]] = {
    "models": {**_TEXT, "prefix": str, "upcast_attention": bool, "default_scale": int},
    "loras": {**_TEXT, "prefix": str},
    "controlNets": {**_TEXT, "type": str, "global_average_pooling": bool},
    "textualInversions": {**_TEXT, "keyword": str, "length": int},
    "upscalers": {"name": str, "file": str, "scale_factor": int, "blocks": int},
}
KINDS = tuple(_REQUIRED)

# The first entry of the real server's own list: what it uses in place of a model that it
# does not have (docs/protocol.md 11.3).
FALLBACK_MODEL = "ltx_2.3_22b_distilled_1.1_q8p.ckpt"


class Catalog:
    """Descriptions by kind and file, and the names of the files that exist."""

    def __init__(self, tables: Mapping[str, Iterable[Description]], files: Iterable[str]) -> None:
        self._tables = {kind: _first_wins(tables.get(kind, ())) for kind in KINDS}
        self.files = frozenset(files)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Catalog:
        """The built-in catalogue, or the one in the file `path`.

        Raises RequestError, naming the entry, for a file of another form.
        """
        if path is None:
            text = resources.files(__package__).joinpath("inventory.json").read_text("utf-8")
        else:
            text = Path(path).read_text("utf-8")
        try:
            data = json.loads(text)
        except ValueError as error:
            raise RequestError(f"The catalogue {path} is not JSON: {error}.") from None
        if not isinstance(data, dict):
            raise RequestError(f"The catalogue {path} is not a JSON object.")
        tables: dict[str, list[Description]] = {}
        for kind in KINDS:
            tables[kind] = data.get(kind, [])
            for number, row in enumerate(tables[kind]):
                if fault := _fault(kind, row):
                    raise RequestError(f"The catalogue's {kind}[{number}] {fault}.")
        described = (row["file"] for rows in tables.values() for row in rows)
        return cls(tables, {*described, *data.get("files", [])})

    def find(self, kind: str, file: str | None) -> Description | None:
        """The description of `file`, whether or not the file exists."""
        return self._tables[kind].get(file) if file else None

    def all(self, kind: str) -> Iterator[Description]:
        return iter(self._tables[kind].values())

    def with_files(self, files: Iterable[str]) -> Catalog:
        """The same descriptions, and more files."""
        more = Catalog({}, self.files.union(files))
        more._tables = self._tables
        return more

    def with_override(self, override: Any) -> tuple[Catalog, list[str]]:
        """This catalogue below a request's override, and what was dropped from the override.

        A description never makes a file appear (docs/protocol.md 7.8).
        """
        dropped: list[str] = []
        merged = Catalog({}, self.files)
        for kind in KINDS:
            rows, faults = _lenient(kind, getattr(override, kind))
            dropped += faults
            merged._tables[kind] = {**self._tables[kind], **_first_wins(rows)}
        return merged, dropped

    def to_override(self) -> Any:
        """The descriptions of Echo: of everything that is there, its side files included."""
        return protobuf.MetadataOverride(
            **{
                kind: json.dumps(
                    [row for row in self.all(kind) if row["file"] in self.files],
                    ensure_ascii=False,
                ).encode()
                for kind in KINDS
            }
        )


def _first_wins(rows: Iterable[Description]) -> dict[str, Description]:
    found: dict[str, Description] = {}
    for row in rows:
        found.setdefault(row["file"], row)
    return found


def _lenient(kind: str, data: bytes) -> tuple[list[Description], list[str]]:
    if not data:
        return [], []
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return [], [f"override.{kind} is not JSON: ignored"]
    if not isinstance(rows, list):
        return [], [f"override.{kind} is not a JSON array: ignored"]
    good: list[Description] = []
    dropped = []
    for number, row in enumerate(rows):
        clean = {_snake(key): value for key, value in row.items()} if isinstance(row, dict) else row
        fault = _fault(kind, clean)
        if fault:
            dropped.append(f"override.{kind}[{number}] {fault}: dropped")
        else:
            good.append(clean)
    return good, dropped


def _snake(key: str) -> str:
    if "_" in key:
        return key
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _fault(kind: str, row: object) -> str:
    """Why the real server's decoder drops the entry; "" if it does not."""
    if not isinstance(row, dict):
        return "is not an object"
    for key, wanted in _REQUIRED[kind].items():
        value = row.get(key)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            return f'has no {wanted.__name__} "{key}"'
    if "version" in row and row["version"] not in FAMILIES:
        return f'has the unknown version "{row["version"]}"'
    return ""
