"""Configuration as a FlatBuffer: right for others to read, safe to read from others."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from config_samples import (
    LIVE,
    VECTOR,
    explicit_settings,
    flatc_reads,
    flatc_writes,
    float32,
    sample,
)
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings import flatbuffer
from drawthings.dt_core.settings.choices import ControlInputType, Sampler, SeedMode
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings, LoraSettings
from drawthings.dt_core.settings.flatbuffer import decode, empty_texts, encode
from drawthings.dt_core.settings.table import (
    CONTROL_SETTINGS,
    LORA_SETTINGS,
    SETTINGS,
    Kind,
    Setting,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]
EVERYTHING = Configuration.of({row.name: sample(row) for row in LIVE})


def _as_flatc(row: Setting, value: Any) -> Any:
    """A value as flatc writes it: units, and names of enum members."""
    if row.choices is not None:
        return value.name.replace("_", "").lower()
    if row.kind in {Kind.CONTROLS, Kind.LORAS}:
        rows = CONTROL_SETTINGS if row.kind is Kind.CONTROLS else LORA_SETTINGS
        return [
            {
                r.name: _as_flatc(r, getattr(item, r.name))
                for r in rows
                if r.name != "file" or item.file
            }
            for item in value
        ]
    if row.kind is Kind.STRINGS:
        return list(value)
    return value // 64 if row.wire_scale == 64 else value


def _comparable(row: Setting, value: Any) -> Any:
    """What flatc printed, with floats as float32 and enum names folded."""
    if isinstance(value, dict):
        rows = CONTROL_SETTINGS if row.kind is Kind.CONTROLS else LORA_SETTINGS
        return {r.name: _comparable(r, value[r.name]) for r in rows if r.name in value}
    if isinstance(value, list) and row.kind is not Kind.STRINGS:
        return [_comparable(row, item) for item in value]
    if row.choices is not None:
        return str(value).lower()
    return float32(value) if row.kind is Kind.F32 else value


def _seen_by_flatc(config: Configuration) -> dict[str, Any]:
    found = flatc_reads(encode(config))
    return {row.name: _comparable(row, found[row.name]) for row in SETTINGS if row.name in found}


def _expected(config: Configuration) -> dict[str, Any]:
    return {
        row.name: _comparable(row, _as_flatc(row, config[row.name]))
        for row in SETTINGS
        if row.name in config
    }


def test_a_buffer_of_another_builder_decodes_to_its_values() -> None:
    assert len(VECTOR) == 104
    assert decode(VECTOR) == Configuration(
        start_width=1024,
        start_height=768,
        seed=42,
        steps=20,
        guidance_scale=4.5,
        strength=1.0,
        model="sd_xl_base_1.0_f16.ckpt",
        sampler=Sampler.UNIPC_TRAILING,
        seed_mode=SeedMode.SCALE_ALIKE,
    )
    assert decode(encode(decode(VECTOR))) == decode(VECTOR)


@pytest.mark.parametrize("row", LIVE, ids=lambda row: row.name)
def test_a_single_setting_survives_and_others_read_it(row: Setting) -> None:
    for value in (sample(row), row.default):
        config = Configuration.of({row.name: value})
        assert decode(encode(config)) == config
        assert _seen_by_flatc(config) == _expected(config)


def test_all_settings_at_once_survive_and_others_read_them() -> None:
    assert len(list(EVERYTHING)) == 86
    assert decode(encode(EVERYTHING)) == EVERYTHING
    assert _seen_by_flatc(EVERYTHING) == _expected(EVERYTHING)


@pytest.mark.parametrize(
    "config", [EVERYTHING, Configuration(), Configuration(loras=(), strength=0.0)], ids=repr
)
def test_what_another_builder_writes_is_read(config: Configuration) -> None:
    text = flatc_reads(encode(config))
    found = decode(flatc_writes(text))
    assert {name: found[name] for name in config} == dict(config.explicit)


def test_nothing_set_is_a_valid_buffer() -> None:
    assert decode(encode(Configuration())) == Configuration()
    assert flatc_reads(encode(Configuration())) == {}


def test_an_explicit_default_is_written() -> None:
    assert flatc_reads(encode(Configuration(strength=0.0, hires_fix=False))) == {
        "strength": 0.0,
        "hires_fix": False,
    }


def test_an_entry_without_file_has_no_empty_name() -> None:
    config = Configuration(loras=[LoraSettings("")], controls=[ControlSettings("")])
    found = flatc_reads(encode(config))
    assert "file" not in found["loras"][0]
    assert "file" not in found["controls"][0]
    assert decode(encode(config)) == config


def test_empty_texts_are_found_and_dropped() -> None:
    data = flatc_writes({"model": "", "name": "x", "upscaler": "", "loras": [{"file": ""}]})
    assert empty_texts(data) == ("model", "upscaler", "loras.file")
    assert decode(data)["model"] == ""
    assert "model" not in decode(data)
    assert empty_texts(encode(EVERYTHING)) == ()


def test_values_that_no_form_offers_are_read() -> None:
    config = Configuration(start_width=2000 * 64, batch_size=0, strength=-1.0)
    assert decode(encode(config))["start_width"] == 128_000


def test_unknown_enum_numbers_become_the_default() -> None:
    data = bytearray(encode(Configuration(sampler=Sampler.TCD_TRAILING)))
    data[data.rindex(19)] = 77
    assert decode(bytes(data)) == Configuration(sampler=Sampler.DPMPP_2M_KARRAS)
    control = ControlSettings("", input_override=ControlInputType.GRAY)
    data = bytearray(encode(Configuration(controls=[control])))
    data[data.rindex(18)] = 200
    (found,) = decode(bytes(data))["controls"]
    assert found.input_override is ControlInputType.UNSPECIFIED


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0xFF800000])
def test_floats_that_are_no_numbers_are_refused_by_name(bits: int) -> None:
    data = encode(Configuration(strength=0.123))
    data = data.replace(struct.pack("<f", 0.123), struct.pack("<I", bits))
    with pytest.raises(SettingsError, match="strength"):
        decode(data)


def test_text_that_is_not_utf8_is_refused_by_name() -> None:
    data = encode(Configuration(model="abcdef")).replace(b"abcdef", b"ab\xff\xfeef")
    with pytest.raises(SettingsError, match=r"model.*UTF-8"):
        decode(data)


def _table(slots: int, fields: dict[int, bytes]) -> bytes:
    """A root table with 4-byte fields, built by hand."""
    vtable = [4 + 2 * slots, 4 + 4 * len(fields)]
    places = {slot: 4 + 4 * index for index, slot in enumerate(fields)}
    vtable += [places.get(slot, 0) for slot in range(slots)]
    head = struct.pack(f"<{len(vtable)}H", *vtable)
    head += b"\0" * (-len(head) % 4)
    root = 4 + len(head)
    return struct.pack("<I", root) + head + struct.pack("<i", len(head)) + b"".join(fields.values())


def test_fields_of_newer_schemas_are_ignored() -> None:
    data = _table(120, {4: struct.pack("<I", 9), 88: b"\xff" * 4, 119: b"\xff" * 4})
    assert decode(data) == Configuration(steps=9)


def test_obsolete_fields_are_ignored() -> None:
    assert decode(_table(88, {23: b"\0" * 4, 24: b"\0" * 4})) == Configuration()


HOSTILE = {
    "empty": b"",
    "three bytes": b"\x04\0\0",
    "root at itself": b"\0" * 64,
    "root outside": struct.pack("<I", 2**31) + b"\0" * 60,
    "unaligned root": struct.pack("<I", 6) + b"\0" * 60,
    "vtable before the buffer": struct.pack("<Ii", 4, 2**30) + b"\0" * 60,
    "vtable after the buffer": struct.pack("<Ii", 4, -(2**31)) + b"\0" * 60,
    "vtable too long": struct.pack("<IHHi", 8, 60_000, 4, 4) + b"\0" * 60,
    "vtable odd": struct.pack("<IHHi", 8, 5, 4, 4) + b"\0" * 60,
    "vtable too short": struct.pack("<IHHi", 8, 2, 4, 4) + b"\0" * 60,
    "table too long": struct.pack("<IHHi", 8, 4, 60_000, 4),
    "field outside its table": _table(88, {4: b"\0" * 4}).replace(
        b"\x04\0\0\0\0", b"\xff\xff\0\0\0"
    ),
    "text outside": _table(88, {7: struct.pack("<I", 2**32 - 1)}),
    "text of 4 GiB": _table(88, {7: struct.pack("<I", 4)}) + b"\xff" * 4 + b"abcd",
    "text without end": _table(88, {7: struct.pack("<I", 4)}) + struct.pack("<I", 4) + b"abcd",
    "vector outside": _table(88, {20: struct.pack("<I", 2**30)}),
    "vector of 4 G": _table(88, {20: struct.pack("<I", 4)}) + b"\xff" * 4,
    "vector cut": _table(88, {20: struct.pack("<I", 4)}) + struct.pack("<II", 200, 4),
    "entry is the vector": _table(88, {20: struct.pack("<I", 4)})
    + struct.pack("<II", 1, 2**32 - 4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        decode(HOSTILE[name])
    with pytest.raises(SettingsError):
        empty_texts(HOSTILE[name])


def test_shared_texts_cannot_blow_up_memory() -> None:
    # 256 controls are one table, whose 256 target blocks are one text of 1 MB: 64 GB.
    text = b"x" * 2**20
    control = struct.pack("<HHHHHHHHHH", 24, 8, *[0] * 8) + struct.pack("<HH", 4, 0)
    body = struct.pack("<I", 256) + b"".join(
        struct.pack("<I", 4 * (256 - index)) for index in range(256)
    )
    body += struct.pack("<I", len(text)) + text + b"\0"
    entry = control + struct.pack("<i", len(control)) + struct.pack("<I", 4) + body
    vector = struct.pack("<I", 256) + b"".join(
        struct.pack("<I", 4 * (256 - index) + len(control)) for index in range(256)
    )
    data = _table(88, {19: struct.pack("<I", 4)}) + vector + entry
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(SettingsError, match="texts"):
        decode(data)
    assert time.monotonic() - started < 2
    assert tracemalloc.get_traced_memory()[1] < 20 * len(data)
    tracemalloc.stop()


def _decode_or_refuse(data: bytes) -> None:
    try:
        config = decode(data)
    except SettingsError:
        return
    assert decode(encode(config)) == config


@pytest.mark.parametrize("data", [VECTOR, encode(EVERYTHING)], ids=["vector", "everything"])
def test_damaged_buffers_are_read_or_refused(data: bytes) -> None:
    chance = random.Random(1)
    for length in range(0, len(data), max(1, len(data) // 300)):
        _decode_or_refuse(data[:length])
    started = time.monotonic()
    for _ in range(800):
        mutated = bytearray(data)
        for _ in range(chance.choice([1, 1, 2, 5, 30])):
            mutated[chance.randrange(len(data))] = chance.choice([0, 1, 4, 127, 255, 254])
        _decode_or_refuse(bytes(mutated))
    assert time.monotonic() - started < 20


@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    _decode_or_refuse(data)


@settings(max_examples=60, deadline=None)
@given(explicit_settings())
def test_any_configuration_survives(values: dict[str, Any]) -> None:
    config = Configuration.of(values)
    assert decode(encode(config)) == config


@settings(max_examples=25, deadline=None)
@given(explicit_settings())
def test_any_configuration_is_read_by_others(values: dict[str, Any]) -> None:
    config = Configuration.of(values)
    found = set(flatc_reads(encode(config)))
    assert found == set(config)


@pytest.mark.parametrize("version", ["23.5.26", "25.12.19"])
def test_oldest_and_newest_flatbuffers_write_the_same(version: str) -> None:
    target = ROOT / ".build" / f"flatbuffers-{version}"
    if not (target / "flatbuffers").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(target), f"flatbuffers=={version}"], check=True, timeout=110)
    script = (
        "import sys, types; import flatbuffers;"
        f"assert flatbuffers.__file__.startswith({str(target)!r}), flatbuffers.__file__;"
        "sys.path.insert(0, 'tests/core'); import tests.conftest;"
        "from drawthings.dt_core.settings.flatbuffer import decode, encode;"
        "sys.stdout.write(encode(decode(bytes.fromhex(sys.stdin.read()))).hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=encode(EVERYTHING).hex(),
        env={**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert decode(bytes.fromhex(done.stdout)) == EVERYTHING
    assert bytes.fromhex(done.stdout) == encode(EVERYTHING)


def test_the_codec_covers_every_kind() -> None:
    assert {row.kind for row in SETTINGS} <= {
        *flatbuffer._SCALARS,
        Kind.STR,
        Kind.CONTROLS,
        Kind.LORAS,
    }
