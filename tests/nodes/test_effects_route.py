"""What the page asks to know what matters, and what is recommended."""

from __future__ import annotations

from typing import Any

import pytest
from drawthings.nodes.routes import effects
from drawthings.nodes.routes.guard import Refused

SDXL = "sd_xl_base_1.0_f16.ckpt"


def ask(**body: Any) -> dict[str, str]:
    found: dict[str, str] = effects.idle({"server": None, "model": SDXL, **body})["idle"]
    return found


def test_widget_values_count_as_the_widgets_have_them() -> None:
    assert "stochastic_sampling_gamma" in ask(values={"sampler": "DDIM"})
    assert "stochastic_sampling_gamma" not in ask(values={"sampler": "TCD"})
    assert "refiner_start" in ask(values={"refiner_model": "none"})
    assert "refiner_start" not in ask(values={"refiner_model": "sd_xl_refiner_1.0_f16.ckpt"})


def test_an_image_makes_strength_count() -> None:
    assert "strength" in ask(image=False)
    assert "strength" not in ask(image=True)


def test_values_that_no_widget_has_are_left_out() -> None:
    assert ask(values={"sampler": "no such", "nonsense": 1, "steps": None}) == ask(values={})


@pytest.mark.parametrize("body", [{"values": []}, {"unknown": "x"}, {"model": 5}])
def test_nonsense_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        ask(**body)


def test_a_recommendation_speaks_in_widget_values() -> None:
    answer = effects.recommended({"server": None, "model": "z_image_turbo_1.0_q6p.ckpt"})
    assert answer["values"]["sampler"] == "UniPC Trailing"
    assert answer["values"]["steps"] == 8
    assert effects.recommended({"server": None, "model": "mine.ckpt"})["values"] == {}
