"""Settings of the app become nodes, and a graph becomes settings of the app, without a run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.errors import RequestError, SettingsError
from drawthings.dt_core.metadata import Generation, encode
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.nodes.exchange import copying
from drawthings.nodes.node_list import NODES
from drawthings.nodes.running.reporting import Problem

APP: dict[str, Any] = {
    "model": "flux_1_dev_q8p.ckpt",
    "width": 896,
    "height": 1152,
    "seed": 4_000_000_000,
    "steps": 8,
    "guidanceScale": 3.5,
    "strength": 1,
    "sampler": 10,
    "batchSize": 2,
    "batchCount": 1,
    "resolutionDependentShift": False,
    "shift": 2.5,
    "teaCache": True,
    "teaCacheThreshold": 0.1,
    "clipWeight": 0.5,
    "hiresFix": False,
    "hiresFixWidth": 512,
    "loras": [{"file": f"l{n}.ckpt", "weight": 0.5, "mode": "all"} for n in range(5)],
    "controls": [{"file": "c.ckpt", "weight": 0.7, "guidanceStart": 0.1, "guidanceEnd": 0.8}],
}


def api(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe as ComfyUI would send it: values, defaults and links."""
    kinds = {node.define_schema().node_id: node.define_schema() for node in NODES}
    prompt: dict[str, Any] = {}
    for node in recipe["nodes"]:
        widgets = {
            entry.id: entry.default
            for entry in kinds[node["type"]].inputs
            if getattr(entry, "default", None) is not None
        }
        values = {k: v for k, v in node["values"].items() if k != "control_after_generate"}
        assert values.keys() <= {entry.id for entry in kinds[node["type"]].inputs}
        prompt[node["id"]] = {"class_type": node["type"], "inputs": {**widgets, **values}}
    for source, output, target, name in recipe["links"]:
        prompt[target]["inputs"][name] = [source, output]
    return prompt


def sampler_of(prompt: dict[str, Any]) -> str:
    return next(i for i, node in prompt.items() if node["class_type"] == "DTSampler")


def test_a_configuration_comes_back_from_the_graph_that_was_made_of_it() -> None:
    answer = copying.imported_text(json.dumps(APP))
    prompt = api(answer["recipe"])
    back = copying.exported(prompt, sampler_of(prompt))
    data = json.loads(back["text"])

    counting = APP.keys() - {"hiresFix", "hiresFixWidth", "batchCount", "loras", "controls"}
    idle = {"clipWeight"}  # Kandinsky's, and the answer says so
    assert {key: data[key] for key in counting - idle} == {key: APP[key] for key in counting - idle}
    assert [row["file"] for row in data["loras"]] == [f"l{n}.ckpt" for n in range(5)]
    assert [row["weight"] for row in data["controls"]] == [0.7]
    assert any("CLIP weight" in note for note in answer["notes"])
    assert any("c.ckpt" in note for note in answer["notes"])
    kinds = [node["type"] for node in answer["recipe"]["nodes"]]
    assert kinds.count("DTLoRA") == 2
    assert [kind for kind in kinds if "Options" in kind] == ["DTTeaCacheOptions"]


def test_a_picture_gives_its_prompts_and_settings() -> None:
    made = Generation(Configuration(model="x.ckpt", seed=3, steps=9), "a fox", "rain")
    answer = copying.imported_picture(encode(np.zeros((4, 4, 3), np.uint8), None, made))
    nodes = {
        node["type"] + node.get("title", ""): node["values"] for node in answer["recipe"]["nodes"]
    }

    assert nodes["DTPromptDT Prompt: positive"]["text"] == "a fox"
    assert nodes["DTPromptDT Prompt: negative"]["text"] == "rain"
    assert (nodes["DTSampler"]["seed"], nodes["DTSampler"]["steps"]) == (3, 9)
    assert nodes["DTModelLoader"] == {"model": "x.ckpt"}


def test_what_is_no_configuration_gives_no_recipe() -> None:
    workflow = json.dumps({"nodes": [], "links": [], "last_node_id": 1})
    for text in ("", "hello", "[1, 2]", '{"a": 1}', workflow, "[" * 100_000):
        assert copying.imported_text(text) == {"recipe": None, "notes": [], "note_texts": []}
    assert copying.imported_picture(b"GIF89a")["recipe"] is None


def test_unknown_keys_are_said_and_wrong_values_are_told() -> None:
    answer = copying.imported_text('{"model": "x.ckpt", "steps": 4, "brandNew": 1}')
    assert any("brandNew" in note for note in answer["notes"])
    with pytest.raises(SettingsError, match="steps"):
        copying.imported_text('{"model": "x.ckpt", "steps": "four"}')


def test_values_beyond_the_widgets_are_cut_and_said() -> None:
    answer = copying.imported_text('{"model": "x.ckpt", "steps": 400, "width": 64000}')
    values = next(n["values"] for n in answer["recipe"]["nodes"] if n["type"] == "DTSampler")

    assert (values["steps"], values["width"]) == (150, 8192)
    assert any("400 became 150" in note for note in answer["notes"])


def test_presets_give_the_first_one() -> None:
    rows = [{"name": "a", "configuration": APP}, {"name": "b", "configuration": APP}]
    answer = copying.imported_text(json.dumps(rows))
    assert answer["recipe"] is not None
    assert "2 configurations" in answer["notes"][0]


def test_a_video_model_ends_in_a_video() -> None:
    answer = copying.imported_text(
        '{"model": "wan_v2.1_1.3b_480p_q8p.ckpt", "numFrames": 41, "steps": 9}'
    )
    kinds = [node["type"] for node in answer["recipe"]["nodes"]]
    assert kinds[-1] == "SaveVideo"
    assert "DTVideoOptions" in kinds


def graph(**inputs: Any) -> dict[str, Any]:
    widgets = {"seed": 1, "steps": 3, "guidance": 1.0, "sampler": "UniPC Trailing", "width": 128}
    more = {"height": 64, "strength": 1.0, "batch_size": 1, "shift": 0.0, "model": ["1", 0]}
    return {
        "1": {"class_type": "DTModelLoader", "inputs": {"model": "x.ckpt"}},
        "7:3": {"class_type": "DTSampler", "inputs": {**widgets, **more, **inputs}},
    }


def test_primitives_are_read_and_other_values_are_said_to_be_unknown() -> None:
    prompt = graph(steps=["5", 0], guidance=["6", 0]) | {
        "5": {"class_type": "PrimitiveInt", "inputs": {"value": 12}},
        "6": {"class_type": "FloatMath", "inputs": {}},
    }
    answer = copying.exported(prompt, "7:3")
    data = json.loads(answer["text"])

    assert data["steps"] == 12
    assert "guidanceScale" not in data
    (note,) = answer["notes"]
    assert "guidance is known only when the graph runs" in note


def test_sizes_that_a_picture_decides_are_unknown_and_its_mask_is_not_needed() -> None:
    border = {"left": 64, "top": 0, "right": 0, "bottom": 0, "feather": 8}
    prompt = graph(width=["5", 3], image=["5", 0], mask=["5", 2]) | {
        "4": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "5": {
            "class_type": "DTOutpaint",
            "inputs": {**border, "image": ["4", 0]},
        },
    }
    data = json.loads(copying.exported(prompt, "7:3")["text"])

    assert "width" not in data
    assert data["height"] == 64


def test_a_graph_without_a_model_a_circle_and_a_wrong_node_are_told_in_words() -> None:
    prompt = graph()
    del prompt["7:3"]["inputs"]["model"]
    assert "model" not in json.loads(copying.exported(prompt, "7:3")["text"])
    with pytest.raises(RequestError, match="no DT Sampler"):
        copying.exported(prompt, "1")
    circle = graph(options=["8", 0]) | {
        "8": {"class_type": "DTAppOptions", "inputs": {"options": ["9", 0]}},
        "9": {"class_type": "DTAppOptions", "inputs": {"options": ["8", 0]}},
    }
    with pytest.raises(RequestError, match="circle"):
        copying.exported(circle, "7:3")


def test_a_node_that_cannot_be_known_is_asked_once_however_many_links_come_from_it() -> None:
    """Each link to it would ask all that is before it again: five times as long for each node."""
    chain: dict[str, Any] = {"100": {"class_type": "DTOutpaint", "inputs": {}}}
    for number in range(101, 130):
        before = str(number - 1)
        sides = dict(zip(("left", "top", "right", "bottom"), (3, 4, 3, 4), strict=True))
        links = {name: [before, output] for name, output in {"image": 0, **sides}.items()}
        chain[str(number)] = {"class_type": "DTOutpaint", "inputs": links}
    answer = copying.exported(graph(image=["129", 0], width=["129", 3]) | chain, "7:3")

    assert "width" not in json.loads(answer["text"])
    (outpaint, *_, image, width) = answer["notes"]
    assert outpaint.startswith("DT Outpaint: ")
    assert image.startswith("DT Sampler: image is known only")
    assert width.startswith("DT Sampler: width is known only")


def test_a_wrong_configuration_on_the_way_is_told_in_words() -> None:
    prompt = graph(options=["8", 0]) | {
        "8": {"class_type": "DTConfig", "inputs": {"configuration": '{"steps": "four"}'}}
    }
    with pytest.raises(Problem, match="steps"):
        copying.exported(prompt, "7:3")
