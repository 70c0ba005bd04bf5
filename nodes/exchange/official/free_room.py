"""Free room on the canvas for nodes that a conversion adds. All in px of the canvas.

Looking for it takes the same time for each node, however many there are: the canvas is divided
into cells, a look goes a bounded way, and what found no room stands in rows below all else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from ...servers.lists import NONE
from .our_nodes import shapes
from .their_nodes import LORA_ROWS

_WIDTH = 320
_ROW = 34  # of a widget in the taller of the two renderers
_SOCKET = 24
_TITLE = 30
_GAP = 40
_STEP = 40
_MORE = {  # for what comes below the widgets, and fields of several lines
    "DTModelLoader": 180,
    "DTServer": 60,
    "DTSampler": 60,
    "DTLoRA": 100,
    "DTUpscalerOptions": 60,
    "DTRefinerOptions": 60,
    "DTTextEncoderOptions": 140,
    "DTPrompt": 120,
}
_LORA_ROWS = 4
_REACH = 60  # steps that are tried in one direction
_JUMPS = 20  # over nodes that lie in the way of one that moves down
_ABOUT = 2 * _STEP
_CELL = 800
_CROWD = 24  # nodes in a cell that are told apart; more are a heap
_FARTHEST = 1e7  # from the middle of the canvas
_LARGEST = 6400  # sides of a node; what a file says beyond is not believed
_ROW_WIDTH = 12_000  # of the rows below all else

Rect = tuple[float, float, float, float]  # left, top, right, bottom
_T = TypeVar("_T")


class _Cells(Generic[_T]):
    """Things by where they are: those near a place are found without a look at all others."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[tuple[Rect, _T]]] = {}

    def add(self, rect: Rect, thing: _T) -> None:
        for cell in _touched(rect):
            crowd = self._cells.setdefault(cell, [])
            if len(crowd) < _CROWD:
                crowd.append((rect, thing))

    def near(self, rect: Rect, gap: float) -> Iterator[tuple[Rect, _T]]:
        """What lies nearer than that; the same one more than once, and of a heap some."""
        for cell in _touched(_grown(rect, gap)):
            for other, thing in self._cells.get(cell, ()):
                if _overlap(rect, other, gap):
                    yield other, thing

    def in_the_way(self, rect: Rect, gap: float) -> float | None:
        """The bottom of one that lies nearer; None where there is none. A heap is never free."""
        for cell in _touched(_grown(rect, gap)):
            crowd = self._cells.get(cell, ())
            for other, _ in crowd:
                if _overlap(rect, other, gap):
                    return other[3]
            if len(crowd) >= _CROWD:
                return rect[1]
        return None


class Board:
    """Where nodes are; finds the nearest free place."""

    def __init__(self) -> None:
        self._taken: _Cells[None] = _Cells()
        self._left, self._bottom = math.inf, -math.inf  # of all
        self._row: tuple[float, float] | None = None  # next x, and top
        # How far a look from about there went in vain: what is taken stays taken.
        self._in_vain: dict[tuple[int, ...], int] = {}

    @staticmethod
    def size_of(
        kind: str, values: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> tuple[float, float]:
        """A size that shows every widget; prompts keep theirs, others the width."""
        shape = shapes()[kind]
        shown = [name for name in shape.widgets if "_file" not in name]
        if kind == "DTLoRA":  # rows that nothing uses are folded, all but one
            used = sum(values.get(f"lora{row}", NONE) != NONE for row in LORA_ROWS[:_LORA_ROWS])
            shown = shown[: len(shown) * min(used + 1, _LORA_ROWS) // _LORA_ROWS]
        height = _SOCKET * max(len(shape.sockets), len(shape.outputs)) + _ROW * len(shown)
        height += _MORE.get(kind, 0) + 20
        if before is None:
            return _WIDTH, height
        width, old = _pair(before.get("size"))
        return max(width, _WIDTH), max(old, 160) if kind == "DTPrompt" else height

    def add(self, node: Mapping[str, Any]) -> None:
        """Take the room of a node."""
        self._take(_rect(_pair(node["pos"]), _pair(node["size"])))

    def _take(self, rect: Rect) -> None:
        self._taken.add(rect, None)
        self._left, self._bottom = min(self._left, rect[0]), max(self._bottom, rect[3])

    def settle(self, nodes: Sequence[tuple[dict[str, Any], Mapping[str, Any]]]) -> None:
        """Take the room of nodes, given as they are now and as they were.

        What a taller one now covers moves down; what was covered before stays so.
        """
        settled: _Cells[Rect] = _Cells()
        homeless: list[dict[str, Any]] = []
        for node, before in sorted(nodes, key=lambda pair: _pair(pair[0].get("pos"))[1]):
            (x, y), size = _pair(node.get("pos")), _pair(node.get("size"))
            was = _rect(_pair(before.get("pos")), _pair(before.get("size")))
            now = _rect((x, y), size)
            covered = any(not _overlap(was, other_was, 0) for _, other_was in settled.near(now, 0))
            if covered:
                for _ in range(_JUMPS):
                    bottoms = [other[3] for other, _ in settled.near(now, _GAP / 2)]
                    if not bottoms:
                        break
                    y += math.ceil((max(bottoms) + _GAP / 2 - now[1]) / (_GAP / 2)) * _GAP / 2
                    now = _rect((x, y), size)
                else:
                    homeless.append(node)
                    continue
                node["pos"] = [x, y]
            settled.add(now, was)
            self._take(now)
        for node in homeless:
            self._stand_below(node)

    def place(self, node: dict[str, Any], beside: Mapping[str, Any]) -> None:
        """Move a node to the nearest free place left of or below the one it comes from."""
        x, y = _pair(beside.get("pos"))
        size = _pair(node["size"])
        old_height = _pair(beside.get("size"))[1]
        best: tuple[float, float, float] | None = None
        for column in range(4):
            left = x - (column + 1) * (_WIDTH + _GAP + 20)
            aside = 1.5 * (x - left)
            if best is not None and aside >= best[0]:
                break
            reach = math.inf if best is None else best[0] - aside
            top = self._free_below(left, y, size, y + reach)
            if top is not None:
                best = (aside + top - y, left, top)
        below = y + min(old_height, _LARGEST) + _TITLE + _GAP
        top = self._free_below(x, below, size, math.inf if best is None else y + best[0])
        if top is not None:
            best = (top - y, x, top)
        if best is None:
            self._stand_below(node)
            return
        node["pos"] = [best[1], best[2]]
        self.add(node)

    def _free_below(
        self, left: float, top: float, size: tuple[float, float], before: float
    ) -> float | None:
        """The first free place from `top` on, within reach and before `before`."""
        about = (int(left // _ABOUT), int(top // _ABOUT), *(int(side // _ABOUT) for side in size))
        step = self._in_vain.get(about, 0)
        while step < _REACH and (at := top + step * _STEP) < before:
            rect = _rect((left, at), size)
            bottom = self._taken.in_the_way(rect, _GAP)
            if bottom is None:
                return at
            step += max(math.ceil((bottom + _GAP - rect[1]) / _STEP), 1)
            self._in_vain[about] = step
        return None

    def _stand_below(self, node: dict[str, Any]) -> None:
        """Move a node into the rows below all else."""
        left = self._left if math.isfinite(self._left) else 0.0
        if self._row is None or self._row[0] > left + _ROW_WIDTH:
            self._row = (left, max(self._bottom, 0.0) + _TITLE + 2 * _GAP)
        x, top = self._row
        node["pos"] = [x, top]
        rect = _rect((x, top), _pair(node["size"]))
        self._row = (rect[2] + _GAP, top)
        self._take(rect)


def _touched(rect: Rect) -> Iterator[tuple[int, int]]:
    for column in range(int(rect[0] // _CELL), int(rect[2] // _CELL) + 1):
        for row in range(int(rect[1] // _CELL), int(rect[3] // _CELL) + 1):
            yield column, row


def _grown(rect: Rect, gap: float) -> Rect:
    return rect[0] - gap, rect[1] - gap, rect[2] + gap, rect[3] + gap


def _overlap(one: Rect, other: Rect, gap: float) -> bool:
    return (
        one[0] < other[2] + gap
        and one[2] + gap > other[0]
        and one[1] < other[3] + gap
        and one[3] + gap > other[1]
    )


def _rect(pos: tuple[float, float], size: tuple[float, float]) -> Rect:
    width, height = (min(max(side, 0.0), _LARGEST) for side in size)
    return pos[0], pos[1] - _TITLE, pos[0] + width, pos[1] + height


_PLAIN = frozenset({int, float})


def _coordinate(number: float) -> float:
    return float(number) if abs(number) < _FARTHEST else 0.0


def _pair(given: Any) -> tuple[float, float]:
    """A position or size, saved as a list or as an object with the keys "0" and "1"."""
    if type(given) is list and len(given) == 2:  # nearly all
        first, second = given
        if type(first) in _PLAIN and type(second) in _PLAIN:
            return _coordinate(first), _coordinate(second)
    if isinstance(given, Mapping):
        given = [given.get("0"), given.get("1")]
    parts = list(given)[:2] if isinstance(given, (list, tuple)) else []
    numbers = [_coordinate(part) if isinstance(part, (int, float)) else 0.0 for part in parts]
    numbers += [0.0] * (2 - len(numbers))
    return numbers[0], numbers[1]
