"""Tensors of the wire: the vectors, limits, and what damaged bytes may do."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.errors import TensorError
from drawthings.dt_core.wire import fpzip_pool, tensor
from drawthings.dt_core.wire.tensor import Datatype, Layout, decode, encode, read_header
from hypothesis import given, settings
from hypothesis import strategies as st

VECTORS = Path(__file__).parents[2] / "data" / "vectors"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text("utf-8"))["vectors"]
# The manifest names the reference encoder's sets of codecs.
CODECS: dict[str, tensor.Codec] = {"none": "raw", "zip": "zip", "zip+fpzip": "fpzip"}
DTYPES = ["uint8", "int32", "int64", "float16", "float32", "float64"]


@pytest.fixture(scope="module", autouse=True)
def _no_children_afterwards() -> Any:
    yield
    fpzip_pool.shutdown()


def by_name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def header(
    *dims: int, codec: int = 0, memory: int = 1, layout: int = 2, kind: int = 0x1000
) -> bytes:
    return struct.pack("<I4i12i", codec, memory, layout, kind, 0, *dims, *[0] * (12 - len(dims)))


def fpzip_wire(array: np.ndarray) -> bytes:
    wire = encode(array, "fpzip")
    assert read_header(wire).codec == "fpzip"
    return wire


def smooth(*shape: int, dtype: str = "float16") -> np.ndarray:
    return np.linspace(-1, 1, int(np.prod(shape))).reshape(shape).astype(dtype)


def timed_decode(wire: bytes) -> tuple[np.ndarray | TensorError, float]:
    started = time.monotonic()
    result: np.ndarray | TensorError
    try:
        result = decode(wire)
    except TensorError as error:
        result = error
    return result, time.monotonic() - started


@pytest.mark.parametrize("vector", MANIFEST, ids=by_name)
def test_every_vector_decodes_as_the_manifest_says(vector: dict[str, Any]) -> None:
    wire = (VECTORS / vector["wire"]).read_bytes()
    assert hashlib.sha256(wire).hexdigest() == vector["wire_sha256"]
    result, seconds = timed_decode(wire)
    assert seconds < vector.get("limits", {}).get("max_seconds", 60)
    if isinstance(result, TensorError):
        assert vector["expected"] != "ok", result
        assert str(result).endswith(".")
        return
    assert vector["expected"] != "error"
    assert result.dtype == vector["dtype"]
    assert list(result.shape) == vector["shape"]
    if "raw" not in vector:
        return
    expected = np.load(VECTORS / vector["raw"])
    if vector["expected"] == "ok-or-close":
        steps = expected.view(np.int16).astype(int) - result.view(np.int16)
        assert abs(steps).max() <= 1
    else:
        assert result.tobytes() == expected.tobytes()


@pytest.mark.parametrize("vector", [v for v in MANIFEST if "encode" in v], ids=by_name)
def test_every_vector_encodes_as_the_manifest_says(vector: dict[str, Any]) -> None:
    array = np.load(VECTORS / vector["raw"])
    wire = encode(
        array, CODECS[vector["encode"]["codec"]], layout=Layout(vector["header"]["format"])
    )
    if vector["encode"]["byte_exact"]:
        assert wire == (VECTORS / vector["wire"]).read_bytes()
    else:
        assert decode(wire).tobytes() == array.tobytes()
        assert wire[:68] == (VECTORS / vector["wire"]).read_bytes()[:68]


@pytest.mark.parametrize(
    "vector", [v for v in MANIFEST if "limits" in v and "zip_" in v["name"]], ids=by_name
)
def test_this_process_allocates_little_for_a_hostile_vector(vector: dict[str, Any]) -> None:
    wire = (VECTORS / vector["wire"]).read_bytes()
    tracemalloc.start()
    try:
        decode(wire)
    except TensorError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < vector["limits"].get("max_memory_mib", 512) << 20
    assert peak < 4 << 20


def test_the_default_layout_follows_the_rank() -> None:
    for rank, layout in ((1, Layout.NCHW), (2, Layout.NCHW), (3, Layout.NHWC), (4, Layout.NHWC)):
        assert read_header(encode(np.zeros([2] * rank, np.float32))).layout is layout


def test_the_worked_example_has_the_hash_that_addresses_it() -> None:
    values = [1, 0, -1, 0.5, -0.5, 0.25, -0.25, 0.75, -0.75, 0.125, 1, -1]
    wire = encode(np.array(values, np.float16).reshape(1, 2, 2, 3), "fpzip")
    digest = "596dfc73e3b88d50e45761754e0174d8cd13ba62597c491227ac7573fc22f247"
    assert hashlib.sha256(wire).hexdigest() == digest


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    dtype=st.sampled_from(DTYPES),
    codec=st.sampled_from(["raw", "zip", "fpzip"]),
    seed=st.integers(0, 2**32 - 1),
    grain=st.sampled_from([1, 5, 100]),
)
def test_any_array_comes_back_bit_for_bit(
    shape: list[int], dtype: str, codec: tensor.Codec, seed: int, grain: int
) -> None:
    random = np.random.default_rng(seed)
    array = random.integers(0, grain, shape).astype(dtype)
    wire = encode(array, codec)
    result = decode(wire)
    assert result.dtype == array.dtype
    assert result.shape == array.shape
    assert result.tobytes() == array.tobytes()
    assert len(wire) <= 68 + array.nbytes
    assert read_header(wire).size_bytes == array.nbytes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(2000,), (2, 1000), (20, 30, 3), (2, 9, 40, 3), (2, 2, 5, 20, 3)]
)
def test_fpzip_keeps_every_bit_of_every_float_type(dtype: str, shape: tuple[int, ...]) -> None:
    array = smooth(*shape, dtype=dtype)
    assert decode(fpzip_wire(array)).tobytes() == array.tobytes()


def test_arrays_that_are_not_contiguous_or_not_little_endian_are_sent_right() -> None:
    array = np.arange(24, dtype=">f4").reshape(4, 6)[::2, ::-1]
    np.testing.assert_array_equal(decode(encode(array)), array)


def test_bf16_is_read_exactly_and_written_to_nearest() -> None:
    exact = np.array([0, -0.0, 1, -2.5, 3.0e38, np.inf, -np.inf], np.float32)
    wire = encode(exact, datatype=Datatype.BF16)
    assert read_header(wire).datatype is Datatype.BF16
    assert decode(wire).tobytes()[:16] == exact.tobytes()[:16]
    assert np.isinf(decode(wire)[5:]).all()
    # 1 + 1/128 is the next one after 1; halfway goes to the even one.
    between = np.array([1 + 1 / 256, 1 + 3 / 256, 1.001], np.float32)
    rounded = decode(encode(between, datatype=Datatype.BF16))
    assert rounded.tolist() == [1, 1 + 4 / 256, 1]
    nan = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(decode(encode(nan, datatype=Datatype.BF16))).all()


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_a_raw_tensor_is_a_read_only_view_of_what_arrived(make: Any) -> None:
    wire = make(encode(smooth(1, 4, 4, 3)))
    result = decode(wire)
    assert np.shares_memory(result, np.frombuffer(wire, np.uint8))
    assert not result.flags.writeable


def test_eight_byte_types_come_out_aligned() -> None:
    assert decode(encode(np.arange(6, dtype=np.int64))).flags.aligned


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"", "ends inside its header"),
        (header(4, codec=7) + bytes(4), "unknown way"),
        (header(4, memory=2) + bytes(4), "not of the CPU"),
        (header(4, layout=3) + bytes(4), "order of dimensions"),
        (header(4, kind=0x40000) + bytes(4), "unknown type"),
        (header(4, kind=0x1001) + bytes(4), "unknown type"),
        (header() + bytes(4), "empty"),
        (header(4, -4) + bytes(16), "negative"),
        (header(1 << 30, 2) + bytes(16), "1024 MiB"),
        (header(*[1 << 30] * 12) + bytes(16), "1024 MiB"),
        (header(4) + bytes(3), "cut off: 3 of 4"),
        (header(400, codec=0x217) + b"\x01", "cut off"),
        (header(4, codec=0x217) + b"\xff" * 9, "damaged"),
        (header(4, codec=0xF7217) + b"fpz", "cannot be"),
        (header(4, codec=0xF7217, kind=0x4000) + b"fpz", "does not begin like"),
    ],
)
def test_absurd_tensors_are_refused_in_a_sentence(wire: bytes, words: str) -> None:
    with pytest.raises(TensorError, match=words):
        decode(wire)


def test_a_zip_stream_is_not_inflated_beyond_what_was_announced() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = bomb.compress(bytes(200 << 20)) + bomb.flush()
    tracemalloc.start()
    result = decode(header(64, 64, codec=0x217) + stream)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not result.any()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros(3, np.complex64), {}),
        (np.zeros(3, np.float16), {"datatype": Datatype.F32}),
        (np.zeros(3, np.float16), {"datatype": Datatype.BF16}),
        (np.zeros((3, 0)), {}),
        (np.float32(1) * np.zeros(()), {}),
        (np.zeros([1] * 13), {}),
        (np.zeros(3), {"codec": "gzip"}),
        (np.broadcast_to(np.zeros(1, bool), (2,)), {}),
    ],
)
def test_arrays_that_cannot_be_tensors_are_refused(array: Any, options: dict[str, Any]) -> None:
    with pytest.raises(TensorError):
        encode(np.asarray(array), **options)


def test_a_missing_fpzip_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpzip", None)
    with pytest.raises(TensorError, match=r"rms-fpzip on Python 3\.14.*--no-response-compression"):
        encode(smooth(1, 8, 8, 3), "fpzip")


@settings(max_examples=300, deadline=None)
@given(data=st.data(), codec=st.sampled_from(["raw", "zip"]))
def test_mutated_tensors_give_an_array_or_a_tensor_error(data: Any, codec: tensor.Codec) -> None:
    wire = bytearray(encode(np.zeros((8, 8), np.uint8), codec))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    try:
        result = decode(bytes(wire[: cut or None]))
    except TensorError:
        return
    assert result.nbytes <= tensor.MAX_BYTES


@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=80))
def test_the_fpzip_header_check_ends_on_any_bytes(payload: bytes) -> None:
    wire = header(1, 8, 8, 3, codec=0xF7217, kind=0x20000)
    with pytest.raises(TensorError):
        decode(wire + b"fpy)" + payload)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", range(4))
def test_fpzip_data_that_begins_wrongly_is_refused_before_any_c_code_sees_it(
    place: int, bit: int
) -> None:
    fpzip_pool.shutdown()
    wire = bytearray(fpzip_wire(smooth(1, 16, 16, 3)))
    wire[68 + place] ^= 1 << bit
    with pytest.raises(TensorError, match="does not begin like fpzip data"):
        decode(bytes(wire))
    assert fpzip_pool.process_ids() == []


@pytest.mark.parametrize("length", range(0, 20, 2))
def test_fpzip_data_cut_off_in_its_own_header_is_refused_too(length: int) -> None:
    fpzip_pool.shutdown()
    wire = fpzip_wire(smooth(1, 16, 16, 3))
    with pytest.raises(TensorError, match="fpzip data"):
        decode(wire[: 68 + length])
    assert fpzip_pool.process_ids() == []


@pytest.mark.parametrize("shape", [(1, 8, 16, 3), (3, 5, 7, 3), (1, 1, 1, 1)])
def test_a_tensor_that_is_filled_is_the_same_as_one_of_a_ready_array(
    shape: tuple[int, ...],
) -> None:
    values = np.random.default_rng(2).standard_normal(shape).astype(np.float16)
    made = tensor.filled(shape, lambda out: np.copyto(out, values))
    assert type(made) is bytes
    assert made == encode(values)
    assert hash(made) == hash(encode(values))


def test_a_tensor_too_large_is_not_begun() -> None:
    with pytest.raises(TensorError, match="1024 MiB"):
        tensor.filled((1, 32768, 32768, 3), lambda out: pytest.fail("filled"))
