"""What a graph sends, found by running its nodes; and what the official sampler would send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.choices import Sampler, SeedMode
from drawthings.dt_core.settings.configuration import DEFAULTS
from drawthings.nodes import gather
from drawthings.nodes.exchange.official.our_nodes import AFTER, shapes
from drawthings.nodes.node_list import NODES

DATA = Path(__file__).resolve().parents[2] / "data" / "official"
CLASSES = {node.define_schema().node_id: node for node in NODES}

# docs: the official sampler's widgets, and the settings that they are.
FIELDS = {
    "strength": "strength",
    "seed": "seed",
    "width": "start_width",
    "height": "start_height",
    "steps": "steps",
    "num_frames": "num_frames",
    "cfg": "guidance_scale",
    "cfg_zero_star": "cfg_zero_star",
    "cfg_zero_star_init_steps": "cfg_zero_init_steps",
    "speed_up": "speed_up_with_guidance_embed",
    "guidance_embed": "guidance_embed",
    "stochastic_sampling_gamma": "stochastic_sampling_gamma",
    "res_dpt_shift": "resolution_dependent_shift",
    "shift": "shift",
    "batch_size": "batch_size",
    "fps": "fps_id",
    "motion_scale": "motion_bucket_id",
    "guiding_frame_noise": "cond_aug",
    "start_frame_guidance": "start_frame_cfg",
    "clip_skip": "clip_skip",
    "sharpness": "sharpness",
    "mask_blur": "mask_blur",
    "mask_blur_outset": "mask_blur_outset",
    "preserve_original": "preserve_original_after_inpaint",
    "high_res_fix": "hires_fix",
    "high_res_fix_start_width": "hires_fix_start_width",
    "high_res_fix_start_height": "hires_fix_start_height",
    "high_res_fix_strength": "hires_fix_strength",
    "tiled_decoding": "tiled_decoding",
    "decoding_tile_width": "decoding_tile_width",
    "decoding_tile_height": "decoding_tile_height",
    "decoding_tile_overlap": "decoding_tile_overlap",
    "tiled_diffusion": "tiled_diffusion",
    "diffusion_tile_width": "diffusion_tile_width",
    "diffusion_tile_height": "diffusion_tile_height",
    "diffusion_tile_overlap": "diffusion_tile_overlap",
    "tea_cache": "tea_cache",
    "tea_cache_start": "tea_cache_start",
    "tea_cache_end": "tea_cache_end",
    "tea_cache_threshold": "tea_cache_threshold",
    "tea_cache_max_skip_steps": "tea_cache_max_skip_steps",
    "separate_clip_l": "separate_clip_l",
    "clip_l_text": "clip_l_text",
    "separate_open_clip_g": "separate_open_clip_g",
    "open_clip_g_text": "open_clip_g_text",
}
# Read only while their switch is on.
SWITCH = {
    "cfg_zero_star_init_steps": "cfg_zero_star",
    "clip_l_text": "separate_clip_l",
    "open_clip_g_text": "separate_open_clip_g",
    **{name: "high_res_fix" for name in FIELDS if name.startswith("high_res_fix_")},
    **{name: "tiled_decoding" for name in FIELDS if name.startswith("decoding_tile")},
    **{name: "tiled_diffusion" for name in FIELDS if name.startswith("diffusion_tile")},
    **{name: "tea_cache" for name in FIELDS if name.startswith("tea_cache_")},
}


def sample(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return graph


def node(graph: Mapping[str, Any], ident: int) -> dict[str, Any]:
    return next(found for found in graph["nodes"] if found["id"] == ident)


def of_kind(graph: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [found for found in graph["nodes"] if found["type"] == kind]


def named(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The widget values of one of our saved nodes, by name."""
    return dict(zip(shapes()[saved["type"]].widgets, saved["widgets_values"], strict=True))


def prompt_of(graph: Mapping[str, Any]) -> dict[str, Any]:
    """A saved graph of active nodes in API form, as far as its nodes are ours or pictures."""
    links = {link[0]: link for link in graph["links"]}
    prompt = {}
    for saved in graph["nodes"]:
        inputs = named(saved) if saved["type"] in CLASSES else {}
        inputs.pop(AFTER, None)
        for row in saved["inputs"]:
            if row["link"] is not None:
                inputs[row["name"]] = [str(links[row["link"]][1]), links[row["link"]][2]]
        values = saved.get("widgets_values")
        prompt[str(saved["id"])] = {"class_type": saved["type"], "inputs": inputs, "v": values}
    return prompt


def sent(prompt: Mapping[str, Any], ident: str) -> GenerationRequest:
    """The first request of the DT Sampler `ident`."""

    def output(source: list[Any]) -> Any:
        found = prompt[source[0]]
        kind = found["class_type"]
        if kind == "Reroute":
            return output(next(iter(found["inputs"].values())))
        if kind == "PrimitiveNode":
            return found["v"][0]
        if kind == "EmptyImage":
            return torch.full((1, 64, 64, 3), found["v"][3] / 2**24)
        if kind == "SolidMask":
            return torch.ones((1, 64, 64))
        return CLASSES[kind].execute(**inputs(found)).args[source[1]]

    def inputs(found: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: output(value) if isinstance(value, list) else value
            for name, value in found["inputs"].items()
        }

    request, _ = gather.request(**inputs(prompt[ident]))
    return request


def assert_means(request: GenerationRequest, values: Mapping[str, Any]) -> None:
    """The request's settings are those of the official sampler's widgets."""
    settings = resolve(request).settings
    reads = resolve(request).family
    for name, ours in FIELDS.items():
        if not values.get(SWITCH.get(name, ""), True):
            continue
        if name == "guidance_embed" and values["speed_up"]:
            continue
        if name == "shift" and values["res_dpt_shift"] and settings["resolution_dependent_shift"]:
            continue  # the server computes it
        if name == "seed" and values["seed"] == -1:
            assert 0 <= settings["seed"] < 2**32
            continue
        if not _is_read(ours, reads):
            continue
        assert settings[ours] == values[name], name
    assert settings["sampler"] == Sampler.from_label(values["sampler_name"])
    assert settings["seed_mode"] == SeedMode.from_label(values["seed_mode"])
    if values["causal_inference"] and _is_read("causal_inference", reads):
        assert settings["causal_inference_enabled"]
        assert settings["causal_inference"] == (values["causal_inference"] + 3) // 4
        assert settings["causal_inference_pad"] == values["causal_inference_pad"] // 4
    else:
        assert not settings["causal_inference_enabled"]
    assert settings["face_restoration"] == DEFAULTS["face_restoration"]


def _is_read(name: str, family: Any) -> bool:
    from drawthings.dt_core.settings.table import setting

    key = setting(name).families
    return family is None or key is None or family.supports(key)
