"""Hints nodes of the official extension: a moodboard, and maps for ControlNets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import their_nodes as official
from .graph import NEVER, Id, Official, Source

MOODBOARD = "Shuffle (Moodboard)"
# Which hints a ControlNet of that kind looks at; all others look at "Custom".
_READ = {
    "depth": ("Depth",),
    "pose": ("Pose", "Custom"),
    "scribble": ("Scribble",),
    "color": ("Color",),
    "inpaint": (),
    "ip2p": (),
    "shuffle": (),
}

Trace = Callable[[Source], "Official | None"]


def rows(node: Official) -> Iterator[tuple[str, str, float, Source]]:
    """The rows of a hints node that are sent: row, type, weight, picture."""
    for row in official.HINT_ROWS:
        kind, picture = node.values[f"type{row}"], node.links.get(f"image{row}")
        if picture is not None and kind != official.NONE_SELECTED:
            yield row, kind, node.values[f"weight{row}"], picture


def references(source: Source, trace: Trace) -> Source | None:
    """Where the moodboard of a hints link comes from; None if it carries none."""
    passed: set[Source] = set()
    at: Source | None = source
    while at is not None and at not in passed:
        passed.add(at)
        node = trace(at)
        if node is None or node.kind != official.HINTS:
            return at
        if any(kind == MOODBOARD for _, kind, _, _ in rows(node)):
            return at
        at = node.links.get("hints") if node.mode != NEVER else None
    return None


def maps(source: Source, trace: Trace) -> Iterator[tuple[Official, str, Source, bool]]:
    """The hints that are no moodboard, in order: node, type, picture, whether they act."""
    chain: list[tuple[Official, bool]] = []
    passed: set[Id] = set()
    acts, at = True, trace(source)
    while at is not None and at.kind == official.HINTS and at.id not in passed:
        passed.add(at.id)
        acts = acts and at.mode != NEVER
        chain.append((at, acts and at.mode == 0))
        before = at.links.get("hints")
        at = trace(before) if before else None
    for node, active in reversed(chain):
        for _, kind, _, picture in rows(node):
            if kind != MOODBOARD:
                yield node, kind, picture, active


def controls(sampler: Official, trace: Trace) -> Iterator[Official]:
    """The ControlNets of a sampler, the last of the chain first."""
    passed: set[Source] = set()
    source = sampler.links.get("control_net")
    while source is not None and source not in passed:
        passed.add(source)
        node = trace(source)
        if node is None or node.kind != official.CONTROL:
            return
        yield node
        source = node.links.get("control_net")


def read_by(control: Official) -> tuple[str, ...]:
    """The types of hints that a ControlNet node would look at; none without a model."""
    model = control.values["control_name"]
    if model is None:
        return ()
    kind = str(model.spec.get("modifier") or control.values["control_input_type"]).lower()
    return _READ.get(kind, ("Custom",))
