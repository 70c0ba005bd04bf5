"""ImageGenerationConfig and its parts: the names, defaults and units that scripts know."""

from __future__ import annotations

import dataclasses
import inspect
import pydoc
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from drawthings.dt_core import (
    AsyncDrawThingsClient,
    ControlInputType,
    ControlMode,
    ControlNetConfig,
    DrawThingsClient,
    DrawThingsWarning,
    ImageGenerationConfig,
    LoRAConfig,
    Sampler,
    SettingsError,
)
from drawthings.dt_core.settings.choices import LoraMode
from drawthings.dt_core.settings.configuration import DEFAULTS as APP
from drawthings.dt_core.settings.configuration import Configuration

MODEL = "z_image_turbo_1.0_q6p.ckpt"

# What existing scripts rely on, as they would write it.
DEFAULTS: dict[str, Any] = dict(  # noqa: C408 - as scripts write it
    steps=16, width=512, height=512, cfg_scale=5.0, scheduler="UniPC ays",
    seed=None, strength=1.0, batch_count=1, batch_size=1, seed_mode=2,
    clip_skip=1, clip_weight=1.0, t5_text_encoder=True, separate_clip_l=False, clip_l_text="",
    separate_open_clip_g=False, open_clip_g_text="", separate_t5=False, t5_text="",
    guidance_embed=3.5, speed_up_with_guidance_embed=True, resolution_dependent_shift=True,
    original_image_width=None, original_image_height=None, target_image_width=None,
    target_image_height=None, crop_top=0, crop_left=0, aesthetic_score=6.0,
    negative_aesthetic_score=2.5,
    upscaler="", upscaler_scale_factor=0, face_restoration="", refiner_model="", refiner_start=0.7,
    hires_fix=False, hires_fix_start_width=0, hires_fix_start_height=0, hires_fix_strength=0.7,
    tiled_decoding=False, decoding_tile_width=10, decoding_tile_height=10,
    decoding_tile_overlap=2, tiled_diffusion=False, diffusion_tile_width=16,
    diffusion_tile_height=16, diffusion_tile_overlap=2,
    mask_blur=2.5, mask_blur_outset=0, sharpness=0.0, preserve_original_after_inpaint=True,
    image_guidance_scale=1.5,
    cfg_zero_star=False, cfg_zero_init_steps=0, stochastic_sampling_gamma=0.3,
    tea_cache=False, tea_cache_start=5, tea_cache_end=-1, tea_cache_threshold=0.06,
    tea_cache_max_skip_steps=3,
    causal_inference_enabled=False, causal_inference=3, causal_inference_pad=0,
    stage_2_steps=10, stage_2_cfg=1.0, stage_2_shift=1.0, shift=1.0,
    fps_id=5, motion_bucket_id=127, cond_aug=0.02, start_frame_cfg=1.0, num_frames=14,
    zero_negative_prompt=False, negative_prompt_for_image_prior=True, image_prior_steps=5,
    loras=[], controls=[],
)  # fmt: skip


def settings(**given: Any) -> Configuration:
    """What the server gets of a configuration: the library adds its defaults."""
    return APP.merged(ImageGenerationConfig(MODEL, **given).to_configuration())


def test_the_names_and_defaults_are_those_of_scripts() -> None:
    config = ImageGenerationConfig(model=MODEL)

    names = [field.name for field in dataclasses.fields(config)]
    assert names == ["model", *DEFAULTS]
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS


def test_loras_and_controls_have_the_names_and_defaults_of_scripts() -> None:
    assert dataclasses.asdict(LoRAConfig("a")) == {"file": "a", "weight": 0.6, "mode": 0}
    control = dataclasses.asdict(ControlNetConfig("a"))
    assert control.pop("image") is None
    assert control == {
        "file": "a",
        "weight": 1.0,
        "guidance_start": 0.0,
        "guidance_end": 1.0,
        "no_prompt": False,
        "global_average_pooling": True,
        "down_sampling_rate": 1.0,
        "control_mode": ControlMode.Balanced,
        "target_blocks": None,
        "input_override": ControlInputType.Unspecified,
    }


def test_the_client_takes_the_arguments_of_scripts_in_their_order() -> None:
    def positional(function: Any) -> dict[str, Any]:
        parameters = inspect.signature(function).parameters.values()
        kinds = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
        kinds.pop("self")
        return kinds

    assert list(positional(DrawThingsClient.__init__)) == [
        "server_address", "insecure", "verify_ssl", "ssl_cert_path", "enable_compression",
    ]  # fmt: skip
    empty = inspect.Parameter.empty
    assert positional(DrawThingsClient.generate_image) == {
        "prompt": empty,
        "config": empty,
        "negative_prompt": "",
        "scale_factor": 1,
        "input_image": None,
        "mask_image": None,
        "hints": None,
        "metadata_override": None,
        "progress_callback": None,
        "preview_callback": None,
    }
    assert positional(DrawThingsClient.save_images)["output_dir"] == "output"
    assert positional(DrawThingsClient.save_images)["prefix"] == "generated"


def test_the_enumerations_have_the_spellings_and_numbers_of_scripts() -> None:
    assert [ControlMode.Balanced, ControlMode.Prompt, ControlMode.Control] == [0, 1, 2]
    names = [
        "Unspecified", "Custom", "Depth", "Canny", "Scribble", "Pose", "Normalbae", "Color",
        "Lineart", "Softedge", "Seg", "Inpaint", "Ip2p", "Shuffle", "Mlsd", "Tile", "Blur",
        "Lowquality", "Gray",
    ]  # fmt: skip
    assert [ControlInputType[name] for name in names] == list(range(19))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("UniPC ays", Sampler.UNIPC_AYS),
        ("unipc AYS", Sampler.UNIPC_AYS),
        ("Euler a", Sampler.EULER_A),
        ("Euler Ancestral", Sampler.EULER_A),
        ("DPM++ 2M Karras", Sampler.DPMPP_2M_KARRAS),
        ("dpm++ 2m karras", Sampler.DPMPP_2M_KARRAS),
        ("DPM++ SDE trailing", Sampler.DPMPP_SDE_TRAILING),
        ("ddim", Sampler.DDIM),
        ("LCM", Sampler.LCM),
        ("EULER_A_TRAILING", Sampler.EULER_A_TRAILING),
        (10, Sampler.EULER_A_TRAILING),
        (Sampler.TCD, Sampler.TCD),
    ],
)
def test_samplers_are_written_as_people_do(written: Any, meant: Sampler) -> None:
    assert settings(scheduler=written)["sampler"] == meant


@pytest.mark.parametrize("sampler", list(Sampler))
def test_every_label_of_a_sampler_is_read_in_any_case(sampler: Sampler) -> None:
    for written in (sampler.label, sampler.label.upper(), sampler.label.lower()):
        assert settings(scheduler=written)["sampler"] == sampler


def test_an_unknown_sampler_is_refused_with_the_list() -> None:
    with pytest.raises(SettingsError, match=r"'Magic' is not one of: DPM\+\+ 2M Karras, Euler"):
        settings(scheduler="Magic")


@pytest.mark.parametrize("seed", [None, -1])
def test_no_seed_draws_a_new_one_each_time(seed: int | None) -> None:
    config = ImageGenerationConfig(MODEL, seed=seed)
    drawn = {config.to_configuration()["seed"] for _ in range(8)}

    assert len(drawn) > 1
    assert all(0 <= number < 2**32 for number in drawn)
    assert config.seed == seed, "the script's own object is left as it was"


def test_seeds_beyond_the_servers_range_are_folded_with_a_warning() -> None:
    assert settings(seed=2**32 - 1)["seed"] == 2**32 - 1
    for seed in (2**32, -2, 2**50 + 3):
        with pytest.warns(DrawThingsWarning, match="folded into 32 bits"):
            assert settings(seed=seed)["seed"] == seed % 2**32
    with pytest.raises(SettingsError, match="seed"):
        settings(seed=1.5)


def test_pictures_are_px_and_tiles_units_of_64() -> None:
    made = settings(
        width=1024, height=768, hires_fix=True, hires_fix_start_width=8, hires_fix_start_height=6,
        tiled_decoding=True, decoding_tile_width=12, decoding_tile_height=640,
        decoding_tile_overlap=1, tiled_diffusion=True, diffusion_tile_width=20,
    )  # fmt: skip

    assert (made["start_width"], made["start_height"]) == (1024, 768)
    assert (made["hires_fix_start_width"], made["hires_fix_start_height"]) == (512, 384)
    assert (made["decoding_tile_width"], made["decoding_tile_height"]) == (768, 640)
    assert (made["decoding_tile_overlap"], made["diffusion_tile_width"]) == (64, 1280)


def test_sizes_of_the_original_are_px_as_they_are() -> None:
    made = settings(original_image_width=1000, target_image_height=333, crop_top=7)

    assert made["original_image_width"] == 1000
    assert made["target_image_height"] == 333
    assert made["crop_top"] == 7
    assert "original_image_height" not in made


def test_a_size_between_two_steps_is_cut_with_a_warning() -> None:
    with pytest.warns(DrawThingsWarning, match="width 1000 becomes 960") as warned:
        made = settings(width=1000)

    assert made["start_width"] == 960
    assert [one.filename for one in warned] == [__file__], "it names the script's line"


def test_values_that_the_server_has_anyway_are_not_written() -> None:
    assert set(ImageGenerationConfig(MODEL, seed=1).to_configuration().explicit) == {
        "start_width", "start_height", "seed", "steps", "guidance_scale", "model",
        "mask_blur", "refiner_start",
    }  # fmt: skip


def test_every_setting_that_is_changed_is_written() -> None:
    changed = dict(  # noqa: C408 - as scripts write it
        steps=3, cfg_scale=2.0, scheduler="DDIM", strength=0.25, seed_mode=1, clip_skip=2,
        clip_weight=0.5, t5_text_encoder=False, separate_clip_l=True, clip_l_text="l",
        separate_open_clip_g=True, open_clip_g_text="g", separate_t5=True, t5_text="t",
        speed_up_with_guidance_embed=False, guidance_embed=2.5, resolution_dependent_shift=False,
        aesthetic_score=5.0, negative_aesthetic_score=1.5, upscaler="u.ckpt",
        upscaler_scale_factor=2, face_restoration="f.ckpt", refiner_model="r.ckpt",
        hires_fix=True, hires_fix_strength=0.5, mask_blur_outset=3, sharpness=1.0,
        preserve_original_after_inpaint=False, image_guidance_scale=2.0, cfg_zero_star=True,
        cfg_zero_init_steps=2, stochastic_sampling_gamma=0.5, tea_cache=True, tea_cache_start=1,
        tea_cache_end=9, tea_cache_threshold=0.1, tea_cache_max_skip_steps=2,
        causal_inference_enabled=True, causal_inference=5, causal_inference_pad=1,
        stage_2_steps=5, stage_2_cfg=2.0, stage_2_shift=2.0, shift=3.0, fps_id=6,
        motion_bucket_id=100, cond_aug=0.5, start_frame_cfg=2.0, num_frames=9,
        zero_negative_prompt=True, negative_prompt_for_image_prior=False, image_prior_steps=6,
    )  # fmt: skip
    names = {"cfg_scale": "guidance_scale", "scheduler": "sampler"}

    made = settings(**changed)

    for name, value in changed.items():
        found = made[names.get(name, name)]
        assert found == (Sampler.DDIM if name == "scheduler" else pytest.approx(value)), name


def test_guidance_embed_beside_its_speed_up_is_warned_of() -> None:
    with pytest.warns(DrawThingsWarning, match="guidance_embed 4.5 has no effect"):
        settings(cfg_scale=1.0, guidance_embed=4.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings(cfg_scale=1.0)
        settings(cfg_scale=1.0, guidance_embed=4.5, speed_up_with_guidance_embed=False)


def test_numbers_may_be_of_the_other_type() -> None:
    assert settings(steps=8.0, cfg_scale=4)["steps"] == 8
    for wrong in ({"steps": 8.5}, {"width": "512"}, {"hires_fix": 1}, {"model_": 1}):
        with pytest.raises((SettingsError, TypeError)):
            settings(**wrong)


def test_loras_have_any_weight_and_three_modes() -> None:
    lora = LoRAConfig("a.ckpt", -1.5, mode=2).to_lora()

    assert (lora.file, lora.weight, lora.mode) == ("a.ckpt", -1.5, LoraMode.REFINER)
    with pytest.raises(SettingsError):
        LoRAConfig("a.ckpt", mode=3).to_lora()


def test_a_control_becomes_the_librarys_value() -> None:
    control = ControlNetConfig(
        "c.ckpt", 0.5, 0.1, 0.9, global_average_pooling=False, down_sampling_rate=2.0,
        control_mode=ControlMode.Control, input_override=ControlInputType.Depth,
    ).to_control()  # fmt: skip

    assert (control.file, control.weight, control.start, control.end) == ("c.ckpt", 0.5, 0.1, 0.9)
    assert (control.mode, control.input_type) == (ControlMode.CONTROL, ControlInputType.DEPTH)
    assert (control.global_average_pooling, control.down_sampling_rate) == (False, 2.0)


def test_a_control_without_file_and_picture_is_warned_of() -> None:
    with pytest.warns(DrawThingsWarning, match="without a file has no effect"):
        ControlNetConfig("", input_override=ControlInputType.Inpaint).to_control()


def test_no_prompt_of_a_control_is_warned_of() -> None:
    with pytest.warns(DrawThingsWarning, match="no_prompt of the control 'c.ckpt'"):
        ControlNetConfig("c.ckpt", no_prompt=True).to_control()


@pytest.mark.parametrize("name", ["generate", "generate_image"])
def test_the_asyncio_twin_takes_the_very_same_arguments(name: str) -> None:
    ours, twin = (
        inspect.signature(getattr(kind, name)).parameters
        for kind in (DrawThingsClient, AsyncDrawThingsClient)
    )
    assert ours == twin
    assert next(iter(ours)) == "self"
    assert not {p.kind for p in ours.values()} & {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    }
    pictures = {"input_image", "mask_image", "references", "hints"}
    assert pictures <= set(ours)
    assert all(parameter.annotation for parameter in ours.values())
    assert "references: 'Sequence[PictureLike]' = ()" in pydoc.render_doc(
        getattr(DrawThingsClient, name),
        renderer=pydoc.plaintext,  # type: ignore[attr-defined]
    )


if TYPE_CHECKING:  # what a type checker must say of a wrong call

    def _wrong_calls(client: DrawThingsClient, config: ImageGenerationConfig) -> None:
        client.generate("x", config, hint={})  # type: ignore[call-arg]
        client.generate_image("x", config, references=3)  # type: ignore[arg-type]
        AsyncDrawThingsClient().generate("x")  # type: ignore[call-arg]
        files: list[int] = client.generate_image("x", config)  # type: ignore[assignment]
        assert files
