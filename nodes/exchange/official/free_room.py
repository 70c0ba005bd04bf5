"""Free room on the canvas for nodes that a conversion adds. All in px of the canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

Rect = tuple[float, float, float, float]  # left, top, right, bottom


class Board:
    """Where nodes are; finds the nearest free place."""

    def __init__(self) -> None:
        self._taken: list[Rect] = []

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
        self._taken.append(_rect(_pair(node["pos"]), _pair(node["size"])))

    def settle(self, nodes: Sequence[tuple[dict[str, Any], Mapping[str, Any]]]) -> None:
        """Take the room of nodes, given as they are now and as they were.

        What a taller one now covers moves down; what was covered before stays so.
        """
        settled: list[tuple[Rect, Rect]] = []
        for node, before in sorted(nodes, key=lambda pair: _pair(pair[0].get("pos"))[1]):
            (x, y), size = _pair(node.get("pos")), _pair(node.get("size"))
            was = _rect(_pair(before.get("pos")), _pair(before.get("size")))
            if any(
                _overlap(_rect((x, y), size), other, 0) and not _overlap(was, other_was, 0)
                for other, other_was in settled
            ):
                while any(_overlap(_rect((x, y), size), other, _GAP / 2) for other, _ in settled):
                    y += _GAP / 2
                node["pos"] = [x, y]
            settled.append((_rect((x, y), size), was))
        self._taken += [now for now, _ in settled]

    def place(self, node: dict[str, Any], beside: Mapping[str, Any]) -> None:
        """Move a node to the nearest free place left of or below the one it comes from."""
        x, y = _pair(beside.get("pos"))
        width, height = _pair(node["size"])
        old_height = _pair(beside.get("size"))[1]
        best: tuple[float, float, float] | None = None
        for column in range(4):
            left = x - (column + 1) * (_WIDTH + _GAP + 20)
            for step in range(_REACH):
                top = y + step * _STEP
                cost = 1.5 * abs(left - x) + abs(top - y)
                if best is not None and cost >= best[0]:
                    break
                if self._is_free((left, top), (width, height)):
                    best = (cost, left, top)
                    break
        top = y + old_height + _TITLE + _GAP
        while best is None or top - y < best[0]:
            if self._is_free((x, top), (width, height)):
                best = (top - y, x, top)
                break
            top += _STEP
        node["pos"] = [best[1], best[2]]
        self.add(node)

    def _is_free(self, pos: tuple[float, float], size: tuple[float, float]) -> bool:
        return not any(_overlap(_rect(pos, size), other, _GAP) for other in self._taken)


def _overlap(one: Rect, other: Rect, gap: float) -> bool:
    return (
        one[0] < other[2] + gap
        and one[2] + gap > other[0]
        and one[1] < other[3] + gap
        and one[3] + gap > other[1]
    )


def _rect(pos: tuple[float, float], size: tuple[float, float]) -> Rect:
    return pos[0], pos[1] - _TITLE, pos[0] + size[0], pos[1] + size[1]


def _pair(given: Any) -> tuple[float, float]:
    """A position or size, saved as a list or as an object with the keys "0" and "1"."""
    if isinstance(given, Mapping):
        given = [given.get("0"), given.get("1")]
    parts = list(given)[:2] if isinstance(given, (list, tuple)) else []
    numbers = [
        float(part) if isinstance(part, (int, float)) and abs(part) < 1e7 else 0.0 for part in parts
    ]
    numbers += [0.0] * (2 - len(numbers))
    return numbers[0], numbers[1]
