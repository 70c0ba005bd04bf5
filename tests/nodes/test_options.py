"""Options nodes, DT Config and its export: what is set there is what the server gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.request.parts import Control, Lora, ModelChoice
from drawthings.dt_core.settings import app_json, themes
from drawthings.dt_core.settings.choices import ControlInputType, LoraMode, Sampler
from drawthings.dt_core.settings.configuration import Configuration, ControlSettings, LoraSettings
from drawthings.dt_core.settings.options import Options
from drawthings.dt_core.settings.table import INTEGER_RANGES, Kind, setting
from drawthings.dt_core.settings.themes import THEMES, Theme
from drawthings.nodes import options
from drawthings.nodes.config import DTConfig, DTConfigExport
from drawthings.nodes.node_list import NODES
from drawthings.nodes.running import reporting
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.servers import lists
from drawthings.nodes.servers.owner import here

MODEL = "sd_v1.5_f16.ckpt"
BY_ID = {node.define_schema().node_id: node for node in NODES}
SWITCHES = frozenset(themes.SWITCHES.values())
WIDGETS = {"seed": 1, "steps": 2, "guidance": 4.0, "sampler": "DPM++ 2M Trailing"}
WIDGETS |= {"width": 256, "height": 256, "strength": 1.0, "batch_size": 1, "shift": 0.0}

by_theme = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.node_id)


class Sampling(DTSampler):
    """DT Sampler as ComfyUI calls it: with the hidden inputs filled in."""

    class hidden:  # noqa: N801
        unique_id = "7"


def sample(profile: ServerProfile, model: str = MODEL, **inputs: Any) -> Any:
    widgets = {**WIDGETS, **inputs}
    return asyncio.run(Sampling.execute(model=ModelChoice(profile, model), **widgets))


def node_inputs(theme: Theme) -> dict[str, Any]:
    return {entry.id: entry for entry in BY_ID[theme.node_id].define_schema().inputs}


def starting_widgets(theme: Theme) -> dict[str, Any]:
    return {
        ident: entry.default
        for ident, entry in node_inputs(theme).items()
        if entry.io_type != "DT_OPTIONS"
    }


def chosen(theme: Theme, before: Options | None = None, **widgets: Any) -> Options:
    values = {**starting_widgets(theme), **widgets}
    options: Options = BY_ID[theme.node_id].execute(options=before, **values).args[0]
    return options


def changed(name: str, entry: Any) -> tuple[Any, Any]:
    """A widget's value that differs from where it starts, and the setting it stands for."""
    row = setting(name)
    if name == "resolution_dependent_shift":
        return "off", False
    if entry.io_type == "COMBO":
        other = next(text for text in reversed(entry.options) if text != entry.default)
        return other, row.choices.from_label(other) if row.choices else other
    if row.kind is Kind.BOOL:
        return not entry.default, not entry.default
    if row.kind is Kind.STR:
        return f"another {name}", f"another {name}"
    step = entry.step or 1
    up = entry.default + step
    value = up if up <= entry.max else entry.default - step
    value = value if row.kind in INTEGER_RANGES else round(value, 4)
    return value, value


@by_theme
def test_every_changed_widget_arrives_at_the_server(
    server: Any, profile: ServerProfile, theme: Theme
) -> None:
    inputs = node_inputs(theme)
    pairs = {name: changed(name, inputs[themes.input_id(name)]) for name in theme.settings}
    for name in SWITCHES & pairs.keys():
        if setting(name).kind is Kind.BOOL:
            pairs[name] = (True, True)
    if theme is themes.HIRES_FIX:  # smaller than the picture, or nothing would be seen of it
        pairs |= dict.fromkeys(["hires_fix_start_width", "hires_fix_start_height"], (128, 128))
    widgets = {themes.input_id(name): given for name, (given, _) in pairs.items()}
    sample(profile, options=chosen(theme, **widgets))
    arrived = server.requests[0].configuration
    assert {name: arrived[name] for name in pairs} == {n: want for n, (_, want) in pairs.items()}
    assert all(name in arrived for name in pairs)


@by_theme
def test_every_switch_arrives_when_it_is_turned(
    server: Any, profile: ServerProfile, theme: Theme
) -> None:
    inputs = node_inputs(theme)
    off = [n for n in theme.settings if n in SWITCHES and setting(n).kind is Kind.BOOL]
    widgets: dict[str, Any] = {themes.input_id(name): False for name in off}
    given = chosen(theme, **widgets)
    sample(profile, options=given)
    arrived = server.requests[0].configuration
    for name in off:
        assert name in arrived
        assert arrived[name] is False
    for name, switch in themes.SWITCHES.items():
        if name in theme.settings and inputs[themes.input_id(switch)].io_type == "BOOLEAN":
            assert name not in given.settings  # nothing that its switch leaves off is sent


@pytest.mark.parametrize("name", [*themes.EVERYDAY, *(n for t in THEMES for n in t.settings)])
def test_the_place_of_every_setting_is_a_widget_or_socket_of_a_node(name: str) -> None:
    node, ident = themes.place(name) or ("", "")
    assert ident in {entry.id for entry in BY_ID[node].define_schema().inputs}


@by_theme
def test_a_theme_starts_from_values_that_a_form_may_hold(theme: Theme) -> None:
    for entry in node_inputs(theme).values():
        low, high = getattr(entry, "min", None), getattr(entry, "max", None)
        if low is not None and high is not None:
            assert low <= entry.default <= high, entry.id
        if entry.io_type == "COMBO":
            assert entry.default in entry.options, entry.id
    assert chosen(theme).notes == ()


def test_every_theme_has_its_node() -> None:
    for theme in THEMES:
        node = BY_ID[theme.node_id]
        assert node.theme is theme
        assert node.__name__ == theme.node_id


def test_comfyui_accepts_the_nodes_as_they_are() -> None:
    for node in (BY_ID[theme.node_id] for theme in THEMES):
        node.VALIDATE_CLASS()
        clone = node.PREPARE_CLASS_CLONE({})
        assert clone.theme is node.theme
        assert json.dumps(node.GET_NODE_INFO_V1())


def test_a_later_node_overrides_and_the_sampler_says_so(profile: ServerProfile) -> None:
    first = chosen(themes.INPAINT, mask_blur=3.0)
    second = chosen(themes.INPAINT, first, mask_blur=5.0)
    assert second.settings["mask_blur"] == 5.0
    assert [*map(str, second.notes)] == [
        "DT Inpaint Options replaced earlier values of: Mask blur."
    ]
    assert str(second.notes[0]) in sample(profile, options=second).ui["drawthings_notes"]


def test_shift_decides_unless_resolution_dependent_shift_is_chosen() -> None:
    name = "resolution_dependent_shift"
    assert name not in chosen(themes.GUIDANCE).settings
    assert chosen(themes.GUIDANCE, resolution_dependent_shift="on").settings[name] is True
    assert chosen(themes.GUIDANCE, resolution_dependent_shift="off").settings[name] is False


def test_a_typed_file_name_wins_over_the_list() -> None:
    widgets: dict[str, Any] = {"upscaler": "listed.ckpt", "upscaler_file": " own.ckpt "}
    assert chosen(themes.UPSCALER, **widgets).settings["upscaler"] == "own.ckpt"
    refiner = chosen(themes.REFINER, refiner_model_file="low.ckpt", refiner_start=0.1)
    assert dict(refiner.settings.explicit) == {"refiner_model": "low.ckpt", "refiner_start": 0.1}


def test_none_takes_an_earlier_file_back_and_says_so() -> None:
    first = chosen(themes.UPSCALER, upscaler="x4.ckpt", upscaler_scale_factor=2)
    second = chosen(themes.UPSCALER, first)
    assert "upscaler" not in second.settings
    assert [*map(str, second.notes)] == [
        "DT Upscaler Options replaced earlier values of: Upscaler."
    ]
    assert chosen(themes.REFINER) == Options()


def test_any_file_name_passes_comfyuis_check() -> None:
    assert options.DTRefinerOptions.validate_inputs("nowhere.ckpt") is True
    assert options.DTUpscalerOptions.validate_inputs("a.ckpt", "b.ckpt") is True


def test_combos_offer_what_the_server_has(profile: ServerProfile) -> None:
    here().lists.refresh(profile)
    inputs = node_inputs(themes.UPSCALER)
    assert inputs["upscaler"].options == [lists.NONE, *here().lists.current().upscalers]
    assert "remacri_4x_f16.ckpt" in inputs["upscaler"].options
    assert "restoreformer_v1.0_f16.ckpt" in inputs["face_restoration"].options
    refiners = node_inputs(themes.REFINER)["refiner_model"].options
    assert refiners == [lists.NONE, *here().lists.current().models]
    assert "easynegative" in {word.lower() for word in here().lists.current().embeddings}


COPIED = Configuration.of(
    {
        "model": "flux_1_dev_q5p.ckpt",
        "seed": 77,
        "start_width": 512,
        "start_height": 320,
        "steps": 5,
        "sampler": Sampler.EULER_A_TRAILING,
        "hires_fix": False,
        "loras": (LoraSettings("style.ckpt", -0.5, LoraMode.BASE),),
        "controls": (
            ControlSettings(
                "union.ckpt",
                weight=0.4,
                guidance_end=0.8,
                input_override=ControlInputType.POSE,
                target_blocks=("mid",),
            ),
        ),
    },
    {"futureKey": {"a": [1]}},
)


def configured(source: str | Mapping[str, Any] | None = None, **inputs: Any) -> tuple[Any, ...]:
    data = app_json.to_json(COPIED) if source is None else source
    text = data if isinstance(data, str) else json.dumps(data)
    values: tuple[Any, ...] = DTConfig.execute(text, **inputs).args
    return values


def test_a_copied_configuration_becomes_options_loras_controls_and_a_model() -> None:
    found, loras, controls, model = configured()
    assert loras == (Lora("style.ckpt", -0.5, LoraMode.BASE),)
    (control,) = controls
    assert (control.file, control.weight, control.end) == ("union.ckpt", 0.4, 0.8)
    assert (control.input_type, control.target_blocks) == (ControlInputType.POSE, ("mid",))
    assert control.picture is None
    assert model == "flux_1_dev_q5p.ckpt"
    names = {"start_width", "start_height", "steps", "sampler", "hires_fix"}
    assert set(found.settings) == names
    assert dict(found.settings.unknown) == {"futureKey": {"a": [1]}}


def test_size_seed_and_model_are_taken_when_asked_for() -> None:
    sizeless = configured(use_size=False)[0].settings
    assert set(sizeless) == {"steps", "sampler", "hires_fix"}
    all_of_it = configured(use_seed=True, use_model=True)[0].settings
    assert (all_of_it["seed"], all_of_it["model"]) == (77, "flux_1_dev_q5p.ckpt")


def test_any_part_of_a_configuration_will_do() -> None:
    assert dict(configured({"steps": 9})[0].settings.explicit) == {"steps": 9}
    assert configured("  ") == (Options(), (), (), "")
    assert configured("{}") == (Options(), (), (), "")


def test_the_json_in_a_picture_is_read() -> None:
    inside = {"c": "a prompt", "steps": 30, "v2": app_json.to_json(COPIED)}
    assert configured(inside) == configured()


def test_a_configuration_joins_the_chains_that_it_is_given() -> None:
    before = Options().then({"steps": 4, "sharpness": 2.0}, "A")
    found, loras, controls, _ = configured(
        options=before, lora_stack=(Lora("a"),), control_stack=(Control("b"),)
    )
    assert (found.settings["steps"], found.settings["sharpness"]) == (5, 2.0)
    assert [*map(str, found.notes)] == ["DT Config replaced earlier values of: Steps."]
    assert [lora.file for lora in loras] == ["a", "style.ckpt"]
    assert [control.file for control in controls] == ["b", "union.ckpt"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"steps": "many"}', "steps must be a whole number"),
        ('{"sampler": 99}', "sampler must be one of"),
        ('{"loras": [{"file": "a", "weight": "x"}]}', r"loras\[0\]\.weight must be a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(text: str, words: str) -> None:
    with pytest.raises(reporting.Problem, match=words):
        configured(text)


def test_a_configuration_drives_the_sampler(server: Any, profile: ServerProfile) -> None:
    found, *_ = configured({"width": 128, "height": 192, "steps": 3, "sharpness": 4})
    output = sample(profile, options=found)
    arrived = server.requests[0].configuration
    assert (arrived["start_width"], arrived["start_height"]) == (128, 192)
    assert (arrived["steps"], arrived["sharpness"]) == (3, 4.0)
    assert any("Width" in note for note in output.ui["drawthings_notes"])


def exported(**inputs: Any) -> dict[str, Any]:
    """Without any server: the address leads nowhere."""
    model = ModelChoice(ServerProfile("127.0.0.1:1"), MODEL)
    result = DTConfigExport.execute(model=model, **{**WIDGETS, **inputs})
    return dict(json.loads(result.args[0]))


def test_the_export_is_what_the_sampler_would_send(server: Any, profile: ServerProfile) -> None:
    inputs: dict[str, Any] = {
        "options": chosen(themes.INPAINT, mask_blur=7.5),
        "lora": (Lora("add_more_details_sd_v1.5_lora_f16.ckpt", 0.5),),
        "control": (Control("controlnet_canny_1.x_v1.1_f16.ckpt", weight=0.3),),
    }
    text = exported(**inputs)
    sample(profile, **inputs)
    assert app_json.from_json(text) == server.requests[0].configuration
    assert (text["width"], text["maskBlur"], text["model"]) == (256, 7.5, MODEL)
    assert text["loras"][0]["weight"] == 0.5
    assert text["controls"][0]["weight"] == 0.3


def test_the_export_takes_back_what_a_configuration_brought() -> None:
    found, loras, controls, _ = configured(use_seed=True, use_model=True)
    text = exported(options=found, lora=loras, control=controls)
    assert text["futureKey"] == {"a": [1]}
    back = app_json.from_json(text)
    assert {name: back[name] for name in COPIED} == dict(COPIED.explicit)


def test_a_random_seed_is_exported_as_random() -> None:
    assert exported(seed=-1)["seed"] == -1
    assert exported(seed=-1, options=configured(use_seed=True)[0])["seed"] == 77


def test_the_export_takes_what_the_sampler_takes() -> None:
    ids = [
        [entry.id for entry in node.define_schema().inputs] for node in (DTSampler, DTConfigExport)
    ]
    assert ids[0] == ids[1]


def test_a_size_off_the_grid_is_rounded_by_the_export_too() -> None:
    assert exported(width=100)["width"] == 128
