"""Workflows of the official extension, as large as a route takes them: the time, and its growth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ...nodes.exchange import official
from .rows import Found, race, ratios, row

PART = "Steps"
NODES = 20_000  # the most that the route takes
FEWER = 5_000
APART = 2500  # px between groups


def measure(quick: bool) -> Iterator[Found]:
    many, few = (workflow(nodes) for nodes in (NODES, FEWER))
    official.convert(few)  # what is looked up once
    took_many, took_few = race(3 if quick else 5, lambda: _seconds(many), lambda: _seconds(few))
    name = f"Converting a workflow of {NODES:,} nodes"
    yield row(PART, name, "none", took_many, "s", goal=3, beside="groups of four nodes")
    beside = f"{FEWER:,} nodes; linear is {NODES // FEWER}"
    yield row(PART, f"{name}, growth", beside, ratios(took_many, took_few), "×", goal=4.6)


def _seconds(given: dict[str, Any]) -> float:
    began = time.perf_counter()
    official.convert(given)
    return time.perf_counter() - began


def workflow(nodes: int) -> dict[str, Any]:
    """Groups of two prompts, LoRAs and a sampler that takes them, side by side."""
    rows: list[Any] = []
    links: list[Any] = []
    for group in range(nodes // 4):
        first, left = 4 * group + 1, APART * group
        kinds = ("DrawThingsPositive", "DrawThingsNegative", "DrawThingsLoRA", "DrawThingsSampler")
        for place, kind in enumerate(kinds):
            pos = [left + 400 * (place // 2), 300 * (place % 2)]
            rows.append({"id": first + place, "type": kind, "pos": pos, "size": [300, 250]})
        inputs = [
            {"name": name, "type": "*", "link": first + place}
            for place, name in enumerate(("positive", "negative", "lora"))
        ]
        rows[-1]["inputs"] = inputs
        links += [[first + n, first + n, 0, first + 3, n, "*"] for n in range(3)]
    return {"nodes": rows, "links": links, "version": 0.4}
