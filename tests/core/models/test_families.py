"""The table of families is complete and consistent with the settings table."""

from __future__ import annotations

import pytest
from drawthings.dt_core.models.families import FAMILIES, Family, family
from drawthings.dt_core.models.file_names import family_of_file
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.settings.table import NOT_READ, SETTINGS

# docs/protocol.md 7.6
VERSIONS = [
    "v1", "v2", "kandinsky2.1", "sdxl_base_v0.9", "sdxl_refiner_v0.9", "ssd_1b", "svd_i2v",
    "wurstchen_v3.0_stage_c", "wurstchen_v3.0_stage_b", "sd3", "sd3_large", "pixart",
    "auraflow", "flux1", "hunyuan_video", "wan_v2.1_1.3b", "wan_v2.1_14b", "wan_v2.2_5b",
    "hidream_i1", "hidream_o1", "qwen_image", "z_image", "ernie_image", "flux2", "flux2_9b",
    "flux2_4b", "cosmos2.5_2b", "ideogram_4", "krea_2", "ltx2", "ltx2.3", "seedvr2_3b",
    "seedvr2_7b", "longcat_video_avatar_v1.5",
]  # fmt: skip


def test_every_version_of_the_server_has_a_family() -> None:
    assert sorted(FAMILIES) == sorted(VERSIONS)


def test_a_version_newer_than_the_table_has_none() -> None:
    assert family("model_of_2031") is None


@pytest.mark.parametrize("row", FAMILIES.values(), ids=lambda row: row.version)
def test_a_family_is_consistent(row: Family) -> None:
    assert row.is_video == (row.frames_rule is not None)
    assert (row.fps is not None) == row.is_video
    assert (row.audio_sample_rate is not None) == (row.audio == "output")
    assert all(version in FAMILIES for version in row.refiner_versions)
    if row.latent_scale is not None:
        assert 64 % row.latent_scale == 0


def test_every_family_key_of_the_settings_table_exists() -> None:
    known = set().union(*(row.features for row in FAMILIES.values()))
    for setting in SETTINGS:
        assert setting.families in {None, NOT_READ} or setting.families in known, setting.name


def test_presets_are_configurations() -> None:
    presets = [preset for row in FAMILIES.values() for preset in row.presets]
    assert len(presets) > 50
    for preset in presets:
        settings = Configuration.of(dict(preset.settings))
        assert settings["start_width"] % 64 == 0
        assert isinstance(settings["sampler"], Sampler)


@pytest.mark.parametrize(
    ("version", "wish", "made"),
    [("wan_v2.1_14b", 80, 77), ("wan_v2.1_14b", 81, 81), ("ltx2", 130, 129), ("svd_i2v", 1, 2),
     ("svd_i2v", 20, 20), ("hunyuan_video", 0, 1)],
)  # fmt: skip
def test_frame_counts_round_down_to_what_the_family_makes(
    version: str, wish: int, made: int
) -> None:
    rule = FAMILIES[version].frames_rule
    assert rule is not None
    assert rule.nearest_below(wish) == made


def test_official_files_tell_their_family_in_any_quantization() -> None:
    for file, version in (
        ("flux_1_dev_q5p.ckpt", "flux1"),
        ("flux_1_dev_q8p.ckpt", "flux1"),
        ("wan_v2.1_14b_720p_q6p_svd.ckpt", "wan_v2.1_14b"),
        ("wan_v2.1_14b_720p_f16.ckpt", "wan_v2.1_14b"),
    ):
        found = family_of_file(file)
        assert found is not None
        assert found.version == version
    assert family_of_file("my_own_mix.ckpt") is None
