"""Runs requests of every family, and knows what must arrive and come back.

The expectations are written down here or read from families.json; nothing of `request`
or `hints` is asked what it would send.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.events import Started
from drawthings.dt_core.generation.job import Job
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.pictures.values import Picture
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.settings.configuration import (
    DEFAULTS,
    Configuration,
    ControlSettings,
    LoraSettings,
)
from drawthings.dt_core.settings.table import SETTINGS
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator.record import Record
from drawthings.dt_core.wire import protobuf

CATALOG = Catalog.load()
MODELS = {row["version"]: row["file"] for row in reversed([*CATALOG.all("models")])}
WIDTH, HEIGHT = 128, 64
FRAMES = 9  # 4n + 1 and 8n + 1

y, x = np.mgrid[:HEIGHT, :WIDTH]
PIXELS = np.stack([x / WIDTH, y / HEIGHT, (x + y) % 16 / 16], axis=2).astype(np.float32)
IMAGE = Picture(PIXELS)
SMALL = Picture(PIXELS[:48, :80])
COVERAGE = np.zeros((HEIGHT, WIDTH), np.float32)
COVERAGE[:32, 64:] = 1


class Matrix:
    """Runs requests of a family, and knows what every field of them should be."""

    def __init__(self, server: Simulator, client: Client) -> None:
        self.server, self.client = server, client
        self.warnings: tuple[str, ...] = ()

    def run(
        self, model: str, settings: dict[str, Any] | None = None, **parts: Any
    ) -> tuple[Record, Job]:
        """What arrived, and what came back; the fields of both checked as far as they are
        the same for every request."""
        family = FAMILIES[self.version(model)]
        given = {
            "model": model,
            "start_width": WIDTH,
            "start_height": HEIGHT,
            "seed": 4_294_967_295,
            "steps": 2,
            "sampler": Sampler.UNIPC_TRAILING if family.is_flow else Sampler.DPMPP_2M_AYS,
            **({"num_frames": FRAMES} if family.is_video else {}),
            **(settings or {}),
        }
        request = GenerationRequest(Configuration(**given), "a lighthouse", **parts)
        before = len(self.server.requests)
        job = self.client.generate(request)
        events = list(job)
        started = events[0]
        assert isinstance(started, Started)
        self.warnings = started.warnings
        (record,) = self.server.requests[before:]
        assert record.outcome == "done"
        self._configuration_arrived(record, given, parts)
        self._message_is_complete(record, model)
        return record, job

    def version(self, model: str) -> str:
        row = CATALOG.find("models", model)
        assert row is not None
        return str(row["version"])

    def _configuration_arrived(
        self, record: Record, given: dict[str, Any], parts: dict[str, Any]
    ) -> None:
        """All 88 fields: what was set, else where the app starts, else the schema's default."""
        expected = {**DEFAULTS.explicit, **given}
        expected["loras"] = tuple(
            LoraSettings(lora.file, lora.weight, lora.mode) for lora in parts.get("loras", ())
        )
        expected["controls"] = tuple(
            ControlSettings(
                file=control.file,
                weight=control.weight,
                guidance_start=control.start,
                guidance_end=control.end,
                control_mode=control.mode,
                input_override=control.input_type,
                down_sampling_rate=control.down_sampling_rate,
                global_average_pooling=control.global_average_pooling,
                target_blocks=control.target_blocks,
            )
            for control in parts.get("controls", ())
        )
        assert record.configuration is not None
        arrived = {row.name: record.configuration[row.name] for row in SETTINGS}
        assert arrived == {row.name: expected.get(row.name, row.default) for row in SETTINGS}

    def _message_is_complete(self, record: Record, model: str) -> None:
        message = record.message
        assert (message.scaleFactor, message.chunked) == (1, True)
        assert (message.prompt, message.device) == ("a lighthouse", protobuf.LAPTOP)
        described = json.loads(message.override.models)
        row = CATALOG.find("models", model)
        assert row is not None
        stages = [CATALOG.find("models", file) for file in row.get("stage_models", ())]
        assert described == [row, *stages]
        blobs = [message.image, message.mask]
        blobs += [entry.tensor for hint in message.hints for entry in hint.tensors]
        assert {len(blob) for blob in blobs} <= {0, 32}  # hashes
        assert len(message.contents) == len({blob for blob in blobs if blob})


def as_picture(array: Any, picture: Picture = IMAGE) -> None:
    """Whether an array is a picture on the wire: float16 [1, H, W, 3], -1..1."""
    assert array.dtype == np.float16
    assert array.shape == (1, picture.size.height, picture.size.width, 3)
    assert np.abs(array[0] - (picture.pixels * 2 - 1)).max() < 0.002


def came_back(job: Job, count: int, width: int = WIDTH, height: int = HEIGHT) -> None:
    shapes = [image.picture.rgb.shape for image in job.images]
    assert shapes == [(height, width, 3)] * count
    for image in job.images:
        assert (image.scale_factor, image.picture.nonfinite) == (1, 0)
        assert image.picture.alpha is None
        assert 0 <= image.picture.rgb.min() < image.picture.rgb.max() <= 1
