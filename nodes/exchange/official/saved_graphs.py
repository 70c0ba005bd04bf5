"""Saved graphs, as the front end writes them: nodes, links, groups, subgraphs."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from typing import Any

from ....dt_core.text import Template, Text
from . import their_nodes as official
from .free_room import Board
from .graph import OF_NODE, Effort, Id, Made, Official, Plan, Source, copied, number_of
from .our_nodes import shapes
from .translation import Planner
from .wires import Wires, is_id

_TYPES = {
    "DT_CNET": "DT_CONTROL",
    "DT_HINTS": "DT_REFERENCE",
    "DT_UPSCALER": "DT_OPTIONS",
    "DT_REFINER": "DT_OPTIONS",
}
_FOREIGN_PROPERTIES = {"cnr_id", "aux_id", "ver", "models", "Node name for S&R"}
_REROUTES = {"Reroute"}
_NAMESPACE = uuid.UUID("8b1a5a3e-6d0f-4a7c-9b41-5d3f2f0e77c1")

_GROUP = Template(
    "change_group",
    "Group node '{name}' was left as it is: make a subgraph of it where the official extension is "
    "installed, then convert again.",
)

Graph = dict[str, Any]


def convert(
    workflow: Mapping[str, Any], pulse: Callable[[], None]
) -> tuple[Graph, list[Text], int]:
    """The graph with our nodes, what changed, and how many nodes were converted."""
    root: Graph = copied(dict(workflow))
    graphs = list(_graphs(root))
    effort = Effort(sum(len(_rows(graph, "nodes")) for graph in graphs), pulse)
    node_ids = count(_highest(graphs, "nodes", "last_node_id", "lastNodeId") + 1)
    link_ids = count(_highest(graphs, "links", "last_link_id", "lastLinkId") + 1)
    changes: list[Text] = []
    converted = 0
    plans: dict[str, Plan] = {}
    for graph in graphs:
        scope = _Scope(graph, node_ids, link_ids, changes, effort)
        converted += len(scope.official)
        plans[str(graph.get("id"))] = plan = scope.convert()
        changes.extend(plan.changes)
    has_inner = len(graphs) > 1
    promoted = {kind: _Promoted(plan) for kind, plan in plans.items() if has_inner}
    for graph in graphs:
        _move_promoted(graph, promoted)
    if converted:
        last_node, last_link = next(node_ids) - 1, next(link_ids) - 1
        for graph in graphs:
            _set_last(graph, last_node, last_link)
        if is_id(root.get("id")):
            root["id"] = str(uuid.uuid5(_NAMESPACE, str(root["id"])))
    _tell_group_nodes(root, changes)
    return root, changes, converted


def _graphs(graph: Graph) -> Iterator[Graph]:
    """The graph and all subgraphs that it defines."""
    yield graph
    definitions = graph.get("definitions")
    inner = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    for subgraph in inner if isinstance(inner, list) else ():
        if isinstance(subgraph, dict):
            yield from _graphs(subgraph)


def _rows(graph: Graph, key: str) -> list[dict[str, Any]]:
    found = graph.get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _highest(graphs: list[Graph], key: str, last: str, state_key: str) -> int:
    numbers = [0]
    for graph in graphs:
        state = graph.get("state")
        state = state if isinstance(state, dict) else {}
        rows = graph.get(key)
        listed = rows if isinstance(rows, list) else []
        ids = [
            row.get("id") if isinstance(row, dict) else row[0] if isinstance(row, list) else 0
            for row in listed
            if row
        ]
        numbers += map(number_of, chain(ids, (graph.get(last), state.get(state_key))))
    return max(numbers)


def _set_last(graph: Graph, node: int, link: int) -> None:
    if "last_node_id" in graph:
        graph["last_node_id"] = node
    if "last_link_id" in graph:
        graph["last_link_id"] = link
    state = graph.get("state")
    if isinstance(state, dict):
        state.update(lastNodeId=node, lastLinkId=link)


def _tell_group_nodes(root: Graph, changes: list[Text]) -> None:
    extra = root.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, dict) else None
    for name, group in groups.items() if isinstance(groups, dict) else ():
        if isinstance(group, dict) and any(
            official.is_official(row.get("type")) for row in _rows(group, "nodes")
        ):
            changes.append(_GROUP(name=str(name)))


class _Scope:
    """One graph or subgraph, rewritten in place."""

    def __init__(
        self,
        graph: Graph,
        node_ids: Iterator[int],
        link_ids: Iterator[int],
        changes: list[Text],
        effort: Effort,
    ) -> None:
        self._effort = effort
        self._behind: dict[Id, Source | None] = {}  # of reroutes: where their line begins
        self._graph = graph
        self._node_ids = node_ids
        self._changes = changes
        self._nodes = {node["id"]: node for node in _rows(graph, "nodes") if is_id(node.get("id"))}
        self._wires = Wires(graph, self._nodes, link_ids)
        self.official = {
            ident: self._read(node)
            for ident, node in self._nodes.items()
            if official.is_official(node.get("type"))
        }

    def _read(self, node: dict[str, Any]) -> Official:
        self._effort.step()
        kind, ident = node["type"], node["id"]
        label = f"{node.get('title') or official.TITLES[kind]} ({ident})"

        def say(text: Text) -> None:
            self._changes.append(OF_NODE(node=label, what=text))

        earlier = node.get("_lastSelectedModel")
        values = official.read(
            kind,
            official.saved(kind, node, say),
            say,
            earlier if isinstance(earlier, dict) else None,
        )
        mode = node.get("mode")
        links = self._wires.into(node)
        return Official(ident, kind, label, values, links, mode if isinstance(mode, int) else 0)

    def _trace(self, source: Source) -> Official | None:
        line: list[Id] = []
        at: Source | None = source
        while at is not None and at[0] not in self._behind:
            node = self._nodes.get(at[0])
            if node is None or node.get("type") not in _REROUTES:
                break
            self._behind[at[0]] = None  # for one that comes back to itself
            line.append(at[0])
            at = next(iter(self._wires.into(node).values()), None)
        if at is not None and at[0] in self._behind:
            at = self._behind[at[0]]
        for ident in line:
            self._behind[ident] = at
        return self.official.get(at[0]) if at is not None else None

    def convert(self) -> Plan:
        plan = Planner(
            self.official, lambda: next(self._node_ids), self._trace, self._effort
        ).plan()
        if not self.official:
            return plan
        written = {made.id: self._written(made) for made in plan.nodes}
        board = Board()
        board.settle(
            [
                (written.get(ident, node), copy.copy(node))
                for ident, node in self._nodes.items()
                if ident in written or ident not in self.official
            ]
        )
        for made in plan.nodes:
            self._effort.step()
            if made.id not in self.official:
                board.place(written[made.id], self._nodes[made.near])
        kept = {ident: node for ident, node in self._nodes.items() if ident not in self.official}
        order = [*self._nodes, *(ident for ident in written if ident not in self._nodes)]
        everything = {**kept, **written}
        self._graph["nodes"] = [everything[ident] for ident in order if ident in everything]
        for node in kept.values():
            _rename_types(node)
        for name in ("inputs", "outputs"):
            for row in _rows(self._graph, name):
                _rename_type(row, "type")
        self._wires.rewrite(self.official.keys(), plan.nodes, everything, _TYPES)
        return plan

    def _written(self, made: Made) -> dict[str, Any]:
        """A saved node of ours; its links are wired later."""
        before = self._nodes[made.near]
        stands = made.id == made.near
        shape = shapes()[made.kind]
        values = {**shape.defaults, **made.values}
        sockets: list[dict[str, Any]] = [
            {"name": name, "type": kind, "link": None} for name, kind in shape.sockets.items()
        ]
        sockets += [
            {"name": name, "type": shape.widgets[name], "link": None, "widget": {"name": name}}
            for name in made.links
            if name in shape.widgets
        ]
        node: dict[str, Any] = {
            "id": made.id,
            "type": made.kind,
            "pos": copied(before.get("pos") or [0, 0]),
            "size": list(Board.size_of(made.kind, values, before if stands else None)),
            "flags": copied(before.get("flags") or {}) if stands else {},
            "order": before.get("order", 0),
            "mode": made.mode,
            "inputs": sockets,
            "outputs": [
                {"name": name, "type": kind, "links": None} for name, kind in shape.outputs.items()
            ],
            "properties": {"Node name for S&R": made.kind},
            "widgets_values": [values.get(name) for name in shape.widgets],
        }
        if stands:
            kept = before.get("properties")
            for name, value in kept.items() if isinstance(kept, dict) else ():
                if name not in _FOREIGN_PROPERTIES:
                    node["properties"][name] = copied(value)
            title = official.own_title(before["type"], before.get("title"))
            if title:
                node["title"] = title
            for name in ("color", "bgcolor", "shape"):
                if before.get(name) is not None:
                    node[name] = before[name]
        return node


def _rename_type(row: dict[str, Any], *keys: str) -> None:
    for key in keys:
        value = row.get(key)
        if isinstance(value, str) and value in _TYPES:
            row[key] = _TYPES[value]


def _rename_types(node: dict[str, Any]) -> None:
    """Sockets of reroutes and subgraphs that carried a type of the official extension."""
    for side in ("inputs", "outputs"):
        for row in _rows(node, side):
            _rename_type(row, "type", "name")


class _Promoted:
    """Where the widgets of a subgraph's inner nodes are now, as its nodes name them."""

    def __init__(self, plan: Plan) -> None:
        self.moved = {(str(ident), name): place for (ident, name), place in plan.moved.items()}
        self.gone = {str(made.near) for made in plan.nodes}


def _move_promoted(graph: Graph, plans: Mapping[str, _Promoted]) -> None:
    """Widgets of inner nodes that a subgraph node shows: where they are now."""
    for node in _rows(graph, "nodes"):
        plan = plans.get(str(node.get("type")))
        properties: Any = node.get("properties")
        shown = properties.get("proxyWidgets") if isinstance(properties, dict) else None
        if plan is None or not isinstance(shown, list):
            continue
        pairs: list[Any] = []
        values: list[Any] = []
        given = node.get("widgets_values")
        listed = given if isinstance(given, list) and len(given) == len(shown) else None
        for index, shown_pair in enumerate(shown):
            pair = shown_pair
            value = listed[index] if listed else None
            if isinstance(pair, list) and len(pair) >= 2 and str(pair[0]) in plan.gone:
                place: tuple[Id, str] | None = plan.moved.get((str(pair[0]), str(pair[1])))
                if place is None:
                    continue
                pair = [str(place[0]), place[1], *pair[2:]]
                model = official.model_of(value)
                value = model.file if model else value
            pairs.append(pair)
            values.append(value)
        properties["proxyWidgets"] = pairs
        if listed:
            node["widgets_values"] = values
