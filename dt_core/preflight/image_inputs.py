"""Images, masks and references that the server does not look at."""

from __future__ import annotations

from ..pictures import masks
from ..request import frames
from ..request.resolved import Resolved
from . import facts
from .findings import Check, Sentences, warning

_COARSE_PX = 32  # of LTX and HiDream O1; Stable Cascade, without a scale, is coarser still
_WANTS_IMAGE = frozenset({"inpainting", "editing", "double", "qwenimage_layered"})


def mask_needs_image(at: Resolved) -> Sentences:
    if at.request.mask is None:
        return
    if at.request.image is None:
        yield warning("The mask is ignored: a mask needs an image.")
    elif not at.request.mask.marks:
        yield warning(
            "The mask marks nothing: the server repaints the whole picture at the given strength."
        )


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
    yield warning(
        f"{family.name} reads masks in cells of about {_COARSE_PX} px: thin parts of this one "
        "may vanish or shift."
    )


def mask_on_layers(at: Resolved) -> Sentences:
    """Transparent results leave areas of code 1 alone (docs/protocol.md 4.3)."""
    mask = at.request.mask
    if mask is None or mask.fill is None or at.request.image is None:
        return
    if facts.is_transparent(at) and bool((mask.fill >= 0.5).any()):
        yield warning(
            "Transparent results ignore the fill area of the mask: mark it for repainting instead."
        )


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
            yield warning(
                f"{model.name} is an edit model and got no picture: "
                "connect an image or a reference."
            )
    elif found in _WANTS_IMAGE:
        yield warning(f"This run is made for {found.replace('_', ' ')} and got no image.")


def image_without_effect(at: Resolved) -> Sentences:
    if facts.image_is_lost(at):
        yield warning("At strength 1 the image has no effect: lower the strength.")


def frames_taken(at: Resolved) -> Sentences:
    given = 1 + len(at.request.frames)
    if at.request.image is None or at.family is None or given == 1:
        return
    taken = frames.leading(at, given)
    if taken < given:
        yield warning(f"{at.family.name} starts from {taken} of the {given} pictures here.")


def references_without_effect(at: Resolved) -> Sentences:
    if at.model is None or at.family is None:
        return
    given = any(reference.weight > 0 for reference in at.request.references)
    if given and not facts.reads_references(at):
        yield warning(f"{at.model.name} does not look at reference pictures: they are ignored.")


CHECKS: tuple[Check, ...] = (
    mask_needs_image,
    mask_alignment,
    mask_on_layers,
    image_needed,
    image_without_effect,
    frames_taken,
    references_without_effect,
)
