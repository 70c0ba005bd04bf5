"""What a saved graph must know of our nodes: inputs, widgets in their order, outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ....dt_core.text import Template
from ...node_list import NODES
from ...titles import titled

_WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
AFTER = "control_after_generate"  # the widget that the front end puts behind a seed


@dataclass(frozen=True, slots=True)
class Shape:
    """`sockets`, `widgets` and `outputs` by name, in the saved order, with their types."""

    title: Template
    sockets: Mapping[str, str]
    widgets: Mapping[str, str]
    outputs: Mapping[str, str]
    defaults: Mapping[str, Any]
    optional: frozenset[str]


@lru_cache(maxsize=1)
def shapes() -> Mapping[str, Shape]:
    """Every node of ours by its id."""
    return MappingProxyType({node.GET_SCHEMA().node_id: _shape(node) for node in NODES})


def _shape(node: Any) -> Shape:
    schema = node.GET_SCHEMA()
    inputs = sorted(schema.inputs, key=lambda entry: bool(entry.optional))  # stable
    sockets: dict[str, str] = {}
    widgets: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    for entry in inputs:
        if entry.io_type not in _WIDGETS or getattr(entry, "force_input", False):
            sockets[entry.id] = entry.io_type
            continue
        widgets[entry.id] = entry.io_type
        defaults[entry.id] = entry.default
        if entry.io_type == "COMBO" and entry.default is None:
            defaults[entry.id] = next(iter(entry.options or ()), None)
        if getattr(entry, AFTER, False):
            widgets[AFTER] = "COMBO"
            defaults[AFTER] = "randomize"
    return Shape(
        titled(schema.node_id, schema.display_name),
        MappingProxyType(sockets),
        MappingProxyType(widgets),
        MappingProxyType({entry.display_name: entry.io_type for entry in schema.outputs}),
        MappingProxyType(defaults),
        frozenset(entry.id for entry in inputs if entry.optional),
    )
