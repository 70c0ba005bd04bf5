"""From what a user wants to the requests that the server takes, one after the other.

A server makes pictures of one image per request, ignores batch_count and draws no seeds
(docs/protocol.md 2.2, 4.2), so that is done here. Only a video model takes several
pictures at once. Which it is, only the server's catalogue tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..pictures.masks import check_count
from ..pictures.values import Mask, Picture, Size
from ..text import Template, Text
from . import frames, seeds
from .resolved import GenerationRequest, Resolved

_SOFT_MASK = Template("soft_mask", "Mask blur is off: a soft mask brings its own seam.")
_FRAMES = Template("frames_in_place", "{family} makes {made} frames in place of {wanted}.")
_FROM_FIRST = Template(
    "starts_from_first", "{family} starts from the first of the {given} pictures here."
)
_FROM_SOME = Template(
    "starts_from_some", "{family} starts from the first {taken} of the {given} pictures here."
)
_ONE_MASK = Template("one_mask", "A video takes one mask for all frames: the first.")


@dataclass(frozen=True, slots=True)
class Batch:
    """`request` for every one of `images`: with one of `masks` for all, or one each."""

    request: GenerationRequest
    images: tuple[Picture, ...] = ()
    masks: tuple[Mask, ...] = ()

    def __post_init__(self) -> None:
        if self.masks and self.images:
            check_count(self.masks, self.images)

    def at(self, index: int) -> GenerationRequest:
        """The request for one of the images."""
        mask = self.masks[index % len(self.masks)] if self.masks else None
        image = self.images[index] if self.images else None
        return replace(self.request, image=image, mask=mask)


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests in order, and sentences about what was changed on the way.

    `shown` is the part from the left and top of each request's image that is wanted.
    """

    requests: tuple[GenerationRequest, ...]
    notes: tuple[Text, ...] = ()
    shown: tuple[Size, ...] = ()


def plan(batch: Batch, resolved: Resolved) -> Plan:
    """Every request of the batch; `resolved` is that of its first.

    Rounds of batch_count follow each other, each with the next seed; within a round the
    pictures come in order, with the same seed.
    """
    if resolved.family is not None and resolved.family.is_video:
        requests, notes = _video(batch, resolved)
    else:
        requests = [batch.at(index) for index in range(max(len(batch.images), 1))]
        notes = []
    settings = batch.request.settings
    seed, rounds = int(settings["seed"]), max(int(settings["batch_count"]), 1)
    mask = requests[0].mask
    if mask is not None and mask.soft and settings.explicit.get("mask_blur", 0) > 0:
        notes.append(_SOFT_MASK())
    numbered = [
        replace(request, settings=request.settings.replace(seed=seeds.following(seed, number)))
        for number in range(rounds)
        for request in requests
    ]
    return Plan(tuple(numbered), tuple(notes))


def _video(batch: Batch, resolved: Resolved) -> tuple[list[GenerationRequest], list[Text]]:
    """One request that starts from all pictures."""
    notes = []
    request, family = batch.at(0), resolved.family
    assert family is not None  # noqa: S101 - a video model has one
    wanted = request.settings.explicit.get("num_frames")
    made = frames.count(resolved)
    if wanted is not None and wanted != made:
        notes.append(_FRAMES(family=family.name, made=made, wanted=wanted))
        request = replace(request, settings=request.settings.replace(num_frames=made))
    taken = frames.leading(resolved, len(batch.images))
    if taken < len(batch.images):
        given = len(batch.images)
        if taken == 1:
            notes.append(_FROM_FIRST(family=family.name, given=given))
        else:
            notes.append(_FROM_SOME(family=family.name, taken=taken, given=given))
    if len(batch.masks) > 1:
        notes.append(_ONE_MASK())
    return [replace(request, frames=batch.images[1:taken])], notes
