"""Enlarging and restoring: what is asked of the server, and what is cut off after."""

from __future__ import annotations

import numpy as np
import pytest
from catalogs import catalog
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.models.catalog import Catalog, Model
from drawthings.dt_core.pictures import pixels
from drawthings.dt_core.pictures.values import Picture, Size
from drawthings.dt_core.request import upscale
from drawthings.dt_core.request.batches import Plan
from drawthings.dt_core.request.resolved import resolve
from drawthings.dt_core.request.upscale import Upscaling
from drawthings.dt_core.settings.configuration import Configuration

SEEDVR = Catalog(
    models=(
        Model("seedvr.ckpt", "SeedVR2", "seedvr2_3b", 24, "inpainting", False, False, None, {}),
    )
)


def picture(width: int = 100, height: int = 70) -> Picture:
    return Picture(np.random.default_rng(0).random((height, width, 3), np.float32))


def wish(file: str = "v1.ckpt", **more: object) -> Upscaling:
    return Upscaling(Configuration(model=file), **more)  # type: ignore[arg-type]


def planned(pictures: list[Picture], asked: Upscaling, known: Catalog) -> Plan:
    return upscale.plan(pictures, asked, resolve(upscale.first(pictures, asked), known))


def test_a_picture_is_sent_whole_on_the_grid_at_strength_0() -> None:
    one = picture()
    made = planned([one, picture(64, 64)], wish(upscaler="x4.ckpt", factor=2), catalog())
    first, second = made.requests
    assert first.image is not None
    assert (first.image.size, first.size) == (Size(128, 128), Size(128, 128))
    assert (first.image.pixels[:70, :100] == one.pixels).all()
    assert second.size == Size(64, 64)
    settings = first.settings
    assert (settings["strength"], settings["upscaler"]) == (0, "x4.ckpt")
    assert settings["upscaler_scale_factor"] == 2
    assert "face_restoration" not in settings


def test_what_was_drawn_out_is_cut_off_at_the_results_scale() -> None:
    made = planned([picture()], wish(upscaler="x4.ckpt"), catalog())
    result = pixels.WirePicture(np.zeros((512, 512, 3), np.float32), None, 0)
    (cut,) = upscale.finished([result], [0], made)
    assert cut.rgb.shape == (280, 400, 3)


def test_a_restoring_model_runs_on_the_picture_enlarged() -> None:
    made = planned([picture()], wish("seedvr.ckpt", factor=2, upscaler="x4.ckpt"), SEEDVR)
    (one,) = made.requests
    assert one.size == Size(256, 192)  # 200x140 px on the grid
    assert (one.settings["strength"], one.settings["steps"]) == (1, 1)
    assert "upscaler" not in one.settings
    assert any("not used" in str(note) for note in made.notes)
    result = pixels.WirePicture(np.zeros((192, 256, 3), np.float32), None, 0)
    assert upscale.finished([result], [0], made)[0].rgb.shape == (140, 200, 3)


def test_without_anything_to_do_it_with_a_sentence_says_so() -> None:
    with pytest.raises(RequestError, match="Nothing is chosen"):
        planned([picture()], wish(), catalog())
    assert planned([picture()], wish(face_restoration="restoreformer.ckpt"), catalog()).requests
