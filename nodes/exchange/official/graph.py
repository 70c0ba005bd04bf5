"""A graph as `translation` sees it: nodes with values and links, however a file writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....dt_core.errors import DrawThingsError
from ....dt_core.text import Template, Text

Id = int | str
Source = tuple[Id, int]  # node and output slot

NEVER, BYPASS = 2, 4  # ComfyUI's modes of a node
_STEPS, _STEPS_OF_NODE = 20_000, 40  # a graph of the app's own kind takes some six for a node
_PULSE_EVERY = 200
_HIGHEST_ID = 2**53 - 1  # of the whole numbers that a browser can count
_TOO_MUCH = Template(
    "workflow_too_entangled",
    "The nodes of this workflow share their hints and controls in more ways than can be converted: "
    "convert it in parts.",
)
OF_NODE = Template("change_of_node", "{node}: {what}")


def copied(value: Any) -> Any:
    """A JSON value of its own; several times as fast as `copy.deepcopy`, which minds more kinds."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def number_of(ident: Any) -> int:
    """The number that an id is, or holds as text; 0 for one that is none, or that no canvas has."""
    if isinstance(ident, str):
        short = ident.isdecimal() and len(ident) <= len(str(_HIGHEST_ID))
        ident = int(ident) if short else 0
    return ident if isinstance(ident, int) and 0 <= ident <= _HIGHEST_ID else 0


@dataclass(frozen=True, slots=True)
class Official:
    """A node of the official extension; `links` by input name."""

    id: Id
    kind: str
    label: str
    values: Mapping[str, Any]
    links: Mapping[str, Source]
    mode: int = 0


@dataclass(slots=True)
class Made:
    """A node of ours. `near` is the official node it comes from."""

    id: Id
    kind: str
    near: Id
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Source] = field(default_factory=dict)
    mode: int = 0


class TooMuch(DrawThingsError):
    """A graph whose parts hang on each other in so many ways that it would grow without end."""


class Effort:
    """What a conversion may cost: steps in proportion to the nodes that it is given.

    `pulse` is called every now and then and may raise, to end it.
    """

    def __init__(self, nodes: int, pulse: Callable[[], None] = lambda: None) -> None:
        self.steps = 0
        self._most = _STEPS + _STEPS_OF_NODE * nodes
        self._pulse = pulse

    def step(self) -> None:
        """Raises TooMuch after too many of them."""
        self.steps += 1
        if self.steps > self._most:
            raise TooMuch(_TOO_MUCH())
        if self.steps % _PULSE_EVERY == 0:
            self._pulse()


@dataclass(frozen=True, slots=True)
class Plan:
    """`moved` tells where a widget of an official node is now: node and input."""

    nodes: tuple[Made, ...]
    moved: Mapping[tuple[Id, str], tuple[Id, str]]
    changes: tuple[Text, ...]
