"""What ComfyUI reads of a node before it runs: definitions, ids, order, help."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from drawthings.nodes.node_list import NODES
from drawthings.nodes.servers import lists
from drawthings.nodes.servers.owner import here

ROOT = Path(__file__).resolve().parents[2]

# DT Config Export takes what DT Sampler takes.
SAMPLER_WIDGETS = [
    "seed",
    "steps",
    "guidance",
    "sampler",
    "width",
    "height",
    "strength",
    "batch_size",
    "shift",
]
SAMPLER_SOCKETS = [
    "model",
    "positive",
    "negative",
    "lora",
    "control",
    "reference",
    "image",
    "mask",
    "options",
    "audio",
]

# A file format: saved workflows depend on these ids and on the order of the widgets.
# Append only.
FORMAT = {
    "DTServer": (
        ["address", "tls", "secret_name", "fingerprint", "saved_server", "ca_file"],
        [],
        ["DT_SERVER"],
    ),
    "DTModelLoader": (["model", "model_file"], ["server"], ["DT_MODEL"]),
    "DTLoRA": (
        [
            "lora",
            "weight",
            "mode",
            "on",
            "lora_file",
            "own_weights",
            "lora_2",
            "weight_2",
            "mode_2",
            "on_2",
            "lora_file_2",
            "lora_3",
            "weight_3",
            "mode_3",
            "on_3",
            "lora_file_3",
            "lora_4",
            "weight_4",
            "mode_4",
            "on_4",
            "lora_file_4",
        ],
        ["lora_stack"],
        ["DT_LORA"],
    ),
    "DTControlNet": (
        [
            "control",
            "input_type",
            "weight",
            "start",
            "end",
            "control_mode",
            "control_file",
            "target_blocks",
            "own_target_blocks",
            "down_sampling_rate",
            "global_average_pooling",
            "invert",
        ],
        ["control_stack", "image"],
        ["DT_CONTROL"],
    ),
    "DTKontextReference": (
        [
            "weight",
            "on",
            "after_image",
            "weight_2",
            "on_2",
            "weight_3",
            "on_3",
            "weight_4",
            "on_4",
        ],
        ["reference_stack", "image", "image_2", "image_3", "image_4"],
        ["DT_REFERENCE", "STRING"],
    ),
    "DTSampler": (
        SAMPLER_WIDGETS,
        SAMPLER_SOCKETS,
        ["IMAGE", "MASK", "VIDEO", "AUDIO", "INT", "IMAGE", "DT_GENERATION"],
    ),
    "DTGuidanceOptions": (
        [
            "speed_up_with_guidance_embed",
            "guidance_embed",
            "cfg_zero_star",
            "cfg_zero_init_steps",
            "resolution_dependent_shift",
            "sharpness",
            "stochastic_sampling_gamma",
            "seed_mode",
            "zero_negative_prompt",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTTextEncoderOptions": (
        [
            "clip_skip",
            "t5_text_encoder",
            "separate_clip_l",
            "clip_l_text",
            "separate_open_clip_g",
            "open_clip_g_text",
            "separate_t5",
            "t5_text",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTSDXLOptions": (
        [
            "original_image_width",
            "original_image_height",
            "target_image_width",
            "target_image_height",
            "crop_left",
            "crop_top",
            "negative_original_image_width",
            "negative_original_image_height",
            "aesthetic_score",
            "negative_aesthetic_score",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTHiresFixOptions": (
        ["hires_fix", "first_pass_width", "first_pass_height", "second_pass_strength"],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTTilingOptions": (
        [
            "tiled_decoding",
            "decoding_tile_width",
            "decoding_tile_height",
            "decoding_tile_overlap",
            "tiled_diffusion",
            "diffusion_tile_width",
            "diffusion_tile_height",
            "diffusion_tile_overlap",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTTeaCacheOptions": (
        [
            "tea_cache",
            "tea_cache_start",
            "tea_cache_end",
            "tea_cache_threshold",
            "tea_cache_max_skip_steps",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTRefinerOptions": (
        ["refiner_model", "refiner_start", "refiner_model_file"],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTUpscalerOptions": (
        [
            "upscaler",
            "upscaler_scale_factor",
            "face_restoration",
            "upscaler_file",
            "face_restoration_file",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTInpaintOptions": (
        ["mask_blur", "mask_blur_outset", "preserve_original_after_inpaint", "color_calibration"],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTVideoOptions": (
        [
            "num_frames",
            "fps",
            "motion_scale",
            "guiding_frame_noise",
            "start_frame_guidance",
            "causal_inference",
            "causal_inference_block",
            "causal_inference_pad",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTCascadeOptions": (
        ["stage_2_steps", "stage_2_guidance", "stage_2_shift"],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTImagePriorOptions": (
        ["image_prior_steps", "clip_weight", "negative_prompt_for_image_prior"],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTImageGuidanceOptions": (["image_guidance"], ["options"], ["DT_OPTIONS"]),
    "DTAppOptions": (
        [
            "batch_count",
            "preset_name",
            "compression_artifacts",
            "compression_artifacts_quality",
            "expand_prompt_to_json",
        ],
        ["options"],
        ["DT_OPTIONS"],
    ),
    "DTConfig": (
        ["configuration", "use_size", "use_seed", "use_model"],
        ["options", "lora_stack", "control_stack"],
        ["DT_OPTIONS", "DT_LORA", "DT_CONTROL", "STRING"],
    ),
    "DTConfigExport": (
        SAMPLER_WIDGETS,
        SAMPLER_SOCKETS,
        ["STRING"],
    ),
    "DTPrompt": (["text", "embedding"], ["model"], ["STRING"]),
    "DTMask": (["soft"], ["repaint", "fill", "keep"], ["DT_MASK"]),
    "DTOutpaint": (
        ["left", "top", "right", "bottom", "feather"],
        ["image"],
        ["IMAGE", "MASK", "DT_MASK", "INT", "INT"],
    ),
    "DTInpaintCrop": (
        ["width", "height", "context_px", "context_share", "feather"],
        ["image", "mask"],
        ["IMAGE", "MASK", "INT", "INT", "DT_STITCH"],
    ),
    "DTInpaintStitch": ([], ["stitch", "image"], ["IMAGE"]),
    "DTUpscale": (
        ["upscaler", "factor", "face_restoration", "upscaler_file", "face_restoration_file"],
        ["model", "image", "options"],
        ["IMAGE"],
    ),
    "DTSaveImage": (["filename_prefix"], ["images", "generation"], []),
}
WIDGETS = {"INT", "FLOAT", "STRING", "COMBO", "BOOLEAN"}

by_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.define_schema().node_id)


def is_widget(entry: Any) -> bool:
    return entry.io_type in WIDGETS and not getattr(entry, "force_input", False)


def test_there_are_exactly_the_nodes_of_the_format() -> None:
    assert [node.define_schema().node_id for node in NODES] == list(FORMAT)


@by_node
def test_ids_and_widget_order_are_the_format(node: Any) -> None:
    schema = node.GET_SCHEMA()
    widgets, sockets, outputs = FORMAT[schema.node_id]
    assert [entry.id for entry in schema.inputs if is_widget(entry)] == widgets
    assert [entry.id for entry in schema.inputs if not is_widget(entry)] == sockets
    assert [entry.io_type for entry in schema.outputs] == outputs


@by_node
def test_optional_widgets_come_last_so_that_the_saved_order_holds(node: Any) -> None:
    """The front end lists required inputs before optional ones."""
    widgets = [entry for entry in node.define_schema().inputs if is_widget(entry)]
    assert [bool(entry.optional) for entry in widgets] == sorted(
        bool(entry.optional) for entry in widgets
    )


@by_node
def test_everything_is_described_to_the_user(node: Any) -> None:
    schema = node.define_schema()
    assert len(schema.description) > 20
    assert schema.display_name.startswith("DT ")
    for entry in [*schema.inputs, *schema.outputs]:
        assert entry.tooltip, f"{schema.node_id}.{entry.id} has no tooltip"
        assert entry.tooltip.endswith(".")


@by_node
def test_the_help_page_speaks_of_every_input(node: Any) -> None:
    schema = node.define_schema()
    page = (ROOT / "web" / "docs" / f"{schema.node_id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {schema.display_name}\n")
    rows = set(re.findall(r"\*\*([^*]+)\*\*", page))
    for entry in schema.inputs:
        label = entry.display_name or entry.id.replace("_", " ")
        first_of_its_rows = re.sub(r" \d$", "", label)  # numbered inputs share a row of the table
        assert {label, first_of_its_rows, f"{first_of_its_rows} 1"} & rows, entry.id


@by_node
def test_a_definition_is_pure_and_fast(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made several times per run: no network, and microseconds."""

    def refuse(*_: object) -> None:
        raise AssertionError("define_schema opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    first, second = node.define_schema(), node.define_schema()
    assert [entry.as_dict() for entry in first.inputs] == [e.as_dict() for e in second.inputs]
    begun = time.perf_counter()
    for _ in range(20):
        node.define_schema()
    assert (time.perf_counter() - begun) / 20 < 0.05  # generous: it is well below 1 ms


def test_lists_offer_what_servers_told_and_official_models_before(
    server: Any, profile: Any
) -> None:
    official = lists.Lists()
    assert "z_image_turbo_1.0_q6p.ckpt" in official.models
    ok, sentence = here().lists.refresh(profile)
    assert ok, sentence
    assert set(here().lists.current().loras) >= {row.file for row in server_catalog(profile).loras}
    offered = NODES[2].define_schema().inputs[1].options
    assert offered[0] == lists.NONE
    assert set(here().lists.current().loras) == set(offered[1:])


def server_catalog(profile: Any) -> Any:

    return here().clients.client(profile).sync.known_catalog


def test_a_server_that_is_away_keeps_the_known_lists(profile: Any) -> None:
    here().lists.refresh(profile)
    before = here().lists.current()
    ok, text = here().lists.refresh(type(profile)("127.0.0.1:1"))
    assert not ok
    assert "No Draw Things server" in str(text)
    assert here().lists.current() == before
