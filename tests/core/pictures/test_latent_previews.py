"""Previews of every family, against literal coefficients and against their own inverse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.models import families
from drawthings.dt_core.pictures import previews
from drawthings.dt_core.pictures.previews import PreviewRecipe, latent_to_rgb, rgb_to_latent

ROWS = json.loads((Path(families.__file__).with_name("families.json")).read_text("utf-8"))[
    "versions"
]
RECIPES = {name: PreviewRecipe.from_json(row["preview"]) for name, row in ROWS.items()}

# Copied from docs/protocol.md Appendix A, not from families.json: (channel, weights of R, G, B)
# and the constant. Form B is scaled by 127.5 and shifted by 127.5.
FORM_A = [
    ("v1", 0, (49.5210, 41.1373, 40.2919), (99.9368, 99.8421, 99.5384)),
    ("svd_i2v", 3, (-39.4981, -50.8279, -81.9976), (99.9368, 99.8421, 99.5384)),
    ("sdxl_base_v0.9", 1, (-29.114, -1.4623, 4.3734), (141.64, 127.46, 114.5)),
    ("auraflow", 3, (-38.063, -28.043, -26.722), (141.64, 127.46, 114.5)),
    ("wurstchen_v3.0_stage_b", 2, (-27.834, -11.258, -0.45565), (143.39, 131.53, 120.76)),
]
FORM_B = [
    ("sd3", 15, (-0.1448, -0.1463, -0.1189), (0.2394, 0.2135, 0.1925)),
    ("flux1", 0, (-0.0346, 0.0244, 0.0681), (-0.0329, -0.0718, -0.0851)),
    ("z_image", 13, (-0.1264, -0.0522, -0.1103), (-0.0329, -0.0718, -0.0851)),
    ("flux2", 3, (0.2144, 0.3009, 0.3652), (-0.0329, -0.0718, -0.0851)),
    ("ideogram_4", 31, (-0.0111, -0.0460, -0.0614), (-0.0329, -0.0718, -0.0851)),
    ("hunyuan_video", 12, (-0.2315, -0.1920, -0.1355), (0.0249, -0.0192, -0.0761)),
    ("qwen_image", 2, (0.3568, 0.2548, 0.1747), (-0.1835, -0.0868, -0.336)),
    ("wan_v2.2_5b", 39, (-0.3441, -0.3543, -0.2008), (0, 0, 0)),
]


def one_cell(channels: int, channel: int, value: float) -> np.ndarray:
    latent = np.zeros((1, 1, 1, channels), np.float16)
    latent[0, 0, 0, channel] = value
    return latent


def truncated(levels: np.ndarray) -> np.ndarray:
    shown: np.ndarray = np.clip(np.trunc(levels), 0, 255)
    return shown


@pytest.mark.parametrize(("family", "channel", "weights", "constant"), FORM_A)
@pytest.mark.parametrize("value", [0, 1, -0.75, 2.5])
def test_form_a_previews_use_the_published_numbers(
    family: str, channel: int, weights: Any, constant: Any, value: float
) -> None:
    rgb = latent_to_rgb(one_cell(4, channel, value), RECIPES[family])
    assert rgb is not None
    assert rgb[0, 0, 0].tolist() == truncated(value * np.array(weights) + constant).tolist()


@pytest.mark.parametrize(("family", "channel", "weights", "constant"), FORM_B)
@pytest.mark.parametrize("value", [0, 1, -0.75, 2.5])
def test_form_b_previews_use_the_published_numbers(
    family: str, channel: int, weights: Any, constant: Any, value: float
) -> None:
    rgb = latent_to_rgb(one_cell(RECIPES[family].channels, channel, value), RECIPES[family])
    levels = (value * np.array(weights) + constant) * 127.5 + 127.5
    assert rgb is not None
    assert rgb[0, 0, 0].tolist() == truncated(levels).tolist()


@pytest.mark.parametrize("family", [n for n, r in RECIPES.items() if r.kind != "none"])
def test_a_picture_made_into_latents_previews_as_itself(family: str) -> None:
    recipe = RECIPES[family]
    picture = np.random.default_rng(5).random((2, 4, 3, 3), np.float32) * 0.8 + 0.1
    latent = rgb_to_latent(picture, recipe)
    assert latent.shape == (2, 4, 3, recipe.channels)
    assert latent.dtype == np.float32
    rgb = latent_to_rgb(latent.astype(np.float16), recipe)
    assert rgb is not None
    expected = np.rint(picture * 255).astype(int)
    if recipe.kind == "pixel_patches":
        expected = expected.repeat(recipe.patch, axis=1).repeat(recipe.patch, axis=2)
    # Half floats of OKLab's small numbers cannot do better.
    assert abs(rgb.astype(int) - expected).max() <= (4 if recipe.kind == "oklab" else 1)


@pytest.mark.parametrize("family", ["ltx2", "ltx2.3"])
def test_families_without_a_preview_have_latents_but_no_picture(family: str) -> None:
    picture = np.random.default_rng(5).random((3, 4, 3, 3), np.float32)
    latent = rgb_to_latent(picture, RECIPES[family])
    assert latent.shape == (3, 4, 3, 128)
    np.testing.assert_array_equal(latent, rgb_to_latent(picture, RECIPES[family]))
    assert latent_to_rgb(latent, RECIPES[family]) is None


def test_audio_rows_are_cut_off_below_the_picture() -> None:
    # ceil(((B - 1) * 8 + 1) / (w * B))
    assert previews.audio_row_count(13, 24) == 1
    assert previews.audio_row_count(13, 4) == 2
    assert previews.audio_row_count(1, 5) == 1
    recipe = PreviewRecipe(
        "linear", 3, matrix=((1, 0, 0), (0, 1, 0), (0, 0, 1)), bias=(0, 0, 0), audio_rows=True
    )
    latent = np.ones((13, 9, 4, 3), np.float32)
    rgb = latent_to_rgb(latent, recipe)
    assert rgb is not None
    assert rgb.shape == (13, 7, 4, 3)
    assert latent_to_rgb(latent[:, :2], recipe) is None


def test_hidreams_patches_unfold_row_by_row_in_three_planes() -> None:
    latent = np.full((1, 2, 3, 3072), -1, np.float32)
    latent[0, 1, 2, 1 * 1024 + 5 * 32 + 7] = 1
    rgb = latent_to_rgb(latent, RECIPES["hidream_o1"])
    assert rgb is not None
    assert rgb.shape == (1, 64, 96, 3)
    assert np.argwhere(rgb).tolist() == [[0, 32 + 5, 64 + 7, 1]]


def test_wurstchen_of_three_channels_is_a_picture_already_and_rounds() -> None:
    latent = np.array([0, 0.5, 1], np.float16).reshape(1, 1, 1, 3)
    rgb = latent_to_rgb(latent, RECIPES["wurstchen_v3.0_stage_c"])
    assert rgb is not None
    assert rgb.tolist() == [[[[0, 128, 255]]]]


def test_kandinskys_gray_axis_is_gray() -> None:
    recipe = RECIPES["kandinsky2.1"]
    # L = 1, a = b = 0 is white.
    matrix, bias = np.array(recipe.matrix), np.array(recipe.bias)
    white = (np.array([1.0001, 0, 0]) - bias) @ np.linalg.pinv(matrix)
    rgb = latent_to_rgb(white.astype(np.float32).reshape(1, 1, 1, 4), recipe)
    assert rgb is not None
    assert rgb.min() >= 254


@pytest.mark.parametrize("shape", [(1, 4, 4, 5), (4, 4, 4), (0, 4, 4, 4), (1, 4, 4, 16)])
def test_another_number_of_channels_or_dimensions_has_no_preview(shape: tuple[int, ...]) -> None:
    assert latent_to_rgb(np.zeros(shape, np.float16), RECIPES["v1"]) is None


@pytest.mark.parametrize("family", ["v1", "flux1", "kandinsky2.1", "hidream_o1"])
def test_latents_that_are_not_finite_give_black_and_not_a_warning(family: str) -> None:
    latent = np.zeros((1, 2, 1, RECIPES[family].channels), np.float16)
    latent[0, 0] = np.nan
    latent[0, 1, 0, ::2] = np.inf
    rgb = latent_to_rgb(latent, RECIPES[family])
    assert rgb is not None
    assert not rgb[0, 0].any()


def test_every_family_has_a_recipe_that_fits_its_matrix() -> None:
    for name, recipe in RECIPES.items():
        if recipe.kind in {"linear", "oklab"}:
            assert (len(recipe.matrix), len(recipe.bias)) == (recipe.channels, 3), name
        assert hash(recipe) == hash(PreviewRecipe.from_json(ROWS[name]["preview"]))
