"""Whatever workflow comes in, the converter gives one back or says why not."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from drawthings.nodes.exchange import official
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).resolve().parents[1] / "data" / "official"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))]
EXAMPLES = int(os.environ.get("DRAWTHINGS_FUZZ_EXAMPLES", "150"))
_SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=4),
    st.sampled_from([-1, 2**70, "1", "DrawThingsSampler", "\ud800", [[]], [1, 0], {"id": 1}]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a JSON value."""
    found = [path]
    if not isinstance(value, (dict, list)):
        return found
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        found += places(inner, (*path, key))
    return found


@pytest.mark.parametrize("number", range(len(TEXTS)))
@_SETTINGS
@given(data=st.data())
def test_a_workflow_with_strange_values_is_converted_or_refused(
    number: int, data: st.DataObject
) -> None:
    workflow = json.loads(TEXTS[number])
    for _ in range(data.draw(st.integers(1, 5))):
        inside = [path for path in places(workflow) if path]
        if not inside:
            break
        *way, last = data.draw(st.sampled_from(inside))
        target = workflow
        for key in way:
            target = target[key]
        if data.draw(st.booleans()):
            target[last] = copy.deepcopy(data.draw(STRANGE))  # it may be changed next
        else:
            del target[last]
    with contextlib.suppress(official.NoWorkflowError):
        json.dumps(official.convert(workflow).workflow)


@_SETTINGS
@given(
    value=st.recursive(
        STRANGE,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["nodes", "links", "prompt", "class_type", "inputs", "id", "type", "1",
                     "widgets_values", "definitions", "subgraphs", "outputs", "mode"]
                ),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=15,
    )
)  # fmt: skip
def test_any_json_is_converted_or_refused(value: Any) -> None:
    with contextlib.suppress(official.NoWorkflowError):
        official.convert(value)
