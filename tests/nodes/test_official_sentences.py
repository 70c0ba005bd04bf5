"""What a conversion says of each node is known to the page, which translates it."""

from __future__ import annotations

from typing import Any

import pytest
from drawthings.nodes.exchange import official
from official_graphs import DATA, node, sample
from spoken import untranslated


@pytest.mark.parametrize("name", [path.stem for path in sorted(DATA.glob("*.json"))])
def test_every_change_of_the_examples_is_translated(name: str) -> None:
    changes = official.convert(sample(name)).changes

    assert changes
    assert untranslated(*changes) == set()


@pytest.mark.parametrize(
    "values",
    [
        {"width": 700, "high_res_fix_start_width": 100},
        {"causal_inference": 9, "causal_inference_pad": 5, "model": None},
        {"cfg_zero_star": True, "cfg_zero_star_init_steps": 4.5, "stochastic_sampling_gamma": 1},
        {"steps": "many", "seed_mode": "Other", "cfg": 700},
    ],
)
def test_every_value_that_changes_is_told_in_words_that_is_translated(
    values: dict[str, Any],
) -> None:
    graph = sample("text_to_image")
    saved = node(graph, 9)
    saved["widget_values_keyed"] = {**saved["widget_values_keyed"], **values}

    changes = official.convert(graph).changes

    assert untranslated(*changes) == set()
