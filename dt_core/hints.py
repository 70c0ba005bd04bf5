"""Which hint carries the picture of a control or reference, and in which form.

docs/protocol.md 4.4: the server reads seven kinds of hints and ignores the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from . import pixels
from .catalog import Catalog
from .errors import RequestError
from .values import Control, Picture, Reference, Size

# Where the server looks for the picture of a control, by the control's input type
# (docs/protocol.md 4.4). Types that are not here take it from "custom".
_HINTS = {
    "depth": "depth",
    "scribble": "scribble",
    "color": "color",
    "shuffle": "shuffle",
}
_FROM_IMAGE_ONLY = frozenset({"inpaint", "ip2p"})
_IMAGE_PROMPTS = frozenset(
    {
        "ipadapterplus",
        "ipadapterfull",
        "ipadapterfaceidplus",
        "pulid",
        "redux",
        "llava",
        "inject_kv",
    }
)


Tensors = list[tuple[NDArray[Any], float]]


def gather(
    references: Sequence[Reference],
    controls: Sequence[Control],
    catalog: Catalog | None,
    size: Size,
) -> Mapping[str, Tensors]:
    """Every hint by name, as wire arrays with their weights; the server uses one of each name.

    Raises RequestError where two controls want the one picture of a name.
    """
    hints: dict[str, Tensors] = {}
    for reference in references:
        if reference.weight > 0:
            array = pixels.picture_to_wire(reference.picture.pixels)
            hints.setdefault("shuffle", []).append((array, reference.weight))
    for control in controls:
        name = hint_name(control, catalog)
        if control.picture is None or name is None or control.weight <= 0:
            continue
        if name != "shuffle" and name in hints:
            raise RequestError(
                f'Two controls want the one "{name}" picture that the server takes: '
                "use one of them, or give both the same picture."
            )
        hints.setdefault(name, []).append((_hint_array(name, control.picture, size), 1.0))
    return hints


def _hint_array(name: str, picture: Picture, size: Size) -> NDArray[Any]:
    if name == "shuffle":  # the server fits these itself
        return pixels.picture_to_wire(picture.pixels)
    fitted = pixels.cover(picture.pixels, size.width, size.height)
    if name == "depth":
        return pixels.depth_to_wire(fitted.mean(axis=2))
    if name == "scribble":
        return pixels.scribble_to_wire(fitted)
    return pixels.picture_to_wire(fitted)


def input_kind(control: Control, catalog: Catalog | None) -> str:
    """What the server takes a control for: its own type, else the chosen input type.

    "" where neither is known; the server then skips the control (docs/protocol.md 2.4).
    """
    known = catalog.control(control.file) if catalog else None
    if known is not None and known.type in _IMAGE_PROMPTS:
        return "shuffle"
    if known is not None and known.modifier:
        return known.modifier
    return control.input_type.hint_name or ""


def hint_name(control: Control, catalog: Catalog | None) -> str | None:
    """The hint that carries this control's picture; None where the server reads none."""
    kind = input_kind(control, catalog)
    return None if kind in _FROM_IMAGE_ONLY else _HINTS.get(kind, "custom")
