"""Prompts in ComfyUI's API form: what scripts send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....dt_core.text import Text
from . import their_nodes as official
from .graph import OF_NODE, Effort, Id, Made, Official, Source, copied, number_of
from .our_nodes import AFTER, shapes
from .translation import Planner


def convert(
    prompt: Mapping[str, Any], pulse: Callable[[], None]
) -> tuple[dict[str, Any], list[Text], int]:
    """The prompt with our nodes, what changed, and how many nodes were converted."""
    changes: list[Text] = []
    nodes: dict[Id, Official] = {
        ident: _read(ident, node, changes)
        for ident, node in prompt.items()
        if isinstance(node, Mapping) and official.is_official(node.get("class_type"))
    }
    ids = _ids(prompt)
    effort = Effort(len(prompt), pulse)
    plan = Planner(nodes, lambda: next(ids), lambda source: nodes.get(source[0]), effort).plan()
    result = {ident: copied(node) for ident, node in prompt.items() if ident not in nodes}
    for made in plan.nodes:
        given = prompt[str(made.near)] if made.id == made.near else {}
        title = official.own_title(nodes[made.near].kind, _title(given))
        result[str(made.id)] = _written(made, title)
    order = {ident: place for place, ident in enumerate(prompt)}
    kept = dict(sorted(result.items(), key=lambda entry: order.get(entry[0], len(order))))
    return kept, [*changes, *plan.changes], len(nodes)


def _ids(prompt: Mapping[str, Any]) -> Iterator[Id]:
    parts = (part for ident in prompt for part in str(ident).split(":"))
    number = max((number_of(part) for part in parts), default=0)
    while True:
        number += 1
        yield str(number)


def _title(node: Mapping[str, Any]) -> str:
    meta = node.get("_meta")
    return str(meta.get("title") or "") if isinstance(meta, Mapping) else ""


def _read(ident: str, node: Mapping[str, Any], changes: list[Text]) -> Official:
    kind = node["class_type"]
    label = f"{_title(node) or official.TITLES[kind]} ({ident})"
    inputs = node.get("inputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    links: dict[str, Source] = {}
    for name, value in inputs.items():
        if _is_link(value):
            links[name] = (str(value[0]), value[1])
    raw = {name: value for name, value in inputs.items() if name not in links}
    values = official.read(kind, raw, lambda text: changes.append(OF_NODE(node=label, what=text)))
    return Official(ident, kind, label, values, links)


def _is_link(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], (str, int))
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def _written(made: Made, title: str) -> dict[str, Any]:
    shape = shapes()[made.kind]
    required = {
        name: value
        for name, value in shape.defaults.items()
        if name not in shape.optional and name != AFTER
    }
    inputs = {**required, **{k: v for k, v in made.values.items() if k != AFTER}}
    inputs.update({name: [str(ident), slot] for name, (ident, slot) in made.links.items()})
    meta = {"_meta": {"title": title}} if title else {}
    return {"class_type": made.kind, "inputs": inputs, **meta}
