"""A Configuration as the FlatBuffer of a request, and back (docs/protocol.md 2).

Knows the binary form and nothing of the meaning. The server reads the buffer without
verifying it, so what we write must be right; `decode` trusts nothing, because what it
reads may be hostile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import flatbuffers

from ..errors import SettingsError
from ..text import Template, Text
from .configuration import Configuration, ControlSettings, LoraSettings
from .table import CONTROL_SETTINGS, LORA_SETTINGS, MAX_ENTRIES, SETTINGS, Kind, Setting

_NO_FLATBUFFER = Template(
    "configuration_no_flatbuffer", "The configuration is not a valid FlatBuffer: {what}."
)
_NOTHING_AT = Template("flatbuffer_nothing_at", "nothing can be read at byte {position} of {size}")
_TO_ITSELF = Template(
    "flatbuffer_offset_to_itself", "the offset at byte {position} points to itself"
)
_VTABLE_SIZE = Template("flatbuffer_vtable_size", "the vtable at byte {position} has {size} bytes")
_TABLE_SIZE = Template("flatbuffer_table_size", "the table at byte {position} has {size} bytes")
_OUTSIDE_TABLE = Template("flatbuffer_outside_table", "{name} lies outside its table")
_NO_END = Template("flatbuffer_no_end", "{name} has no end")
_TEXTS_TOO_LONG = Template("flatbuffer_texts_too_long", "its texts are longer than itself")
_TOO_MANY_TO_READ = Template(
    "too_many_entries_to_read",
    "{name} has {count} entries: at most {max_entries} can be read.",
)
_NOT_UTF_8 = Template(
    "configuration_text_not_utf_8", "{name} in the configuration is not UTF-8 text."
)


# How struct and the builder name each type of fixed size.
_SCALARS = {
    Kind.U8: ("<B", "PrependUint8"),
    Kind.U16: ("<H", "PrependUint16"),
    Kind.U32: ("<I", "PrependUint32"),
    Kind.I8: ("<b", "PrependInt8"),
    Kind.I32: ("<i", "PrependInt32"),
    Kind.I64: ("<q", "PrependInt64"),
    Kind.F32: ("<f", "PrependFloat32"),
    Kind.BOOL: ("<?", "PrependBool"),
}
_OFFSET_BYTES = 4


def encode(config: Configuration) -> bytes:
    """The bytes of what `config` sets, and of nothing else.

    A value equal to the schema's default is written too.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, SETTINGS, config.explicit))
    return bytes(builder.Output())


def _write_table(builder: Any, rows: tuple[Setting, ...], values: Mapping[str, Any]) -> int:
    present = [row for row in rows if row.name in values]
    # A FlatBuffer is built from its end: what a table points to comes before the table.
    offsets = {
        row.slot: _write_value(builder, row.kind, values[row.name])
        for row in present
        if row.kind not in _SCALARS
    }
    builder.StartObject(len(rows))
    for row in present:
        if row.slot in offsets:
            builder.PrependUOffsetTRelative(offsets[row.slot])
        else:
            prepend = getattr(builder, _SCALARS[row.kind][1])
            value = values[row.name]
            prepend(value // row.wire_scale if row.wire_scale > 1 else value)
        builder.Slot(row.slot)
    return int(builder.EndObject())


def _write_value(builder: Any, kind: Kind, value: Any) -> int:
    if kind is Kind.STR:
        return int(builder.CreateString(value))
    if kind is Kind.STRINGS:
        offsets = [builder.CreateString(item) for item in value]
    else:
        rows = CONTROL_SETTINGS if kind is Kind.CONTROLS else LORA_SETTINGS
        offsets = [_write_table(builder, rows, _fields(rows, item)) for item in value]
    builder.StartVector(_OFFSET_BYTES, len(offsets), _OFFSET_BYTES)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _fields(rows: tuple[Setting, ...], item: Any) -> dict[str, Any]:
    values = {row.name: getattr(item, row.name) for row in rows}
    # An empty name counts as present, an absent one does not (docs/protocol.md 2.7).
    return {name: value for name, value in values.items() if name != "file" or value}


def decode(data: bytes) -> Configuration:
    """The configuration in a FlatBuffer; the fields that are absent are not set.

    Every position is checked before it is read. Fields of newer schemas are skipped, an
    unknown number of an enum becomes the default, as on the server. Empty texts are
    dropped; `empty_texts` finds them.

    Raises SettingsError for bytes that are no such buffer and for values that a
    Configuration cannot hold (NaN, infinity).
    """
    return Configuration.of(_read_root(data))


def empty_texts(data: bytes) -> tuple[str, ...]:
    """The fields of a FlatBuffer that hold an empty text, which a server takes for a name.

    Fields of entries are written "loras.file". Raises SettingsError as `decode` does.
    """
    reader = _Reader(bytes(data))
    reader.read_table(reader.root(), SETTINGS)
    return tuple(dict.fromkeys(reader.empty))


def _read_root(data: bytes) -> dict[str, Any]:
    reader = _Reader(bytes(data))
    return reader.read_table(reader.root(), SETTINGS)


def _damaged(what: Text) -> SettingsError:
    return SettingsError(_NO_FLATBUFFER(what=what))


class _Reader:
    """Reads a buffer that may lie about every position and length in it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.empty: list[str] = []
        # Entries may share texts, and hostile ones the same long text: bytes of text left.
        self.text_left = 2 * len(data) + 2**16

    def number(self, form: str, position: int) -> Any:
        size = struct.calcsize(form)
        if position % size or not 0 <= position <= len(self.data) - size:
            raise _damaged(_NOTHING_AT(position=position, size=len(self.data)))
        return struct.unpack_from(form, self.data, position)[0]

    def target(self, position: int) -> int:
        offset = self.number("<I", position)
        if not offset:
            raise _damaged(_TO_ITSELF(position=position))
        return position + int(offset)

    def root(self) -> int:
        return self.target(0)

    def fields(self, position: int) -> dict[int, tuple[int, int]]:
        """Where each field of a table is, by slot, and the bytes that follow it in the table."""
        vtable = position - self.number("<i", position)
        size = self.number("<H", vtable)
        table_size = self.number("<H", vtable + 2)
        if size < 4 or size % 2 or vtable + size > len(self.data):
            raise _damaged(_VTABLE_SIZE(position=vtable, size=size))
        if table_size < 4 or position + table_size > len(self.data):
            raise _damaged(_TABLE_SIZE(position=position, size=table_size))
        count = min(size // 2 - 2, len(SETTINGS))  # newer schemas have more
        offsets = struct.unpack_from(f"<{count}H", self.data, vtable + 4)
        return {
            slot: (position + offset, table_size - offset)
            for slot, offset in enumerate(offsets)
            if offset
        }

    def read_table(
        self, position: int, rows: tuple[Setting, ...], path: str = ""
    ) -> dict[str, Any]:
        """The values of a table's fields, by name."""
        fields = self.fields(position)
        values = {}
        for row in rows:
            if row.slot in fields and not row.deprecated:
                field, room = fields[row.slot]
                form = _SCALARS[row.kind][0] if row.kind in _SCALARS else "<I"
                if struct.calcsize(form) > room:
                    raise _damaged(_OUTSIDE_TABLE(name=f"{path}{row.name}"))
                values[row.name] = self.read_value(row, field, path)
        return values

    def read_value(self, row: Setting, position: int, path: str) -> Any:
        if row.kind in _SCALARS:
            if row.kind is Kind.BOOL:
                return self.number("<B", position) != 0
            value = self.number(_SCALARS[row.kind][0], position)
            if row.choices is not None and value not in {int(m) for m in row.choices}:
                return row.default
            return value * row.wire_scale if row.wire_scale > 1 else value
        name = f"{path}{row.name}"
        if row.kind is Kind.STR:
            text = self.text(self.target(position), name)
            if not text:
                self.empty.append(name)
            return text
        places = self.vector(self.target(position), name)
        if row.kind is Kind.STRINGS:
            return tuple(self.text(place, name) for place in places)
        if row.kind is Kind.LORAS:
            return tuple(
                LoraSettings(**{"file": "", **self.read_table(place, LORA_SETTINGS, "loras.")})
                for place in places
            )
        return tuple(
            ControlSettings(**{"file": "", **self.read_table(place, CONTROL_SETTINGS, "controls.")})
            for place in places
        )

    def vector(self, position: int, name: str) -> Iterator[int]:
        count = self.number("<I", position)
        if count > MAX_ENTRIES:
            raise SettingsError(_TOO_MANY_TO_READ(name=name, count=count, max_entries=MAX_ENTRIES))
        for index in range(count):
            yield self.target(position + _OFFSET_BYTES * (index + 1))

    def text(self, position: int, name: str) -> str:
        length = self.number("<I", position)
        start = position + _OFFSET_BYTES
        end = start + length
        if end >= len(self.data) or self.data[end]:  # a zero byte ends a string
            raise _damaged(_NO_END(name=name))
        self.text_left -= length
        if self.text_left < 0:
            raise _damaged(_TEXTS_TOO_LONG())
        try:
            return self.data[start:end].decode()
        except UnicodeDecodeError:
            raise SettingsError(_NOT_UTF_8(name=name)) from None
