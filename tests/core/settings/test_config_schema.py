"""proto/config.fbs and the table of settings say the same."""

from __future__ import annotations

import re
from typing import Any

import flatbuffers
import pytest
from config_samples import SCHEMA, flatc, flatc_reads, float32
from drawthings.dt_core.settings.choices import (
    Choice,
    ColorCalibration,
    CompressionMethod,
    ControlInputType,
    ControlMode,
    LoraMode,
    Sampler,
    SeedMode,
)
from drawthings.dt_core.settings.table import (
    CONTROL_SETTINGS,
    LORA_SETTINGS,
    SETTINGS,
    Kind,
    Setting,
)

KINDS = {
    "uint8": Kind.U8,
    "uint16": Kind.U16,
    "uint32": Kind.U32,
    "int32": Kind.I32,
    "int64": Kind.I64,
    "float32": Kind.F32,
    "bool": Kind.BOOL,
    "string": Kind.STR,
    "[Control]": Kind.CONTROLS,
    "[LoRA]": Kind.LORAS,
    "[string]": Kind.STRINGS,
}
ENUMS: dict[str, type[Choice]] = {
    "SamplerType": Sampler,
    "SeedMode": SeedMode,
    "ControlMode": ControlMode,
    "ControlInputType": ControlInputType,
    "LoRAMode": LoraMode,
    "CompressionMethod": CompressionMethod,
    "ColorCalibration": ColorCalibration,
}
TABLES = {
    "GenerationConfiguration": SETTINGS,
    "Control": CONTROL_SETTINGS,
    "LoRA": LORA_SETTINGS,
}
TEXT = re.sub(r"//.*", "", SCHEMA.read_text("utf-8"))


def _body(keyword: str, name: str) -> str:
    found = re.search(rf"{keyword} {name}\b[^{{]*\{{([^}}]*)\}}", TEXT)
    assert found, name
    return found[1]


def _fields(table: str) -> list[tuple[str, str, str, bool]]:
    pattern = r"(\w+):\s*([\w\[\]]+)(?:\s*=\s*([-\w.]+))?\s*(\(deprecated\))?\s*;"
    return [(f[0], f[1], f[2], bool(f[3])) for f in re.findall(pattern, _body("table", table))]


def _members(enum: str) -> list[str]:
    return re.findall(r"\w+", _body("enum", enum))


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def test_the_schema_has_our_tables_and_enums_and_no_others() -> None:
    assert set(re.findall(r"^table (\w+)", TEXT, re.MULTILINE)) == set(TABLES)
    assert set(re.findall(r"^enum (\w+) : byte", TEXT, re.MULTILINE)) == set(ENUMS)
    assert re.findall(r"^root_type (\w+);", TEXT, re.MULTILINE) == ["GenerationConfiguration"]
    assert "file_identifier" not in TEXT


@pytest.mark.parametrize("enum", ENUMS)
def test_enums_have_the_same_members(enum: str) -> None:
    ours = [_folded(member.name) for member in ENUMS[enum]]
    assert [_folded(name) for name in _members(enum)] == ours


def _default(kind: str, text: str) -> Any:
    if kind in ENUMS:
        return _members(kind).index(text)
    if kind == "bool":
        return {"true": True, "false": False}[text]
    if kind == "float32":
        return float(text)
    if kind == "string":
        return ""
    return () if kind.startswith("[") else int(text)


@pytest.mark.parametrize("table", TABLES)
def test_fields_have_the_same_slot_type_and_default(table: str) -> None:
    rows: tuple[Setting, ...] = TABLES[table]
    found = _fields(table)
    assert [field[0] for field in found] == [row.name for row in rows]
    for row, (_, kind, default, deprecated) in zip(rows, found, strict=True):
        assert row.choices is ENUMS.get(kind), row.name
        assert row.kind is KINDS.get(kind, Kind.I8), row.name
        assert row.default == _default(kind, default) * row.wire_scale, row.name
        assert row.deprecated == deprecated, row.name


def test_flatc_assumes_the_same_defaults() -> None:
    builder = flatbuffers.Builder()
    builder.StartObject(0)
    builder.Finish(builder.EndObject())
    found = flatc_reads(bytes(builder.Output()), "--defaults-json")
    for row in SETTINGS:
        if row.kind in {Kind.STR, Kind.CONTROLS, Kind.LORAS} or row.deprecated:
            assert row.name not in found
        elif row.choices:
            assert _folded(found[row.name]) == _folded(row.default.name)
        elif row.kind is Kind.F32:
            assert float32(found[row.name]) == float32(row.default), row.name
        else:
            assert found[row.name] * row.wire_scale == row.default, row.name


def test_flatc_gives_the_same_slots(tmp_path: Any) -> None:
    flatc("--python", "-o", str(tmp_path), str(SCHEMA), folder=str(tmp_path))
    for table, rows in TABLES.items():
        text = (tmp_path / f"{table}.py").read_text()
        assert f"builder.StartObject({len(rows)})" in text
        slots = {
            _folded(name): (int(offset) - 4) // 2
            for name, offset in re.findall(
                r"def (\w+)\(self\):\n\s+o = .*?self\._tab\.Offset\((\d+)\)", text
            )
        }
        for row in rows:
            if not row.deprecated and row.kind not in {Kind.CONTROLS, Kind.LORAS, Kind.STRINGS}:
                assert slots[_folded(row.name)] == row.slot, row.name
