"""What one server has, as typed values (docs/protocol.md 6.1, 7).

Every entry keeps the description that it was read from, unknown keys included, because
requests send it back to the server (docs/protocol.md 7.8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from ..text import visible
from .families import Family, family

JsonObject = Mapping[str, Any]
_NUMBER_LIMIT = 1 << 64  # a server identifier is as large
_SCALE_LIMIT = 128  # of 64 px, as of the sides of a picture
_FACTOR_LIMIT = 16
_FPS_LIMIT = 1000  # frames per second
_KINDS = ("models", "loras", "controls", "embeddings", "upscalers")


@dataclass(frozen=True, slots=True)
class Model:
    """A model: `default_scale` is its recommended side in units of 64 px."""

    file: str
    name: str
    version: str
    default_scale: int | None
    modifier: str
    is_consistency_model: bool
    guidance_embed: bool
    frames_per_second: float | None
    description: JsonObject = field(repr=False, compare=False)

    @property
    def family(self) -> Family | None:
        return family(self.version)


@dataclass(frozen=True, slots=True)
class LoraInfo:
    """A LoRA, with the weight its description recommends and the range for a form."""

    file: str
    name: str
    version: str
    modifier: str
    is_consistency_model: bool
    default_weight: float
    lower_weight: float
    upper_weight: float
    description: JsonObject = field(repr=False, compare=False)

    @property
    def described_weight(self) -> float | None:
        """The recommended weight; None where the description has none."""
        return self.default_weight if isinstance(self.description.get("weight"), dict) else None


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """A ControlNet or adapter; `modifier` is "" for union models (docs/protocol.md 7.3)."""

    file: str
    name: str
    version: str
    type: str
    modifier: str
    description: JsonObject = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Embedding:
    """A textual inversion, used in prompts as <keyword>."""

    file: str
    name: str
    version: str
    keyword: str
    length: int
    description: JsonObject = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Upscaler:
    """An upscaler; `scale_factor` is what it does by itself, 2 or 4."""

    file: str
    name: str
    scale_factor: int
    description: JsonObject = field(repr=False, compare=False)


class _Named(Protocol):
    @property
    def file(self) -> str: ...
    @property
    def name(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_Named)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The answer to Echo. `browsable` is False where the server does not tell what it has."""

    greeting: str = ""
    server_identifier: int = 0
    browsable: bool = False
    files: frozenset[str] = frozenset()
    models: tuple[Model, ...] = ()
    loras: tuple[LoraInfo, ...] = ()
    controls: tuple[ControlInfo, ...] = ()
    embeddings: tuple[Embedding, ...] = ()
    upscalers: tuple[Upscaler, ...] = ()

    @classmethod
    def from_reply(cls, reply: Any) -> Catalog:
        """Read an EchoReply; entries that are not understood are left out, never an error."""
        override = reply.override
        return cls(
            greeting=reply.message,
            server_identifier=reply.serverIdentifier,
            browsable=bool(reply.files) or reply.HasField("override"),
            files=frozenset(filter(_is_file, reply.files)),
            models=_unique(_model(row) for row in _rows(override.models)),
            loras=_unique(_lora(row) for row in _rows(override.loras)),
            controls=_unique(_control(row) for row in _rows(override.controlNets)),
            embeddings=_unique(_embedding(row) for row in _rows(override.textualInversions)),
            upscalers=_unique(_upscaler(row) for row in _rows(override.upscalers)),
        )

    def to_json(self) -> dict[str, Any]:
        """All of it in plain values, for `from_json`."""
        return {
            "greeting": self.greeting,
            "server_identifier": self.server_identifier,
            "browsable": self.browsable,
            "files": sorted(self.files),
            **{key: [dict(e.description) for e in getattr(self, key)] for key in _KINDS},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Catalog:
        """What `to_json` gave; entries that are not understood are left out."""

        def rows(key: str) -> Iterable[JsonObject]:
            return _checked(data.get(key))

        files = data.get("files")
        return cls(
            greeting=_text(data, "greeting"),
            server_identifier=int(_number(data, "server_identifier") or 0),
            browsable=data.get("browsable") is True,
            files=frozenset(filter(_is_file, files if isinstance(files, list) else ())),
            models=_unique(_model(row) for row in rows("models")),
            loras=_unique(_lora(row) for row in rows("loras")),
            controls=_unique(_control(row) for row in rows("controls")),
            embeddings=_unique(_embedding(row) for row in rows("embeddings")),
            upscalers=_unique(_upscaler(row) for row in rows("upscalers")),
        )

    def model(self, name: str) -> Model | None:
        """The model of that file name, or of that display name if only one has it."""
        return _find(self.models, name)

    def lora(self, name: str) -> LoraInfo | None:
        return _find(self.loras, name)

    def control(self, name: str) -> ControlInfo | None:
        return _find(self.controls, name)

    def upscaler(self, name: str) -> Upscaler | None:
        return _find(self.upscalers, name)

    def has(self, file: str) -> bool:
        """Whether the server listed that file, with or without a description."""
        return file in self.files or any(
            entry.file == file
            for entries in (self.models, self.loras, self.controls, self.upscalers)
            for entry in entries
        )


def _find(entries: tuple[_Entry, ...], name: str) -> _Entry | None:
    for entry in entries:
        if entry.file == name:
            return entry
    named = [entry for entry in entries if entry.name.casefold() == name.casefold()]
    return named[0] if len(named) == 1 else None


def _unique(entries: Iterable[_Entry | None]) -> tuple[_Entry, ...]:
    """The first entry of every file: that is the one the server uses."""
    found: dict[str, _Entry] = {}
    for entry in entries:
        if entry is not None:
            found.setdefault(entry.file, entry)
    return tuple(found.values())


def _rows(data: bytes) -> Iterable[JsonObject]:
    try:
        rows = json.loads(data or b"[]", parse_constant=lambda _: None)  # NaN is no JSON
        if b"\\ud" in data.lower():  # half a character, which cannot be sent back
            rows = json.loads(json.dumps(rows, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return
    yield from _checked(rows)


def _checked(rows: Any) -> Iterable[JsonObject]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and _is_file(row.get("file")):
            yield MappingProxyType(row)


def _is_file(name: Any) -> bool:
    """Whether it can be the name of a file: no control characters, which are a trick."""
    return isinstance(name, str) and bool(name) and visible(name) == name


def _text(row: JsonObject, key: str, default: str = "") -> str:
    value = row.get(key)
    return visible(value) if isinstance(value, str) else default


def _number(row: JsonObject, key: str) -> float | None:
    """A number of sane size; JSON may hold infinities and integers of a thousand digits."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= _NUMBER_LIMIT else None  # no NaN either


def _name(row: JsonObject) -> str:
    return _text(row, "name") or row["file"]


def _modifier(row: JsonObject) -> str:
    modifier = _text(row, "modifier")
    return "" if modifier == "none" else modifier


def _model(row: JsonObject) -> Model:
    scale = _number(row, "default_scale")
    fps = _number(row, "frames_per_second")
    return Model(
        file=row["file"],
        name=_name(row),
        version=_text(row, "version"),
        default_scale=int(scale) if scale and 2 <= scale <= _SCALE_LIMIT else None,
        modifier=_modifier(row),
        is_consistency_model=row.get("is_consistency_model") is True,
        guidance_embed=row.get("guidance_embed") is True,
        frames_per_second=fps if fps and 0.1 <= fps <= _FPS_LIMIT else None,
        description=row,
    )


def _lora(row: JsonObject) -> LoraInfo:
    given = row.get("weight")
    weight: JsonObject = given if isinstance(given, dict) else {}
    value, lower, upper = (_number(weight, k) for k in ("value", "lower_bound", "upper_bound"))
    return LoraInfo(
        file=row["file"],
        name=_name(row),
        version=_text(row, "version"),
        modifier=_modifier(row),
        is_consistency_model=row.get("is_consistency_model") is True,
        default_weight=0.6 if value is None else value,
        lower_weight=-1.5 if lower is None else lower,  # the app's own range
        upper_weight=2.5 if upper is None else upper,
        description=row,
    )


def _control(row: JsonObject) -> ControlInfo:
    return ControlInfo(
        file=row["file"],
        name=_name(row),
        version=_text(row, "version"),
        type=_text(row, "type"),
        modifier=_modifier(row),
        description=row,
    )


def _embedding(row: JsonObject) -> Embedding:
    return Embedding(
        file=row["file"],
        name=_name(row),
        version=_text(row, "version"),
        keyword=_text(row, "keyword"),
        length=max(int(_number(row, "length") or 0), 0),
        description=row,
    )


def _upscaler(row: JsonObject) -> Upscaler:
    factor = int(_number(row, "scale_factor") or 4)
    return Upscaler(
        file=row["file"],
        name=_name(row),
        scale_factor=factor if 1 <= factor <= _FACTOR_LIMIT else 4,
        description=row,
    )
