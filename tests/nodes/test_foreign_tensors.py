"""IMAGE and MASK as other packs make them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from drawthings.dt_core.errors import RequestError
from drawthings.nodes import gather
from drawthings.nodes.host import convert

PICTURE = torch.linspace(0, 1, 6 * 8 * 3).reshape(1, 6, 8, 3)
BYTES = (PICTURE * 255).round().to(torch.uint8)
AREA = (torch.arange(48).reshape(1, 6, 8) % 2).float()


@pytest.mark.parametrize(
    "given",
    [
        PICTURE,
        PICTURE[0],
        PICTURE[None],
        PICTURE.double(),
        PICTURE.numpy(),
        PICTURE.numpy()[0].copy(),
        PICTURE.requires_grad_(),
    ],
    ids=["as it is", "no batch axis", "an axis too many", "doubles", "NumPy", "NumPy HWC", "grad"],
)
def test_a_picture_in_another_form_is_that_picture(given: Any) -> None:
    (picture,) = convert.image_to_pictures(given)

    np.testing.assert_array_equal(picture.pixels, PICTURE[0].detach().numpy())


def test_bytes_halves_and_bools_have_their_ranges() -> None:
    (of_bytes,) = convert.image_to_pictures(BYTES)
    (of_halves,) = convert.image_to_pictures(PICTURE.detach().half())
    (of_bools,) = convert.image_to_pictures(PICTURE.detach() > 0.5)

    np.testing.assert_allclose(of_bytes.pixels, PICTURE[0].detach(), atol=1 / 500)
    np.testing.assert_allclose(of_halves.pixels, PICTURE[0].detach(), atol=1e-3)
    assert set(np.unique(of_bools.pixels)) == {0.0, 1.0}


@pytest.mark.parametrize(
    "given",
    [PICTURE[:0], torch.zeros(0, 0, 3), torch.zeros(4), torch.zeros(1, 3, 6, 8), "picture", None],
    ids=["an empty batch", "no pixels", "one axis", "channels first", "a text", "nothing"],
)
def test_what_is_no_picture_is_refused_in_a_sentence(given: Any) -> None:
    with pytest.raises(RequestError, match=r"IMAGE needs the shape|tensor is expected"):
        convert.image_to_pictures(given)


@pytest.mark.parametrize(
    "given",
    [AREA, AREA[0], AREA[:, None], AREA[None, None], AREA[..., None], AREA.numpy(), AREA.bool()],
    ids=["BHW", "HW", "B1HW", "11BHW", "BHW1", "NumPy", "bools"],
)
def test_a_mask_in_another_form_is_that_mask(given: Any) -> None:
    (mask,) = convert.mask_to_masks(given)

    np.testing.assert_array_equal(mask.coverage, AREA[0].numpy())


def test_several_masks_stay_several() -> None:
    assert len(convert.mask_to_masks(AREA.repeat(3, 1, 1)[:, None])) == 3


def test_a_mask_of_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="MASK needs the shape"):
        convert.mask_to_masks(AREA[:0])


@pytest.mark.parametrize("given", [["a", "b"], 7, {"text": "a"}])
def test_a_prompt_that_is_no_text_is_named_with_its_input(given: Any) -> None:
    with pytest.raises(RequestError, match="positive takes one text"):
        gather.text("positive", given)
