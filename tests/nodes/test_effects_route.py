"""What the page asks to know what matters, and what is recommended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drawthings.nodes.routes import effects
from drawthings.nodes.routes.guard import Refused

SDXL = "sd_xl_base_1.0_f16.ckpt"
DEV = "flux_1_dev_q5p.ckpt"
TURBO = "z_image_turbo_1.0_q6p.ckpt"


def ask(*layers: dict[str, Any], **body: Any) -> dict[str, str]:
    asked = {"server": None, "model": SDXL, "layers": list(layers), **body}
    found: dict[str, str] = effects.idle(asked)["idle"]
    return found


def config(values: dict[str, Any], **switches: bool) -> dict[str, Any]:
    """What a DT Config holds."""
    return {"configuration": json.dumps(values), "use_size": True, **switches}


def recommended(*layers: dict[str, Any], **body: Any) -> Any:
    asked = {"server": None, "model": TURBO, "layers": list(layers), **body}
    return effects.recommended(asked)


def test_widget_values_count_as_the_widgets_have_them() -> None:
    assert "stochastic_sampling_gamma" in ask({"sampler": "DDIM"})
    assert "stochastic_sampling_gamma" not in ask({"sampler": "TCD"})
    assert "refiner_start" in ask({"refiner_model": "none"})
    assert "refiner_start" not in ask({"refiner_model": "sd_xl_refiner_1.0_f16.ckpt"})


def test_beside_each_reason_stands_its_text() -> None:
    answer = effects.idle({"server": None, "model": SDXL, "layers": [{"sampler": "DDIM"}]})

    assert answer["idle"].keys() == answer["idle_texts"].keys()
    text = answer["idle_texts"]["stochastic_sampling_gamma"]
    assert text["text"] == answer["idle"]["stochastic_sampling_gamma"]
    assert (text["key"], text["values"]["why"]["key"]) == ("reason_alone", "only_tcd")


def test_a_later_layer_counts() -> None:
    assert "stochastic_sampling_gamma" not in ask({"sampler": "DDIM"}, {"sampler": "TCD"})
    assert "stochastic_sampling_gamma" in ask({"sampler": "TCD"}, {"sampler": "DDIM"})


def test_the_samplers_shift_is_idle_only_if_options_switch_the_automatic_on() -> None:
    automatic = "resolution_dependent_shift"
    assert "shift" not in ask({}, model=DEV)  # 0 is automatic, and may be raised
    assert "shift" not in ask({"shift": 3.0}, model=DEV)
    assert "shift" not in ask({"shift": 3.0}, {automatic: "automatic"}, model=DEV)
    assert "shift" not in ask({"shift": 3.0}, {automatic: "off"}, model=DEV)
    assert "shift" in ask({"shift": 3.0}, {automatic: "on"}, model=DEV)


def test_a_configuration_among_the_options_counts_as_dt_config_reads_it() -> None:
    gamma = "stochastic_sampling_gamma"
    tcd = config({"sampler": 9})
    assert gamma not in ask({"sampler": "DDIM"}, tcd)
    assert gamma in ask({"sampler": "TCD"}, config({"sampler": 2}), {})
    assert gamma in ask({"sampler": "DDIM"}, {**tcd, "configuration": "no configuration"})
    model = {"model": DEV}
    assert "clip_l_text" in ask(config(model, use_model=True))
    assert "original_image_width" in ask(config(model, use_model=True))
    assert "original_image_width" not in ask(config(model, use_model=False))


def test_an_image_makes_strength_count() -> None:
    assert "strength" in ask()
    assert "strength" not in ask(connected=["image"])
    assert "strength" not in ask(unknown=["image"])


def test_what_is_wholly_unknown_leaves_only_what_the_family_lacks() -> None:
    found = ask({"sampler": "DDIM"}, unknown=[effects.ANYTHING])
    assert found["tea_cache"] == "Not used by Stable Diffusion XL Base."
    assert not {"strength", "stochastic_sampling_gamma", "aesthetic_score"} & found.keys()


def test_values_that_no_widget_has_are_left_out() -> None:
    assert ask({"sampler": "no such", "nonsense": 1, "steps": None}) == ask({})


@pytest.mark.parametrize(
    "body",
    [
        {"layers": {}},
        {"layers": ["x"]},
        {"layers": [{str(number): 1 for number in range(300)}]},
        {"layers": [{"configuration": 5}]},
        {"unknown": "x"},
        {"loras": [1]},
        {"connected": ["image"] * 300},
        {"model": 5},
    ],
)
def test_nonsense_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        effects.idle({"server": None, "model": SDXL, **body})


def test_a_recommendation_speaks_in_widget_values() -> None:
    answer = recommended()
    assert answer["values"]["sampler"] == "UniPC Trailing"
    assert answer["values"]["steps"] == 8
    assert recommended(model="mine.ckpt")["values"] == {}


def test_nothing_is_recommended_over_a_configuration() -> None:
    values = recommended(config({"steps": 20, "width": 512, "height": 512}))["values"]
    assert not {"steps", "start_width", "start_height"} & values.keys()
    assert values["guidance_scale"] == 1
    kept = recommended({**config({"width": 512, "height": 512}), "use_size": False})["values"]
    assert kept["start_width"] == 1024


def test_a_lora_that_a_preset_is_made_for_chooses_it() -> None:
    lora = "qwen_image_1.0_lightning_4_step_v2.0_lora_f16.ckpt"
    model = "qwen_image_1.0_q6p.ckpt"
    assert recommended(model=model)["values"]["steps"] == 30
    assert recommended(model=model, loras=[lora])["values"]["steps"] == 4
