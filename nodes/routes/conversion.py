"""Workflows of the official extension in, workflows of ours out."""

from __future__ import annotations

from typing import Any

from ...dt_core.text import Template
from ..host import sentences
from .guard import Body, Refused, long_route
from .threads import Visit

_MOST_NODES = 20_000  # of one workflow; far above what a canvas can show
_NO_WORKFLOW = Template(
    "workflow_too_large", "'workflow' must be a workflow of at most {most} nodes."
)


def convert(body: Body, visit: Visit) -> Any:
    """{"workflow"} → {"workflow", "kind": "ui" | "api", "changes", "change_texts", "nodes"}."""
    workflow = body.get("workflow")
    nodes = workflow.get("nodes") if isinstance(workflow, dict) else None
    counted = nodes if isinstance(nodes, list) else workflow
    if not isinstance(counted, (dict, list)) or len(counted) > _MOST_NODES:
        raise Refused(400, _NO_WORKFLOW(most=_MOST_NODES))
    from ..exchange import (
        official,  # few need it, and at ComfyUI's start it takes a sixth of our time
    )

    made = official.convert(workflow, visit.go_on)
    return {
        "workflow": made.workflow,
        "kind": made.kind,
        "nodes": made.nodes,
        **sentences.several("change", made.changes),
    }


ROUTES = {"/convert": long_route(convert)}
