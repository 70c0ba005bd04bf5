"""Workflows of the official extension, converted: the same picture comes out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from drawthings.nodes.exchange import official
from official_graphs import assert_means, named, node, of_kind, sample, sent
from official_samplers import (
    DEFAULTS,
    FLUX,
    NEW_IN_1_4,
    NEW_IN_1_5,
    SD3,
    SDXL,
    UNKNOWN,
    WAN,
    Z_IMAGE,
    assert_wired,
    graph_of,
    request_of,
)

GRAPHS = ("text_to_image", "first_layout", "moodboard", "inpaint_refiner", "subgraph")


CASES: dict[str, dict[str, Any]] = {
    "nothing but defaults": {"model": Z_IMAGE},
    "a video": {
        "model": WAN,
        "num_frames": 49,
        "causal_inference": 17,
        "causal_inference_pad": 8,
        "tea_cache": True,
        "tea_cache_start": 3,
        "tea_cache_end": -2,
        "tea_cache_threshold": 0.15,
        "cfg_zero_star": True,
        "cfg_zero_star_init_steps": 2,
    },
    "embedded guidance off": {"model": FLUX, "speed_up": False, "guidance_embed": 3.5, "shift": 3},
    "shift by resolution, and a shift": {"model": FLUX, "res_dpt_shift": True, "shift": 3.16},
    "shift of one's own": {"model": FLUX, "res_dpt_shift": False, "shift": 1.0},
    "hires fix": {
        "model": SDXL,
        "high_res_fix": True,
        "high_res_fix_start_width": 512,
        "high_res_fix_start_height": 384,
        "high_res_fix_strength": 0.55,
    },
    "tiles": {
        "model": SDXL,
        "tiled_decoding": True,
        "decoding_tile_width": 512,
        "decoding_tile_overlap": 64,
        "tiled_diffusion": True,
        "diffusion_tile_height": 768,
    },
    "texts": {
        "model": SD3,
        "separate_clip_l": True,
        "clip_l_text": "in short",
        "separate_open_clip_g": True,
        "open_clip_g_text": "at length",
    },
    "inpainting": {
        "model": SDXL,
        "strength": 0.35,
        "mask_blur": 7.5,
        "mask_blur_outset": -4,
        "preserve_original": False,
        "clip_skip": 2,
        "sharpness": 4.0,
    },
    "a family that we do not know": {
        "model": UNKNOWN,
        "fps": 12,
        "motion_scale": 90,
        "guiding_frame_noise": 0.1,
        "start_frame_guidance": 2.5,
        "num_frames": 21,
        "clip_skip": 3,
    },
    "TCD": {"model": SDXL, "sampler_name": "TCD", "stochastic_sampling_gamma": 0.7, "cfg": 1.0},
    "random seed": {"model": Z_IMAGE, "seed": -1, "seed_mode": "TorchCpuCompatible"},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", [55, 53, 51, "widget_values_keyed", "widgets_values_named"])
def test_every_layout_gives_the_same_settings(case: str, layout: int | str) -> None:
    values = {**DEFAULTS, **CASES[case]}
    lacking: dict[int | str, tuple[str, ...]] = {53: NEW_IN_1_5, 51: NEW_IN_1_5 + NEW_IN_1_4}
    for gone in lacking.get(layout, ()):
        values[gone] = DEFAULTS[gone]

    request = request_of(graph_of(values, layout))

    assert_means(request, values)
    assert request.model == values["model"]["value"]["file"]
    assert request.prompt == "A lighthouse at dusk"
    assert request.negative_prompt == "blurry"


@pytest.mark.parametrize("case", CASES)
def test_a_prompt_of_a_script_gives_the_same_settings(case: str) -> None:
    prompt = sample("api")
    links = {name: value for name, value in prompt["9"]["inputs"].items() if type(value) is list}
    prompt["9"]["inputs"] = {**CASES[case], **links}  # all else is absent: their defaults

    made = official.convert(prompt)

    assert made.kind == "api"
    assert made.nodes == 3
    request = sent(made.workflow, "9")
    assert_means(request, {**DEFAULTS, **CASES[case]})
    assert request.prompt == "A lighthouse at dusk"
    assert request.negative_prompt == ""
    assert [(lora.file, lora.weight) for lora in request.loras] == [
        ("z_image_detail_lora_f16.ckpt", 0.5)
    ]
    assert made.workflow["6"] == prompt["6"]
    assert made.workflow["2"]["_meta"] == {"title": "Words"}
    assert "_meta" not in made.workflow["9"]


def test_only_options_that_differ_become_nodes() -> None:
    plain = official.convert(graph_of({"model": Z_IMAGE, "sharpness": 0.0}, 55)).workflow
    kinds = {saved["type"] for saved in plain["nodes"] if saved["type"].endswith("Options")}
    assert kinds == {"DTUpscalerOptions"}  # which the graph has anyway


@pytest.mark.parametrize("name", GRAPHS)
def test_links_and_ids_of_a_converted_graph_agree(name: str) -> None:
    before = sample(name)
    given = copy.deepcopy(before)

    made = official.convert(given).workflow

    assert given == before
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    subgraphs = made.get("definitions", {}).get("subgraphs", [])
    for graph in (made, *subgraphs):
        assert_wired(graph)
        assert not [n for n in graph["nodes"] if n["type"].startswith("DrawThings")]
    assert made["last_node_id"] >= max(saved["id"] for saved in made["nodes"])
    assert made["id"] != before["id"]


@pytest.mark.parametrize("name", GRAPHS)
def test_new_nodes_cover_nothing(name: str) -> None:
    made = official.convert(sample(name)).workflow
    old = {saved["id"] for saved in sample(name)["nodes"]}
    boxes = {
        saved["id"]: (
            saved["pos"][0],
            saved["pos"][1] - 30,
            saved["pos"][0] + saved["size"][0],
            saved["pos"][1] + saved["size"][1],
        )
        for saved in made["nodes"]
    }
    for ident, a in boxes.items():
        for other, b in boxes.items():
            if ident != other and not {ident, other} <= old:
                apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
                assert apart, (ident, other)


def test_titles_colours_groups_and_places_stay() -> None:
    before, made = sample("text_to_image"), official.convert(sample("text_to_image")).workflow

    sampler, words = node(made, 9), node(made, 2)
    assert (sampler["title"], sampler["color"], sampler["bgcolor"]) == (
        "My sampler",
        "#223",
        "#335",
    )
    assert (words["title"], words["color"], words["bgcolor"]) == ("What I want", "#232", "#353")
    assert "title" not in node(made, 3)
    assert made["groups"] == before["groups"]
    for ident in (2, 3, 4, 5, 6, 7, 9):
        (left, top), (left_before, top_before) = (
            node(made, ident)["pos"],
            node(before, ident)["pos"],
        )
        # Downwards at most: where what is above became taller.
        assert left == left_before
        assert top_before <= top < top_before + 300
    assert node(made, 6) == node(before, 6)
    assert named(sampler)["control_after_generate"] == "fixed"


def test_a_subgraph_is_converted_and_its_shown_widgets_follow() -> None:
    made = official.convert(sample("subgraph")).workflow

    (inner,) = made["definitions"]["subgraphs"]
    (loader,) = of_kind(inner, "DTModelLoader")
    shown = node(made, 3)["properties"]["proxyWidgets"]
    assert shown == [["9", "seed"], [str(loader["id"]), "model"]]
    assert {saved["id"] for saved in inner["nodes"]} & {saved["id"] for saved in made["nodes"]} == (
        set()
    )
    assert len(inner["inputs"][0]["linkIds"]) == 1
    assert len(inner["outputs"][0]["linkIds"]) == 1
    assert made["definitions"]["subgraphs"][0]["state"]["lastNodeId"] == made["last_node_id"]


def test_values_that_cannot_be_are_replaced_and_told() -> None:
    values = {"model": Z_IMAGE, "steps": 100_000, "strength": "much", "width": 500}
    values["sampler_name"] = "My sampler"
    made = official.convert(graph_of(values, 55))

    sampler = named(node(made.workflow, 9))
    assert (sampler["steps"], sampler["strength"], sampler["width"]) == (150, 1.0, 448)
    assert sampler["sampler"] == "DPM++ 2M AYS"
    told = "\n".join(map(str, made.changes))
    for name in ("steps", "strength", "width", "sampler_name"):
        assert name in told


@pytest.mark.parametrize(
    "torn",
    [
        {"links": None},
        {"links": [None, 5, [1], {"id": 3}, [11, 99, 0, 9, 2, "STRING"]]},
        {"groups": None, "extra": None, "definitions": {"subgraphs": [None, {}]}},
    ],
)
def test_a_torn_file_is_converted_as_far_as_it_goes(torn: dict[str, Any]) -> None:
    made = official.convert({**sample("text_to_image"), **torn})

    assert made.nodes == 5
    assert_wired({"links": [], **made.workflow})


@pytest.mark.parametrize("thing", [None, 5, [], {}, {"nodes": []}, {"3": {"class_type": "X"}}])
def test_what_is_no_such_workflow_is_refused_in_a_sentence(thing: Any) -> None:
    with pytest.raises(official.NoWorkflowError, match="workflow"):
        official.convert(thing)


def test_native_reroutes_forget_links_that_are_gone() -> None:
    graph = sample("text_to_image")
    last = max(link[0] for link in graph["links"])
    graph["extra"]["reroutes"] = [
        {"id": 1, "pos": [0, 0], "linkIds": [11, 900]},
        {"id": 2, "pos": [0, 0], "linkIds": [900]},
    ]
    graph["extra"]["linkExtensions"] = [{"id": 11, "parentId": 1}, {"id": 900, "parentId": 2}]

    extra = official.convert(graph).workflow["extra"]

    assert extra["reroutes"] == [{"id": 1, "pos": [0, 0], "linkIds": [11]}]
    assert extra["linkExtensions"] == [{"id": 11, "parentId": 1}]
    assert last < 900


ODD: list[Any] = [None, 5, -1, 1.5, 10**30, "", "9", "DT_CNET", [], {}, [1], {"a": 1}, True, [5, 0]]


def places(thing: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    rows = thing.items() if isinstance(thing, dict) else enumerate(thing)
    for key, value in rows:
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*at, key))


@pytest.mark.parametrize("name", [*GRAPHS, "api"])
def test_a_file_with_anything_anywhere_is_converted_or_refused(name: str) -> None:
    dice = random.Random(name)
    before = sample(name)
    for place in dice.choices(list(places(before)), k=150):
        graph = copy.deepcopy(before)
        at = graph
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = copy.deepcopy(dice.choice(ODD))
        try:
            made = official.convert(graph)
        except official.NoWorkflowError:
            continue
        json.dumps(made.workflow)


def test_a_file_that_is_nested_too_deeply_is_refused_in_a_sentence() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(official.NoWorkflowError, match="too deeply"):
        official.convert({**sample("text_to_image"), "extra": deep})
    while deep:  # or freeing it would nest as deeply
        deep = deep.pop("a")


@pytest.mark.parametrize("mode", [2, 4])
def test_muted_and_bypassed_nodes_stay_so(mode: int) -> None:
    graph = sample("text_to_image")
    for ident in (3, 4, 9):
        node(graph, ident)["mode"] = mode

    made = official.convert(graph).workflow

    assert node(made, 3)["mode"] == mode
    assert node(made, 9)["mode"] == mode
    assert {lora["mode"] for lora in of_kind(made, "DTLoRA")} == {mode}


def test_absent_inputs_of_a_script_count_as_the_official_defaults() -> None:
    prompt = sample("api")
    prompt["9"]["inputs"] = {"model": Z_IMAGE}
    prompt["2"]["inputs"] = {}

    made = official.convert(prompt).workflow

    assert made["2"]["inputs"]["text"] == "a lovely cat"
    request = sent(made, "9")
    assert_means(request, {**DEFAULTS, "model": Z_IMAGE})
    assert (request.prompt, request.negative_prompt) == ("", "")


def test_nodes_stay_where_they_are_unless_a_taller_one_covers_them() -> None:
    graph = sample("moodboard")
    below, aside = node(graph, 6), node(graph, 3)
    top = node(graph, 1)["pos"][1]
    below["pos"], below["size"] = [1000, top + 300], [300, 200]
    node(graph, 1)["size"] = [312, 200]
    where = list(aside["pos"])

    made = official.convert(graph).workflow

    sampler = node(made, 1)
    assert sampler["pos"] == [1000, top]
    assert node(made, 6)["pos"][1] >= top + sampler["size"][1] + 30
    assert node(made, 3)["pos"] == where


def test_what_is_told_of_one_node_stands_together() -> None:
    changes = [*map(str, official.convert(sample("inpaint_refiner")).changes)]

    told = [change.split(": ")[0] for change in changes]
    assert told == sorted(told, key=told.index)
    assert changes[0].startswith("Draw Things Sampler (1): now DT Sampler")
