"""Half floats bit by bit, as NumPy's own conversion has them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from drawthings.dt_core.pictures import half_floats

ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
# More than one block, with a rest.
MANY = (3 << 16) + 17
# So many that two threads share them.
VERY_MANY = (1 << 21) + 17


@pytest.fixture(autouse=True, params=["NumPy", "torch"])
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "NumPy":
        monkeypatch.setitem(sys.modules, "torch", None)  # type: ignore[arg-type]
    else:
        pytest.importorskip("torch")


def expected_half(values: np.ndarray, scale: float, offset: float, low: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        changed = values * np.float32(scale) + np.float32(offset)
    return np.where(np.isnan(changed), low, np.clip(changed, low, 1)).astype(np.float16)


def edges() -> np.ndarray:
    """Single floats around every half float from -1 to 1, ties and subnormals among them."""
    finite = ALL_HALVES[np.isfinite(ALL_HALVES) & (abs(ALL_HALVES) <= 1)].astype(np.float32)
    between = (finite[:-1] + finite[1:]) / 2
    around = np.concatenate([finite, between])
    return np.concatenate(
        [around, np.nextafter(around, np.float32(2)), np.nextafter(around, np.float32(-2))]
    )


@pytest.mark.parametrize(("scale", "offset", "low"), [(1, 0, -1), (1, 0, 0), (2, -1, -1)])
def test_single_floats_are_rounded_to_the_nearest_half(
    scale: float, offset: float, low: float
) -> None:
    values = edges()
    half = half_floats.to_half(values, scale, offset, low)
    expected = expected_half(values, scale, offset, low)
    np.testing.assert_array_equal(half, expected)
    np.testing.assert_array_equal(np.signbit(half[half != 0]), np.signbit(expected[half != 0]))


@pytest.mark.parametrize(("low", "bottom"), [(-1, -1), (0, 0)])
def test_what_is_outside_is_clamped_and_nan_is_the_lowest(low: float, bottom: float) -> None:
    values = np.array([np.inf, -np.inf, np.nan, -np.nan, 3e38, -3e38, 1e-45, 0.25], np.float32)
    half = half_floats.to_half(values, 1, 0, low)
    assert half.tolist() == [1, bottom, bottom, bottom, 1, bottom, 0, 0.25]


def test_what_two_threads_share_comes_out_the_same() -> None:
    values = np.random.default_rng(4).random(VERY_MANY, np.float32)
    half = half_floats.to_half(values, 2, -1, -1)
    np.testing.assert_array_equal(half, expected_half(values, 2, -1, -1))
    out = np.empty(VERY_MANY, np.float32)
    assert half_floats.to_unit(half, 1, 0, out)
    np.testing.assert_array_equal(out, np.clip(half, 0, 1).astype(np.float32))
    half[-1] = np.nan
    assert not half_floats.to_unit(half, 1, 0, out)


def test_values_in_many_blocks_and_any_order_keep_their_place() -> None:
    values = np.random.default_rng(3).random(MANY, np.float32)
    expected = expected_half(values, 2, -1, -1)
    np.testing.assert_array_equal(half_floats.to_half(values, 2, -1, -1), expected)
    turned = np.ascontiguousarray(values[: 3 << 16].reshape(3, -1)).T
    np.testing.assert_array_equal(
        half_floats.to_half(turned, 2, -1, -1), expected[: 3 << 16].reshape(3, -1).T
    )


def test_every_half_float_becomes_the_number_that_it_is() -> None:
    finite = ALL_HALVES[np.isfinite(ALL_HALVES)]
    out = np.empty(finite.shape, np.float32)
    assert half_floats.to_unit(finite, 1, 0, out)
    np.testing.assert_array_equal(out, np.clip(finite.astype(np.float32), 0, 1))
    assert half_floats.to_unit(finite, 0.5, 0.5, out)
    np.testing.assert_array_equal(
        out, np.clip((finite.astype(np.float32) + np.float32(1)) * np.float32(0.5), 0, 1)
    )


def test_no_value_is_worth_a_warning_on_any_processor() -> None:
    """Quiet and signalling NaN, infinities and what overflows."""
    bits = np.array([0x7F800001, 0xFFBFFFFF, 0x7FC00000, 0x7F800000, 0x7F7FFFFF], np.uint32)
    single, out = bits.view(np.float32), np.empty(5, np.float32)
    with np.errstate(all="raise"):
        for scale, offset, low in ((1, 0, 0), (2, -1, -1)):
            half = half_floats.to_half(single, scale, offset, low)
            assert half[:3].tolist() == [low] * 3
        assert not half_floats.to_unit(single, 0.5, 0.5, out)
        room = np.empty(ALL_HALVES.shape, np.float32)
        assert not half_floats.to_unit(ALL_HALVES, 0.5, 0.5, room)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, MANY // 2, MANY - 1])
def test_one_value_that_is_not_finite_is_noticed(dtype: type, broken: float, place: int) -> None:
    values: np.ndarray = np.full(MANY, 0.5, dtype)
    out = np.empty(MANY, np.float32)
    assert half_floats.to_unit(values, 1, 0, out)
    assert (out == 0.5).all()
    values[place] = broken
    assert not half_floats.to_unit(values, 1, 0, out)
    assert half_floats.are_finite(values.astype(np.float32)) is False


def test_large_but_finite_values_are_finite() -> None:
    assert half_floats.are_finite(np.full(1000, 3e38, np.float32))
    assert half_floats.are_finite(np.zeros((0, 3), np.float32))


def test_what_may_not_be_written_to_is_only_read() -> None:
    half = np.full((4, 4, 3), 0.5, np.float16)
    single = np.full((4, 4, 3), 0.5, np.float32)
    for array in (half, single):
        array.flags.writeable = False
    out = np.empty((4, 4, 3), np.float32)
    half_floats.to_unit(half, 0.5, 0.5, out)
    assert (out == 0.75).all()
    assert (half_floats.to_half(single, 2, -1, -1) == 0).all()
    assert (half == 0.5).all()
    assert (single == 0.5).all()


def test_a_part_of_a_larger_array_is_taken_as_it_is() -> None:
    argb = np.random.default_rng(1).random((5, 7, 4), np.float32).astype(np.float16)
    argb.flags.writeable = False
    out = np.empty((5, 7, 3), np.float32)
    half_floats.to_unit(argb[:, :, 1:], 1, 0, out)
    np.testing.assert_array_equal(out, argb[:, :, 1:].astype(np.float32))
