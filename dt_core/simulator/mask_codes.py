"""What a mask asks for (docs/protocol.md 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

REST, EMPTY, MASKED, KEPT = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class MaskReading:
    """`effect`: "none" leaves plain image-to-image, "everything" is text-to-image.

    `repaint` marks the repainted px, `empty` those filled from pure noise.
    """

    effect: Literal["none", "everything", "part"]
    repaint: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    classes: frozenset[int]


def read_mask(mask: NDArray[Any], transparent: bool) -> MaskReading:
    codes = mask & 7
    codes = np.where(codes == 4, MASKED, codes)
    classes = frozenset(int(code) if code <= KEPT else REST for code in np.unique(codes))
    rest_is_repainted = MASKED not in classes or {EMPTY, MASKED, KEPT} <= classes
    empty = codes == EMPTY
    repaint = (codes == MASKED) | empty
    if rest_is_repainted:
        repaint |= codes == REST
    if transparent:
        repaint &= ~empty
        empty = np.zeros_like(empty)
    effect: Literal["none", "everything", "part"] = "part"
    if classes in ({REST}, {KEPT}) or (transparent and MASKED not in classes):
        effect = "none"
    elif classes == {EMPTY}:
        effect = "everything"
    return MaskReading(effect, repaint, empty, classes)
