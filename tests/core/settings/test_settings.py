"""The table of settings and its enums."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields
from importlib import resources

import pytest
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings import choices
from drawthings.dt_core.settings.choices import Choice, ControlInputType, Sampler
from drawthings.dt_core.settings.configuration import ControlSettings, LoraSettings
from drawthings.dt_core.settings.table import (
    CONTROL_SETTINGS,
    INTEGER_RANGES,
    LORA_SETTINGS,
    NOT_READ,
    SETTINGS,
    Kind,
    Setting,
    setting,
)

WITHOUT_JSON_KEY = {
    "name": "the app names presets beside the configuration, not in it",
    "causal_inference_enabled": "told by causalInference being above 0",
    "decode_with_attention": "deprecated",
    "hires_fix_decode_with_attention": "deprecated",
}
EVERY_ROW = [*SETTINGS, *CONTROL_SETTINGS, *LORA_SETTINGS]
ENUMS = [
    value
    for value in vars(choices).values()
    if isinstance(value, type) and issubclass(value, Choice) and value is not Choice
]


@pytest.mark.parametrize(
    ("rows", "count"), [(SETTINGS, 88), (CONTROL_SETTINGS, 10), (LORA_SETTINGS, 3)]
)
def test_slots_are_complete_and_in_order(rows: tuple[Setting, ...], count: int) -> None:
    assert [row.slot for row in rows] == list(range(count))
    assert len({row.name for row in rows}) == count
    keys = [row.json_key for row in rows if row.json_key]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_a_row_says_all_that_a_form_needs(row: Setting) -> None:
    assert row.label
    assert row.label[0].isupper()
    assert row.help.endswith(".")
    assert 20 < len(row.help) < 200
    assert row.json_key or row.name in WITHOUT_JSON_KEY
    numeric = (row.kind in INTEGER_RANGES and not row.choices) or row.kind is Kind.F32
    if numeric and row.name != "id":
        assert row.minimum is not None
        assert row.maximum is not None
        assert row.step
        assert row.minimum < row.maximum
    assert (row.unit == "px") == (" px" in row.help)
    if row.unit in {"frames", "latent frames"}:
        assert "frames" in row.help
    assert (row.wire_scale == 64) == ("multiple of 64" in row.help)
    if row.wire_scale == 64:
        assert row.kind is Kind.U16
        assert row.step == 64
        assert row.unit == "px"


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_what_a_form_offers_fits_the_wire(row: Setting) -> None:
    if row.wire_range and row.minimum is not None and row.maximum is not None:
        low, high = row.wire_range
        assert low <= row.minimum
        assert row.maximum <= high


def test_families_are_keys_of_the_family_table() -> None:
    data = json.loads(
        resources.files("drawthings.dt_core.models").joinpath("families.json").read_bytes()
    )
    keys = {key for family in data["versions"].values() for key in family["supports"]}
    for row in EVERY_ROW:
        assert row.families is None or row.families == NOT_READ or row.families in keys, row.name


def test_entries_have_the_fields_of_their_rows() -> None:
    for rows, entry in ((CONTROL_SETTINGS, ControlSettings("")), (LORA_SETTINGS, LoraSettings(""))):
        assert [field.name for field in fields(entry)] == [row.name for row in rows]
        for row in rows:
            assert getattr(entry, row.name) == row.default


def test_a_wrong_name_gets_a_suggestion() -> None:
    assert setting("steps").slot == 4
    for wrong, right in [
        ("step", "steps"),
        ("width", "start_width"),  # the app's name
        ("motionScale", "motion_bucket_id"),
        ("guidance", "guidance_scale"),
    ]:
        with pytest.raises(SettingsError, match=repr(right)):
            setting(wrong)


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_enums_count_from_zero_and_every_label_leads_back(kind: type[Choice]) -> None:
    assert [int(member) for member in kind] == list(range(len(kind)))
    for member in kind:
        assert member.label
        for text in (
            member.label,
            member.label.upper(),
            member.name,
            int(member),
            str(int(member)),
        ):
            assert kind.from_label(text) is member
        if member.json_name:
            assert kind.from_label(member.json_name) is member
        assert pickle.loads(pickle.dumps(member)) is member
    with pytest.raises(SettingsError, match="not one of"):
        kind.from_label("no such thing")


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("UniPC ays", Sampler.UNIPC_AYS),
        ("DPMPP2MAYS", Sampler.DPMPP_2M_AYS),
        ("dpm++ 2m karras", Sampler.DPMPP_2M_KARRAS),
        ("DPM++ 2M", Sampler.DPMPP_2M_KARRAS),
        ("dpmpp_2m", Sampler.DPMPP_2M_KARRAS),
        ("DPM 2M Trailing", Sampler.DPMPP_2M_TRAILING),
        ("DPMPPSDESubstep", Sampler.DPMPP_SDE_SUBSTEP),
        ("Euler A", Sampler.EULER_A),
        ("Euler Ancestral", Sampler.EULER_A),
        ("euler ancestral trailing", Sampler.EULER_A_TRAILING),
        ("DDIMTrailing", Sampler.DDIM_TRAILING),
        ("19", Sampler.TCD_TRAILING),
        (18, Sampler.UNIPC_AYS),
    ],
)
def test_samplers_are_found_by_loose_names(text: str | int, member: Sampler) -> None:
    assert Sampler.from_label(text) is member


@pytest.mark.parametrize("text", ["", "20", "-1", "dpm", "true"])
def test_what_names_no_sampler_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Sampler.from_label(text)


def test_control_inputs_know_their_hint() -> None:
    assert ControlInputType.UNSPECIFIED.hint_name is None
    names = {member: member.hint_name for member in ControlInputType}
    assert names[ControlInputType.NORMALBAE] == "normalbae"
    assert names[ControlInputType.SEG] == "seg"
    assert names[ControlInputType.IP2P] == "ip2p"
    assert names[ControlInputType.LOWQUALITY] == "lowquality"
    assert ControlInputType.from_label("Low quality") is ControlInputType.LOWQUALITY
    assert ControlInputType.from_label("Seg") is ControlInputType.SEG
