"""Single steps beside their floor, a copy of the same picture in memory, and beside the peer."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ...dt_core.models.families import FAMILIES
from ...dt_core.pictures import pixels, previews
from ...dt_core.pictures.stack import Stack
from ...dt_core.wire import tensor
from ...nodes.host import convert
from . import converting, scenes
from .peer import Peer, PeerMissing, peer
from .rows import Found, Missing, Rival, Row, milliseconds, part, race, ratios, row, timed

PART = "Steps"
COPY = "copy of the picture"
COPY_OF_MASK = "copy of the mask"
BEST_OF = 3
PEER_NAMES = {
    "request": "Picture to request, 1024x1024",
    "answer": "Raw answer to picture, 1024x1024",
    "mask": "Mask to request, 1024x1024",
    "preview": "FLUX preview, 128x128x16",
}


def measure(quick: bool) -> Iterator[Found]:
    rounds = 15 if quick else 101
    works = _works()
    rivals: dict[str, float] = {}
    for key, name, floor, against, goal in (
        ("request", "Picture to request, 1024x1024", _copy(scenes.image()), COPY, 4),
        ("answer", "Raw answer to IMAGE, 1024x1024", _copy(scenes.image()), COPY, 4),
        ("mask", "MASK to request, 1024x1024", _copy(scenes.mask()), COPY_OF_MASK, 6),
    ):
        ours, bare = race(rounds, timed(works[key], BEST_OF), timed(floor, BEST_OF))
        rivals[key] = statistics.median(ours)
        beside = f"{milliseconds(ours)}, copy {milliseconds(bare)}"
        yield row(PART, name, against, ratios(ours, bare), "×", goal=goal, beside=beside)
    for key, name in (("request", "Picture to request"), ("answer", "Raw answer to picture")):
        yield _without_torch(name, works[key], max(5, rounds // 3))
    times = race(rounds, timed(works["preview"], BEST_OF))[0]
    rivals["preview"] = statistics.median(times)
    yield row(
        PART,
        "Preview latent to picture, 128x128x16",
        "none",
        [seconds * 1000 for seconds in times],
        "ms",
        goal=2,
    )
    yield from converting.measure(quick)
    yield from _beside_peer(rivals, works, max(5, rounds // 5))


def _works() -> dict[str, Callable[[], Any]]:
    image, mask = scenes.image(), scenes.mask()
    answer, latent = scenes.answer_tensor(scenes.SIDE, scenes.SIDE), scenes.latent_tensor()
    recipe = FAMILIES["flux1"].preview

    def request() -> bytes:
        (picture,) = convert.image_to_pictures(image)
        shape = (1, *picture.pixels.shape)
        return tensor.filled(shape, lambda out: pixels.write_picture(picture.pixels, out))

    def received() -> torch.Tensor:
        place = Stack(1).reserve()
        picture = tensor.lend(answer, lambda values: pixels.wire_to_picture(values, place))
        return convert.pictures_to_image([picture])

    def masked() -> bytes:
        (one,) = convert.mask_to_masks(mask)
        return tensor.encode(pixels.mask_to_codes(one.coverage))

    def shown() -> Any:
        return tensor.lend(latent, lambda values: previews.latent_to_rgb(values, recipe))

    return {"request": request, "answer": received, "mask": masked, "preview": shown}


def _copy(source: torch.Tensor) -> Callable[[], Any]:
    """Into memory that is there already: what a copy costs at the very least."""
    values = source.numpy()
    target = np.ones_like(values)
    return lambda: np.copyto(target, values)


@contextmanager
def _no_torch() -> Iterator[None]:
    """dt_core uses torch if the program has loaded it; here it has not, for a moment."""
    loaded = sys.modules.pop("torch")
    try:
        yield
    finally:
        sys.modules["torch"] = loaded


def _without_torch(name: str, work: Callable[[], Any], rounds: int) -> Row:
    def alone() -> Any:
        with _no_torch():
            return work()

    ours, with_torch = race(rounds, timed(alone, BEST_OF), timed(work, BEST_OF))
    return row(
        PART,
        f"{name}, dt_core without torch",
        "the same with torch",
        ratios(ours, with_torch),
        "×",
        goal=3,
        beside=f"{milliseconds(ours)}, with torch {milliseconds(with_torch)}",
    )


def _beside_peer(
    rivals: dict[str, float], works: dict[str, Callable[[], Any]], rounds: int
) -> Iterator[Found]:
    picture = pixels.to_uint8(scenes.picture(scenes.SIDE, scenes.SIDE))
    given = {
        "request": picture.tobytes(),
        "mask": np.ascontiguousarray(picture[:, :, 0]).tobytes(),
        "answer": scenes.answer_tensor(scenes.SIDE, scenes.SIDE),
        "preview": scenes.latent_tensor(),
    }
    try:
        with peer(given, scenes.SIDE) as other:
            for key in rivals:
                ours, theirs = race(rounds, timed(works[key], BEST_OF), _theirs(other, key))
                yield Rival(PEER_NAMES[key], statistics.median(ours), statistics.median(theirs))
    except PeerMissing as missing:
        yield Missing("drawthings-py", "Compared operations", str(missing))


def _theirs(other: Peer, key: str) -> Callable[[], float]:
    return lambda: other.seconds(key, BEST_OF)


if __name__ == "__main__":
    part(measure)
