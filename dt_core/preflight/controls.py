"""Controls whose picture or fields the server does not read (docs/protocol.md 4.4)."""

from __future__ import annotations

from ..models.catalog import ControlInfo
from ..request.hints import EDGE_DETECTOR, IMAGE_PROMPTS, hint_name
from ..request.parts import Control
from ..request.resolved import Resolved
from ..text import Template
from . import facts
from .findings import Check, Sentences, warning

_FROM_IMAGE_FIRST = frozenset({"canny", "mlsd", "softedge"})
_FROM_IMAGE_ONLY = frozenset({"inpaint", "ip2p"})
_FROM_PICTURE_FIRST = frozenset({"tile", "blur", "gray", "lowquality"})
_BLOCKS = frozenset({"ipadapterplus", "ipadapterfull", "ipadapterfaceidplus"})

_DOES_NOTHING = Template(
    "control_kind", "The control '{name}' of kind {kind} does nothing on the server."
)
_ON_INPUT = Template(
    "control_on_input",
    "The picture of the control '{name}' is ignored: it works on the input image.",
)
_MAP_OF_IMAGE = Template(
    "control_map",
    "The picture of the control '{name}' is ignored: with an input image the server computes the "
    "{kind} map from that.",
)
_SECOND_PASS = Template(
    "control_second_pass",
    "The second pass of high resolution fix ignores the picture of the control '{name}': the "
    "server computes the {kind} map from the first pass.",
)
_LACKS_INPUT = Template(
    "control_lacks_input",
    "The control '{name}' got no {kind} input: give it {wanted}, or it is skipped.",
)
_AN_IMAGE = Template("an_input_image", "an input image")
_A_PICTURE = Template("a_picture", "a picture")
_ENDS_FIRST = Template("control_ends", "The control '{name}' ends before it starts: it never acts.")
_DOWN_SAMPLING = Template(
    "down_sampling",
    "The down sampling rate of the control '{name}' has no effect: it needs the kind tile, blur, "
    "gray or low quality, an input image in place of a picture of its own, and a rate above 1.1.",
)
_NO_BLOCKS = Template(
    "target_blocks",
    "The target blocks of the control '{name}' have no effect: only IP adapters of SD v1 and SDXL "
    "have them.",
)
_SEEN_BY_ALL = Template(
    "prompts_seen_by_all",
    "The pictures of all image prompts and references are seen by every one of {names}.",
)
_NO_CONTROL = Template(
    "picture_without_control",
    "A control picture without a control is ignored: {name} takes none by itself.",
)


def control_pictures(at: Resolved) -> Sentences:
    """A control without the picture that it works on, and pictures in vain."""
    image = at.request.image is not None
    for control, known, kind in facts.usable_controls(at):
        given = control.picture is not None
        if known.type == "controlnet" and kind in {"color", "audio"}:
            yield warning(_DOES_NOTHING(name=known.name, kind=kind))
        elif given and kind in _FROM_IMAGE_ONLY:
            yield warning(_ON_INPUT(name=known.name))
        elif given and image and _prefers_image(at, control, known, kind):
            yield warning(_MAP_OF_IMAGE(name=known.name, kind=kind))
        elif given and _prefers_image(at, control, known, kind) and facts.hires_fix_acts(at):
            yield warning(_SECOND_PASS(name=known.name, kind=kind))
        elif not given and not _finds_input(at, known, kind, image):
            wanted = _AN_IMAGE() if kind in _FROM_IMAGE_ONLY else _A_PICTURE()
            yield warning(_LACKS_INPUT(name=known.name, kind=kind, wanted=wanted))


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
            yield warning(_ENDS_FIRST(name=known.name))
        if control.down_sampling_rate > 1 and not _is_down_sampled(at, control, kind):
            yield warning(_DOWN_SAMPLING(name=known.name))
        if control.target_blocks and known.type not in _BLOCKS:
            yield warning(_NO_BLOCKS(name=known.name))


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
        yield warning(_SEEN_BY_ALL(names=[known.name for _, known, _ in prompts]))


def pictures_without_control(at: Resolved) -> Sentences:
    """FLUX.1 Depth and Canny take a map without a control."""
    given = any(not control.file and control.picture for control in at.request.controls)
    if given and at.model is not None and facts.modifier(at) not in {"depth", "canny"}:
        yield warning(_NO_CONTROL(name=at.model.name))


CHECKS: tuple[Check, ...] = (
    control_pictures,
    control_fields,
    image_prompts_share,
    pictures_without_control,
)
