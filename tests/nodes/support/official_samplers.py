"""Saved workflows with one official sampler, and what they would send once converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawthings.nodes.exchange import official
from drawthings.nodes.exchange.official.their_nodes import FIELDS
from official_graphs import node, prompt_of, sample, sent

DEFAULTS = {field.name: field.default for field in FIELDS["DrawThingsSampler"]}
NEW_IN_1_5 = ("cfg_zero_star", "cfg_zero_star_init_steps")
NEW_IN_1_4 = ("stochastic_sampling_gamma", "causal_inference_pad")


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
