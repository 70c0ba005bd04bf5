"""An example workflow as a test changes it, and how its picture is read."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
from drawthings.tools.comfyui_client import Client, Result
from drawthings.tools.demo import example_prompt, picture_node, with_picture
from PIL import Image

SECRET = "correct-horse-battery-staple-4711"
SECRET_NAME = "TESTHOME"

# Where the picture has another size than the sampler's fields say, px.
SIZES = {"outpainting": (1472, 640), "hires_fix_upscaler": (2560, 1920)}

Pixels = npt.NDArray[np.int16]

_seeds = itertools.count(1_000_000)


class Example:
    """One of the example workflows, with a seed that no cache knows."""

    def __init__(self, name: str) -> None:
        self.prompt = with_picture(example_prompt(name))
        self._size = SIZES.get(name)
        self.sampler = self._only("DTSampler")
        self.loader = self._only("DTModelLoader")
        self.inputs["seed"] = next(_seeds)

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs of its sampler."""
        found: dict[str, Any] = self.prompt[self.sampler]["inputs"]
        return found

    @property
    def size(self) -> tuple[int, int]:
        return self._size or (self.inputs["width"], self.inputs["height"])

    def choose_model(self, file: str) -> None:
        self.prompt[self.loader]["inputs"]["model"] = file

    def connect_server(self, address: str, secret_name: str = "") -> None:
        """Put a DT Server before the loader."""
        inputs = {
            "address": address,
            "tls": "plain text",
            "secret_name": secret_name,
            "fingerprint": "",
        }
        self.prompt["900"] = {"class_type": "DTServer", "inputs": inputs}
        self.prompt[self.loader]["inputs"]["server"] = ["900", 0]

    def pixels(self, client: Client, result: Result) -> Pixels:
        """What the run saved."""
        file = result.files(picture_node(self.prompt))[0]
        return decode(client.view(file))

    def _only(self, kind: str) -> str:
        (found,) = (ident for ident, node in self.prompt.items() if node["class_type"] == kind)
        return found


def decode(encoded: bytes) -> Pixels:
    """RGB values; signed, so that differences are right."""
    with Image.open(io.BytesIO(encoded)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int16)
