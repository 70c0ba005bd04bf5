"""What becomes of each node of the official extension."""

from __future__ import annotations

import copy

from drawthings.dt_core.settings.choices import ControlInputType, ControlMode, LoraMode
from drawthings.nodes.exchange import official
from official_graphs import assert_means, named, node, of_kind, prompt_of, sample, sent
from official_samplers import (
    DEFAULTS,
    FLUX,
    SDXL,
    Z_IMAGE,
    assert_wired,
    graph_of,
    model,
    request_of,
)


def test_eight_rows_of_loras_become_two_nodes_in_order() -> None:
    made = official.convert(sample("text_to_image"))

    loras = request_of(sample("text_to_image")).loras

    assert [(lora.file, lora.weight, lora.mode) for lora in loras] == [
        ("z_image_detail_lora_f16.ckpt", 0.25, LoraMode.ALL),
        ("z_image_pixel_art_lora_f16.ckpt", -0.5, LoraMode.BASE),
        ("z_image_detail_lora_f16.ckpt", 0.75, LoraMode.REFINER),
    ]
    assert "Draw Things LoRA (4): now 2 × DT LoRA." in map(str, made.changes)


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
    assert any("saved wrongly by an older version" in str(change) for change in made.changes)
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
    assert any("now connected to the ControlNet itself" in str(change) for change in made.changes)


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


def test_the_moved_values_of_older_versions_are_put_right() -> None:
    moved = {"cfg_zero_star": True, "cfg_zero_star_init_steps": 4.5, "guidance_embed": 4.5}
    right = {"cfg_zero_star": False, "cfg_zero_star_init_steps": 0, "guidance_embed": 4.5}
    graph = graph_of({"model": FLUX, **moved, "stochastic_sampling_gamma": 1}, 55)

    made = official.convert(graph)

    assert_means(request_of(graph), {**DEFAULTS, "model": FLUX, **right})
    assert sum("saved wrongly by an older version" in str(change) for change in made.changes) == 1


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
