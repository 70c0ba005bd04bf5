"""What the simulated server has: files, and descriptions of them (docs/protocol.md 7).

Reads inventory.json or a file of the same form (docs/simulator.md): an object with the five
lists of a MetadataOverride and "files". Strict where the real server's decoder is strict: an
entry that lacks a required key does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..models.families import FAMILIES
from ..text import Template
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

# Of the optional keys those that are read here; another type makes the entry unreadable.
_TEXTS = (
    "modifier",
    "text_encoder",
    "autoencoder",
    "image_encoder",
    "clip_encoder",
    "t5_encoder",
    "diffusion_mapping",
    "preprocessor",
    "alternative_decoder",
    "alternative_decoder_version",
)
_OPTIONAL: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, str),
    "stage_models": list,
    "additional_clip_encoders": list,
    "is_consistency_model": bool,
    "guidance_embed": bool,
    "frames_per_second": (int, float),
    "remote_api_model_config": dict,
}

# What a model is taken to use where its description does not say (docs/protocol.md 7.1).
_V1_TEXT_ENCODER = "clip_vit_l14_f16.ckpt"
_TEXT_ENCODER = "open_clip_vit_h14_f16.ckpt"
_AUTOENCODER = "vae_ft_mse_840000_f16.ckpt"
_SIDE_KEYS: Mapping[str, tuple[str, ...]] = {
    "models": (
        "image_encoder",
        "clip_encoder",
        "t5_encoder",
        "diffusion_mapping",
        "additional_clip_encoders",
        "stage_models",
    ),
    "controlNets": ("image_encoder", "preprocessor", "autoencoder"),
}

# The first entry of the real server's own list: what it uses in place of a model that it
# does not have (docs/protocol.md 11.3).
FALLBACK_MODEL = "ltx_2.3_22b_distilled_1.1_q8p.ckpt"


_NOT_JSON = Template("simulator_catalogue_not_json", "The catalogue {path} is not JSON: {why}.")
_NO_OBJECT = Template("simulator_catalogue_no_object", "The catalogue {path} is not a JSON object.")
_NO_LIST = Template("simulator_catalogue_no_list", "The catalogue's {kind} is not a JSON list.")
_BAD_ENTRY = Template("simulator_catalogue_entry", "The catalogue's {kind}[{number}] {fault}.")
_BAD_FILES = Template(
    "simulator_catalogue_files",
    'The catalogue\'s "files" is neither a list of names nor an object of names with sizes in '
    "bytes, or null for a file that is not there.",
)


class Catalog:
    """Descriptions by kind and file, and the names of the files that exist.

    Without `files` there is everything that the descriptions name. `empty` are those of no
    bytes, which Echo does not tell.
    """

    def __init__(
        self,
        tables: Mapping[str, Iterable[Description]],
        files: Iterable[str] | None = None,
        empty: Iterable[str] = (),
    ) -> None:
        self._tables = {kind: _first_wins(tables.get(kind, ())) for kind in KINDS}
        if files is None:
            files = (
                file
                for kind in KINDS
                for row in self.all(kind)
                for file in (row["file"], *side_files(kind, row))
            )
        self.files = frozenset(files)
        self.empty = frozenset(empty)

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
        except (ValueError, RecursionError) as error:
            raise RequestError(_NOT_JSON(path=str(path), why=str(error))) from None
        if not isinstance(data, dict):
            raise RequestError(_NO_OBJECT(path=str(path)))
        tables: dict[str, list[Description]] = {}
        for kind in KINDS:
            rows = data.get(kind, [])
            if not isinstance(rows, list):
                raise RequestError(_NO_LIST(kind=kind))
            for number, row in enumerate(rows):
                if fault := _fault(kind, row):
                    raise RequestError(_BAD_ENTRY(kind=kind, number=number, fault=fault))
            tables[kind] = rows
        if "files" not in data:
            return cls(tables)
        sizes = _sizes(data["files"])
        described = {row["file"] for rows in tables.values() for row in rows}
        absent = {file for file, size in sizes.items() if size is None}
        empty = {file for file, size in sizes.items() if size == 0}
        return cls(tables, described.union(sizes) - absent, empty)

    def find(self, kind: str, file: str | None) -> Description | None:
        """The description of `file`, whether or not the file exists."""
        return self._tables[kind].get(file) if file else None

    def all(self, kind: str) -> Iterator[Description]:
        return iter(self._tables[kind].values())

    def with_files(self, files: Iterable[str], empty: Iterable[str] = ()) -> Catalog:
        """The same descriptions, and more files."""
        more = frozenset(files)
        larger = Catalog({}, self.files | more, (self.empty - more).union(empty))
        larger._tables = self._tables
        return larger

    def with_override(self, override: protobuf.MetadataOverride) -> tuple[Catalog, list[str]]:
        """This catalogue below a request's override, and what was dropped from the override.

        A description never makes a file appear (docs/protocol.md 7.8).
        """
        dropped: list[str] = []
        merged = Catalog({}, self.files, self.empty)
        for kind in KINDS:
            rows, faults = _lenient(kind, getattr(override, kind), self._versions())
            dropped += faults
            merged._tables[kind] = {**self._tables[kind], **_first_wins(rows)}
        return merged, dropped

    def _versions(self) -> set[str]:
        """What this server's decoder knows: with a catalogue of newer versions it is newer."""
        return FAMILIES.keys() | {
            row["version"] for kind in KINDS for row in self.all(kind) if "version" in row
        }

    def checkpoints(self) -> list[str]:
        """The files that Echo tells (docs/protocol.md 6.1)."""
        return sorted(f for f in self.files - self.empty if f.lower().endswith(".ckpt"))

    def to_override(self) -> protobuf.MetadataOverride:
        """The descriptions of Echo: of what is there, of models with all their files."""
        return protobuf.MetadataOverride(
            **{
                kind: json.dumps(
                    [row for row in self.all(kind) if not self._lacks(kind, row)],
                    ensure_ascii=False,
                ).encode()
                for kind in KINDS
            }
        )

    def incomplete(self) -> Iterator[tuple[str, list[str]]]:
        """What is described and not told by Echo, with the files that it lacks."""
        for kind in KINDS:
            for row in self.all(kind):
                if lacking := self._lacks(kind, row):
                    yield row["file"], lacking

    def _lacks(self, kind: str, row: Description) -> list[str]:
        if row.get("remote_api_model_config"):  # computed elsewhere
            return []
        # Seen of models. Controls are told by their file here, and skipped when one is used.
        sides = side_files(kind, row) if kind == "models" else ()
        return [f for f in dict.fromkeys((row["file"], *sides)) if f not in self.files]


def side_files(kind: str, row: Description) -> Iterator[str]:
    """The further files that a description needs (docs/protocol.md 7.1, 7.3)."""
    if kind == "models":
        usual = _V1_TEXT_ENCODER if row.get("version") == "v1" else _TEXT_ENCODER
        yield str(row.get("text_encoder") or usual)
        yield str(row.get("autoencoder") or _AUTOENCODER)
    for key in _SIDE_KEYS.get(kind, ()):
        value = row.get(key)
        for file in value if isinstance(value, list) else [value]:
            if isinstance(file, str) and file:
                yield file


def _sizes(files: object) -> dict[str, int | None]:
    """Names with their sizes in bytes; None for a file that is not there."""
    if isinstance(files, list) and all(isinstance(name, str) for name in files):
        return dict.fromkeys(files, 1)
    if isinstance(files, dict) and all(_is_size(size) for size in files.values()):
        return files
    raise RequestError(_BAD_FILES())


def _is_size(size: object) -> bool:
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)


def _first_wins(rows: Iterable[Description]) -> dict[str, Description]:
    found: dict[str, Description] = {}
    for row in rows:
        found.setdefault(row["file"], row)
    return found


def _lenient(kind: str, data: bytes, versions: set[str]) -> tuple[list[Description], list[str]]:
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
        if not fault and clean.get("version", "v1") not in versions:
            fault = f'has the unknown version "{clean["version"]}"'
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
    for key, kinds in _OPTIONAL.items():
        value = row.get(key)
        if value is not None and not isinstance(value, kinds):
            return f'has an unreadable "{key}"'
    if kind == "upscalers" and row["scale_factor"] not in {2, 4}:
        return 'has a "scale_factor" other than 2 and 4'
    return ""
