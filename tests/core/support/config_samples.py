"""Configurations for tests: a value for every setting, strategies, and flatc as a reader."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.settings.configuration import ControlSettings, LoraSettings
from drawthings.dt_core.settings.table import (
    CONTROL_SETTINGS,
    LORA_SETTINGS,
    SETTINGS,
    Kind,
    Setting,
)
from hypothesis import strategies as st

SCHEMA = Path(__file__).resolve().parents[3] / "proto" / "config.fbs"
LIVE = tuple(row for row in SETTINGS if not row.deprecated)

# The buffer of docs/protocol.md 2.8, made by a builder that is not ours.
VECTOR = bytes.fromhex(
    "2c0000002800200000000a0008001800140010000c001c000700000000000000"
    "00000000000000000000060028000000000002110c0010000000803f00009040"
    "140000002a000000040000001700000073645f786c5f626173655f312e305f66"
    "31362e636b707400"
)

CONTROLS = (
    ControlSettings("canny_f16.ckpt"),
    ControlSettings(
        "union_f16.ckpt",
        weight=0.35,
        guidance_start=0.1,
        guidance_end=0.9,
        no_prompt=True,
        global_average_pooling=False,
        down_sampling_rate=2.5,
        control_mode=2,  # type: ignore[arg-type]
        target_blocks=("up_blocks.0.attentions.1", "mid_block"),
        input_override=12,  # type: ignore[arg-type]
    ),
    ControlSettings(""),
)
LORAS = (LoraSettings("détail_f16.ckpt", -1.25, 2), LoraSettings("b.ckpt"))  # type: ignore[arg-type]


def sample(row: Setting) -> Any:
    """A value that is not the default."""
    if row.choices is not None:
        return list(row.choices)[-1]
    if row.kind is Kind.BOOL:
        return not row.default
    if row.kind is Kind.F32:
        return 0.37 + row.slot
    if row.kind is Kind.STR:
        return f'{row.name} "β" \n日本.ckpt'
    if row.kind is Kind.CONTROLS:
        return CONTROLS
    if row.kind is Kind.LORAS:
        return LORAS
    return (row.slot + 3) * row.wire_scale


def _floats() -> st.SearchStrategy[float]:
    return st.floats(width=32, allow_nan=False, allow_infinity=False)


def _texts(minimum: int = 1) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), min_size=minimum, max_size=20)


def values(row: Setting) -> st.SearchStrategy[Any]:
    """Everything the wire can carry for a row."""
    if row.choices is not None:
        return st.sampled_from(list(row.choices))
    if row.wire_range:
        low, high = row.wire_range
        scale = row.wire_scale
        return st.integers(low // scale, high // scale).map(lambda units: units * scale)
    if row.kind is Kind.CONTROLS:
        return st.lists(_built(ControlSettings, CONTROL_SETTINGS), max_size=3).map(tuple)
    if row.kind is Kind.LORAS:
        return st.lists(_built(LoraSettings, LORA_SETTINGS), max_size=3).map(tuple)
    return {
        Kind.BOOL: st.booleans(),
        Kind.F32: _floats(),
        Kind.STR: _texts(),
        Kind.STRINGS: st.lists(_texts(0), max_size=3).map(tuple),
    }[row.kind]


def _built(kind: type, rows: tuple[Setting, ...]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{row.name: values(row) for row in rows})


def explicit_settings() -> st.SearchStrategy[dict[str, Any]]:
    """Any choice of settings with any values."""
    return st.fixed_dictionaries({}, optional={row.name: values(row) for row in LIVE})


def flatc(*arguments: str, folder: str) -> None:
    """Run the schema compiler, which reads and writes buffers on its own."""
    program = os.environ.get("FLATC") or shutil.which("flatc")
    if program is None:
        pytest.skip("flatc is not installed: install flatbuffers-compiler, or set FLATC to it")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def flatc_reads(data: bytes, *options: str) -> dict[str, Any]:
    """What flatc finds in a buffer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.bin").write_bytes(data)
        arguments = ("--json", "--strict-json", "--raw-binary", *options, str(SCHEMA))
        flatc(*arguments, "--", "data.bin", folder=folder)
        return dict(json.loads((Path(folder) / "data.json").read_text("utf-8")))


def flatc_writes(values: dict[str, Any]) -> bytes:
    """The buffer that flatc builds of its own JSON."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.json").write_text(json.dumps(values), "utf-8")
        flatc("-b", "--force-defaults", str(SCHEMA), "data.json", folder=folder)
        return (Path(folder) / "data.bin").read_bytes()


def float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
