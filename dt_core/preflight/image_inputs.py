"""Images, masks and references that the server does not look at."""

from __future__ import annotations

from ..pictures import masks
from ..request import frames
from ..request.resolved import Resolved
from ..text import Template
from . import facts
from .findings import Check, Sentences, warning

_COARSE_PX = 32  # of LTX and HiDream O1; Stable Cascade, without a scale, is coarser still
_WANTS_IMAGE = frozenset({"inpainting", "editing", "double", "qwenimage_layered"})

_MASK_ALONE = Template("mask_needs_image", "The mask is ignored: a mask needs an image.")
_MASK_EMPTY = Template(
    "mask_empty",
    "The mask marks nothing: the server repaints the whole picture at the given strength.",
)
_COARSE = Template(
    "mask_cells",
    "{name} reads masks in cells of about {size} px: thin parts of this one may vanish or shift.",
)
_FILL = Template(
    "transparent_fill",
    "Transparent results ignore the fill area of the mask: mark it for repainting instead.",
)
_EDITS_NOTHING = Template(
    "edit_without_picture",
    "{name} is an edit model and got no picture: give it an image or a reference.",
)
_NO_IMAGE = Template("run_without_image", "This run is made for {found} and got no image.")
_STRENGTH_1 = Template(
    "lower_strength", "At strength 1 the image has no effect: lower the strength."
)
_STARTS_FROM = Template("starts_from", "{name} starts from {taken} of the {given} pictures here.")
_NO_REFERENCES = Template(
    "references_ignored", "{name} does not look at reference pictures: they are ignored."
)


def mask_needs_image(at: Resolved) -> Sentences:
    if at.request.mask is None:
        return
    if at.request.image is None:
        yield warning(_MASK_ALONE())
    elif not at.request.mask.marks:
        yield warning(_MASK_EMPTY())


def mask_alignment(at: Resolved) -> Sentences:
    """Cells of 32 px keep only one of four mask cells (docs/protocol.md 4.3)."""
    mask, image, family = at.request.mask, at.request.image, at.family
    if mask is None or image is None or family is None or not mask.marks:
        return
    if family.latent_scale not in {_COARSE_PX, None}:
        return
    size = at.size
    codes = masks.to_codes(mask, image.size, size) & 7
    cells = codes.reshape(size.height // _COARSE_PX, _COARSE_PX, size.width // _COARSE_PX, -1)
    if (cells.min(axis=(1, 3)) == cells.max(axis=(1, 3))).all():
        return
    yield warning(_COARSE(name=family.name, size=_COARSE_PX))


def mask_on_layers(at: Resolved) -> Sentences:
    """Transparent results leave areas of code 1 alone (docs/protocol.md 4.3)."""
    mask = at.request.mask
    if mask is None or mask.fill is None or at.request.image is None:
        return
    if facts.is_transparent(at) and bool((mask.fill >= 0.5).any()):
        yield warning(_FILL())


def image_needed(at: Resolved) -> Sentences:
    request, model = at.request, at.model
    if model is None or request.image is not None:
        return
    if model.family is not None and model.family.needs_image:
        return  # refused elsewhere
    found = facts.modifier(at)
    given = any(reference.weight > 0 for reference in request.references)
    if found in facts.REFERENCE_MODIFIERS:
        edits = model.family is not None and model.family.supports("reference_images")
        if edits and not given and not any(control.picture for control in at.request.controls):
            yield warning(_EDITS_NOTHING(name=model.name))
    elif found in _WANTS_IMAGE:
        yield warning(_NO_IMAGE(found=found.replace("_", " ")))


def image_without_effect(at: Resolved) -> Sentences:
    if facts.image_is_lost(at):
        yield warning(_STRENGTH_1())


def frames_taken(at: Resolved) -> Sentences:
    given = 1 + len(at.request.frames)
    if at.request.image is None or at.family is None or given == 1:
        return
    taken = frames.leading(at, given)
    if taken < given:
        yield warning(_STARTS_FROM(name=at.family.name, taken=taken, given=given))


def references_without_effect(at: Resolved) -> Sentences:
    if at.model is None or at.family is None:
        return
    given = any(reference.weight > 0 for reference in at.request.references)
    if given and not facts.reads_references(at):
        yield warning(_NO_REFERENCES(name=at.model.name))


CHECKS: tuple[Check, ...] = (
    mask_needs_image,
    mask_alignment,
    mask_on_layers,
    image_needed,
    image_without_effect,
    frames_taken,
    references_without_effect,
)
