"""Configuration: a value that holds only what was set, checked against the wire."""

from __future__ import annotations

import copy
import math
import pickle
import struct
from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from config_samples import LIVE, explicit_settings, float32, sample
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings.choices import ControlMode, LoraMode, Sampler, SeedMode
from drawthings.dt_core.settings.configuration import (
    DEFAULTS,
    Configuration,
    ControlSettings,
    LoraSettings,
)
from drawthings.dt_core.settings.table import Setting
from hypothesis import example, given, settings
from hypothesis import strategies as st


def test_only_what_was_set_is_explicit() -> None:
    config = Configuration(steps=20, model="x.ckpt")
    assert config["steps"] == 20
    assert "steps" in config
    assert config["strength"] == 0.0  # the schema's default
    assert "strength" not in config
    assert config["decoding_tile_width"] == 640  # px
    assert config["upscaler"] == ""
    assert list(config) == ["steps", "model"]
    assert dict(config.explicit) == {"steps": 20, "model": "x.ckpt"}
    assert repr(config) == "Configuration(steps=20, model='x.ckpt')"


def test_a_value_equal_to_the_default_is_still_set() -> None:
    config = Configuration(strength=0.0)
    assert "strength" in config
    assert config != Configuration()


def test_changes_make_another_configuration() -> None:
    config = Configuration(steps=20, seed=1)
    assert config.replace(steps=4) == Configuration(steps=4, seed=1)
    assert config.without("steps", "shift") == Configuration(seed=1)
    assert config.merged(Configuration(seed=2, shift=3)) == Configuration(
        steps=20, seed=2, shift=3.0
    )
    assert config == Configuration(seed=1, steps=20)
    assert hash(config) == hash(Configuration(seed=1, steps=20))
    assert Configuration.of({"seed": 1, "steps": 20}) == config


def test_nobody_can_change_it() -> None:
    config = Configuration.of({"steps": 20}, {"new": [1]})
    with pytest.raises(TypeError):
        config.explicit["steps"] = 4  # type: ignore[index]
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        config.steps = 4  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        config._items = ()  # type: ignore[misc]
    config.unknown["new"].append(2)
    assert config.unknown == {"new": [1]}


def test_it_can_be_copied_and_pickled() -> None:
    config = Configuration.of({row.name: sample(row) for row in LIVE}, {"new": {"a": 1}})
    assert copy.deepcopy(config) == config
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert hash(again) == hash(config)


def test_unknown_keys_travel_along() -> None:
    config = Configuration.of({"steps": 1}, {"newKey": 1, "other": None})
    assert config.replace(steps=2).unknown == {"newKey": 1, "other": None}
    assert config.without("steps").unknown == {"newKey": 1, "other": None}
    merged = config.merged(Configuration.of({}, {"newKey": 2}))
    assert merged.unknown == {"newKey": 2, "other": None}
    assert config != Configuration(steps=1)
    with pytest.raises(SettingsError, match="unknown"):
        Configuration.of({}, {"key": object()})


def test_an_empty_text_counts_as_not_set() -> None:
    config = Configuration(model="", steps=1)
    assert "model" not in config
    assert "model" not in Configuration(model="a").replace(model="")
    assert Configuration(model="a").merged(Configuration(model=""))["model"] == "a"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("stpes", "steps"), ("width", "start_width"), ("hires_fix_width", "hires_fix_start_width")],
)
def test_an_unknown_name_is_refused_with_a_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}.*{suggestion}"):
        Configuration.of({name: 1})
    with pytest.raises(SettingsError, match=suggestion):
        Configuration()[name]
    with pytest.raises(SettingsError, match=suggestion):
        Configuration().without(name)


def test_an_obsolete_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="obsolete"):
        Configuration(decode_with_attention=True)


HUGE = 10**5000  # more digits than Python prints
WRONG: list[tuple[str, Any]] = [
    ("steps", "20"),
    ("steps", 20.0),
    ("steps", True),
    ("steps", None),
    ("steps", -1),
    ("steps", 2**32),
    ("steps", HUGE),
    ("id", 2**63),
    ("upscaler_scale_factor", 256),
    ("crop_top", -(2**31) - 1),
    ("hires_fix", 1),
    ("hires_fix", "true"),
    ("shift", True),
    ("shift", "3"),
    ("shift", math.nan),
    ("shift", -math.inf),
    ("shift", 3.5e38),
    ("shift", HUGE),
    ("shift", 1j),
    ("model", 3),
    ("model", b"a.ckpt"),
    ("model", "\ud800"),
    ("sampler", 20),
    ("sampler", -1),
    ("sampler", True),
    ("sampler", "DDIM"),
    ("sampler", SeedMode.LEGACY),
    ("loras", "a.ckpt"),
    ("loras", LoraSettings("a")),
    ("loras", [{"file": "a"}]),
    ("loras", [ControlSettings("a")]),
    ("loras", [LoraSettings("a")] * 257),
    ("controls", [LoraSettings("a")]),
    ("controls", None),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: str(type(value).__name__))
def test_a_value_that_cannot_be_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Configuration.of({name: value})
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: LoraSettings(3), "file"),  # type: ignore[arg-type]
        (lambda: LoraSettings("a", math.nan), "weight"),
        (lambda: LoraSettings("a", 1, 3), "mode"),  # type: ignore[arg-type]
        (lambda: LoraSettings("a", 1, ControlMode.PROMPT), "mode"),  # type: ignore[arg-type]
        (lambda: ControlSettings("a", no_prompt=0), "no_prompt"),  # type: ignore[arg-type]
        (lambda: ControlSettings("a", target_blocks="mid"), "target_blocks"),  # type: ignore[arg-type]
        (lambda: ControlSettings("a", target_blocks=("a", 1)), "target_blocks"),  # type: ignore[arg-type]
    ],
)
def test_entries_are_checked_too(make: Any, name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        make()


def test_numbers_of_other_types_become_plain() -> None:
    config = Configuration(
        steps=np.int64(7),
        shift=np.float32(0.7),
        guidance_scale=5,
        sampler=18,
        sharpness=Fraction(1, 2),
        loras=[LoraSettings("a", 1, 2)],  # type: ignore[arg-type]
    )
    assert type(config["steps"]) is int
    assert type(config["shift"]) is float
    assert config["shift"] == 0.7
    assert type(config["guidance_scale"]) is float
    assert config["sampler"] is Sampler.UNIPC_AYS
    assert config["loras"][0].mode is LoraMode.REFINER
    assert hash(config) == hash(config.replace())


@pytest.mark.parametrize(
    ("value", "nearest"),
    [(1000, 1024), (990, 960), (1, 0), (-5, 0), (63, 64), (5_000_000, 65_535 * 64)],
)
def test_sizes_are_multiples_of_64_px(value: int, nearest: int) -> None:
    with pytest.raises(SettingsError) as caught:
        Configuration(start_width=value)
    message = str(caught.value)
    assert message.startswith("start_width must be a multiple of 64 px")
    assert f"not {value} px" in message
    assert message.endswith(f"the nearest is {nearest} px.")
    assert Configuration(start_width=nearest)["start_width"] == nearest


def test_what_the_wire_can_carry_is_allowed_even_if_no_form_offers_it() -> None:
    config = Configuration(start_width=128_000, steps=0, batch_size=99, strength=-3.0)
    assert config["start_width"] == 128_000


@example(1.401298464324817e-45)  # the smallest float32
@example(3.4028234663852886e38)  # the largest
@example(1.262177448353619e-29)  # a power of 2, where neighbours are unevenly far
@example(-0.0)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_shortest_decimal_of_its_float32(value: float) -> None:
    kept = Configuration(shift=value)["shift"]
    assert float32(kept) == value
    assert kept == float(str(np.float32(value)))
    assert Configuration(shift=kept)["shift"] == kept
    assert math.copysign(1, kept) == 1 or kept < 0


@given(st.floats(-1e30, 1e30))
def test_a_double_keeps_the_float32_that_it_rounds_to(value: float) -> None:
    kept = Configuration(shift=value)["shift"]
    assert struct.pack("<f", kept) == struct.pack("<f", value + 0.0) or kept == float32(value) == 0


@settings(max_examples=30, deadline=None)
@given(explicit_settings(), explicit_settings())
def test_merging_keeps_both_and_prefers_the_other(a: dict[str, Any], b: dict[str, Any]) -> None:
    merged = Configuration.of(a).merged(Configuration.of(b))
    assert merged == Configuration.of({**a, **b})
    assert hash(merged) == hash(Configuration.of({**a, **b}))


@pytest.mark.parametrize("row", LIVE, ids=lambda row: row.name)
def test_every_setting_can_be_set_alone(row: Setting) -> None:
    config = Configuration.of({row.name: sample(row)})
    assert list(config) == [row.name]
    assert config[row.name] != row.default
    assert Configuration()[row.name] == row.default


def test_the_app_starts_from_its_own_values() -> None:
    assert dict(DEFAULTS.explicit) == {
        "steps": 20,
        "guidance_scale": 4.5,
        "strength": 1.0,
        "sampler": Sampler.UNIPC_AYS,
        "seed_mode": SeedMode.SCALE_ALIKE,
        "mask_blur": 1.5,
        "refiner_start": 0.85,
    }
