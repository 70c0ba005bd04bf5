"""The pictures of docs/cookbook.md, taken from real graphs: `make docs-pictures`.

No test by its name, so only that command runs it; the files are small JPEGs in docs/images.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from canvas import FACES, Canvas
from drawthings.tools.comfyui_setup import ROOT
from drawthings.tools.demo import SHOWS, example_prompt, graph_file, picture_node
from PIL import Image

TARGET = ROOT / "docs" / "images"
WIDTH_PX = 1400
MOST_BYTES = 150_000
SETTLE_MS = 2_000  # previews and players have their size by then
ROOM = (90, 130, 1580, 930)  # of the page, px, free of bars: left, top, right, bottom

pytestmark = pytest.mark.parametrize("page_of_face", FACES[:1], ids=["page"], indirect=True)


def graph_of(name: str) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(graph_file(name).read_text(encoding="utf-8"))
    return graph


def fit(canvas: Canvas) -> tuple[int, int, int, int]:
    """Bring the whole graph into the free room of the page; the box that it fills there, px."""
    box: list[float] = canvas.page.evaluate(
        """([left, top, right, bottom]) => {
            const boxes = app.graph._nodes.map(node =>
                [0, -30, node.size[0], node.size[1]].map((far, at) => node.pos[at % 2] + far))
            const side = (index, pick) => pick(...boxes.map(box => box[index]))
            const graph = [0, 1, 2, 3].map(at => side(at, at < 2 ? Math.min : Math.max))
            const [width, height] = [graph[2] - graph[0], graph[3] - graph[1]]
            const scale = Math.min(1, (right - left) / width, (bottom - top) / height)
            const page = app.canvas.canvas.getBoundingClientRect()
            app.canvas.ds.scale = scale
            app.canvas.ds.offset[0] = (left - page.left) / scale - graph[0]
            app.canvas.ds.offset[1] = (top - page.top) / scale - graph[1]
            app.canvas.setDirty(true, true)
            return [left - 16, top - 16, left + width * scale + 16, top + height * scale + 16]
        }""",
        list(ROOM),
    )
    left, top, right, bottom = (int(side) for side in box)
    return left, top, right, bottom


def keep(canvas: Canvas, name: str, box: tuple[int, int, int, int]) -> None:
    """A part of the page as a small file."""
    with Image.open(io.BytesIO(canvas.page.screenshot())) as shot:
        picture = shot.convert("RGB").crop(box)
    picture.thumbnail((WIDTH_PX, WIDTH_PX), Image.Resampling.LANCZOS)
    TARGET.mkdir(exist_ok=True)
    path = TARGET / f"{name}.jpg"
    for quality in (86, 78, 70, 60):
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    pytest.fail(f"{path.name} has {path.stat().st_size} bytes")


@pytest.mark.parametrize("name", SHOWS)
def test_the_graph_of_an_example_after_its_run(canvas: Canvas, name: str) -> None:
    canvas.load(graph_of(name))
    canvas.run()
    prompt = example_prompt(name)
    if any(node["class_type"] == "SaveVideo" for node in prompt.values()):
        canvas.page.wait_for_function("Object.keys(app.nodeOutputs).length >= 2")
        canvas.page.locator("video").first.wait_for()
    else:
        canvas.wait_for_picture(int(picture_node(prompt)))
    box = fit(canvas)
    canvas.page.wait_for_timeout(SETTLE_MS)
    keep(canvas, re.sub(r"[^a-z]+", "-", name), box)


def test_the_sidebar(canvas: Canvas) -> None:
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
    tab = canvas.page.locator(".dt-sidebar")
    tab.locator(".dt-contents-tabs").wait_for()
    canvas.page.wait_for_timeout(SETTLE_MS)
    box = tab.bounding_box()
    assert box is not None
    left, top = int(box["x"]), int(box["y"])
    keep(
        canvas, "sidebar", (left, top, left + int(box["width"]), top + min(int(box["height"]), 700))
    )
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
