"""Each of the settings is offered once, or a reason is given."""

from __future__ import annotations

import pytest
from drawthings.dt_core.settings import themes
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.settings.table import SETTINGS, Kind, setting
from drawthings.dt_core.settings.themes import EVERYDAY, NOT_OFFERED, STARTS, SWITCHES, THEMES

OFFERED = [*EVERYDAY, *(name for theme in THEMES for name in theme.settings)]


def test_every_setting_has_exactly_one_place() -> None:
    assert sorted([*OFFERED, *NOT_OFFERED]) == sorted(row.name for row in SETTINGS)


def test_what_is_not_offered_has_a_reason() -> None:
    assert all(reason.endswith(".") for reason in NOT_OFFERED.values())
    assert {row.name for row in SETTINGS if row.deprecated} <= set(NOT_OFFERED)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.node_id)
def test_a_theme_says_what_it_is(theme: themes.Theme) -> None:
    assert theme.node_id.startswith("DT")
    assert theme.node_id.endswith("Options")
    assert theme.title.startswith("DT ")
    assert theme.title.endswith(" Options")
    assert theme.description.endswith(".")
    ids = [themes.input_id(name) for name in theme.settings]
    assert len(set(ids)) == len(ids)


def test_a_switch_is_in_the_theme_of_what_it_switches() -> None:
    for name, switch in SWITCHES.items():
        (theme,) = [theme for theme in THEMES if name in theme.settings]
        assert theme.settings.index(switch) < theme.settings.index(name)
        assert setting(switch).kind in {Kind.BOOL, Kind.STR}


def test_starting_values_can_be_sent() -> None:
    config = Configuration.of(STARTS)
    assert dict(config.explicit) == dict(STARTS)
    for name, value in STARTS.items():
        row = setting(name)
        assert row.minimum is None or row.minimum <= value <= (row.maximum or value)


def test_a_place_is_a_node_and_an_input() -> None:
    assert themes.place("steps") == ("DTSampler", "steps")
    assert themes.place("fps_id") == ("DTVideoOptions", "fps")
    assert themes.place("sharpness") == ("DTGuidanceOptions", "sharpness")
    assert themes.place("id") is None


def test_what_a_switch_leaves_off_does_not_count() -> None:
    values = {"hires_fix": False, "hires_fix_start_width": 448, "sharpness": 0.0}
    assert themes.counting(values) == {"hires_fix": False, "sharpness": 0.0}
    assert themes.counting({**values, "hires_fix": True}) == {**values, "hires_fix": True}
    assert themes.counting({"refiner_model": "", "refiner_start": 0.5}) == {"refiner_model": ""}
    assert themes.counting({"refiner_start": 0.5}) == {"refiner_start": 0.5}
