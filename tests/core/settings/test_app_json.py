"""Configuration as the app's JSON, and what else people paste."""

from __future__ import annotations

import json
from typing import Any

import pytest
from config_samples import CONTROLS, LIVE, LORAS, explicit_settings, sample
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings.app_json import OURS, from_json, to_json
from drawthings.dt_core.settings.choices import (
    ColorCalibration,
    CompressionMethod,
    ControlInputType,
    ControlMode,
    LoraMode,
    Sampler,
)
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings, LoraSettings
from drawthings.dt_core.settings.flatbuffer import decode, encode
from drawthings.dt_core.settings.table import Setting
from hypothesis import given, settings
from hypothesis import strategies as st

EVERYTHING = Configuration.of(
    {row.name: sample(row) for row in LIVE}, {"newKey": {"a": [1, None]}, "other": "x"}
)


def _survives(config: Configuration) -> None:
    text = json.dumps(to_json(decode(encode(config))))
    assert from_json(text) == Configuration.of(config.explicit)
    assert from_json(json.dumps(to_json(config))) == config


@pytest.mark.parametrize("row", LIVE, ids=lambda row: row.name)
def test_a_single_setting_survives_bytes_and_json(row: Setting) -> None:
    for value in (sample(row), row.default):
        _survives(Configuration.of({row.name: value}))


def test_all_settings_at_once_survive_bytes_and_json() -> None:
    _survives(EVERYTHING)
    assert from_json(to_json(EVERYTHING, complete=True)) == EVERYTHING


@settings(max_examples=60, deadline=None)
@given(explicit_settings())
def test_any_configuration_survives_bytes_and_json(values: dict[str, Any]) -> None:
    _survives(Configuration.of(values))


CAUSAL = st.fixed_dictionaries(
    {},
    optional={
        "causal_inference_enabled": st.booleans(),
        "causal_inference": st.sampled_from([-1, 0, 1, 3, 5]),
        "causal_inference_pad": st.sampled_from([-2, 0, 4]),
        "batch_size": st.integers(0, 9),
        "batch_count": st.integers(0, 3),
        "compression_artifacts_quality": st.sampled_from([-1.0, 43.1, 200.0]),
    },
)


@given(CAUSAL)
def test_what_the_app_would_change_survives(values: dict[str, Any]) -> None:
    config = Configuration.of(values)
    _survives(config)
    complete = from_json(to_json(config, complete=True))
    assert {name: complete[name] for name in values} == values
    assert complete["causal_inference_enabled"] == config["causal_inference_enabled"]


def test_only_what_was_set_is_written() -> None:
    assert to_json(Configuration()) == {}
    config = Configuration(start_width=1024, sampler=Sampler.UNIPC_AYS, strength=0.0)
    assert to_json(config) == {"width": 1024, "strength": 0.0, "sampler": 18}


def test_a_complete_object_has_every_key_but_names_that_are_not_set() -> None:
    found = to_json(Configuration(steps=8), complete=True)
    names = {"model", "upscaler", "faceRestoration", "refinerModel"}
    names |= {"clipLText", "openClipGText", "t5Text"}
    assert set(found) == {row.json_key for row in LIVE if row.json_key} - names
    assert found["steps"] == 8
    assert found["decodingTileWidth"] == 640
    assert found["colorCalibration"] == "none"
    assert found["compressionArtifacts"] == "disabled"
    assert found["causalInference"] == 0
    assert found["controls"] == []
    assert from_json(found)["steps"] == 8


def test_floats_are_written_short_and_read_with_noise() -> None:
    config = from_json('{"strength": 0.69999998807907104, "guidanceScale": 4}')
    assert config == Configuration(strength=0.7, guidance_scale=4.0)
    assert json.dumps(to_json(config)) == '{"guidanceScale": 4.0, "strength": 0.7}'


@pytest.mark.parametrize(
    ("pixels", "kept"), [(1024, 1024), (1000, 960), (63, 0), (1024.0, 1024), (70_000, 69_952)]
)
def test_sizes_are_cut_to_64_px(pixels: float, kept: int) -> None:
    assert from_json({"width": pixels}) == Configuration(start_width=kept)
    assert from_json({"originalImageWidth": 1000}) == Configuration(original_image_width=1000)


@pytest.mark.parametrize(
    ("seed", "kept"),
    [(0, 0), (2**32 - 1, 2**32 - 1), (2**32, 0), (2**32 + 7, 7), (2**70 + 5, 5), (-1, None)],
)
def test_seeds_become_what_the_wire_takes(seed: int, kept: int | None) -> None:
    expected = Configuration() if kept is None else Configuration(seed=kept)
    assert from_json({"seed": seed}) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"batchCount": 0}, {"batch_count": 1}),
        ({"batchSize": 0}, {"batch_size": 1}),
        ({"batchSize": 9}, {"batch_size": 4}),
        ({"compressionArtifactsQuality": 300}, {"compression_artifacts_quality": 100.0}),
        ({"compressionArtifactsQuality": -1}, {"compression_artifacts_quality": 0.0}),
        ({"upscaler": "", "model": "", "t5Text": ""}, {}),
        ({"upscaler": None, "steps": None}, {}),
        ({"causalInference": 0}, {"causal_inference_enabled": False}),
        ({"causalInference": 5}, {"causal_inference_enabled": True, "causal_inference": 5}),
        ({"compressionArtifacts": "JPEG"}, {"compression_artifacts": CompressionMethod.JPEG}),
        ({"compressionArtifacts": "av1"}, {"compression_artifacts": CompressionMethod.DISABLED}),
        ({"colorCalibration": "Lab"}, {"color_calibration": ColorCalibration.LAB}),
        ({"colorCalibration": "none"}, {"color_calibration": ColorCalibration.DISABLED}),
        ({"fps": 7, "motionScale": 90}, {"fps_id": 7, "motion_bucket_id": 90}),
        ({"stage2Guidance": 2, "guidingFrameNoise": 0.5}, {"stage_2_cfg": 2, "cond_aug": 0.5}),
    ],
    ids=str,
)
def test_values_are_read_as_the_app_reads_them(
    data: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert from_json(data) == Configuration.of(expected)


def test_controls_and_loras_both_ways() -> None:
    config = Configuration(controls=CONTROLS, loras=LORAS)
    found = to_json(config)
    assert found["controls"][1] == {
        "file": "union_f16.ckpt",
        "weight": 0.35,
        "guidanceStart": 0.1,
        "guidanceEnd": 0.9,
        "noPrompt": True,
        "globalAveragePooling": False,
        "downSamplingRate": 2.5,
        "controlImportance": "control",
        "targetBlocks": ["up_blocks.0.attentions.1", "mid_block"],
        "inputOverride": "instruct pix2pix",
    }
    assert "file" not in found["controls"][2]
    assert found["loras"][0] == {"file": "détail_f16.ckpt", "weight": -1.25, "mode": "refiner"}
    assert from_json(found) == config


def test_entries_may_be_partial_and_their_words_in_any_case() -> None:
    config = from_json(
        {
            "loras": [
                {"file": "a.ckpt"},
                {"file": "b", "mode": "Base", "weight": 1},
                {"mode": "x"},
            ],
            "controls": [
                {"file": None, "inputOverride": "Normal BAE", "controlImportance": "Prompt"},
                {"file": "c", "inputOverride": "normalbae", "new": 1},
            ],
        }
    )
    assert config["loras"] == (
        LoraSettings("a.ckpt"),
        LoraSettings("b", 1.0, LoraMode.BASE),
        LoraSettings(""),
    )
    assert config["controls"] == (
        ControlSettings(
            "", control_mode=ControlMode.PROMPT, input_override=ControlInputType.NORMALBAE
        ),
        ControlSettings("c"),
    )


@pytest.mark.parametrize("member", ControlInputType)
def test_every_control_input_has_its_word(member: ControlInputType) -> None:
    config = Configuration(controls=[ControlSettings("a", input_override=member)])
    assert from_json(to_json(config)) == config


def test_unknown_keys_are_kept_and_written_again() -> None:
    text = '{"steps": 4, "newKey": {"deep": [1, null]}, "futureFlag": null}'
    config = from_json(text)
    assert config["steps"] == 4
    assert config.unknown == {"newKey": {"deep": [1, None]}, "futureFlag": None}
    assert to_json(config) == json.loads(text)
    assert to_json(config.replace(steps=5))["newKey"] == {"deep": [1, None]}
    newer = from_json({OURS: {"name": "n", "later": 1}})
    assert newer["name"] == "n"
    assert to_json(newer) == {OURS: {"name": "n", "later": 1}}


def test_what_json_cannot_say_stands_under_our_key() -> None:
    config = Configuration(name="mine", causal_inference=5, causal_inference_pad=2, batch_size=8)
    assert to_json(config) == {
        "batchSize": 8,
        "causalInference": 0,
        "causalInferencePad": 0,
        OURS: {"batch_size": 8, "name": "mine", "causal_inference": 5, "causal_inference_pad": 2},
    }


def test_a_key_that_was_edited_wins_over_ours() -> None:
    found = to_json(Configuration(causal_inference=5, batch_size=8))
    found.update(causalInference=4, batchSize=2)
    assert from_json(found) == Configuration(
        causal_inference_enabled=True, causal_inference=4, batch_size=2
    )


@pytest.mark.parametrize("wrapper", ["configuration", "v2"])
def test_a_configuration_may_be_wrapped(wrapper: str) -> None:
    text = json.dumps({"name": "Preset", "c": "prompt", wrapper: {"steps": 4}})
    assert from_json(text) == Configuration(steps=4)
    assert from_json({"configuration": json.loads(text)}) == Configuration(steps=4)


@pytest.mark.parametrize(
    "source", ['{"steps": 4}', b'{"steps": 4}', '\ufeff{"steps": 4}', b'\xef\xbb\xbf{"steps": 4}']
)
def test_texts_and_bytes_are_read(source: str | bytes) -> None:
    assert from_json(source) == Configuration(steps=4)


@pytest.mark.parametrize(
    ("data", "key", "value"),
    [
        ({"steps": "20"}, "steps", "'20'"),
        ({"steps": 20.5}, "steps", "20.5"),
        ({"steps": True}, "steps", "True"),
        ({"steps": -1}, "steps", "-1"),
        ({"seed": "x"}, "seed", "'x'"),
        ({"seed": 1.5}, "seed", "1.5"),
        ({"width": "1024"}, "width", "'1024'"),
        ({"width": -64}, "width", "-64"),
        ({"width": 10**9}, "width", "1000000000 px"),
        ({"batchSize": "4"}, "batchSize", "'4'"),
        ({"batchSize": None, "batchCount": False}, "batchCount", "False"),
        ({"hiresFix": 1}, "hiresFix", "1"),
        ({"guidanceScale": "4"}, "guidanceScale", "'4'"),
        ({"guidanceScale": True}, "guidanceScale", "True"),
        ({"compressionArtifactsQuality": float("nan")}, "compressionArtifactsQuality", "nan"),
        ({"model": 3}, "model", "3"),
        ({"sampler": 20}, "sampler", "20"),
        ({"sampler": "DDIM"}, "sampler", "'DDIM'"),
        ({"seedMode": 4}, "seedMode", "4"),
        ({"colorCalibration": 1}, "colorCalibration", "1"),
        ({"loras": {}}, "loras", "{}"),
        ({"loras": ["a"]}, r"loras\[0\]", "'a'"),
        ({"loras": [{"file": "a"}, {"weight": "1"}]}, r"loras\[1\].weight", "'1'"),
        ({"controls": [{"targetBlocks": "x"}]}, r"controls\[0\].targetBlocks", "'x'"),
        ({"controls": [{"targetBlocks": [1]}]}, r"controls\[0\].targetBlocks", "1"),
        ({"controls": [{"inputOverride": 3}]}, r"controls\[0\].inputOverride", "3"),
        ({OURS: []}, OURS, r"\[\]"),
        ({OURS: {"batch_size": "x"}}, f"{OURS}.batch_size", "'x'"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_key_and_value(
    data: dict[str, Any], key: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=f"{key}.*{value}"):
        from_json(data)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"x"',
        b"\xff\xfe\xfd",
        "[" * 100_000,
        '{"steps": ' + "9" * 5000 + "}",
    ],
    ids=lambda source: str(source)[:8],
)
def test_what_is_no_configuration_is_refused(source: str | bytes) -> None:
    with pytest.raises(SettingsError):
        from_json(source)
    with pytest.raises(SettingsError):
        from_json(3)  # type: ignore[arg-type]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from([row.json_key for row in LIVE if row.json_key] + [OURS, "v2", "newKey"])


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_any_json_is_read_or_refused(data: dict[str, Any]) -> None:
    try:
        config = from_json(json.dumps(data))
    except SettingsError:
        return
    assert repr(from_json(to_json(config)).explicit) == repr(config.explicit)
