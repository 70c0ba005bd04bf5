"""What counts for one model of every family, and what is recommended for it, written by hand
after the reference of the server's families: the table that `test_effects` checks.
"""

from __future__ import annotations

# Short names for groups of settings, each with those that stand for it; the last two are inputs.
GROUPS: dict[str, tuple[str, ...]] = {
    "guidance": ("guidance_scale",),
    "batch": ("batch_size",),
    "frames": ("num_frames",),
    "hires": ("hires_fix", "hires_fix_start_width", "hires_fix_strength"),
    "refiner": ("refiner_model",),
    "decoding tiles": ("tiled_decoding", "decoding_tile_width", "decoding_tile_overlap"),
    "diffusion tiles": ("tiled_diffusion", "diffusion_tile_width", "diffusion_tile_overlap"),
    "clip skip": ("clip_skip",),
    "clip l": ("separate_clip_l", "clip_l_text"),
    "clip g": ("separate_open_clip_g", "open_clip_g_text"),
    "t5 text": ("separate_t5", "t5_text"),
    "t5": ("t5_text_encoder",),
    "tea": ("tea_cache", "tea_cache_start", "tea_cache_end", "tea_cache_max_skip_steps"),
    "causal": ("causal_inference_enabled", "causal_inference", "causal_inference_pad"),
    "zero star": ("cfg_zero_star",),
    "auto shift": ("resolution_dependent_shift",),
    "speed-up": ("speed_up_with_guidance_embed",),
    "embed": ("guidance_embed",),
    "zero negative": ("zero_negative_prompt",),
    "edit": ("image_guidance_scale",),
    "sdxl": ("original_image_width", "crop_top", "negative_original_image_height"),
    "target": ("target_image_width", "target_image_height"),
    "aesthetic": ("aesthetic_score", "negative_aesthetic_score"),
    "svd": ("fps_id", "motion_bucket_id", "cond_aug", "start_frame_cfg"),
    "cascade": ("stage_2_steps", "stage_2_cfg", "stage_2_shift"),
    "prior": ("image_prior_steps", "clip_weight", "negative_prompt_for_image_prior"),
    "reference": ("reference",),
    "control": ("control",),
}

_TILES = "decoding tiles, diffusion tiles"
_IMAGE = f"guidance, batch, hires, refiner, {_TILES}"
_FLOW = f"{_IMAGE}, zero star, auto shift"
_VIDEO = f"guidance, frames, hires, refiner, {_TILES}, zero star"
_HIDREAM = f"{_FLOW}, clip skip, clip l, clip g, t5 text, tea, zero negative"
_SD3 = f"{_FLOW}, clip skip, clip l, clip g, t5, zero negative"

# model file: the groups that count for it; all others are dimmed.
COUNTS = {
    "sd_v1.5_f16.ckpt": f"{_IMAGE}, clip skip, control",
    "instruct_pix2pix_22000_f16.ckpt": f"{_IMAGE}, clip skip, control, edit",
    "sd_v2.1_f16.ckpt": f"{_IMAGE}, clip skip, control",
    "kandinsky_f16.ckpt": f"{_IMAGE}, clip skip, prior",
    "sd_xl_base_1.0_f16.ckpt": f"{_IMAGE}, clip skip, sdxl, target, zero negative, control",
    "sd_xl_turbo_f16.ckpt": f"batch, hires, refiner, {_TILES}, clip skip, target, control",
    "sd_xl_refiner_1.0_f16.ckpt": f"{_IMAGE}, clip skip, sdxl, aesthetic",
    "segmind_ssd_1b_q6p_q8p.ckpt": f"{_IMAGE}, clip skip, sdxl, target, zero negative",
    "svd_i2v_1.0_f16.ckpt": f"guidance, frames, refiner, {_TILES}, svd",
    "wurstchen_3.0_stage_c_f16.ckpt": "guidance, batch, hires, clip skip, cascade",
    "wurstchen_3.0_stage_b_f16.ckpt": f"guidance, batch, {_TILES}, clip skip",
    "sd3_medium_f16.ckpt": _SD3,
    "sd3.5_large_q8p.ckpt": _SD3,
    "pixart_sigma_xl_2_1024_ms_f16.ckpt": f"{_IMAGE}, zero negative",
    "auraflow_v0.2_q8p.ckpt": f"{_IMAGE}, zero star",
    "flux_1_dev_q5p.ckpt": f"{_FLOW}, clip skip, clip l, tea, speed-up, embed, zero negative, "
    "control",
    "flux_1_schnell_q5p.ckpt": f"batch, hires, refiner, {_TILES}, clip skip, clip l, tea, embed, "
    "control",
    "flux_1_kontext_dev_q5p.ckpt": f"{_FLOW}, clip skip, clip l, tea, speed-up, embed, "
    "zero negative, control, reference",
    "hunyuan_video_t2v_720p_q5p_svd.ckpt": f"{_VIDEO}, clip skip, clip l, tea, speed-up, embed, "
    "control",
    "wan_v2.1_1.3b_480p_f16.ckpt": f"{_VIDEO}, tea, causal, control",
    "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt": f"{_VIDEO}, tea, causal, control",
    "wan_v2.2_5b_ti2v_f16.ckpt": f"{_VIDEO}, causal",
    "hidream_i1_full_q5p.ckpt": _HIDREAM,
    "hidream_i1_dev_q5p.ckpt": f"{_HIDREAM}, speed-up",
    "hidream_e1_full_q5p.ckpt": f"{_HIDREAM}, edit",
    "hidream_o1_dev_2604_f16.ckpt": "guidance, batch, refiner, diffusion tiles, zero star",
    "qwen_image_1.0_q6p.ckpt": _FLOW,
    "qwen_image_edit_2509_q6p.ckpt": f"{_FLOW}, reference",
    "z_image_1.0_q6p.ckpt": _FLOW,
    "ernie_image_q6p.ckpt": _FLOW,
    "flux_2_dev_q6p.ckpt": f"{_FLOW}, speed-up, embed, reference",
    "flux_2_klein_9b_kv_q6p.ckpt": f"{_FLOW}, reference",
    "flux_2_klein_base_4b_q6p.ckpt": f"{_FLOW}, reference",
    "anima_base_1.0_f16.ckpt": _FLOW,
    "ideogram_4_q8p.ckpt": f"{_FLOW}, zero negative",
    "krea_2_raw_q8p.ckpt": _FLOW,
    "ltx_2_19b_dev_q8p.ckpt": _VIDEO,
    "ltx_2.3_22b_dev_q8p.ckpt": _VIDEO,
    "seedvr2_3b_q8p.ckpt": f"guidance, refiner, {_TILES}, zero star",
    "seedvr2_7b_q8p.ckpt": f"guidance, refiner, {_TILES}, zero star",
    "longcat_video_avatar_1.5_q8p.ckpt": "frames, refiner, decoding tiles",
}

_LIGHTNING = "qwen_image_1.0_lightning_4_step_v2.0_lora_f16.ckpt"
_HIGH = "wan_v2.2_a14b_hne_i2v_lightning_v1.0_lora_f16.ckpt"
_LOW = "wan_v2.2_a14b_lne_i2v_lightning_v1.0_lora_f16.ckpt"

# model file and LoRAs: size, steps, guidance, sampler, shift (0: automatic), and the rest; "-"
# where nothing is known, or where it would do nothing.
RECOMMENDED: dict[tuple[str, ...], str] = {
    ("sd_v1.5_f16.ckpt",): "512x512, 16, 5, DPM++ 2M AYS, 1",
    ("sd_v2.1_f16.ckpt",): "512x512, -, -, -, -",
    ("kandinsky_f16.ckpt",): "768x768, -, -, -, -",
    ("sd_xl_base_1.0_f16.ckpt",): "1024x1024, 16, 5, DPM++ 2M AYS, 1",
    ("sd_xl_turbo_f16.ckpt",): "512x512, -, -, -, -",
    ("sd_xl_refiner_1.0_f16.ckpt",): "1024x1024, -, -, -, -",
    ("segmind_ssd_1b_q6p_q8p.ckpt",): "1024x1024, -, -, -, -",
    ("svd_i2v_1.0_f16.ckpt",): "512x512, -, -, -, -",
    ("wurstchen_3.0_stage_c_f16.ckpt",): "1024x1024, -, -, -, -",
    ("sd3_medium_f16.ckpt",): "1024x1024, -, -, -, -",
    ("sd3.5_large_q8p.ckpt",): "1024x1024, -, -, -, -",
    ("pixart_sigma_xl_2_512_ms_f16.ckpt",): "512x512, -, -, -, -",
    ("auraflow_v0.2_q8p.ckpt",): "1024x1024, -, -, -, -",
    ("flux_1_dev_q5p.ckpt",): "1024x1024, 28, 4.5, Euler A Trailing, 0",
    ("flux_1_fill_dev_q5p.ckpt",): "1024x1024, 28, 50, Euler A Trailing, 0",
    ("flux_1_schnell_q5p.ckpt",): "1024x1024, 4, -, Euler A Trailing, 1",
    ("hunyuan_video_t2v_720p_q5p_svd.ckpt",): "960x512, 30, 6, DDIM Trailing, 7, 129 frames",
    ("skyreels_v1_hunyuan_i2v_q5p_svd.ckpt",): "512x960, 30, 6, DDIM Trailing, 7, 97 frames",
    ("wan_v2.1_1.3b_480p_f16.ckpt",): "832x448, 30, 5, Euler A Trailing, 5, 81 frames",
    ("wan_v2.1_14b_i2v_480p_q6p_svd.ckpt",): "832x448, 30, 5, Euler A Trailing, 3, 81 frames",
    ("wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt",): "832x448, 30, 4, UniPC Trailing, 8, 81 frames, "
    "wan_v2.2_a14b_lne_t2v_q6p_svd.ckpt from 0.125",
    ("wan_v2.2_a14b_hne_i2v_q6p_svd.ckpt",): "832x448, 30, 3.5, UniPC Trailing, 5, 81 frames, "
    "wan_v2.2_a14b_lne_i2v_q6p_svd.ckpt from 0.1",
    ("wan_v2.2_a14b_hne_i2v_q6p_svd.ckpt", _HIGH, _LOW): "832x448, 4, 1, UniPC Trailing, 5, "
    "81 frames, wan_v2.2_a14b_lne_i2v_q6p_svd.ckpt from 0.1",
    ("wan_v2.2_a14b_hne_i2v_q6p_svd.ckpt", _HIGH): "832x448, 4, 1, UniPC Trailing, 5, 81 frames, "
    f"wan_v2.2_a14b_lne_i2v_q6p_svd.ckpt from 0.1, with {_LOW}",
    ("wan_v2.2_5b_ti2v_f16.ckpt",): "768x768, -, -, -, -, 121 frames",
    ("hidream_i1_fast_q5p.ckpt",): "1024x1024, 16, -, Euler A Trailing, 3",
    ("hidream_i1_dev_q5p.ckpt",): "1024x1024, 28, 1, Euler A Trailing, 6",
    ("hidream_i1_full_q5p.ckpt",): "1024x1024, 40, 5, Euler A Trailing, 3",
    ("hidream_o1_dev_2604_f16.ckpt",): "1024x1024, 28, 1, DPM++ 2M Trailing, 1",
    ("qwen_image_1.0_q6p.ckpt",): "1024x1024, 30, 4, UniPC Trailing, 2",
    ("qwen_image_1.0_q6p.ckpt", _LIGHTNING): "1024x1024, 4, 1, UniPC Trailing, 3",
    ("z_image_turbo_1.0_q6p.ckpt",): "1024x1024, 8, 1, UniPC Trailing, 3",
    ("z_image_1.0_q6p.ckpt",): "1024x1024, 30, 4, UniPC Trailing, 0",
    ("ernie_image_turbo_q6p.ckpt",): "1024x1024, 8, 1, UniPC Trailing, 4",
    ("ernie_image_q6p.ckpt",): "1024x1024, 30, 4, UniPC Trailing, 0",
    ("flux_2_dev_q6p.ckpt",): "1024x1024, 28, 4.5, DDIM Trailing, 0",
    ("flux_2_dev_q6p.ckpt", "flux_2_dev_turbo_lora_f16.ckpt"): "1024x1024, 4, 4.5, "
    "DDIM Trailing, 3",
    ("flux_2_klein_9b_q6p.ckpt",): "1024x1024, 4, 1, DDIM Trailing, 3",
    ("flux_2_klein_base_4b_q6p.ckpt",): "1024x1024, 30, 4, DDIM Trailing, 0",
    ("anima_base_1.0_f16.ckpt",): "1024x1024, 30, 4, DDIM Trailing, 0",
    ("ideogram_4_q8p.ckpt",): "1024x1024, 48, 7, Euler A Trailing, 1",
    ("krea_2_raw_q8p.ckpt",): "1024x1024, 52, 3.5, Euler A Trailing, 0",
    ("krea_2_turbo_q8p.ckpt",): "1024x1024, 8, 1, Euler A Trailing, 3",
    ("ltx_2_19b_dev_q8p.ckpt",): "1280x768, 30, 5, UniPC Trailing, 5, 121 frames",
    # TCD Trailing switches guidance off.
    ("ltx_2_19b_distilled_q8p.ckpt",): "1280x768, 8, -, TCD Trailing, 5, 121 frames",
    ("ltx_2.3_22b_dev_q8p.ckpt",): "1280x768, 30, 5, UniPC Trailing, 5, 121 frames",
    ("seedvr2_3b_q8p.ckpt",): "1536x1536, -, -, -, -",
    ("longcat_video_avatar_1.5_q8p.ckpt",): "768x768, -, -, -, -",
}
