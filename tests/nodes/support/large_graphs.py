"""Workflows of the official extension of any size, for what a conversion costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "data" / "official"


def copies(name: str, nodes: int, apart: float = 4000) -> dict[str, Any]:
    """The sample of that name, as often as it takes, each copy `apart` px from the one before."""
    sample = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in sample.items() if key not in {"nodes", "links", "groups"}}
    made: list[Any] = []
    links: list[Any] = []
    highest = max(node["id"] for node in sample["nodes"]) + 1
    highest_link = max(link[0] for link in sample["links"]) + 1
    for number in count():
        if len(made) >= nodes:
            break
        copied = json.loads(json.dumps({"nodes": sample["nodes"], "links": sample["links"]}))
        for node in copied["nodes"]:
            _move(node, number * highest, number * highest_link, number * apart)
        for link in copied["links"]:
            link[0] += number * highest_link
            link[1] += number * highest
            link[3] += number * highest
        made += copied["nodes"]
        links += copied["links"]
    return {**kept, "nodes": made[:nodes], "links": links, "groups": []}


def _move(node: dict[str, Any], more: int, more_links: int, right: float) -> None:
    node["id"] += more
    x, y = node["pos"] if isinstance(node["pos"], list) else (node["pos"]["0"], node["pos"]["1"])
    node["pos"] = [x + right, y]
    for row in node.get("inputs") or ():
        if row.get("link") is not None:
            row["link"] += more_links
    for row in node.get("outputs") or ():
        row["links"] = [link + more_links for link in row.get("links") or ()]


def alone(kind: str, nodes: int, apart: float = 0, **more: Any) -> dict[str, Any]:
    """So many nodes of one kind, without links."""
    rows = [
        {"id": number, "type": kind, "pos": [number * apart, 0], "size": [300, 400], "mode": 0,
         "inputs": [], "outputs": [], "widgets_values": [], **more}
        for number in range(1, nodes + 1)
    ]  # fmt: skip
    return {"nodes": rows, "links": [], "version": 0.4}


def chained(kind: str, name: str, nodes: int) -> dict[str, Any]:
    """The same, each input `name` hanging on the output of the node before."""
    graph = alone(kind, nodes, apart=2000)
    for node, before in zip(graph["nodes"][1:], graph["nodes"], strict=False):
        node["inputs"] = [{"name": name, "type": "*", "link": node["id"]}]
        graph["links"].append([node["id"], before["id"], 0, node["id"], 0, "*"])
    return graph


def shared_hints(samplers: int, hints: int) -> dict[str, Any]:
    """Samplers that all hang on one chain of hints, each of which has a map."""
    graph = chained("DrawThingsHints", "hints", hints)
    for node in graph["nodes"]:
        inputs = node["inputs"]
        inputs.append({"name": "image1", "type": "IMAGE", "link": 100_000 + node["id"]})
        node["widgets_values"] = ["Depth", 1, "(None selected)", 1, "(None selected)", 1]
        slot = len(inputs) - 1
        graph["links"].append([100_000 + node["id"], 99_999, 0, node["id"], slot, "IMAGE"])
    graph["nodes"].append({"id": 99_999, "type": "LoadImage", "pos": [0, 900], "size": [9, 9]})
    for number in range(samplers):
        ident, link = 200_000 + number, 300_000 + number
        graph["nodes"].append(
            {**alone("DrawThingsSampler", 1)["nodes"][0], "id": ident,
             "inputs": [{"name": "hints", "type": "DT_HINTS", "link": link}]}
        )  # fmt: skip
        graph["links"].append([link, hints, 0, ident, 0, "DT_HINTS"])
    return graph


def prompt(graph: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a saved graph in API form, with their default values."""
    inputs: dict[int, dict[str, Any]] = {node["id"]: {} for node in graph["nodes"]}
    names = {
        (node["id"], row["link"]): row["name"]
        for node in graph["nodes"]
        for row in node.get("inputs") or ()
    }
    for ident, origin, slot, target, *_ in graph["links"]:
        inputs[target][names[target, ident]] = [str(origin), slot]
    return {
        str(node["id"]): {"class_type": node["type"], "inputs": inputs[node["id"]]}
        for node in graph["nodes"]
    }
