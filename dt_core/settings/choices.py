"""The choices among named values in a configuration, with their numbers on the wire.

Each member knows its label (what the app shows) and, where the app's JSON writes a
word in place of the number, that word (docs/protocol.md 2.3, 10).
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache
from typing import TypeVar, cast

from ..errors import SettingsError
from ..text import Template

_NOT_ONE_OF = Template("not_one_of", "'{text}' is not one of: {labels}.")


_Any = TypeVar("_Any", bound="Choice")


class Choice(IntEnum):
    """A number on the wire with a label for people.

    `json_name` is None where the app's JSON writes the number.
    """

    label: str
    json_name: str | None

    def __new__(cls, number: int, label: str, json_name: str | None = None) -> Choice:
        member = int.__new__(cls, number)
        member._value_ = number
        member.label = label
        member.json_name = json_name
        return member

    @classmethod
    def from_label(cls: type[_Any], text: str | int) -> _Any:
        """The member of a label, name, JSON name or number, in any case and spacing.

        Raises SettingsError where nothing matches.
        """
        number = str(text).strip()
        found = _numbers(cls).get(number, _names(cls).get(_folded(number)))
        if found is not None:
            return cast("_Any", found)
        labels = ", ".join(member.label for member in cls if member.label)
        raise SettingsError(_NOT_ONE_OF(text=text, labels=labels))


@cache
def _numbers(kind: type[Choice]) -> dict[str, Choice]:
    return {str(int(member)): member for member in kind}


@cache
def _names(kind: type[Choice]) -> dict[str, Choice]:
    """The members of a kind by all that may name them; the first one has a name."""
    found: dict[str, Choice] = {}
    for member in kind:
        for name in (member.name, member.label, member.json_name or member.name):
            found.setdefault(_folded(name), member)
    for member in kind if kind is Sampler else ():
        label = _folded(member.label)
        found.setdefault(label.removesuffix("karras") or label, member)  # "DPM++ 2M" alone
    return found


def _folded(text: str) -> str:
    text = text.lower().replace("++", "pp").replace("ancestral", "a")
    return re.sub(r"[^a-z0-9]", "", text).replace("dpmpp", "dpm")


class Sampler(Choice):
    DPMPP_2M_KARRAS = 0, "DPM++ 2M Karras"
    EULER_A = 1, "Euler Ancestral"
    DDIM = 2, "DDIM"
    PLMS = 3, "PLMS"
    DPMPP_SDE_KARRAS = 4, "DPM++ SDE Karras"
    UNIPC = 5, "UniPC"
    LCM = 6, "LCM"
    EULER_A_SUBSTEP = 7, "Euler A Substep"
    DPMPP_SDE_SUBSTEP = 8, "DPM++ SDE Substep"
    TCD = 9, "TCD"
    EULER_A_TRAILING = 10, "Euler A Trailing"
    DPMPP_SDE_TRAILING = 11, "DPM++ SDE Trailing"
    DPMPP_2M_AYS = 12, "DPM++ 2M AYS"
    EULER_A_AYS = 13, "Euler A AYS"
    DPMPP_SDE_AYS = 14, "DPM++ SDE AYS"
    DPMPP_2M_TRAILING = 15, "DPM++ 2M Trailing"
    DDIM_TRAILING = 16, "DDIM Trailing"
    UNIPC_TRAILING = 17, "UniPC Trailing"
    UNIPC_AYS = 18, "UniPC AYS"
    TCD_TRAILING = 19, "TCD Trailing"


class SeedMode(Choice):
    LEGACY = 0, "Legacy"
    TORCH_CPU_COMPATIBLE = 1, "Torch CPU Compatible"
    SCALE_ALIKE = 2, "Scale Alike"
    NVIDIA_GPU_COMPATIBLE = 3, "NVIDIA GPU Compatible"


class ControlMode(Choice):
    BALANCED = 0, "Balanced", "balanced"
    PROMPT = 1, "Prompt", "prompt"
    CONTROL = 2, "Control", "control"
    # As scripts for Draw Things spell them.
    Balanced = BALANCED
    Prompt = PROMPT
    Control = CONTROL


class ControlInputType(Choice):
    UNSPECIFIED = 0, "Unspecified", ""
    CUSTOM = 1, "Custom", "custom"
    DEPTH = 2, "Depth", "depth"
    CANNY = 3, "Canny", "canny"
    SCRIBBLE = 4, "Scribble", "scribble"
    POSE = 5, "Pose", "pose"
    NORMALBAE = 6, "Normal BAE", "normal bae"
    COLOR = 7, "Color", "color"
    LINEART = 8, "Lineart", "lineart"
    SOFTEDGE = 9, "Softedge", "softedge"
    SEG = 10, "Segmentation", "segmentation"
    INPAINT = 11, "Inpaint", "inpaint"
    IP2P = 12, "Instruct Pix2Pix", "instruct pix2pix"
    SHUFFLE = 13, "Shuffle", "shuffle"
    MLSD = 14, "MLSD", "mlsd"
    TILE = 15, "Tile", "tile"
    BLUR = 16, "Blur", "blur"
    LOWQUALITY = 17, "Low Quality", "low quality"
    GRAY = 18, "Gray", "gray"
    # As scripts for Draw Things spell them.
    Unspecified = UNSPECIFIED
    Custom = CUSTOM
    Depth = DEPTH
    Canny = CANNY
    Scribble = SCRIBBLE
    Pose = POSE
    Normalbae = NORMALBAE
    Color = COLOR
    Lineart = LINEART
    Softedge = SOFTEDGE
    Seg = SEG
    Inpaint = INPAINT
    Ip2p = IP2P
    Shuffle = SHUFFLE
    Mlsd = MLSD
    Tile = TILE
    Blur = BLUR
    Lowquality = LOWQUALITY
    Gray = GRAY

    @property
    def hint_name(self) -> str | None:
        """The hintType of a request (docs/protocol.md 4.4); None for UNSPECIFIED."""
        return self.name.lower() if self else None


class LoraMode(Choice):
    ALL = 0, "All", "all"
    BASE = 1, "Base", "base"
    REFINER = 2, "Refiner", "refiner"


class CompressionMethod(Choice):
    DISABLED = 0, "Disabled", "disabled"
    H264 = 1, "H.264", "h264"
    H265 = 2, "H.265", "h265"
    JPEG = 3, "JPEG", "jpeg"


class ColorCalibration(Choice):
    DISABLED = 0, "Disabled", "none"
    LAB = 1, "Lab", "lab"
