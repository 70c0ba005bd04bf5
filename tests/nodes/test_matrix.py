"""Every family through the nodes: what arrives at the server, and what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.models.families import FAMILIES
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator.record import Record
from drawthings.nodes.control import DTControlNet
from drawthings.nodes.lora import DTLoRA
from drawthings.nodes.model import DTModelLoader
from drawthings.nodes.options import DTVideoOptions
from drawthings.nodes.reference import DTKontextReference
from drawthings.nodes.sampler import DTSampler

CATALOG = Catalog.load()
MODELS = {row["version"]: row["file"] for row in reversed([*CATALOG.all("models")])}
WIDTH, HEIGHT, FRAMES = 128, 64, 9  # 9 = 4n + 1 = 8n + 1
EDITORS = [
    row["file"]
    for row in CATALOG.all("models")
    if row.get("modifier") in {"kontext", "kontext_kv", "qwenimage_edit_plus"}
    and not FAMILIES[row["version"]].is_video
]
CONTROLS = {
    row["version"]: row["file"]
    for row in CATALOG.all("controlNets")
    if row["type"] == "controlnet" and row.get("modifier") not in {None, "inpaint", "ip2p"}
}
LORAS = {
    row["version"]: row["file"]
    for row in CATALOG.all("loras")
    if "modifier" not in row and "alternative_decoder" not in row
}
IMAGE, MASK, VIDEO, AUDIO, SEEDS, RGBA = range(6)
PIXELS = torch.linspace(0, 1, HEIGHT * WIDTH * 3).reshape(1, HEIGHT, WIDTH, 3)

every_family = pytest.mark.parametrize("version", FAMILIES)


class Sampling(DTSampler):
    class hidden:  # noqa: N801
        unique_id = "7"


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with Simulator(response_compression=False) as running:
        yield running


@pytest.fixture
def run(shared: Simulator) -> Any:
    """Build the graph of a model with our nodes, run it; what arrived and what came out."""

    def run(file: str, **inputs: Any) -> tuple[list[Record], Any]:
        version = CATALOG.find("models", file)["version"]  # type: ignore[index]
        family = FAMILIES[version]
        (model,) = DTModelLoader.execute(file, "", ServerProfile(shared.address)).args
        sampler = Sampler.UNIPC_TRAILING if family.is_flow else Sampler.DPMPP_2M_AYS
        if family.is_video:
            inputs["options"] = DTVideoOptions.execute(**video_widgets()).args[0]
        widgets = {
            "seed": 11,
            "steps": 2,
            "guidance": 3.0,
            "sampler": sampler.label,
            "width": WIDTH,
            "height": HEIGHT,
            "strength": 1.0,
            "batch_size": 1,
            "shift": 0.0,
        }
        before = len(shared.requests)
        output = asyncio.run(Sampling.execute(model=model, **{**widgets, **inputs}))
        records = list(shared.requests[before:])
        assert {record.outcome for record in records} == {"done"}
        for record in records:
            settings = record.configuration
            assert settings is not None
            assert (settings["model"], settings["sampler"]) == (file, sampler)
            assert (settings["start_width"], settings["start_height"]) == (WIDTH, HEIGHT)
            assert (settings["steps"], settings["guidance_scale"]) == (2, 3)
            assert record.message.scaleFactor == 1
        return records, output

    return run


def video_widgets() -> dict[str, Any]:
    """What DT Video Options shows at first, with our number of frames."""
    widgets = {entry.id: entry for entry in DTVideoOptions.define_schema().inputs}
    del widgets["options"]
    return {ident: entry.default for ident, entry in widgets.items()} | {"num_frames": FRAMES}


def start(version: str) -> dict[str, Any]:
    return {"image": PIXELS} if FAMILIES[version].needs_image else {}


def count_of(version: str) -> int:
    return FRAMES if FAMILIES[version].is_video else 1


def shape_of(output: Any) -> tuple[int, ...]:
    return tuple(output.args[IMAGE].shape)


@every_family
def test_text_becomes_pictures_film_and_sound(run: Any, version: str) -> None:
    family = FAMILIES[version]
    (record,), output = run(MODELS[version], positive="a lighthouse", **start(version))
    assert record.message.prompt == "a lighthouse"
    assert shape_of(output) == (count_of(version), HEIGHT, WIDTH, 3)
    assert output.args[IMAGE].dtype == torch.float32
    assert set(output.args[SEEDS]) == {11}
    if family.is_video:
        assert record.configuration["num_frames"] == FRAMES
        film = output.args[VIDEO].get_components()
        assert film.frame_rate == family.fps
        assert film.images.shape[0] == FRAMES
    else:
        assert type(output.args[VIDEO]).__name__ == "ExecutionBlocker"
    if family.audio == "output":
        sound = output.args[AUDIO]
        assert sound["sample_rate"] == family.audio_sample_rate
        assert tuple(sound["waveform"].shape[:2]) == (1, 2)
        assert family.fps is not None
        seconds = sound["waveform"].shape[2] / sound["sample_rate"]
        assert seconds == pytest.approx(FRAMES / family.fps, abs=0.01)
        assert film.audio is not None
    else:
        assert type(output.args[AUDIO]).__name__ == "ExecutionBlocker"


@every_family
def test_an_image_is_redone(run: Any, version: str) -> None:
    (record,), output = run(MODELS[version], image=PIXELS, strength=0.5)
    assert record.image is not None
    assert np.abs(record.image[0] - (PIXELS[0].numpy() * 2 - 1)).max() < 0.002
    assert record.configuration["strength"] == 0.5
    assert shape_of(output)[1:] == (HEIGHT, WIDTH, 3)


@every_family
def test_a_mask_arrives_as_codes(run: Any, version: str) -> None:
    mask = torch.zeros((1, HEIGHT, WIDTH))
    mask[:, :32, 64:] = 1
    (record,), output = run(MODELS[version], image=PIXELS, mask=mask, strength=0.7)
    assert (record.mask == mask[0].numpy() * 2).all()
    assert shape_of(output) == (count_of(version), HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("file", EDITORS)
def test_references_arrive_in_order(run: Any, file: str) -> None:
    other = torch.full((1, 48, 80, 3), 0.5)
    (first, *_) = DTKontextReference.execute(image=PIXELS, weight=1.0, on=True).args
    (both, *_) = DTKontextReference.execute(
        image=other, weight=1.0, on=True, reference_stack=first
    ).args
    (record,), output = run(file, reference=both)
    (hint,) = record.message.hints
    assert hint.hintType == "shuffle"
    shapes = [array.shape[1:3] for array in hint_arrays(record)]
    assert shapes == [(HEIGHT, WIDTH), (48, 80)]
    assert shape_of(output) == (1, HEIGHT, WIDTH, 3)


def hint_arrays(record: Record) -> list[Any]:
    return [array for hint in record.hints for array, _ in hint.tensors]


@pytest.mark.parametrize("version", CONTROLS)
def test_a_control_arrives_with_its_picture(run: Any, version: str) -> None:
    (control,) = DTControlNet.execute(
        control=CONTROLS[version], weight=0.8, start=0.0, end=0.9, image=PIXELS, **CONTROL
    ).args
    (record,), _ = run(MODELS[version], control=control, **start(version))
    (row,) = record.configuration["controls"]
    assert (row.file, row.weight) == (CONTROLS[version], pytest.approx(0.8))
    assert hint_arrays(record)


CONTROL: dict[str, Any] = {"input_type": "Unspecified", "control_mode": "Balanced"}


@pytest.mark.parametrize("version", LORAS)
def test_a_lora_arrives(run: Any, version: str) -> None:
    (lora,) = DTLoRA.execute(lora=LORAS[version], weight=0.7, mode="All", on=True).args
    (record,), _ = run(MODELS[version], lora=lora, **start(version))
    (row,) = record.configuration["loras"]
    assert (row.file, row.weight) == (LORAS[version], pytest.approx(0.7))


@pytest.mark.parametrize(
    "version", [v for v, row in FAMILIES.items() if not row.is_video and row.kind == "image"]
)
def test_every_picture_of_a_batch_is_redone(run: Any, version: str) -> None:
    batch = torch.cat([PIXELS, 1 - PIXELS])
    records, output = run(MODELS[version], image=batch, strength=0.5)
    assert len(records) == 2
    assert not np.array_equal(records[0].image, records[1].image)
    assert shape_of(output) == (2, HEIGHT, WIDTH, 3)
    assert output.args[SEEDS] == [11, 11]


@pytest.mark.parametrize("version", [v for v, r in FAMILIES.items() if r.supports("batch_size")])
def test_several_pictures_come_from_one_request(run: Any, version: str) -> None:
    (record,), output = run(MODELS[version], batch_size=2, **start(version))
    assert record.configuration["batch_size"] == 2
    assert shape_of(output) == (2, HEIGHT, WIDTH, 3)
