"""What scripts need again and again: a small configuration, a client, pictures."""

from __future__ import annotations

import io
from typing import Any

from drawthings.dt_core import DrawThingsClient, ImageGenerationConfig
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.record import Record
from PIL import Image

MODEL = "z_image_turbo_1.0_q6p.ckpt"
FLUX, KONTEXT = "flux_1_dev_q5p.ckpt", "flux_1_kontext_dev_q5p.ckpt"


def connect(server: Simulator, **given: Any) -> DrawThingsClient:
    return DrawThingsClient(server.address, insecure=True, **given)


def config(model: str = MODEL, **given: Any) -> ImageGenerationConfig:
    return ImageGenerationConfig(model, **{"steps": 2, "width": 128, "height": 64, **given})


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def last(server: Simulator) -> Record:
    return server.requests[-1]


def red(size: tuple[int, int] = (128, 64)) -> Image.Image:
    return Image.new("RGB", size, "red")
