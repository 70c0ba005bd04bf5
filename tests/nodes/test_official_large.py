"""Converting a workflow costs in proportion to its nodes, and ends when nobody waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import large_graphs
import pytest
from drawthings.nodes.exchange import official

FEW, TIMES = 300, 4


def reroutes(nodes: int) -> dict[str, Any]:
    """A line of native reroute nodes, and as many samplers that hang on its end."""
    graph = large_graphs.chained("Reroute", "", nodes // 2)
    graph["nodes"].append(
        {"id": 100_001, "type": "DrawThingsHints", "pos": [0, 900], "size": [9, 9], "inputs": []}
    )
    graph["nodes"][0]["inputs"] = [{"name": "", "type": "*", "link": 100_001}]
    graph["links"].append([100_001, 100_001, 0, graph["nodes"][0]["id"], 0, "*"])
    for number in range(nodes // 2):
        ident, link = 200_000 + number, 300_000 + number
        graph["nodes"].append(
            {**large_graphs.alone("DrawThingsSampler", 1)["nodes"][0], "id": ident,
             "inputs": [{"name": "hints", "type": "DT_HINTS", "link": link}]}
        )  # fmt: skip
        graph["links"].append([link, nodes // 2, 0, ident, 0, "*"])
    return graph


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "apart": lambda n: large_graphs.alone("DrawThingsSampler", n, apart=2000),
    "all at one place": lambda n: large_graphs.alone("DrawThingsSampler", n),
    "side by side without sizes": lambda n: large_graphs.alone(
        "DrawThingsSampler", n, apart=10, size=[1, 1]
    ),
    "of endless sizes": lambda n: large_graphs.alone(
        "DrawThingsSampler", n, apart=100, size=[9e6, 9e6]
    ),
    "a chain of hints": lambda n: large_graphs.chained("DrawThingsHints", "hints", n),
    "a chain of LoRAs": lambda n: large_graphs.chained("DrawThingsLoRA", "lora_stack", n),
    "a chain of controls": lambda n: large_graphs.chained("DrawThingsControlNet", "control_net", n),
    "a line of reroutes": reroutes,
    "an API prompt": lambda n: large_graphs.prompt(large_graphs.alone("DrawThingsSampler", n)),
    **{
        f"copies of {name}": lambda n, name=name: large_graphs.copies(name, n)  # type: ignore[misc]
        for name in ("first_layout", "inpaint_refiner", "moodboard", "subgraph", "text_to_image")
    },
}


def calls(work: Callable[[], Any]) -> int:
    """How many functions are called, of Python's own too: work as a number, not as a time."""
    counted = 0

    def count(_frame: FrameType, event: str, _given: Any) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("shape", SHAPES)
def test_four_times_the_nodes_are_four_times_the_work(shape: str) -> None:
    build = SHAPES[shape]
    official.convert(build(8))  # what is looked up once
    few, many = build(FEW), build(FEW * TIMES)
    ratio = calls(lambda: official.convert(many)) / calls(lambda: official.convert(few))
    assert ratio < TIMES * 1.25


def test_a_graph_that_would_grow_without_end_is_refused() -> None:
    graph = large_graphs.shared_hints(300, 300)
    with pytest.raises(official.TooMuch) as caught:
        official.convert(graph)
    assert caught.value.text.template.key == "workflow_too_entangled"
    assert official.convert(large_graphs.shared_hints(20, 20)).nodes == 40


def test_a_conversion_ends_as_soon_as_it_is_told() -> None:
    class Gone(Exception):
        pass

    told = 0

    def pulse() -> None:
        nonlocal told
        told += 1
        raise Gone

    with pytest.raises(Gone):
        official.convert(large_graphs.alone("DrawThingsSampler", 2000), pulse)
    assert told == 1


def test_what_a_conversion_is_told_does_not_change_what_it_makes() -> None:
    graph = large_graphs.copies("moodboard", 300)
    told: list[None] = []
    made = official.convert(graph, lambda: told.append(None))
    assert told
    assert made.workflow == official.convert(graph).workflow


def test_added_nodes_stand_free_where_there_is_room_and_below_all_where_there_is_none() -> None:
    made = official.convert(large_graphs.alone("DrawThingsSampler", 400)).workflow["nodes"]
    added = [node for node in made if node["type"] != "DTSampler"]
    rects = [(*node["pos"], *node["size"]) for node in added]
    for place, (x, y, width, height) in enumerate(rects):
        for other_x, other_y, other_width, other_height in rects[:place]:
            apart = x >= other_x + other_width or other_x >= x + width
            assert apart or y >= other_y + other_height or other_y >= y + height
