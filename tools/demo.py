"""Run the example workflows in a real ComfyUI against the simulator: `make demo`.

Leaves a picture of each in demo/, with a line on what it shows. With `--thumbnails` it
also renews the small pictures that ComfyUI's template browser shows.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from .child import ChildError
from .comfyui import ComfyUI
from .comfyui_client import Client, PromptRefused
from .comfyui_setup import ROOT, SetupError, find_or_install
from .example_graphs import TITLES
from .simulator_process import SimulatorProcess

EXAMPLES = ROOT / "example_workflows"
TARGET = ROOT / "demo"
THUMBNAIL_SIDE = 512
STEP_DELAY_S = 0.05

SHOWS = {
    "text_to_image": "a picture from text",
    "text_to_image_two_loras": "a picture from text, with two LoRAs at weights 0.6 and 0.9",
    "inpainting": "the lake, repainted where the mask is white",
    "outpainting": "the lake, with more of it on both sides",
    "controlnet": "a picture that follows a depth map",
    "reference_edit": "an edit with the portrait and the lake as references",
    "hires_fix_upscaler": "two passes, then twice the size",
    "video_with_sound": "the first frame of a film with sound",
    "mixed_local_and_remote": "the lake, scaled and sharpened by ComfyUI itself",
}
FRAME = "frame"  # a node that the film gets here, to look at a picture of it


class DemoError(Exception):
    """A workflow did not end with a picture."""


def example_prompt(name: str) -> dict[str, Any]:
    """One example in API format."""
    text = (EXAMPLES / "api" / f"{name}.json").read_text(encoding="utf-8")
    prompt: dict[str, Any] = json.loads(text)
    return prompt


def graph_file(name: str) -> Path:
    """The same example as people open it; its picture has the ending .jpg."""
    return EXAMPLES / f"{TITLES[name]}.json"


def picture_node(prompt: dict[str, Any]) -> str:
    """The id of the node that saves the picture."""
    kinds = {"SaveImage", "DTSaveImage"}
    (found,) = (ident for ident, node in prompt.items() if node["class_type"] in kinds)
    return found


def with_picture(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt; that of a film with a node that saves its pictures too."""
    if any(node["class_type"].endswith("SaveImage") for node in prompt.values()):
        return prompt
    (film,) = (ident for ident, node in prompt.items() if node["class_type"] == "DTSampler")
    inputs = {"images": [film, 0], "filename_prefix": "DrawThings/frame"}
    return {**prompt, FRAME: {"class_type": "SaveImage", "inputs": inputs}}


def run_example(client: Client, name: str) -> tuple[bytes, float]:
    """The PNG that a workflow makes, and how long it took, in seconds."""
    prompt = with_picture(example_prompt(name))
    began = time.monotonic()
    result = client.run(prompt)
    took = time.monotonic() - began
    if result.outcome != "success":
        raise DemoError(f"{name} ended as {result.outcome}: {result.error}")
    file = result.files(picture_node(prompt))[0]
    return client.view(file), took


def main() -> None:
    thumbnails = "--thumbnails" in sys.argv[1:]
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    try:
        installation = find_or_install()
        with (
            SimulatorProcess(step_delay_s=STEP_DELAY_S) as simulator,
            ComfyUI(installation, server=simulator.address) as comfyui,
            comfyui.client() as client,
        ):
            for name, shows in SHOWS.items():
                png, took = run_example(client, name)
                file = TARGET / f"{name}.png"
                file.write_bytes(png)
                with Image.open(io.BytesIO(png)) as picture:
                    width, height = picture.size
                    if thumbnails:
                        save_thumbnail(picture, graph_file(name).with_suffix(".jpg"))
                line = f"{file.relative_to(ROOT)}  {width}x{height}  {took:.1f} s  {shows}"
                print(line, flush=True)
                with (TARGET / "pictures.txt").open("a", encoding="utf-8") as lines:
                    lines.write(f"{line}\n")
    except (SetupError, ChildError, DemoError, PromptRefused) as error:
        sys.exit(f"demo: {error}")


def save_thumbnail(picture: Image.Image, path: Path) -> None:
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    small.save(path, quality=85, optimize=True)


if __name__ == "__main__":
    main()
