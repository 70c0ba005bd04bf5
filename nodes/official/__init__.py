"""Workflows of the official Draw Things extension become workflows of ours.

Pure: JSON in, JSON out, no server and no ComfyUI behind it. Facts about the other
extension's format are in `values`, decisions in `plan` and `sampler`, files in `ui` and
`api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...dt_core.errors import DrawThingsError
from . import api, ui
from .values import KINDS


class NoWorkflowError(DrawThingsError):
    """What was given is no workflow, or holds no node of the official extension."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A new workflow, what changed in sentences, and how many nodes were converted."""

    workflow: dict[str, Any]
    kind: Literal["ui", "api"]
    changes: tuple[str, ...]
    nodes: int


def convert(workflow: Any) -> Conversion:
    """A workflow (saved graph or API prompt) with our nodes; the given one is not touched.

    Raises NoWorkflowError.
    """
    if isinstance(workflow, Mapping) and isinstance(workflow.get("nodes"), list):
        made, changes, count = ui.convert(workflow)
        kind: Literal["ui", "api"] = "ui"
    else:
        prompt = _prompt(workflow)
        made, changes, count = api.convert(prompt)
        kind = "api"
    if count == 0:
        raise NoWorkflowError(
            "This workflow has no nodes of the official Draw Things extension: open it as it is."
        )
    return Conversion(made, kind, tuple(dict.fromkeys(changes)), count)


def _prompt(workflow: Any) -> Mapping[str, Any]:
    if isinstance(workflow, Mapping) and isinstance(workflow.get("prompt"), Mapping):
        workflow = workflow["prompt"]
    if isinstance(workflow, Mapping) and any(
        isinstance(node, Mapping) and "class_type" in node for node in workflow.values()
    ):
        return workflow
    raise NoWorkflowError("This is no ComfyUI workflow: neither a saved graph nor an API prompt.")


__all__ = ["KINDS", "Conversion", "NoWorkflowError", "convert"]
