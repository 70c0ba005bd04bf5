"""The example workflows, from ComfyUI's HTTP to the simulator and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.settings.choices import Sampler
from drawthings.dt_core.simulator import Record, Simulator
from drawthings.tools.comfyui_client import Client
from drawthings.tools.demo import SHOWS
from running_example import Example, decode

PICTURES = Path(__file__).resolve().parents[2] / "example_workflows" / "input"
MakeExample = Callable[[str], Example]


def record_of(simulator: Simulator, example: Example) -> Record:
    """What reached the simulator for this example; its seed is nobody else's."""
    seed = example.inputs["seed"]

    def wanted(record: Record) -> bool:
        return record.configuration is not None and record.configuration["seed"] == seed

    return simulator.wait_for(wanted, 5)


@pytest.mark.parametrize("name", SHOWS)
def test_a_picture_of_the_chosen_size_comes_back(
    client: Client, example: MakeExample, name: str
) -> None:
    chosen = example(name)

    result = client.run(chosen.prompt)

    assert result.outcome == "success", result.error
    height, width, _ = chosen.pixels(client, result).shape
    assert (width, height) == chosen.size
    notes = [e.data["output"].get("drawthings_notes") for e in result.of_kind("executed")]
    assert not any(notes), "an example should not warn"


@pytest.mark.parametrize("name", ["inpainting", "hires_fix_upscaler", "video_with_sound"])
def test_the_bar_moves_forward_to_its_end(client: Client, example: MakeExample, name: str) -> None:
    chosen = example(name)

    result = client.run(chosen.prompt)

    steps = [e.data for e in result.of_kind("progress") if e.data["node"] == chosen.sampler]
    shares = [step["value"] / step["max"] for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_previews_of_the_running_node_arrive_as_small_jpegs(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    simulator.step_delay = 0.15
    chosen = example("text_to_image_two_loras")

    result = client.run(chosen.prompt)

    assert len(result.previews) >= 2
    for preview in result.previews:
        assert preview.data["node_id"] == chosen.sampler
        assert preview.data["image_type"] == "image/jpeg"
        assert 16 <= max(decode(preview.image).shape) <= 512


def test_the_server_is_asked_for_what_the_nodes_say(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    chosen = example("text_to_image_two_loras")

    client.run(chosen.prompt)

    record = record_of(simulator, chosen)
    assert record.outcome == "done"
    settings = record.configuration
    assert settings is not None
    assert settings["model"] == "z_image_turbo_1.0_q6p.ckpt"
    loras: list[Any] = [(lora.file, pytest.approx(lora.weight)) for lora in settings["loras"]]
    assert loras == [
        ("z_image_detail_lora_f16.ckpt", 0.6),
        ("z_image_pixel_art_lora_f16.ckpt", 0.9),
    ]
    assert settings["steps"] == 8
    assert settings["sampler"] == Sampler.UNIPC_TRAILING
    assert record.message.prompt.startswith("A lighthouse on a rocky coast")


def test_a_seed_decides_the_picture(client: Client, example: MakeExample) -> None:
    first, again, other = (example("text_to_image_two_loras") for _ in range(3))
    again.inputs["seed"] = first.inputs["seed"]
    again.inputs["steps"] = other.inputs["steps"] = first.inputs["steps"]

    first_pixels = first.pixels(client, client.run(first.prompt))
    other_pixels = other.pixels(client, client.run(other.prompt))
    again_pixels = again.pixels(client, client.run(again.prompt))  # the cache has forgotten it

    assert np.array_equal(first_pixels, again_pixels)
    assert np.abs(first_pixels - other_pixels).mean() > 5


def test_what_the_mask_leaves_out_comes_back_untouched(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    chosen = example("inpainting")
    original = decode((PICTURES / "dusk_lake.png").read_bytes())
    mask = decode((PICTURES / "dusk_lake_mask.png").read_bytes())[:, :, 0]

    painted = chosen.pixels(client, client.run(chosen.prompt))

    difference = np.abs(painted - original).max(axis=2)
    far_outside = np.ones_like(mask, dtype=bool)
    rows, columns = np.nonzero(mask)
    edge = 24  # px: the mask's blur and the server's cells
    far_outside[
        rows.min() - edge : rows.max() + edge, columns.min() - edge : columns.max() + edge
    ] = False
    assert difference[far_outside].max() <= 1
    assert difference[mask > 250].mean() > 10
    assert record_of(simulator, chosen).mask is not None


def test_the_references_reach_the_server_in_order(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    chosen = example("reference_edit")

    client.run(chosen.prompt)

    record = record_of(simulator, chosen)
    assert record.image is None  # both pictures are references
    (hint,) = record.hints
    assert hint.kind == "shuffle"
    assert len(hint.arrays) == 2


def test_the_same_prompt_again_is_answered_from_the_cache(
    client: Client, simulator: Simulator, example: MakeExample
) -> None:
    chosen = example("text_to_image_two_loras")
    client.run(chosen.prompt)
    before = len(simulator.requests)

    result = client.run(chosen.prompt)

    assert result.outcome == "success"
    assert chosen.sampler in result.of_kind("execution_cached")[0].data["nodes"]
    assert len(simulator.requests) == before
