"""Pictures and masks are checked once, when they are made."""

from __future__ import annotations

import numpy as np
import pytest
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.pictures.values import Mask, Picture, Size


def test_a_picture_takes_bytes_and_floats_grey_and_alpha() -> None:
    assert Picture(np.full((2, 3, 3), 255, np.uint8)).pixels == pytest.approx(1)
    assert Picture(np.full((2, 3), 0.5, np.float64)).pixels.shape == (2, 3, 3)
    assert Picture(np.zeros((2, 3, 4), np.float32)).pixels.shape == (2, 3, 3)
    assert Picture(np.zeros((2, 3, 3), np.float16)).size == Size(3, 2)
    assert Picture(np.zeros((2, 3, 3), np.float16)).pixels.dtype == np.float32


def test_a_picture_shares_its_array_and_lets_nobody_write() -> None:
    array = np.zeros((8, 8, 3), np.float32)
    picture = Picture(array)
    assert np.shares_memory(picture.pixels, array)
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0] = 1
    array[0] = 1  # the owner's array is as it was


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2, 3), (2, 2, 2), (0, 2, 3), (2, 20_000, 3)])
def test_an_impossible_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError):
        Picture(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_reported_not_hidden(value: float) -> None:
    array = np.zeros((4, 4, 3), np.float32)
    array[2, 2, 1] = value
    with pytest.raises(RequestError, match="NaN or infinite"):
        Picture(array)
    with pytest.raises(RequestError, match="NaN or infinite"):
        Mask(array[:, :, 1])


def test_integers_other_than_bytes_are_no_picture() -> None:
    with pytest.raises(RequestError, match="uint8 or float"):
        Picture(np.zeros((2, 2, 3), np.int64))


def test_a_mask_is_flat() -> None:
    assert Mask(np.full((2, 3), 255, np.uint8)).coverage == pytest.approx(1)
    assert Mask(np.zeros((2, 3), np.float32)).size == Size(3, 2)
    with pytest.raises(RequestError, match=r"\[height, width\]"):
        Mask(np.zeros((1, 2, 3), np.float32))
