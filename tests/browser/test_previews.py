"""What a node shows while its picture is made: steps of it, and frames of a video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator

FLUX = ("flux_1_schnell_q5p.ckpt", 512, 256)
WAN = ("wan_v2.1_1.3b_480p_f16.ckpt", 832, 448)
FRAMES = 5  # of Wan: two latent ones, shown side by side
# Of the picture that a running node shows, or null.
SHOWN = """id => {
    const node = app.graph._nodes.find(node => String(node.id) === id)
    const image = document.querySelector(`[data-node-id="${id}"] img`) ?? node.imgs?.[0]
    return image?.naturalWidth ? [image.naturalWidth, image.naturalHeight] : null
}"""


@pytest.fixture
def slow(canvas: Canvas, simulator: Simulator) -> Iterator[Canvas]:
    """The page before a server that takes its time; nothing runs afterwards."""
    simulator.step_delay, before = 1.0, simulator.step_delay
    yield canvas
    simulator.step_delay = before
    canvas.page.evaluate("app.api.interrupt()")
    canvas.page.wait_for_function(
        "![...document.querySelectorAll('.dt-section-progress')].some(line => line.textContent)"
    )


def run(canvas: Canvas, seed: int, model: tuple[str, int, int], **options: Any) -> str:
    """Start a run; the id of its sampler."""
    file, width, height = model
    values = {"seed": seed, "steps": 6, "width": width, "height": height}
    nodes = {
        "loader": ["DTModelLoader", 60, 60, {"model": file}],
        "sampler": ["DTSampler", 460, 60, values],
        "end": ["PreviewImage", 900, 60, {}],
    }
    links = [["loader", 0, "sampler", "model"], ["sampler", 0, "end", "images"]]
    if options:
        nodes["options"] = ["DTVideoOptions", 60, 400, options]
        links.append(["options", 0, "sampler", "options"])
    ids = canvas.build(nodes, links)
    canvas.show_all()
    canvas.run()
    return ids["sampler"]


def wait_for_preview(canvas: Canvas, sampler: str, ratio: float) -> None:
    """Until a picture of that shape is shown while steps are told."""
    canvas.page.wait_for_function(
        f"""([id, ratio]) => {{
            const line = document.querySelector('.dt-section-progress')
            if (!line?.textContent.includes('step')) return false
            const [width, height] = ({SHOWN})(id) ?? [0, 1]
            return Math.abs(width / height - ratio) < 0.05
        }}""",
        arg=[sampler, ratio],
    )


def test_the_steps_of_a_picture_are_seen_on_the_node(slow: Canvas, simulator: Simulator) -> None:
    sampler = run(slow, 7_800_001 + len(simulator.requests), FLUX)

    wait_for_preview(slow, sampler, 512 / 256)
    slow.screenshot("preview")


def test_frames_of_a_video_are_seen_side_by_side(slow: Canvas, simulator: Simulator) -> None:
    sampler = run(slow, 7_810_001 + len(simulator.requests), WAN, num_frames=FRAMES)

    wait_for_preview(slow, sampler, 2 * 832 / 448)
    slow.screenshot("preview-video")
