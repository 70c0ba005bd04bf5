"""A graph as `plan` sees it: nodes with values and links, however a file writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....dt_core.text import Template, Text

Id = int | str
Source = tuple[Id, int]  # node and output slot

NEVER, BYPASS = 2, 4  # ComfyUI's modes of a node
OF_NODE = Template("change_of_node", "{node}: {what}")


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


@dataclass(frozen=True, slots=True)
class Plan:
    """`moved` tells where a widget of an official node is now: node and input."""

    nodes: tuple[Made, ...]
    moved: Mapping[tuple[Id, str], tuple[Id, str]]
    changes: tuple[Text, ...]
