"""Whatever an input of a node holds, the node makes its value, or says in one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from any_json import NEARLY
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE
from drawthings.dt_core.errors import DrawThingsError
from drawthings.dt_core.request.message import build
from drawthings.dt_core.request.parts import Lora
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.nodes.exchange.official.our_nodes import shapes
from drawthings.nodes.host import compat
from drawthings.nodes.node_list import NODES
from drawthings.nodes.running.reporting import Problem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DRAWTHINGS_FUZZ_EXAMPLES", "40"))
BY_ID = {node.GET_SCHEMA().node_id: node for node in NODES}
# Values of their own alone; the others take pictures or a server and run elsewhere.
WITHOUT_SERVER = [
    name
    for name, shape in shapes().items()
    if not set(shape.sockets) - shape.optional and name not in {"DTUpscale", "DTSaveImage"}
]
# What ComfyUI lets through to a node: the types of its widgets are checked before.
TEXTS = st.one_of(st.sampled_from([one for one in NEARLY if isinstance(one, str)]), st.text())
NUMBERS = st.one_of(st.sampled_from([-1, 0, 1, 2**31, 2**63, 2**70]), st.integers())
FLOATS = st.one_of(st.sampled_from([0.0, -1.0, 1e308, float("nan"), float("inf")]), st.floats())
OF_TYPE = {
    "STRING": TEXTS, "COMBO": TEXTS, "INT": NUMBERS, "FLOAT": FLOATS, "BOOLEAN": st.booleans(),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(compat, "user_folder", lambda: tmp_path)
    monkeypatch.setenv(ADDRESS_VARIABLE, "plain://127.0.0.1:1")
    return tmp_path


def given_to(name: str, drawn: Mapping[str, Any]) -> dict[str, Any]:
    defaults = shapes()[name].defaults
    return {
        key: value for key, value in {**defaults, **drawn}.items() if "control_after" not in key
    }


@pytest.mark.parametrize("name", WITHOUT_SERVER)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_of_a_widget_is_taken_or_refused_in_words(name: str, data: st.DataObject) -> None:
    widgets = {
        key: OF_TYPE[kind]
        for key, kind in shapes()[name].widgets.items()
        if "control_after" not in key
    }
    names = st.sampled_from(sorted(widgets) or [""])
    few = data.draw(st.lists(names, max_size=min(4, len(widgets)), unique=True))
    drawn = {key: data.draw(widgets[key]) for key in few}
    said = "nothing"
    try:
        BY_ID[name].execute(**given_to(name, drawn))
    except (Problem, DrawThingsError) as problem:
        said = str(problem)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("text", ["half \ud800 of it", "\udcff"])
@pytest.mark.parametrize("where", ["prompt", "negative_prompt", "model", "lora", "upscaler"])
def test_half_a_character_is_refused_before_anything_is_sent(text: str, where: str) -> None:
    def at(place: str, otherwise: str = "") -> str:
        return text if where == place else otherwise

    with pytest.raises(DrawThingsError) as caught:
        build(
            resolve(
                GenerationRequest(
                    Configuration(
                        model=at("model", "z_image_turbo_1.0_q6p.ckpt"), upscaler=at("upscaler")
                    ),
                    at("prompt"),
                    at("negative_prompt"),
                    loras=(Lora(at("lora", "l.ckpt"), 0.5),),
                )
            )
        )
    assert "UTF-8" in str(caught.value)
    assert str(caught.value).encode()  # it can be shown
