"""Seeds are folded, sizes go to their grid, numbers meet the bound that they miss by a hair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.errors import SettingsError
from drawthings.dt_core.settings.fitting import Fitting, fitted, folded


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (0, 0),
        (2**32 - 1, 2**32 - 1),
        (2**32, 0),
        (366577907829128, 366577907829128 % 2**32),
        (2**64 - 1, 2**32 - 1),
        (-2, 2**32 - 2),
        (-(2**63), 0),
        (np.int64(2**40 + 5), 5),
    ],
)
def test_a_seed_of_any_size_keeps_its_lowest_32_bits(given: Any, made: int) -> None:
    value, note = fitted("seed", given)

    assert value == made == folded(int(given))
    assert (note is None) == (int(given) == made)
    assert note is None or (str(int(given)) in str(note) and str(made) in str(note))


@pytest.mark.parametrize(
    ("given", "made"),
    [(1024, 1024), (1080, 1088), (1328, 1344), (1056, 1088), (1055, 1024), (1, 64), (-7, 64)],
)
def test_a_size_goes_to_the_nearest_multiple_and_the_note_calls_it_as_the_node_does(
    given: int, made: int
) -> None:
    value, note = fitted("start_width", given, "width")

    assert value == made
    assert (note is None) == (given == made)
    assert note is None or str(note).startswith(f"width {given} becomes {made}")


def test_numbers_meet_a_bound_or_a_whole_number_within_the_error_of_a_float() -> None:
    assert fitted("strength", 1.0000001) == (1.0, None)
    assert fitted("strength", 0.1 * 3 + 0.7) == (1.0, None)
    assert fitted("steps", 19.9999999) == (20, None)
    assert fitted("strength", 0.5) == (0.5, None)


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 19.5), ("steps", True), ("strength", "1"), ("seed", "7")]
)
def test_what_is_no_such_number_is_refused_by_the_name_that_the_node_uses(
    name: str, value: Any
) -> None:
    with pytest.raises(SettingsError, match=r"^my input must be"):
        fitted(name, value, "my input")


def test_notes_of_several_settings_are_gathered() -> None:
    fitting = Fitting()

    assert fitting.of("seed", 2**32 + 1) == 1
    assert fitting.of("start_height", 100, "height") == 128
    assert len(fitting.notes) == 2
