"""Masks become the bytes that the server reads, code by code."""

from __future__ import annotations

import numpy as np
import pytest
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.pictures import masks
from drawthings.dt_core.pictures.values import FloatArray, Mask, Size
from drawthings.dt_core.simulator.mask_codes import read_mask

SIZE = Size(8, 4)


def area(*columns: int) -> FloatArray:
    """White in these columns of a mask of 8x4 px."""
    result = np.zeros((4, 8), np.float32)
    result[:, list(columns)] = 1
    return result


def codes(mask: Mask) -> list[int]:
    """The codes of the first row, with their alpha bits."""
    return [int(code) for code in masks.to_codes(mask, SIZE, SIZE)[0]]


def test_black_and_white_are_keep_and_repaint() -> None:
    assert codes(Mask(area(2, 3))) == [0, 0, 2, 2, 0, 0, 0, 0]


def test_half_grey_counts_unless_the_mask_is_soft() -> None:
    grey = np.full((4, 8), 0.49, np.float32)
    grey[:, :4] = 0.5
    assert codes(Mask(grey)) == [2, 2, 2, 2, 0, 0, 0, 0]


def test_a_soft_mask_lets_the_original_shine_through_by_degrees() -> None:
    steps = np.tile(np.array([0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.95, 1], np.float32), (4, 1))
    given = masks.to_codes(Mask(steps, soft=True), SIZE, SIZE)[0]
    assert given[0] == given[1] == masks.REST
    assert set((given[2:] & 7).tolist()) == {masks.REPAINT}
    comes_back = ((given[2:] & 0xF8) / 255) ** 2  # what the server blends of the original
    assert comes_back == pytest.approx(1 - steps[0, 2:], abs=0.04)
    assert given[7] == masks.REPAINT


def test_noise_is_filled_in_and_the_rest_beside_it_is_kept_by_name() -> None:
    mask = masks.combined(area(4), area(0, 1), None)
    assert codes(mask) == [1, 1, 3, 3, 2, 3, 3, 3]
    assert codes(masks.combined(None, area(0), None)) == [1, 3, 3, 3, 3, 3, 3, 3]


def test_what_is_to_be_kept_wins() -> None:
    mask = masks.combined(area(0, 1, 2), area(4, 5), area(2, 5))
    assert codes(mask) == [2, 2, 3, 3, 1, 3, 3, 3]


def test_with_only_a_part_to_keep_the_rest_is_repainted() -> None:
    assert codes(masks.combined(None, None, area(0))) == [3, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("fill", [None, area(6)])
@pytest.mark.parametrize("keep", [None, area(0, 7)])
@pytest.mark.parametrize("repaint", [None, area(0, 2, 3)])
def test_the_server_repaints_what_was_asked_for_and_nothing_else(
    repaint: FloatArray | None, fill: FloatArray | None, keep: FloatArray | None
) -> None:
    if repaint is fill is keep is None:
        return
    mask = masks.combined(repaint, fill, keep)
    reading = read_mask(masks.to_codes(mask, SIZE, SIZE), transparent=False)
    assert reading.effect == "part"
    wanted = mask.coverage >= 0.5
    if fill is not None:
        wanted = wanted | (fill >= 0.5)
    if keep is not None:
        wanted = wanted & (keep < 0.5)
    assert reading.repaint.tolist() == wanted.tolist()
    assert mask.marks


def test_every_area_is_cropped_as_the_picture_is() -> None:
    wide = np.zeros((4, 16), np.float32)
    wide[:, :8] = 1
    mask = Mask(1 - wide, fill=wide)
    given = masks.to_codes(mask, Size(16, 4), Size(8, 4))  # the middle of the picture
    assert given[0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_areas_of_other_sizes_are_stretched_to_the_first() -> None:
    mask = masks.combined(area(0), np.ones((2, 2), np.float32), None)
    assert mask.fill is not None
    assert mask.fill.shape == (4, 8)
    with pytest.raises(RequestError, match="different sizes"):
        Mask(area(0), fill=np.ones((2, 2), np.float32))


def test_a_mask_that_marks_nothing_knows_it() -> None:
    assert not Mask(area()).marks
    assert not Mask(area(1), keep=area(1)).marks
    assert Mask(np.full((4, 8), 0.3, np.float32), soft=True).marks
    assert Mask(area(), fill=area(1)).marks


def test_without_any_area_a_sentence_says_so() -> None:
    with pytest.raises(RequestError, match=r"has no area\. Give it one to repaint"):
        masks.batch(None, None, None)


def test_one_area_goes_with_every_mask_of_a_batch() -> None:
    made = masks.batch([area(0), area(1), area(2)], None, [area(2)])
    assert [codes(mask).index(2) if 2 in codes(mask) else None for mask in made] == [0, 1, None]
    with pytest.raises(RequestError, match="2 and 3 masks"):
        masks.batch([area(0)] * 3, [area(0)] * 2, None)
