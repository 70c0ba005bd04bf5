"""Workflows of the official Draw Things extension become workflows of ours.

Pure: JSON in, JSON out, no server and no ComfyUI behind it. Facts about the other
extension's format are in `their_nodes`, decisions in `translation` and `sampler_settings`,
files in `saved_graphs` and `api_prompts`.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ....dt_core.errors import DrawThingsError
from ....dt_core.text import Template, Text
from . import api_prompts, saved_graphs
from .graph import OF_NODE, TooMuch
from .their_nodes import KINDS
from .translation import NOW

_TOO_DEEP = Template("workflow_too_deep", "This workflow is nested too deeply to be read.")
_NOTHING_TO_CONVERT = Template(
    "nothing_to_convert",
    "This workflow has no nodes of the official Draw Things extension: open it as it is.",
)
_NO_WORKFLOW = Template(
    "no_workflow", "This is no ComfyUI workflow: neither a saved graph nor an API prompt."
)


class NoWorkflowError(DrawThingsError):
    """What was given is no workflow, or holds no node of the official extension."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A new workflow, what changed in sentences, and how many nodes were converted."""

    workflow: dict[str, Any]
    kind: Literal["ui", "api"]
    changes: tuple[Text, ...]
    nodes: int


def convert(workflow: Any, pulse: Callable[[], None] = lambda: None) -> Conversion:
    """A workflow (saved graph or API prompt) with our nodes; the given one is not touched.

    Its time grows with the number of nodes, as it is. `pulse` is called all the while and may
    raise, to end it. Raises NoWorkflowError; TooMuch for one that would grow without end.
    """
    kind: Literal["ui", "api"] = "api"
    try:
        with _without_collection():
            if isinstance(workflow, Mapping) and isinstance(workflow.get("nodes"), list):
                kind = "ui"
                made, changes, count = saved_graphs.convert(workflow, pulse)
            else:
                made, changes, count = api_prompts.convert(_prompt(workflow), pulse)
            told = _sorted(changes)
    except RecursionError:
        raise NoWorkflowError(_TOO_DEEP()) from None
    if count == 0:
        raise NoWorkflowError(_NOTHING_TO_CONVERT())
    return Conversion(made, kind, told, count)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Python's collector rests: among so many new nodes, none of them garbage, its rounds take
    half of the time (20,000 samplers: 5.4 s, 3.4 s without)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _sorted(changes: list[Text]) -> tuple[Text, ...]:
    """What is told of one node stands together, what it became first."""
    nodes: dict[Any, list[Text]] = {}
    for change in dict.fromkeys(changes):
        of_node = change.template is OF_NODE
        node, what = (change.values["node"], change.values["what"]) if of_node else (change, None)
        became = isinstance(what, Text) and what.template is NOW
        nodes.setdefault(node, []).insert(0 if became else len(nodes[node]), change)
    return tuple(change for told in nodes.values() for change in told)


def _prompt(workflow: Any) -> Mapping[str, Any]:
    if isinstance(workflow, Mapping) and isinstance(workflow.get("prompt"), Mapping):
        workflow = workflow["prompt"]
    if isinstance(workflow, Mapping) and any(
        isinstance(node, Mapping) and "class_type" in node for node in workflow.values()
    ):
        return workflow
    raise NoWorkflowError(_NO_WORKFLOW())


__all__ = ["KINDS", "Conversion", "NoWorkflowError", "TooMuch", "convert"]
