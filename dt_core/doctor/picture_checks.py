"""What a server makes: pictures, the same again, from pictures, masked, in two passes, films."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..generation.events import Stage
from ..pictures import previews
from ..pictures.values import Mask, Picture
from ..preflight import facts
from ..request.parts import Reference
from ..settings.table import UNIT_PX
from ..text import Template
from ..wire import tensor
from .verdicts import Figure, Found, differs, judged, not_applicable, passed
from .visit import SEED, Check, Visit

OUTSIDE_LEVELS = 12.0  # of 255: what decoding may change where nothing is repainted
ALIKE = 0.4  # correlation of the last preview with the picture

_NOT_BY_FAMILY = Template("doctor_not_by_family", "This model takes no part in that.")
_TEXT = Template("doctor_text", "A picture from text")
_MADE = Template("doctor_made", "{size} px in {seconds} s.")
_HAS_NAN = Template("doctor_has_nan", "The picture holds {count} values that are no numbers.")
_AGAIN = Template("doctor_again", "The same seed again")
_SAME = Template("doctor_same", "It gave the very same picture.")
_OTHER = Template(
    "doctor_other", "It gave another picture: the largest difference is {levels} of 255 levels."
)
_STRENGTHS = Template("doctor_strengths", "From a picture, at two strengths")
_NEARER = Template(
    "doctor_nearer", "At the lower strength the result stays nearer ({low} and {high} levels)."
)
_NOT_NEARER = Template(
    "doctor_not_nearer",
    "The lower strength does not stay nearer ({low} and {high} levels).",
)
_MASK = Template("doctor_mask", "Within a mask")
_KEPT = Template("doctor_kept", "Only the masked half changed ({inside} and {outside} levels).")
_NOT_KEPT = Template(
    "doctor_not_kept",
    "Outside the mask the picture changed by {outside} levels, inside by {inside}.",
)
_REFERENCES = Template("doctor_references", "References")
_LOOKED = Template("doctor_looked", "A reference changes the picture.")
_NOT_LOOKED = Template("doctor_not_looked", "A reference changes nothing.")
_HIRES = Template("doctor_hires", "High resolution fix")
_TWO_PASSES = Template("doctor_two_passes", "Two passes were made.")
_ONE_PASS = Template("doctor_one_pass", "No second pass was made.")
_BATCH = Template("doctor_batch", "Two in a batch")
_TWO = Template("doctor_two", "Two different pictures came.")
_NOT_TWO = Template("doctor_not_two", "{count} pictures came in place of two different ones.")
_PREVIEWS = Template("doctor_previews", "Previews")
_LIKE_IT = Template(
    "doctor_like_it", "{count} previews; the last one is like the picture ({share})."
)
_UNLIKE = Template(
    "doctor_unlike", "The last of {count} previews is not like the picture ({share})."
)
_NO_PREVIEWS = Template("doctor_no_previews", "So few steps give no preview.")
_UNREADABLE = Template(
    "doctor_unreadable_previews", "Previews of {channels} channels cannot be shown for this model."
)
_FILM = Template("doctor_film", "Film and sound")
_FRAMES = Template("doctor_frames", "{frames} frames came, as asked.")
_FRAMES_AND_SOUND = Template(
    "doctor_frames_and_sound", "{frames} frames came, as asked, and sound."
)
_WRONG_FRAMES = Template("doctor_wrong_frames", "{frames} frames came, {wanted} were asked.")
_NO_SOUND = Template(
    "doctor_no_sound", "{frames} frames came without the sound that this model makes."
)
_NO_FILM = Template(
    "doctor_no_film", "This model makes still pictures; name one that makes films to check that."
)


def _levels(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean difference of two pictures in levels of 255."""
    return round(float(np.abs(one - other).mean()) * 255, 2)


def _text(visit: Visit) -> Found:
    run, settings = visit.base, visit.settings()
    size, seconds = str(visit.request().size), round(run.seconds, 2)
    nonfinite = sum(picture.nonfinite for picture in run.pictures)
    made = _MADE(size=size, seconds=seconds)
    figures: dict[str, Figure] = {
        "seconds": seconds,
        "steps": int(settings["steps"]),
        "size": size,
    }
    return judged(not nonfinite, made, _HAS_NAN(count=nonfinite), **figures)


def _again(visit: Visit) -> Found:
    again = visit.run(visit.request(), chunked=False)
    worst = round(float(np.max(np.abs(again.rgb - visit.base.rgb))) * 255, 2)
    return judged(worst == 0, _SAME(), _OTHER(levels=worst), largest_difference=worst)


def _strengths(visit: Visit) -> Found:
    if _is_video(visit):
        return not_applicable(_NOT_BY_FAMILY())
    start = visit.picture()
    low, high = (
        _levels(visit.run(visit.request(settings, image=start)).rgb, start.pixels)
        for settings in (visit.settings(strength=s, seed=SEED + 1) for s in (0.3, 0.9))
    )
    return judged(low < high, _NEARER(low=low, high=high), _NOT_NEARER(low=low, high=high))


def _mask(visit: Visit) -> Found:
    if _is_video(visit):
        return not_applicable(_NOT_BY_FAMILY())
    start = visit.picture()
    coverage = np.zeros((start.size.height, start.size.width), np.float32)
    half = start.size.width // 2
    coverage[:, :half] = 1
    settings = visit.settings(strength=0.9, seed=SEED + 2)
    made = visit.run(visit.request(settings, image=start, mask=Mask(coverage))).rgb
    edge = UNIT_PX // 2  # the seam is blurred
    inside = _levels(made[:, : half - edge], start.pixels[:, : half - edge])
    outside = _levels(made[:, half + edge :], start.pixels[:, half + edge :])
    good = outside <= OUTSIDE_LEVELS and inside > outside
    figures = {"inside": inside, "outside": outside}
    return judged(good, _KEPT(**figures), _NOT_KEPT(**figures), **figures)


def _references(visit: Visit) -> Found:
    family = visit.family
    edits = visit.model is not None and visit.model.modifier in facts.REFERENCE_MODIFIERS
    if family is None or not family.supports("reference_images") or not edits:
        return not_applicable(_NOT_BY_FAMILY())
    flipped = Reference(Picture(visit.base.rgb[::-1, ::-1]))
    with_it = visit.run(visit.request(references=(flipped,))).rgb
    return judged(_levels(with_it, visit.base.rgb) > 0, _LOOKED(), _NOT_LOOKED())


def _hires(visit: Visit) -> Found:
    family, settings = visit.family, visit.settings()
    if family is None or not family.supports("hires_fix") or _is_video(visit):
        return not_applicable(_NOT_BY_FAMILY())
    first = max(settings["start_width"] // 2 // UNIT_PX * UNIT_PX, UNIT_PX)
    with_fix = visit.settings(
        hires_fix=True,
        hires_fix_start_width=first,
        hires_fix_start_height=first,
        hires_fix_strength=0.7,
    )
    run = visit.run(visit.request(with_fix))
    stages = {answer.stage for answer in run.answers}
    return judged(Stage.SECOND_PASS_SAMPLING in stages, _TWO_PASSES(), _ONE_PASS())


def _batch(visit: Visit) -> Found:
    family = visit.family
    if family is None or not family.supports("batch_size") or _is_video(visit):
        return not_applicable(_NOT_BY_FAMILY())
    pictures = visit.run(visit.request(visit.settings(batch_size=2))).pictures
    good = len(pictures) == 2 and _levels(pictures[0].rgb, pictures[1].rgb) > 0
    return judged(good, _TWO(), _NOT_TWO(count=len(pictures)), pictures=len(pictures))


def _previews(visit: Visit) -> Found:
    found = [answer.preview for answer in visit.base.answers if answer.preview]
    if not found:
        return not_applicable(_NO_PREVIEWS())
    family, header = visit.family, tensor.read_header(found[-1])
    if family is not None and family.preview.kind == "none":
        return not_applicable(_NOT_BY_FAMILY())
    shown, channels = None, header.shape[-1]
    if family is not None and visit.base.allowance.fits_preview(header, len(found[-1])):
        shown = previews.latent_to_rgb(tensor.decode(found[-1]), family.preview)
    figures = {"previews": len(found), "channels": channels}
    if shown is None:
        return differs(_UNREADABLE(channels=channels), **figures)
    picture = visit.base.rgb
    _, height, width, _ = shown.shape
    rows, columns = picture.shape[0] // height, picture.shape[1] // width
    small = picture[: height * rows, : width * columns]
    small = small.reshape(height, rows, width, columns, 3).mean(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        share = float(np.corrcoef(small.ravel(), shown[0].ravel())[0, 1])
    share = round(share, 2) if np.isfinite(share) else 0.0
    like_it, unlike = (text(count=len(found), share=share) for text in (_LIKE_IT, _UNLIKE))
    return judged(share >= ALIKE, like_it, unlike, correlation=share, **figures)


def _film(visit: Visit) -> Found:
    family = visit.family
    if family is None or not family.is_video:
        return not_applicable(_NO_FILM())
    run, wanted = visit.base, int(visit.settings()["num_frames"])
    frames, sounds = len(run.pictures), sum(len(answer.sound) for answer in run.answers)
    figures = {"frames": frames, "sound": bool(sounds)}
    if frames != wanted:
        return differs(_WRONG_FRAMES(frames=frames, wanted=wanted), **figures)
    if family.audio == "output" and not sounds:
        return differs(_NO_SOUND(frames=frames), **figures)
    return passed(_FRAMES_AND_SOUND(frames=frames) if sounds else _FRAMES(frames=frames), **figures)


def _is_video(visit: Visit) -> bool:
    return visit.family is not None and visit.family.is_video


PICTURES = (
    Check("text_to_image", _TEXT, _text),
    Check("same_seed", _AGAIN, _again),
    Check("previews", _PREVIEWS, _previews),
    Check("strengths", _STRENGTHS, _strengths),
    Check("mask", _MASK, _mask),
    Check("references", _REFERENCES, _references),
    Check("hires_fix", _HIRES, _hires),
    Check("batch", _BATCH, _batch),
    Check("film", _FILM, _film),
)
