"""Outpainting, cropping and stitching: exact where nothing was to change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.pictures import crops, masks
from drawthings.dt_core.pictures.crops import Border
from drawthings.dt_core.pictures.values import Mask, Picture, Size
from drawthings.dt_core.simulator.mask_codes import read_mask


def noise(width: int, height: int, seed: int = 0) -> Picture:
    return Picture(np.random.default_rng(seed).random((height, width, 3), np.float32))


def rectangle(width: int, height: int, left: int, top: int, right: int, bottom: int) -> Mask:
    coverage = np.zeros((height, width), np.float32)
    coverage[top:bottom, left:right] = 1
    return Mask(coverage)


@pytest.mark.parametrize(
    ("size", "border", "at"),
    [
        ((64, 64), Border(64, 0, 0, 0), (64, 0)),
        ((65, 33), Border(right=1), (0, 0)),
        ((101, 77), Border(10, 20, 30, 40), (10, 20)),
        ((100, 100), Border(left=5, top=7), (28, 28)),  # what lacks goes where it grows
    ],
)
def test_the_canvas_grows_to_multiples_of_64_round_the_picture(
    size: tuple[int, int], border: Border, at: tuple[int, int]
) -> None:
    picture = noise(*size)
    larger, mask = crops.outpaint(picture, border)
    assert larger.size.width % 64 == larger.size.height % 64 == 0
    assert mask.size == larger.size
    x, y = at
    there = np.s_[y : y + size[1], x : x + size[0]]
    assert (larger.pixels[there] == picture.pixels).all()
    codes = masks.to_codes(mask, larger.size, larger.size)
    assert set(np.unique(codes[there])) == {masks.KEEP}
    codes[there] = masks.FILL
    assert (codes == masks.FILL).all()


def test_the_seam_of_outpainting_fades_inside_the_old_picture() -> None:
    picture = noise(128, 64)
    larger, mask = crops.outpaint(picture, Border(left=64), feather=16)
    codes = masks.to_codes(mask, larger.size, larger.size)
    row = codes[32]
    assert set(row[:64].tolist()) == {masks.FILL}
    assert set((row[64:79] & 7).tolist()) == {masks.REPAINT}
    alpha = (row[64:79] & 0xF8).tolist()
    assert alpha == sorted(alpha)
    assert set(row[80:].tolist()) == {masks.KEEP}
    reading = read_mask(codes, transparent=False)
    assert reading.empty[:, :64].all()
    assert not reading.repaint[:, 80:].any()


def test_nothing_to_add_is_said() -> None:
    with pytest.raises(RequestError, match="no new area"):
        crops.outpaint(noise(64, 128), Border())
    with pytest.raises(RequestError, match="negative"):
        Border(left=-1)


PLACES = [
    (101, 77, (40, 30, 60, 50)),  # odd sizes, in the middle
    (101, 77, (0, 0, 5, 5)),  # a corner
    (101, 77, (96, 72, 101, 77)),  # the other one
    (33, 200, (10, 90, 20, 110)),  # narrower than the crop's shape
    (64, 64, (0, 0, 64, 64)),  # all of it
    (7, 5, (3, 2, 4, 3)),  # one px of a tiny picture
]


@pytest.mark.parametrize(("width", "height", "box"), PLACES)
@pytest.mark.parametrize("feather", [0, 1, 9])
def test_outside_the_seam_every_bit_stays(
    width: int, height: int, box: tuple[int, int, int, int], feather: int
) -> None:
    picture, mask = noise(width, height), rectangle(width, height, *box)
    part = crops.crop(picture, mask, Size(128, 64), feather=feather)
    assert part.picture.size == part.mask.size == Size(128, 64)
    result = Picture(np.full((64, 128, 3), 2.0, np.float32))  # nothing like the original
    whole = crops.stitch(part, result)
    changed = (whole.pixels != picture.pixels).any(axis=2)
    left, top, right, bottom = box
    assert changed[top:bottom, left:right].all()
    y, x = np.mgrid[:height, :width]
    across = np.maximum(np.maximum(left - x, x - right + 1), 0)
    down = np.maximum(np.maximum(top - y, y - bottom + 1), 0)
    away = np.hypot(across, down)
    assert not changed[away > feather].any()
    assert (whole.pixels[top:bottom, left:right] == 1).all()  # resampling clips to 0..1


def test_the_seam_falls_evenly_round_the_mask() -> None:
    picture = Picture(np.zeros((100, 100, 3), np.float32))
    part = crops.crop(picture, rectangle(100, 100, 40, 40, 60, 60), Size(64, 64), feather=9)
    whole = crops.stitch(part, Picture(np.ones((64, 64, 3), np.float32)))
    assert whole.pixels[50, 60:70, 0] == pytest.approx(np.arange(9, -1, -1) / 10, abs=1e-6)
    assert whole.pixels[50, 39:29:-1, 1] == pytest.approx(np.arange(9, -1, -1) / 10, abs=1e-6)


def test_the_crop_shows_its_surroundings_in_the_targets_shape() -> None:
    picture = noise(400, 300)
    mask = rectangle(400, 300, 180, 130, 220, 150)
    part = crops.crop(picture, mask, Size(128, 64), context=50, context_share=0.0, feather=0)
    assert (part.width, part.height) == (240, 120)
    assert (part.left, part.top) == (80, 80)
    wider = crops.crop(picture, mask, Size(64, 64), context=0, context_share=1.0, feather=0)
    assert (wider.width, wider.height) == (120, 120)  # 40 px and 40 more at each side


def test_a_crop_at_the_border_is_shifted_inside() -> None:
    part = crops.crop(noise(400, 300), rectangle(400, 300, 0, 290, 20, 300), Size(64, 64))
    assert (part.left, part.top) == (0, 300 - part.height)


def test_the_mask_of_the_crop_covers_the_seam_too() -> None:
    mask = rectangle(256, 256, 100, 100, 150, 150)
    part = crops.crop(noise(256, 256), mask, Size(128, 128), feather=10)
    scale = 128 / part.width
    marked = (part.mask.coverage >= 0.5).sum() / scale**2
    assert 65**2 < marked < 71**2
    assert part.mask.coverage[0, 0] == 0


def test_a_result_of_another_size_fits_too() -> None:
    picture = noise(100, 100)
    part = crops.crop(picture, rectangle(100, 100, 30, 30, 70, 70), Size(64, 64))
    large = crops.stitch(part, Picture(np.full((256, 256, 3), 0.25, np.float32)))
    assert large.size == picture.size
    assert large.pixels[50, 50] == pytest.approx(0.25)


def test_an_unchanged_part_at_its_own_size_gives_the_picture_back() -> None:
    picture = noise(64, 64)
    part = crops.crop(picture, rectangle(64, 64, 0, 0, 64, 64), Size(64, 64), context=0,
                      context_share=0, feather=0)  # fmt: skip
    whole = crops.stitch(part, part.picture)
    assert (whole.pixels == picture.pixels).all()


def test_an_empty_mask_and_a_size_off_the_grid_are_said() -> None:
    with pytest.raises(RequestError, match="marks nothing"):
        crops.crop(noise(64, 64), Mask(np.zeros((64, 64), np.float32)), Size(64, 64))
    with pytest.raises(RequestError, match="multiples of 64"):
        crops.crop(noise(64, 64), rectangle(64, 64, 0, 0, 9, 9), Size(100, 64))


def test_many_pictures_go_with_one_mask_or_one_each() -> None:
    pictures = [noise(64, 64, seed) for seed in range(3)]
    masked = [rectangle(64, 64, x, 0, x + 9, 9) for x in (0, 20, 40)]
    more: dict[str, Any] = {"context": 0, "context_share": 0.0, "feather": 0}
    one = crops.crop_all(pictures, masked[:1], Size(64, 64), **more)
    each = crops.crop_all(pictures, masked, Size(64, 64), **more)
    assert [part.left for part in one] == [0, 0, 0]
    assert [part.left for part in each] == [0, 20, 40]
    with pytest.raises(RequestError, match="2 masks for 3 images"):
        crops.crop_all(pictures, masked[:2], Size(64, 64), **more)
    with pytest.raises(RequestError, match="2 pictures for 3 crops"):
        crops.stitch_all(each, pictures[:2])
    assert len(crops.stitch_all(each[:1], pictures)) == 3
