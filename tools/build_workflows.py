"""Write the example workflows: `python -m tools.build_workflows`.

Each is described once, in example_graphs.py, and written twice: as a graph for people (UI
format) and as a prompt for scripts (API format). ComfyUI itself is asked for the order of
the widgets, which is what a saved graph goes by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .comfyui import ComfyUI
from .comfyui_client import Client
from .comfyui_setup import ROOT, find_or_install
from .example_graphs import NOTE_SIZE, WORKFLOWS, Link, Node, Workflow

TARGET = ROOT / "example_workflows"
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
SEED_CONTROL = "randomize"  # the widget that the front end puts behind a seed


def as_prompt(workflow: Workflow) -> dict[str, Any]:
    """The API format."""

    def value(item: Any) -> Any:
        return [str(item.node), item.output] if isinstance(item, Link) else item

    return {
        str(node.id): {
            "class_type": node.kind,
            "inputs": {name: value(item) for name, item in node.inputs.items()},
            "_meta": {"title": node.title or node.kind},
        }
        for node in workflow.nodes
    }


class Definitions:
    """What ComfyUI says of each node type."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def inputs(self, kind: str) -> Iterator[tuple[str, str, bool]]:
        """Name, type, and whether it is a widget, in the order of the definition."""
        definition = self._client.node_definition(kind)
        if not definition:
            raise LookupError(f"ComfyUI has no node {kind}: see its log for why")
        order = definition["input_order"]
        uploads = False
        for group in ("required", "optional"):
            for name in order.get(group, ()):
                declared, *options = definition["input"][group][name]
                extra = options[0] if options else {}
                type_name = "COMBO" if isinstance(declared, list) else declared
                is_widget = type_name in WIDGET_TYPES and not extra.get("forceInput")
                yield name, type_name, is_widget
                uploads = uploads or bool(extra.get("image_upload"))
                if extra.get("control_after_generate"):
                    yield "control_after_generate", "COMBO", True
        if uploads:  # its button comes last, and has a value of its own
            yield "upload", "IMAGEUPLOAD", True

    def completed(self, workflow: Workflow) -> Workflow:
        """The workflow with the defaults of all widgets that it leaves out."""
        nodes = (
            replace(node, inputs={**node.inputs, **self._missing(node)}) for node in workflow.nodes
        )
        return replace(workflow, nodes=tuple(nodes))

    def _missing(self, node: Node) -> dict[str, Any]:
        definition = self._client.node_definition(node.kind)
        declared = {
            name: entry
            for group in ("required", "optional")
            for name, entry in definition["input"].get(group, {}).items()
        }
        found = {}
        for name, _, is_widget in self.inputs(node.kind):
            options = (*declared.get(name, ("",)), {})[1]
            if is_widget and name not in node.inputs and "default" in options:
                found[name] = options["default"]
        return found

    def default(self, kind: str, name: str) -> Any:
        """What a widget starts with."""
        groups = self._client.node_definition(kind)["input"]
        declared = {**groups.get("required", {}), **groups.get("optional", {})}
        return declared[name][1]["default"]

    def outputs(self, kind: str) -> list[tuple[str, str]]:
        definition = self._client.node_definition(kind)
        return list(zip(definition["output_name"], definition["output"], strict=True))


def as_graph(workflow: Workflow, definitions: Definitions) -> dict[str, Any]:
    """The UI format, version 0.4, which every front end reads."""
    added = {"upload": "image", "control_after_generate": SEED_CONTROL}
    links: list[list[Any]] = []
    nodes: list[dict[str, Any]] = []
    outgoing: dict[tuple[int, int], list[int]] = {}
    kinds = {node.id: node.kind for node in workflow.nodes}
    for order, node in enumerate(workflow.nodes):
        sockets: list[dict[str, Any]] = []
        values: list[Any] = []
        for name, type_name, is_widget in definitions.inputs(node.kind):
            given = node.inputs.get(name)
            if is_widget and not isinstance(given, Link):
                values.append(added.get(name, given))
                continue
            socket: dict[str, Any] = {"name": name, "type": type_name, "link": None}
            if is_widget:  # it keeps a value of its own below the link
                values.append(definitions.default(node.kind, name))
                socket["widget"] = {"name": name}
            if isinstance(given, Link):
                source = definitions.outputs(kinds[given.node])[given.output]
                ident = len(links) + 1
                links.append([ident, given.node, given.output, node.id, len(sockets), source[1]])
                outgoing.setdefault((given.node, given.output), []).append(ident)
                socket["link"] = ident
            sockets.append(socket)
        saved: dict[str, Any] = {
            "id": node.id,
            "type": node.kind,
            "pos": list(node.place),
            "size": list(node.size),
            "flags": {},
            "order": order,
            "mode": 0,
            "inputs": sockets,
            "outputs": [
                {"name": name, "type": type_name, "links": None}
                for name, type_name in definitions.outputs(node.kind)
            ],
            "properties": {"Node name for S&R": node.kind},
            "widgets_values": values,
        }
        if node.title:
            saved["title"] = node.title
        if node.colours:
            saved["color"], saved["bgcolor"] = node.colours
        nodes.append(saved)
    for saved in nodes:
        for number, output in enumerate(saved["outputs"]):
            output["links"] = outgoing.get((saved["id"], number))
    note_id = max(kinds) + 1
    nodes.append(
        {
            "id": note_id,
            "type": "MarkdownNote",
            "title": "What this shows",
            "pos": list(workflow.note_place),
            "size": list(NOTE_SIZE),
            "flags": {},
            "order": len(nodes),
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "properties": {},
            "widgets_values": [workflow.note],
            "color": "#432",
            "bgcolor": "#653",
        }
    )
    return {
        "last_node_id": note_id,
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def main() -> None:
    (TARGET / "api").mkdir(parents=True, exist_ok=True)
    with ComfyUI(find_or_install()) as comfyui, comfyui.client() as client:
        definitions = Definitions(client)
        for workflow in map(definitions.completed, WORKFLOWS):
            for path, content in (
                (TARGET / f"{workflow.title}.json", as_graph(workflow, definitions)),
                (TARGET / "api" / f"{workflow.name}.json", as_prompt(workflow)),
            ):
                text = json.dumps(content, indent=2, ensure_ascii=False)
                path.write_text(text + "\n", encoding="utf-8")
                print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
