"""A small catalogue, as an Echo answer would bring it."""

from __future__ import annotations

import json
from typing import Any

from drawthings.dt_core.models.catalog import Catalog
from drawthings.dt_core.wire import protobuf


def model(file: str, version: str, **more: Any) -> dict[str, Any]:
    row = {"file": file, "name": file.removesuffix(".ckpt").title(), "version": version}
    return {**row, "prefix": "", "upcast_attention": False, "default_scale": 16, **more}


def lora(file: str, version: str, **more: Any) -> dict[str, Any]:
    row = {"file": file, "name": file.removesuffix(".ckpt"), "version": version}
    return {**row, "prefix": "", **more}


def control(file: str, version: str, modifier: str | None, **more: Any) -> dict[str, Any]:
    named = {"file": file, "name": file.removesuffix(".ckpt"), "version": version}
    row: dict[str, Any] = {**named, "type": "controlnet", "global_average_pooling": False, **more}
    return row if modifier is None else {**row, "modifier": modifier}


ROWS: dict[str, list[dict[str, Any]]] = {
    "models": [
        model("v1.ckpt", "v1", default_scale=8),
        model("sdxl.ckpt", "sdxl_base_v0.9"),
        model("refiner.ckpt", "sdxl_refiner_v0.9"),
        model("flux.ckpt", "flux1", guidance_embed=True, hypothetical_key={"new": [1]}),
        model("kontext.ckpt", "flux1", modifier="kontext"),
        model("svd.ckpt", "svd_i2v"),
        model("qwen.ckpt", "qwen_image"),
        model("cascade.ckpt", "wurstchen_v3.0_stage_c", stage_models=["cascade_b.ckpt"]),
        model("cascade_b.ckpt", "wurstchen_v3.0_stage_b"),
        model("future.ckpt", "model_of_2031"),
    ],
    "loras": [
        lora("flux_style.ckpt", "flux1"),
        lora("v1_style.ckpt", "v1"),
        lora("range.ckpt", "flux1", weight={"value": 0.8, "lower_bound": -1, "upper_bound": 3}),
        lora("qwen_inpaint.ckpt", "qwen_image", modifier="inpainting"),
    ],
    "controlNets": [
        control("v1_depth.ckpt", "v1", "depth"),
        control("v1_canny.ckpt", "v1", "canny"),
        control("v1_scribble.ckpt", "v1", "scribble"),
        control("v1_pose.ckpt", "v1", "pose"),
        control("v1_inpaint.ckpt", "v1", "inpaint"),
        control("v1_adapter_depth.ckpt", "v1", "depth", type="t2iadapter"),
        control("v1_adapter_tile.ckpt", "v1", "tile", type="t2iadapter"),
        control("v1_ip.ckpt", "v1", None, type="ipadapterplus"),
        control("flux_union.ckpt", "flux1", None, type="controlnetunion"),
    ],
    "textualInversions": [
        {"file": "easy.ckpt", "name": "Easy", "keyword": "easy", "length": 4, "version": "v1"}
    ],
    "upscalers": [{"file": "x4.ckpt", "name": "X4", "scale_factor": 4, "blocks": 23}],
}


def echo_reply(**more: Any) -> Any:
    override = protobuf.MetadataOverride(
        **{kind: json.dumps(rows).encode() for kind, rows in ROWS.items()}
    )
    files = [row["file"] for rows in ROWS.values() for row in rows]
    return protobuf.EchoReply(
        message="HELLO", serverIdentifier=7, files=files, override=override, **more
    )


def catalog() -> Catalog:
    return Catalog.from_reply(echo_reply())
