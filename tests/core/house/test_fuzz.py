"""Damaged and hostile input ends in one of our errors: never in another, a hang, or memory."""

from __future__ import annotations

import io
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from drawthings.dt_core.errors import TensorError
from drawthings.dt_core.metadata import read
from drawthings.dt_core.settings.table import SETTINGS
from drawthings.dt_core.wire import tensor
from drawthings.tools.fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = list(TARGETS)
SEEDS = {name: TARGETS[name].seeds() for name in NAMES}
_QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

KEYS = sorted(
    {row.json_key for row in SETTINGS if row.json_key}
    | {"file", "name", "version", "weight", "value", "lower_bound", "modifier", "default_scale"}
    | {"v2", "configuration", "c", "uc", "size", "sampler", "lora", "control", "mode", "keyword"}
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "none", "all", "a.ckpt", "flux1", "64x64", "\ud800", "\x00", "UniPC"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", NAMES)
@_QUICK
@given(data=st.data())
def test_damaged_input_is_refused_in_words(name: str, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(SEEDS[name])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(whole) - 1, 0)))
        match data.draw(st.integers(0, 3)):
            case 0 if whole:
                whole[at] ^= 1 << data.draw(st.integers(0, 7))
            case 1:
                del whole[at : at + data.draw(st.integers(1, 40))]
            case 2:
                whole[at:at] = data.draw(st.binary(max_size=8))
            case _:
                whole[at : at + 4] = data.draw(
                    st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\x80", b"\1\0\0\0"])
                )
    TARGETS[name].try_out(bytes(whole))


@pytest.mark.parametrize("name", NAMES)
@_QUICK
@given(data=st.binary(max_size=400))
def test_noise_is_refused_in_words(name: str, data: bytes) -> None:
    TARGETS[name].try_out(data)


@pytest.mark.parametrize("name", ["app_json", "catalog", "picture"])
@_QUICK
@given(value=VALUES, as_list=st.booleans())
def test_json_of_any_values_is_read_or_refused_in_words(
    name: str, value: Any, as_list: bool
) -> None:
    text = json.dumps([value] if as_list else value).encode()
    if name == "picture":
        text = b"<x:xmpmeta><exif:UserComment>" + text + b"</exif:UserComment></x:xmpmeta>"
    TARGETS[name].try_out(text)


@pytest.mark.parametrize(
    "row",
    [
        '{"file":"\\ud800.ckpt","version":"flux1"}',
        '{"file":"a.ckpt","name":"\\uD800","note":"\\ud83d\\ude00"}',
        '{"file":"a.ckpt","version":"wan_v2.1_14b","frames_per_second":1e-300}',
        '{"file":"a.ckpt","default_scale":1e18,"x":NaN,"weight":{"value":-Infinity}}',
    ],
)
def test_a_strange_entry_of_a_catalogue_does_not_stop_a_request(row: str) -> None:
    """Descriptions are sent back to the server, but not what no JSON or UTF-8 can carry."""
    TARGETS["catalog"].read(f"[{row}]".encode())


# --- memory


def peak_of(work: Any) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def claiming(dims: list[int], codec: int, payload: bytes) -> bytes:
    header = tensor._HEADER.pack(codec, 1, 2, 0x20000, 0, *(dims + [0] * 12)[:12])
    return header + payload


@pytest.mark.parametrize("codec", [0, 0x217, 0xF7217], ids=["raw", "zip", "fpzip"])
@pytest.mark.parametrize(
    "dims", [[1, 16384, 10922, 3], [2**31 - 1] * 4], ids=["at the limit", "beyond"]
)
def test_a_claim_alone_takes_no_memory(codec: int, dims: list[int]) -> None:
    data = claiming(dims, codec, b"\x00" * 100)

    def work() -> None:
        with pytest.raises(TensorError):
            tensor.decode(data)

    assert peak_of(work) < 8 << 20


def test_a_zip_bomb_gives_no_more_than_its_header_says() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(64 << 20)) + bomb.flush()
    data = claiming([1, 8, 8, 3], 0x217, packed)
    assert peak_of(lambda: tensor.decode(data)) < 1 << 20


def test_a_bomb_in_a_picture_file_is_not_unpacked() -> None:
    packed = zlib.compress(bytes(256 << 20))
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + packed
    file = b"\x89PNG\r\n\x1a\n" + len(text).to_bytes(4, "big") + b"iTXt" + text + bytes(4)
    assert peak_of(lambda: read(file * 1)) < 32 << 20
    assert read(file) is None


@pytest.mark.parametrize("name", ["app_json", "catalog", "picture"])
def test_deep_nesting_and_long_numbers_end_in_time(name: str) -> None:
    for text in (b"[" * 200_000, b'{"a":' * 100_000, b'{"steps":' + b"9" * 100_000 + b"}"):
        TARGETS[name].try_out(text)
        wrapped = io.BytesIO(b"<x:xmpmeta>" + text + b"</x:xmpmeta>").getvalue()
        TARGETS[name].try_out(wrapped)


def test_every_seed_is_valid() -> None:
    for name in NAMES:
        for seed in SEEDS[name]:
            TARGETS[name].read(seed)
