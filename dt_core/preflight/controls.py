"""Controls whose picture or fields the server does not read (docs/protocol.md 4.4)."""

from __future__ import annotations

from ..models.catalog import ControlInfo
from ..request.hints import EDGE_DETECTOR, IMAGE_PROMPTS, hint_name
from ..request.parts import Control
from ..request.resolved import Resolved
from . import facts
from .findings import Check, Sentences, warning

_FROM_IMAGE_FIRST = frozenset({"canny", "mlsd", "softedge"})
_FROM_IMAGE_ONLY = frozenset({"inpaint", "ip2p"})
_FROM_PICTURE_FIRST = frozenset({"tile", "blur", "gray", "lowquality"})
_BLOCKS = frozenset({"ipadapterplus", "ipadapterfull", "ipadapterfaceidplus"})


def control_pictures(at: Resolved) -> Sentences:
    """A control without the picture that it works on, and pictures in vain."""
    image = at.request.image is not None
    for control, known, kind in facts.usable_controls(at):
        given = control.picture is not None
        if known.type == "controlnet" and kind in {"color", "audio"}:
            yield warning(f"The control {known.name!r} of kind {kind} does nothing on the server.")
        elif given and kind in _FROM_IMAGE_ONLY:
            yield warning(
                f"The picture of the control {known.name!r} is ignored: it works on the input "
                "image."
            )
        elif given and image and _prefers_image(at, control, known, kind):
            yield warning(
                f"The picture of the control {known.name!r} is ignored: with an input image the "
                f"server computes the {kind} map from that."
            )
        elif given and _prefers_image(at, control, known, kind) and facts.hires_fix_acts(at):
            yield warning(
                f"The second pass of high resolution fix ignores the picture of the control "
                f"{known.name!r}: the server computes the {kind} map from the first pass."
            )
        elif not given and not _finds_input(at, known, kind, image):
            wanted = "an input image" if kind in _FROM_IMAGE_ONLY else "a picture"
            yield warning(
                f"The control {known.name!r} got no {kind} input: connect {wanted}, or it is "
                "skipped."
            )


def _prefers_image(at: Resolved, control: Control, known: ControlInfo, kind: str) -> bool:
    """Whether the server makes the map from the input image although a picture came."""
    if known.type in IMAGE_PROMPTS or kind not in _FROM_IMAGE_FIRST:
        return False
    return hint_name(control, at.catalog, with_image=True) is None


def _finds_input(at: Resolved, known: ControlInfo, kind: str, image: bool) -> bool:
    """Whether something but the control's own picture drives it."""
    shuffled = any(reference.weight > 0 for reference in at.request.references)
    adapter = known.type == "t2iadapter"
    if known.type == "llava":
        return shuffled or image
    if known.type in IMAGE_PROMPTS or known.type == "inject_kv":
        return shuffled
    if kind == "shuffle":  # VACE also works without
        return shuffled or (at.family is not None and at.family.is_video)
    if kind == "depth":
        return image and not adapter and not facts.lacks(at, facts.DEPTH_ESTIMATOR)
    if kind in {"scribble", "softedge"}:
        return image and not adapter and not facts.lacks(at, EDGE_DETECTOR)
    if kind == "color":
        return image and adapter
    return image and kind in {"canny", "mlsd"} | _FROM_IMAGE_ONLY | _FROM_PICTURE_FIRST


def control_fields(at: Resolved) -> Sentences:
    for control, known, kind in facts.usable_controls(at):
        if control.start >= control.end:
            yield warning(f"The control {known.name!r} ends before it starts: it never acts.")
        if control.down_sampling_rate > 1 and not _is_down_sampled(at, control, kind):
            yield warning(
                f"The down sampling rate of the control {known.name!r} has no effect: it needs "
                "the kind tile, blur, gray or low quality, an input image in place of a picture "
                "of its own, and a rate above 1.1."
            )
        if control.target_blocks and known.type not in _BLOCKS:
            yield warning(
                f"The target blocks of the control {known.name!r} have no effect: only IP "
                "adapters of SD v1 and SDXL have them."
            )


def _is_down_sampled(at: Resolved, control: Control, kind: str) -> bool:
    return (
        kind in _FROM_PICTURE_FIRST
        and control.picture is None
        and at.request.image is not None
        and control.down_sampling_rate > 1.1
    )


def image_prompts_share(at: Resolved) -> Sentences:
    """The server shows all "shuffle" pictures to every image prompt (docs/protocol.md 4.4)."""
    prompts = [row for row in facts.usable_controls(at) if row[2] == "shuffle"]
    given = {
        (control.picture, *control.more_pictures)
        for control, _, _ in prompts
        if control.picture is not None
    }
    references = any(reference.weight > 0 for reference in at.request.references)
    if len(given) > 1 or (given and references):
        names = ", ".join(repr(known.name) for _, known, _ in prompts)
        yield warning(
            f"The pictures of all image prompts and references are seen by every one of {names}."
        )


def pictures_without_control(at: Resolved) -> Sentences:
    """FLUX.1 Depth and Canny take a map without a control."""
    given = any(not control.file and control.picture for control in at.request.controls)
    if given and at.model is not None and facts.modifier(at) not in {"depth", "canny"}:
        yield warning(
            f"A control picture without a control is ignored: {at.model.name} takes none by itself."
        )


CHECKS: tuple[Check, ...] = (
    control_pictures,
    control_fields,
    image_prompts_share,
    pictures_without_control,
)
