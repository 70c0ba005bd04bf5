"""Workflows of the official extension, converted: the same picture comes out."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from drawthings.dt_core.choices import ControlInputType, ControlMode, LoraMode
from drawthings.nodes import official
from drawthings.nodes.official.values import FIELDS
from official_graphs import assert_means, named, node, of_kind, prompt_of, sample, sent

DEFAULTS = {field.name: field.default for field in FIELDS["DrawThingsSampler"]}
NEW_IN_1_5 = ("cfg_zero_star", "cfg_zero_star_init_steps")
NEW_IN_1_4 = ("stochastic_sampling_gamma", "causal_inference_pad")
GRAPHS = ("text_to_image", "first_layout", "moodboard", "inpaint_refiner", "subgraph")


def model(file: str, version: str) -> dict[str, Any]:
    return {"value": {"file": file, "name": file, "version": version}, "content": file}


Z_IMAGE = model("z_image_turbo_1.0_q6p.ckpt", "z_image")
WAN = model("wan_v2.1_14b_t2v_480p_q6p.ckpt", "wan_v2.1_14b")
FLUX = model("flux_1_dev_q8p.ckpt", "flux1")
SDXL = model("sd_xl_base_1.0_f16.ckpt", "sdxl_base_v0.9")
SD3 = model("sd3_large_3.5_f16.ckpt", "sd3_large")
UNKNOWN = model("my_own_model_f16.ckpt", "something_new")


def graph_of(values: Mapping[str, Any], layout: int | str) -> dict[str, Any]:
    """One sampler, saved in a layout of 55, 53 or 51 values, or by names."""
    graph = sample("text_to_image")
    saved = node(graph, 9)
    whole = {**DEFAULTS, **values}
    gone: tuple[str, ...] = ()
    if layout in {53, 51}:
        gone = NEW_IN_1_5 if layout == 53 else NEW_IN_1_5 + NEW_IN_1_4
    del saved["widget_values_keyed"]
    if layout in {"widget_values_keyed", "widgets_values_named"}:
        saved[layout] = whole
        saved["widgets_values"] = []
    else:
        saved["widgets_values"] = [value for name, value in whole.items() if name not in gone]
        assert len(saved["widgets_values"]) == layout
    return graph


def request_of(graph: Mapping[str, Any], ident: str = "9") -> Any:
    return sent(prompt_of(official.convert(graph).workflow), ident)


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
    for gone in {53: NEW_IN_1_5, 51: NEW_IN_1_5 + NEW_IN_1_4}.get(layout, ()):  # type: ignore[call-overload]
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


def assert_wired(graph: Mapping[str, Any]) -> None:
    nodes = {saved["id"]: saved for saved in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    ends = set()
    for row in graph["links"]:
        link = list(row.values())[:6] if isinstance(row, dict) else row
        ident, origin, slot, target, place, kind = link
        if origin in nodes:
            assert ident in nodes[origin]["outputs"][slot]["links"]
        if target in nodes:
            entry = nodes[target]["inputs"][place]
            assert entry["link"] == ident
            ends.add((target, place))
        assert kind not in {"DT_CNET", "DT_HINTS", "DT_UPSCALER", "DT_REFINER"}
    for saved in graph["nodes"]:
        for place, entry in enumerate(saved["inputs"]):
            assert (entry["link"] is not None) == ((saved["id"], place) in ends)


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


def test_eight_rows_of_loras_become_two_nodes_in_order() -> None:
    made = official.convert(sample("text_to_image"))

    loras = request_of(sample("text_to_image")).loras

    assert [(lora.file, lora.weight, lora.mode) for lora in loras] == [
        ("z_image_detail_lora_f16.ckpt", 0.25, LoraMode.ALL),
        ("z_image_pixel_art_lora_f16.ckpt", -0.5, LoraMode.BASE),
        ("z_image_detail_lora_f16.ckpt", 0.75, LoraMode.REFINER),
    ]
    assert "Draw Things LoRA (4): now 2 × DT LoRA." in made.changes


def test_the_lora_node_of_the_first_versions_is_read() -> None:
    graph = sample("text_to_image")
    lora = node(graph, 4)
    lora["widgets_values"] = [model("z_image_detail_lora_f16.ckpt", "z_image"), 0.4]
    lora["inputs"] = [{"name": "lora", "type": "DT_LORA", "link": None}]

    (found,) = request_of(graph).loras

    assert (found.file, found.weight) == ("z_image_detail_lora_f16.ckpt", 0.4)


def test_a_control_of_the_first_versions_is_read() -> None:
    graph = sample("inpaint_refiner")
    control = node(graph, 5)
    values = control["widgets_values"]
    control["widgets_values"] = [*values[:7], values[9]]
    assert len(control["widgets_values"]) == 8

    (found,) = request_of(graph, "1").controls

    assert found.invert
    assert found.weight == 0.7


def test_a_control_keeps_its_picture_and_numbers() -> None:
    made = official.convert(sample("inpaint_refiner"))

    request = request_of(sample("inpaint_refiner"), "1")

    (control,) = request.controls
    assert control.file == "controlnet_depth_sdxl_v1.0_mid_f16.ckpt"
    assert control.input_type is ControlInputType.DEPTH
    assert control.mode is ControlMode.PROMPT
    assert (control.weight, control.start, control.end) == (0.7, 0.1, 0.9)
    assert control.picture is not None
    assert control.invert
    assert not control.global_average_pooling  # sent only where the control itself has it
    assert request.image is not None
    assert request.mask is not None
    assert request.settings["refiner_model"] == "sd_xl_refiner_1.0_f16.ckpt"
    assert request.settings["refiner_start"] == 0.6
    assert any("saved wrongly by an older version" in change for change in made.changes)
    assert request.settings["cfg_zero_star"] is False
    assert request.settings["stochastic_sampling_gamma"] == 0.3


def test_a_moodboard_becomes_references_in_order() -> None:
    request = request_of(sample("moodboard"), "1")

    assert len(request.references) == 2
    red, green = (reference.picture.pixels.mean() for reference in request.references)
    assert red > green
    assert request.controls == ()


def test_a_map_in_a_hints_node_goes_to_the_control_that_looks_at_it() -> None:
    graph = sample("inpaint_refiner")
    board = copy.deepcopy(node(sample("moodboard"), 5))
    board.update(id=20, pos=[100, 900])
    board["widgets_values"][0] = "Depth"
    control, sampler = node(graph, 5), node(graph, 1)
    (link,) = [link for link in graph["links"] if link[3] == 5 and link[4] == 1]
    control["inputs"][1]["link"] = None
    link[3:5] = [20, 1]
    for entry in board["inputs"]:
        entry["link"] = link[0] if entry["name"] == "image" else None
    graph["nodes"].append(board)
    graph["links"].append([90, 20, 0, 1, 8, "DT_HINTS"])
    sampler["inputs"][8]["link"] = 90
    board["outputs"][0]["links"] = [90]

    made = official.convert(graph)
    (found,) = sent(prompt_of(made.workflow), "1").controls

    assert found.picture is not None
    assert [n["id"] for n in of_kind(made.workflow, "DTControlNet")] == [5]
    assert_wired(made.workflow)
    assert any("now connected to the ControlNet itself" in change for change in made.changes)


def test_a_map_without_a_control_is_sent_alone() -> None:
    graph = sample("moodboard")
    node(graph, 5)["widgets_values"][:2] = ["Depth", 1]

    request = request_of(graph, "1")

    (control,) = request.controls
    assert (control.file, control.input_type) == ("", ControlInputType.DEPTH)
    assert len(request.references) == 1


def test_a_linked_widget_stays_linked() -> None:
    made = official.convert(sample("first_layout")).workflow

    request = sent(prompt_of(made), "9")

    assert request.settings["guidance_scale"] == 2.5
    assert request.negative_prompt == "rain"
    assert named(node(made, 9))["seed"] == -1
    entry = next(row for row in node(made, 9)["inputs"] if row["name"] == "guidance")
    assert entry["widget"] == {"name": "guidance"}


def test_a_model_that_was_chosen_before_the_server_was_away_is_found() -> None:
    graph = graph_of({"model": "Not connected"}, 55)
    node(graph, 9)["_lastSelectedModel"] = {"model": Z_IMAGE}

    assert request_of(graph).model == "z_image_turbo_1.0_q6p.ckpt"


def test_a_server_that_is_not_the_default_becomes_a_node_shared_by_samplers() -> None:
    values = {"model": Z_IMAGE, "server": "192.168.1.20", "port": "7860", "use_tls": False}
    graph = graph_of(values, 55)
    twin = copy.deepcopy(node(graph, 9))
    twin.update(id=30, pos=[1000, 1200])
    for entry in twin["inputs"]:
        entry["link"] = None
    graph["nodes"].append(twin)

    made = official.convert(graph).workflow

    (server,) = of_kind(made, "DTServer")
    assert named(server)["address"] == "192.168.1.20:7860"
    assert named(server)["tls"] == "plain text"
    assert len(of_kind(made, "DTModelLoader")) == 2
    assert len(server["outputs"][0]["links"]) == 2
    assert of_kind(official.convert(graph_of({"model": Z_IMAGE}, 55)).workflow, "DTServer") == []


def test_upscaler_and_refiner_act_together() -> None:
    graph = graph_of({"model": SDXL}, 55)
    refiner = copy.deepcopy(node(sample("inpaint_refiner"), 7))
    refiner.update(id=40, pos=[400, 1000])
    refiner["outputs"][0]["links"] = [91]
    graph["nodes"].append(refiner)
    graph["links"].append([91, 40, 0, 9, 7, "DT_REFINER"])
    node(graph, 9)["inputs"][7]["link"] = 91

    settings = request_of(graph).settings

    assert settings["upscaler"] == "realesrgan_x2plus_f16.ckpt"
    assert settings["upscaler_scale_factor"] == 2
    assert settings["refiner_model"] == "sd_xl_refiner_1.0_f16.ckpt"


def test_a_muted_refiner_does_not_take_the_upscaler_along() -> None:
    graph = sample("text_to_image")
    refiner = copy.deepcopy(node(sample("inpaint_refiner"), 7))
    refiner.update(id=40, mode=2)
    graph["nodes"].append(refiner)
    graph["links"].append([91, 40, 0, 9, 7, "DT_REFINER"])
    node(graph, 9)["inputs"][7]["link"] = 91

    assert node(official.convert(graph).workflow, 40)["mode"] == 4


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
    told = "\n".join(made.changes)
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


def test_the_moved_values_of_older_versions_are_put_right() -> None:
    moved = {"cfg_zero_star": True, "cfg_zero_star_init_steps": 4.5, "guidance_embed": 4.5}
    right = {"cfg_zero_star": False, "cfg_zero_star_init_steps": 0, "guidance_embed": 4.5}
    graph = graph_of({"model": FLUX, **moved, "stochastic_sampling_gamma": 1}, 55)

    made = official.convert(graph)

    assert_means(request_of(graph), {**DEFAULTS, "model": FLUX, **right})
    assert sum("saved wrongly by an older version" in change for change in made.changes) == 1


def test_samplers_with_different_servers_get_a_server_each() -> None:
    graph = graph_of({"model": Z_IMAGE, "server": "one.local", "use_tls": True}, 55)
    other = graph_of({"model": Z_IMAGE, "server": "::1", "port": "", "use_tls": True}, 55)
    twin = node(other, 9)
    twin.update(id=30, pos=[1000, 1600])
    for entry in twin["inputs"]:
        entry["link"] = None
    graph["nodes"].append(twin)

    made = official.convert(graph).workflow

    addresses = {named(server)["address"] for server in of_kind(made, "DTServer")}
    assert addresses == {"one.local:7859", "[::1]:7859"}
    assert_wired(made)


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
    changes = official.convert(sample("inpaint_refiner")).changes

    told = [change.split(": ")[0] for change in changes]
    assert told == sorted(told, key=told.index)
    assert changes[0].startswith("Draw Things Sampler (1): now DT Sampler")
