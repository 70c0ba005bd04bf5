"""Pictures, masks and hints to the wire and back: ranges, rounding, alpha, resampling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.errors import TensorError
from drawthings.dt_core.pictures import pixels

MAP = json.loads(
    (Path(__file__).parents[2] / "data" / "vectors" / "pixel_map.json").read_text("utf-8")
)
ALL_BYTES = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)


def test_every_byte_becomes_the_half_float_of_the_command_line_tool() -> None:
    wire = pixels.picture_to_wire(ALL_BYTES)
    assert wire.shape == (1, 16, 16, 3)
    assert wire.dtype == np.float16
    assert wire[0, :, :, 1].reshape(-1).view(np.uint16).tolist() == MAP["u8_to_f16_cli"]


def test_every_half_float_of_the_table_rounds_to_its_nearest_byte() -> None:
    bits, levels = np.array(MAP["f16_to_u8_nearest"]).T
    wire = bits.astype(np.uint16).view(np.float16).reshape(1, 1, -1, 1)
    picture = pixels.wire_to_picture(wire)
    assert pixels.to_uint8(picture.rgb)[0, :, 0].tolist() == levels.tolist()


@pytest.mark.parametrize("table", ["u8_to_f16_app", "u8_to_f16_cli"])
def test_every_byte_survives_the_way_there_and_back(table: str) -> None:
    wire = np.array(MAP[table], np.uint16).view(np.float16).reshape(16, 16, 1)
    rgb = pixels.wire_to_picture(wire).rgb
    np.testing.assert_array_equal(pixels.to_uint8(rgb), ALL_BYTES)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_pictures_are_clamped_and_nan_is_black(dtype: type) -> None:
    picture: np.ndarray = np.array([[[0, 0.5, 1], [-3, 7, np.nan]]], dtype)
    wire = pixels.picture_to_wire(picture)
    assert wire.tolist() == [[[[-1, 0, 1], [-1, 1, -1]]]]


def test_float_and_byte_pictures_agree() -> None:
    as_float = pixels.picture_to_wire(ALL_BYTES.astype(np.float32) / 255)
    np.testing.assert_allclose(as_float, pixels.picture_to_wire(ALL_BYTES), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("batch", [(), (1,)])
def test_alpha_comes_first_and_has_its_own_range(dtype: type, batch: tuple[int, ...]) -> None:
    argb: np.ndarray = np.array([[[0.25, -1, 0, 1], [1.5, -2, 2, 0.5]]], dtype).reshape(
        *batch, 1, 2, 4
    )
    picture = pixels.wire_to_picture(argb)
    assert picture.rgb.tolist() == [[[0, 0.5, 1], [0, 1, 0.75]]]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0.25, 1]]
    assert picture.rgb.dtype == picture.alpha.dtype == np.float32
    assert picture.nonfinite == 0


def test_values_that_are_not_finite_are_counted_and_become_zero() -> None:
    argb = np.zeros((1, 2, 2, 4), np.float16)
    argb[0, 0, 0] = [np.nan, 1, np.inf, -np.inf]
    picture = pixels.wire_to_picture(argb)
    assert picture.nonfinite == 3
    assert picture.rgb[0, 0].tolist() == [1, 0, 0]
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 0
    assert (picture.rgb[1] == 0.5).all()


def test_what_arrived_is_left_alone() -> None:
    wire = np.full((1, 2, 2, 3), 0.5, np.float32)
    wire.flags.writeable = False
    assert (pixels.wire_to_picture(wire).rgb == 0.75).all()
    assert (wire == 0.5).all()


def test_a_gray_picture_gets_three_equal_channels() -> None:
    rgb = pixels.wire_to_picture(np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 2, 3, 1)).rgb
    assert rgb.shape == (2, 3, 3)
    assert (rgb == rgb[:, :, :1]).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 4, 4, 3), np.float16),
        np.zeros((4, 4, 2), np.float16),
        np.zeros((4, 4), np.float16),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float64),
    ],
)
def test_what_is_no_picture_is_refused(array: Any) -> None:
    with pytest.raises(TensorError, match="where a picture was expected"):
        pixels.wire_to_picture(array)


@pytest.mark.parametrize("convert", [pixels.picture_to_wire, pixels.scribble_to_wire])
@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 4)), np.zeros((4, 4)), np.zeros((4, 4, 3), np.int32)]
)
def test_a_request_picture_of_another_shape_or_type_is_refused(convert: Any, array: Any) -> None:
    with pytest.raises(TensorError, match="height, width, 3"):
        convert(array)


def test_a_mask_repaints_from_one_half_on() -> None:
    codes = pixels.mask_to_codes(np.array([[0, 0.499, 0.5, 1, np.nan]], np.float32))
    assert codes.tolist() == [[0, 0, 2, 2, 0]]
    assert codes.dtype == np.uint8
    with pytest.raises(TensorError):
        pixels.mask_to_codes(np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
def test_a_depth_map_has_one_channel_and_the_range_of_pictures(shape: tuple[int, ...]) -> None:
    wire = pixels.depth_to_wire(np.linspace(0, 1, 6, dtype=np.float32).reshape(shape))
    assert wire.shape == (1, 2, 3, 1)
    assert (wire.dtype.name, wire.min(), wire.max()) == ("float16", -1, 1)
    with pytest.raises(TensorError):
        pixels.depth_to_wire(np.zeros((2, 3, 3), np.float32))


def test_a_scribble_keeps_its_range() -> None:
    wire = pixels.scribble_to_wire(np.array([[[0, 0.5, 1], [-1, 2, 1]]], np.float32))
    assert wire.dtype == np.float16
    assert wire.tolist() == [[[[0, 0.5, 1], [0, 1, 1]]]]
    assert pixels.scribble_to_wire(ALL_BYTES).max() == 1


def test_a_picture_of_the_right_size_is_not_copied() -> None:
    picture = np.random.default_rng(0).random((8, 6, 3), np.float32)
    assert pixels.resize(picture, 6, 8) is picture
    assert pixels.cover(picture, 6, 8) is picture


def test_resampling_keeps_flat_colours_and_stays_in_range() -> None:
    flat = np.broadcast_to(np.array([0.2, 0.5, 1], np.float32), (10, 14, 3))
    np.testing.assert_allclose(pixels.resize(flat, 33, 7), flat[:1, :1].repeat(7, 0).repeat(33, 1))
    edges = np.zeros((16, 16, 1), np.float32)
    edges[:, 8:] = 1
    wide = pixels.resize(edges, 64, 64)
    assert (wide.shape, wide.dtype.name) == ((64, 64, 1), "float32")
    assert wide.min() == 0
    assert wide.max() == 1


def test_cover_cuts_the_centre_of_the_right_shape() -> None:
    picture = np.zeros((40, 120, 3), np.float32)
    picture[:, 40:80] = 1
    assert (pixels.cover(picture, 20, 20) == 1).all()
    tall = pixels.cover(picture.transpose(1, 0, 2), 64, 64)
    assert tall.shape == (64, 64, 3)
    np.testing.assert_allclose(tall, 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_picture_is_written_where_there_is_room_for_it(dtype: type) -> None:
    made = np.random.default_rng(3).random((4, 6, 3)) * (255 if dtype is np.uint8 else 1)
    picture: np.ndarray = made.astype(dtype)
    out = np.full((1, 4, 6, 3), np.nan, np.float16)
    pixels.write_picture(picture, out)
    np.testing.assert_array_equal(out, pixels.picture_to_wire(picture))
    with pytest.raises(TensorError, match="height, width, 3"):
        pixels.write_picture(picture[:, :, :2], out)
