"""Which hint carries the picture of a control or reference, and in which form.

The server reads seven kinds of hints, one of each, and ignores the rest. Some controls
make their map from the init image, and some take whatever "custom" holds
(docs/protocol.md 4.4): so pictures are placed for all controls together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from ..models.catalog import Catalog, ControlInfo
from ..pictures import pixels
from ..pictures.values import Picture, Size
from ..text import Template
from .parts import Control

_ONE_PICTURE_FOR_TWO = Template(
    "one_picture_for_two_controls",
    "Two controls, '{first}' and '{second}', want the one \"{kind}\" picture that the server "
    "takes: use one of them, or give both the same picture.",
)
_POSE_AND_STRENGTH = Template(
    "pose_and_hires_strength",
    "The pose picture needs the size of each pass, and at this hires fix strength there may be "
    "one pass only: lower it to {limit}, or switch hires fix off.",
)
_POSE_AND_STEPS = Template(
    "pose_and_hires_steps",
    "The pose picture needs the size of each pass, and with so few steps there may be one pass "
    "only: use more steps, or switch hires fix off.",
)
_WOULD_TAKE_ANOTHERS = Template(
    "control_would_take_anothers",
    "The control '{name}' has no picture and would take that of '{other}': remove one of them, "
    "or give both the same picture.",
)


if TYPE_CHECKING:
    from .resolved import Resolved

# Where the server looks for the input of each kind, best first. "image" is the init image,
# "edges" the same where the server has the file that finds soft edges.
_CUSTOM = ("custom",)
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "canny": ("image", "custom"),
    "mlsd": ("image", "custom"),
    "softedge": ("edges", "custom"),
    "depth": ("depth", "image"),
    "scribble": ("scribble", "edges"),
    "pose": ("pose", "custom"),
    "color": ("color", "image"),
    "shuffle": ("shuffle", "custom"),
    "tile": ("custom", "image"),
    "blur": ("custom", "image"),
    "gray": ("custom", "image"),
    "lowquality": ("custom", "image"),
    "inpaint": ("image",),
    "ip2p": ("image",),
}
EDGE_DETECTOR = "hed_f16.ckpt"
# Controls that put pictures into the prompt or the attention, not a map beside the image.
IMAGE_PROMPTS = frozenset(
    {"ipadapterplus", "ipadapterfull", "ipadapterfaceidplus", "pulid", "redux", "llava"}
)
_READS_SHUFFLE = IMAGE_PROMPTS | {"inject_kv"}
# Versions whose control networks look at -1..1; the others at 0..1. The server converts all
# hints but the pose.
_SIGNED_POSE = frozenset({"flux1", "wan_v2.1_1.3b", "wan_v2.1_14b", "wan_v2.2_5b"})

Tensors = list[tuple[NDArray[Any], float]]


def gather(resolved: Resolved) -> Mapping[str, Tensors]:
    """Every hint by name, as wire arrays with their weights; the server uses one of each name.

    Raises RequestError where two controls need different pictures under one name.
    """
    drivers = _drivers(resolved)
    place = _Places(resolved, drivers)
    hints: dict[str, Tensors] = {}
    prompts = [
        (pixels.picture_to_wire(reference.picture.pixels), reference.weight)
        for reference in resolved.request.references
        if reference.weight > 0
    ]
    prompts.extend((array, 1.0) for array in _image_prompts(drivers, place.size))
    if prompts:
        hints["shuffle"] = prompts
    poses = [driver for driver in drivers if driver.kind == "pose"]
    for driver in [driver for driver in drivers if driver.kind != "pose"] + poses:
        place.put(driver)
    for name, driver in place.owners.items():
        shown = _shown(driver.pictures[0], driver.control)
        hints[name] = [(array, 1.0) for array in place.arrays(name, shown)]
    return hints


def input_kind(control: Control, catalog: Catalog | None) -> str:
    """What the server takes a control for: its own type, else the chosen input type.

    "" where neither is known; the server then skips the control (docs/protocol.md 2.4).
    """
    known = catalog.control(control.file) if catalog else None
    if known is not None and known.type in _READS_SHUFFLE:
        return "shuffle"
    if known is not None and known.modifier:
        return known.modifier
    return control.input_type.hint_name or ""


def hint_name(control: Control, catalog: Catalog | None, *, with_image: bool = False) -> str | None:
    """The hint that would carry this control's picture; None where the server reads none.

    `with_image` says whether an init image goes along: some kinds prefer it.
    """
    known = catalog.control(control.file) if catalog else None
    sources = _SOURCES.get(input_kind(control, catalog), _CUSTOM)
    for source in sources:
        if source == "image" and with_image:
            return None
        if source == "edges" and with_image and _finds_edges(known, catalog):
            return None
        if source not in {"image", "edges"}:
            return source
    return None


def hires_first_pass(resolved: Resolved) -> Size | None:
    """The size of the first pass where hires fix may act; None where it cannot."""
    settings = resolved.settings
    first = Size(int(settings["hires_fix_start_width"]), int(settings["hires_fix_start_height"]))
    smaller = (
        0 < first.width < settings["start_width"] and 0 < first.height < settings["start_height"]
    )
    return first if settings["hires_fix"] and smaller else None


@dataclass(frozen=True, slots=True, eq=False)
class _Driver:
    """A control that takes part, with its kind and what the server says of it."""

    control: Control
    kind: str
    known: ControlInfo | None

    @property
    def name(self) -> str:
        return self.known.name if self.known else self.control.file or f"the {self.kind} picture"

    @property
    def pictures(self) -> tuple[Picture, ...]:
        first = self.control.picture
        return () if first is None else (first, *self.control.more_pictures)

    def same_picture(self, other: _Driver) -> bool:
        mine, its = self.control, other.control
        if mine.picture is None or its.picture is None:
            return False
        return mine.invert == its.invert and _equal(mine.picture, its.picture)


def _drivers(resolved: Resolved) -> list[_Driver]:
    """The controls that the server will not skip, and pictures without a control."""
    catalog = resolved.catalog
    bare = [control for control in resolved.request.controls if not control.file]
    found = []
    for control in (*resolved.controls, *bare):
        known = catalog.control(control.file) if catalog and control.file else None
        kind = input_kind(control, catalog)
        if control.weight <= 0 or (known is not None and not kind):
            continue
        if known and resolved.model and known.version != resolved.model.version:
            continue
        if not control.file and (not kind or control.picture is None):
            continue
        found.append(_Driver(control, kind, known))
    return found


class _Places:
    """Which control's picture goes under which name."""

    def __init__(self, resolved: Resolved, drivers: Sequence[_Driver]) -> None:
        self.size = resolved.size
        self.owners: dict[str, _Driver] = {}
        self._resolved = resolved
        self._catalog = resolved.catalog
        self._with_image = resolved.request.image is not None
        self._with_prompts = any(row.weight > 0 for row in resolved.request.references) or any(
            driver.kind == "shuffle" and driver.pictures for driver in drivers
        )
        self._drivers = drivers

    def put(self, driver: _Driver) -> None:
        """Give the driver's picture its name. Raises RequestError if that is taken."""
        if driver.kind == "shuffle" or driver.control.picture is None:
            return
        name = hint_name(driver.control, self._catalog, with_image=self._with_image)
        if name is None:
            return
        if driver.kind == "pose" and "pose" not in self.owners:
            # "custom" is resized and converted by the server, "pose" is not.
            owner = self.owners.get("custom")
            if owner.kind == "pose" if owner else not self._custom_is_wanted():
                name = "custom"
        owner = self.owners.setdefault(name, driver)
        if not driver.same_picture(owner):
            raise RequestError(
                _ONE_PICTURE_FOR_TWO(first=owner.name, second=driver.name, kind=name)
            )
        if name == "custom":
            self._no_stranger_reads(driver)

    def arrays(self, name: str, shown: NDArray[np.float32]) -> Iterator[NDArray[Any]]:
        """A picture in the form that the server expects under that name."""
        if name != "pose":
            yield _hint_array(name, shown, self.size)
            return
        first = hires_first_pass(self._resolved)
        if first is not None:
            self._refuse_unsure_hires()
        for size in (self.size,) if first is None else (first, self.size):
            fitted = pixels.cover(shown, size.width, size.height)
            if self._resolved.version in _SIGNED_POSE:
                yield pixels.picture_to_wire(fitted)
            else:
                yield pixels.scribble_to_wire(fitted)  # 0..1, as a scribble

    def _custom_is_wanted(self) -> bool:
        """Whether something else than a pose control would read the custom picture."""
        others = (driver for driver in self._drivers if driver.kind != "pose")
        return any(map(self._reads_custom, others)) or (
            not self._with_image and "canny" in modifiers(self._resolved)
        )

    def _reads_custom(self, driver: _Driver) -> bool:
        """Whether the server takes the custom picture for this control, if there is one."""
        for source in _SOURCES.get(driver.kind, _CUSTOM):
            if source == "custom":
                return driver.known is None or driver.known.type != "inject_kv"
            if source == "image" and self._with_image:
                return False
            if source == "edges" and self._with_image and _finds_edges(driver.known, self._catalog):
                return False
            if source == "shuffle" and self._with_prompts:
                return False
            if source == "pose" and any(
                other.kind == "pose" and other.pictures for other in self._drivers
            ):
                return False
        return False

    def _no_stranger_reads(self, owner: _Driver) -> None:
        for driver in self._drivers:
            if driver.kind == owner.kind or driver.control.picture is not None:
                continue
            if self._reads_custom(driver):
                raise RequestError(_WOULD_TAKE_ANOTHERS(name=driver.name, other=owner.name))

    def _refuse_unsure_hires(self) -> None:
        """A pose must have the size of its pass, so it must be certain that there are two."""
        settings = self._resolved.settings
        steps = int(settings["steps"])
        # Noise left after the first step, as a share; the fastest schedule is Karras.
        left = 1 - 1 / (steps - 1) if steps > 3 else 0.0
        shift = min(float(settings["shift"]), 1.0)
        limit = shift * left / (1 + (shift - 1) * left) - 0.05
        if settings["hires_fix_strength"] > limit:
            if limit > 0.1:
                raise RequestError(_POSE_AND_STRENGTH(limit=f"{limit - 0.005:.2f}"))
            raise RequestError(_POSE_AND_STEPS())


def _image_prompts(drivers: Sequence[_Driver], size: Size) -> Iterator[NDArray[Any]]:
    """The pictures of all image prompts, each once: every one of them looks at all."""
    sent: list[tuple[Picture, bool]] = []
    for driver in drivers:
        if driver.kind != "shuffle":
            continue
        fits = driver.known is not None and driver.known.type == "inject_kv"
        for picture in driver.pictures:
            invert = driver.control.invert
            if any(invert == other and _equal(picture, seen) for seen, other in sent):
                continue
            sent.append((picture, invert))
            shown = _shown(picture, driver.control)
            if fits:  # taken as it is; the server fits all others itself
                shown = pixels.cover(shown, size.width, size.height)
            yield pixels.picture_to_wire(shown)


def _hint_array(name: str, shown: NDArray[np.float32], size: Size) -> NDArray[Any]:
    fitted = pixels.cover(shown, size.width, size.height)
    if name == "depth":
        return pixels.depth_to_wire(fitted.mean(axis=2))
    if name == "scribble":
        return pixels.scribble_to_wire(fitted)
    return pixels.picture_to_wire(fitted)


def _shown(picture: Picture, control: Control) -> NDArray[np.float32]:
    return 1 - picture.pixels if control.invert else picture.pixels


def _equal(one: Picture, other: Picture) -> bool:
    return one is other or np.array_equal(one.pixels, other.pixels)


def modifiers(resolved: Resolved) -> Iterator[str]:
    """What the model and its LoRAs do with pictures, by the server's descriptions
    (docs/protocol.md 4.2); "" where one is made for text only."""
    if resolved.model is not None:
        yield resolved.model.modifier
    for lora in resolved.loras:
        known = resolved.catalog.lora(lora.file) if resolved.catalog else None
        if known is not None:
            yield known.modifier


def _finds_edges(known: ControlInfo | None, catalog: Catalog | None) -> bool:
    """Whether the server has a file that finds soft edges in the init image."""
    if catalog is None:
        return False
    own = known.description.get("preprocessor") if known else None
    return any(isinstance(file, str) and catalog.has(file) for file in (own, EDGE_DETECTOR))
