"""The links of one saved graph: arrays or objects, native reroutes, subgraph borders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from .graph import Id, Made, Source

INNER_INPUT, INNER_OUTPUT = -10, -20  # ids of a subgraph's borders


def is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Link:
    id: int
    origin: Id
    slot: int
    target: Id
    input: int
    type: Any
    more: Mapping[str, Any]  # parentId, and what later versions add


class Wires:
    """Reads and rewrites the links of `graph`, whose nodes are `nodes` by id."""

    def __init__(
        self, graph: dict[str, Any], nodes: Mapping[Id, dict[str, Any]], ids: Iterator[int]
    ) -> None:
        self._graph = graph
        self._ids = ids
        rows = graph.get("links")
        self._as_objects = isinstance(rows, list) and any(isinstance(row, dict) for row in rows)
        read = map(_link_of, rows if isinstance(rows, list) else ())
        known = {*nodes, INNER_INPUT, INNER_OUTPUT}
        self._links = {
            link.id: link for link in read if link and link.origin in known and link.target in known
        }

    def into(self, node: Mapping[str, Any]) -> dict[str, Source]:
        """What each input of a node takes, by the input's name."""
        found: dict[str, Source] = {}
        inputs = node.get("inputs")
        for row in inputs if isinstance(inputs, list) else ():
            hung: Any = row.get("link") if isinstance(row, dict) else None
            link = self._links.get(hung) if isinstance(hung, int) else None
            if link is None or link.target != node.get("id"):
                continue
            widget = row.get("widget")
            name = widget.get("name") if isinstance(widget, dict) else None
            found[str(name or row.get("name"))] = (link.origin, link.slot)
        return found

    def rewrite(
        self,
        gone: Set[Id],
        made: tuple[Made, ...],
        nodes: Mapping[Id, dict[str, Any]],
        types: Mapping[str, str],
    ) -> None:
        """Take the links into `gone` nodes out and those of the `made` nodes in."""
        free: dict[tuple[Id, Source], list[Link]] = {}
        kept = []
        for link in self._links.values():
            if link.target in gone:
                free.setdefault((link.target, (link.origin, link.slot)), []).append(link)
            elif link.origin in nodes or link.origin == INNER_INPUT:
                kept.append(link)
        for node in made:
            rows = nodes[node.id]["inputs"]
            slots = {row["name"]: index for index, row in enumerate(rows)}
            for name, (origin, slot) in node.links.items():
                if origin not in nodes and origin != INNER_INPUT:
                    continue
                kind = rows[slots[name]]["type"]
                old = free.get((node.near, (origin, slot)))
                link = (
                    replace(old.pop(0), target=node.id, input=slots[name], type=kind)
                    if old
                    else Link(next(self._ids), origin, slot, node.id, slots[name], kind, {})
                )
                kept.append(link)
        kept = [replace(link, type=types.get(link.type, link.type)) for link in kept]
        kept.sort(key=lambda link: link.id)
        self._links = {link.id: link for link in kept}
        self._graph["links"] = [_written(link, objects=self._as_objects) for link in kept]
        self._attach(nodes)
        self._prune(gone)

    def _attach(self, nodes: Mapping[Id, dict[str, Any]]) -> None:
        """Write the links' ids into the sockets that they hang on."""
        into = {(link.target, link.input): link.id for link in self._links.values()}
        out: dict[tuple[Id, int], list[int]] = {}
        for link in self._links.values():
            out.setdefault((link.origin, link.slot), []).append(link.id)
        for ident, node in nodes.items():
            for index, row in enumerate(_dicts(node.get("inputs"))):
                row["link"] = into.get((ident, index))
            for index, row in enumerate(_dicts(node.get("outputs"))):
                row["links"] = out.get((ident, index), [])
        onto: dict[int, list[int]] = {}
        for link in self._links.values():
            if link.target == INNER_OUTPUT:
                onto.setdefault(link.input, []).append(link.id)
        for index, row in enumerate(_dicts(self._graph.get("inputs"))):
            row["linkIds"] = out.get((INNER_INPUT, index), [])
        if onto:
            for index, row in enumerate(_dicts(self._graph.get("outputs"))):
                row["linkIds"] = onto.get(index, [])

    def _prune(self, gone: Set[Id]) -> None:
        """Native reroutes and loose links forget the links that are no more."""
        extra = self._graph.get("extra")
        holders = [self._graph, extra if isinstance(extra, dict) else {}]
        for holder in holders:
            if isinstance(holder.get("linkExtensions"), list):
                holder["linkExtensions"] = [
                    row for row in _dicts(holder["linkExtensions"]) if row.get("id") in self._links
                ]
            if isinstance(holder.get("reroutes"), list):
                rows = _dicts(holder["reroutes"])
                for row in rows:
                    ids = row.get("linkIds")
                    row["linkIds"] = [
                        ident
                        for ident in (ids if isinstance(ids, list) else ())
                        if ident in self._links
                    ]
                holder["reroutes"] = [row for row in rows if row["linkIds"] or row.get("floating")]
        loose = self._graph.get("floatingLinks")
        if isinstance(loose, list):
            self._graph["floatingLinks"] = [
                row
                for row in _dicts(loose)
                if row.get("target_id") not in gone and row.get("origin_id") not in gone
            ]


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _link_of(row: Any) -> Link | None:
    """A link of a file; None if it is torn."""
    parts: list[Any]
    if isinstance(row, dict):
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        parts = [row.get(name) for name in names]
        kind = row.get("type")
        more = {name: value for name, value in row.items() if name not in {*names, "type"}}
    elif isinstance(row, list) and len(row) >= 5:
        parts, kind, more = row[:5], row[5] if len(row) > 5 else "*", {}
    else:
        return None
    ident, origin, slot, target, place = parts
    if not all(isinstance(part, int) for part in (ident, slot, place)):
        return None
    if not isinstance(kind, (str, int)):
        kind = "*"
    if not is_id(origin) or not is_id(target):
        return None
    return Link(ident, origin, slot, target, place, kind, more)


def _written(link: Link, *, objects: bool) -> Any:
    if not objects:
        return [link.id, link.origin, link.slot, link.target, link.input, link.type]
    return {
        "id": link.id,
        "origin_id": link.origin,
        "origin_slot": link.slot,
        "target_id": link.target,
        "target_slot": link.input,
        "type": link.type,
        **link.more,
    }
