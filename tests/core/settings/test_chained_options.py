"""Options chain: a later one overrides an earlier one, and says so."""

from __future__ import annotations

import pytest
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.settings.options import Options


def test_options_add_up() -> None:
    both = Options().then({"steps": 4}, "A").then({"sharpness": 2.0}, "B")
    assert dict(both.settings.explicit) == {"steps": 4, "sharpness": 2.0}
    assert both.notes == ()


def test_a_later_option_overrides_and_says_so() -> None:
    both = Options().then({"steps": 4, "clip_skip": 2}, "A").then({"steps": 8}, "B")
    assert dict(both.settings.explicit) == {"steps": 8, "clip_skip": 2}
    assert [*map(str, both.notes)] == ["B replaced earlier values of: Steps."]


def test_the_same_value_again_is_no_news() -> None:
    assert Options().then({"steps": 4}, "A").then({"steps": 4}, "B").notes == ()


def test_notes_are_kept_along_the_chain() -> None:
    chain = Options()
    for steps in (1, 2, 3):
        chain = chain.then({"steps": steps}, f"Node {steps}")
    assert [str(note).split(" replaced")[0] for note in chain.notes] == ["Node 2", "Node 3"]


def test_the_value_that_came_before_is_never_changed() -> None:
    first = Options().then({"steps": 4}, "A")
    first.then({"steps": 8}, "B")
    assert first == Options(Configuration(steps=4))


def test_an_empty_text_takes_back_an_earlier_file() -> None:
    first = Options().then({"upscaler": "x4.ckpt", "sharpness": 1.0}, "A")
    second = first.then({"upscaler": ""}, "B")
    assert dict(second.settings.explicit) == {"sharpness": 1.0}
    assert [*map(str, second.notes)] == ["B replaced earlier values of: Upscaler."]
    assert Options().then({"upscaler": ""}, "B") == Options()


def test_fields_newer_than_the_table_are_kept() -> None:
    newer = Configuration.of({"steps": 4}, {"futureKey": [1]})
    chain = Options().then(newer, "A").then({"steps": 8, "upscaler": ""}, "B")
    assert dict(chain.settings.unknown) == {"futureKey": [1]}


def test_a_value_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="hires_fix_start_width must be a multiple of 64"):
        Options().then({"hires_fix_start_width": 450}, "A")
