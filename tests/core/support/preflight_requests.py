"""Requests for the tests of the preflight's warnings, and what the simulator has."""

from __future__ import annotations

from typing import Any

import numpy as np
from catalogs import control, model
from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures.values import Picture
from drawthings.dt_core.preflight import Level, check
from drawthings.dt_core.request.parts import Control
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Catalog as Files
from drawthings.dt_core.simulator.inventory import KINDS
from drawthings.dt_core.wire import protobuf

V1, SDXL, SVD = "sd_v1.5_f16.ckpt", "sd_xl_base_1.0_f16.ckpt", "svd_i2v_1.0_f16.ckpt"
TURBO, PIX2PIX = "sd_xl_turbo_f16.ckpt", "instruct_pix2pix_22000_f16.ckpt"
DEV, SCHNELL, CHROMA = "flux_1_dev_q5p.ckpt", "flux_1_schnell_q5p.ckpt", "chroma1_hd_q5p.ckpt"
KONTEXT, QWEN, SD3 = "flux_1_kontext_dev_q5p.ckpt", "qwen_image_1.0_q6p.ckpt", "sd3_medium_f16.ckpt"
WAN, LTX = "wan_v2.1_1.3b_480p_f16.ckpt", "ltx_2_19b_dev_q8p.ckpt"
STAGE_B, LAYERED = "wurstchen_3.0_stage_b_f16.ckpt", "qwen_image_layered_1.0_bf16_q6p.ckpt"
MODELS = {row["version"]: row["file"] for row in reversed([*Files.load().all("models")])}
PIXELS = np.full((128, 128, 3), 0.5, np.float32)
IMAGE = Picture(PIXELS)
THIN = np.zeros((128, 128), np.float32)
THIN[:8] = 1
COARSE = np.zeros((128, 128), np.float32)
COARSE[:64, 32:] = 1
HIRES = {
    "hires_fix": True,
    "hires_fix_start_width": 64,
    "hires_fix_start_height": 64,
    "hires_fix_strength": 0.5,
}
ROWS = {
    "models": [model("plain_wan.ckpt", "wan_v2.1_14b")],
    "controlNets": [
        control("v1_color.ckpt", "v1", "color"),
        control("lonely.ckpt", "flux1", None, type="redux", image_encoder="nowhere.ckpt"),
    ],
}


def files() -> Files:
    """What the simulator has, a few rows of our own, and a model without a description."""
    built_in = Files.load()
    tables = {kind: [*built_in.all(kind), *ROWS.get(kind, [])] for kind in KINDS}
    own = {row["file"] for rows in ROWS.values() for row in rows}
    return Files(tables, {*built_in.files, *own, "bare.ckpt"})


def catalog_of(known: Files) -> Catalog:
    """The same, as its Echo answer tells it."""
    return Catalog.from_reply(
        protobuf.EchoReply(files=sorted(known.files), override=known.to_override())
    )


KNOWN = catalog_of(files())


def controlled(name: str, picture: Picture | None = IMAGE, **more: Any) -> dict[str, Any]:
    file = name if name.endswith(".ckpt") else f"controlnet_{name}_1.x_v1.1_f16.ckpt"
    return {"controls": (Control(file, picture=picture, **more),)}


def request(settings: dict[str, Any], **parts: Any) -> GenerationRequest:
    flow = FAMILIES[KNOWN_VERSIONS.get(settings.get("model", DEV), "v1")].is_flow
    good = {
        "model": DEV,
        "start_width": 128,
        "start_height": 128,
        "sampler": Sampler.EULER_A_TRAILING if flow else Sampler.DPMPP_2M_AYS,
    }
    return GenerationRequest(Configuration(**{**good, **settings}), **parts)


KNOWN_VERSIONS = {row.file: row.version for row in KNOWN.models}


def warnings(settings: dict[str, Any], **parts: Any) -> list[tuple[str, str]]:
    found = check(resolve(request(settings, **parts), KNOWN))
    assert all(finding.level is Level.WARNING for finding in found), found
    return [(finding.check, finding.sentence) for finding in found]
