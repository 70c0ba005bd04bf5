"""Write the example workflows: `python -m tools.build_workflows`.

Each is described once, below, and written twice: as a graph for people (UI format) and as
a prompt for scripts (API format). ComfyUI itself is asked for the order of the widgets,
which is what a saved graph goes by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .comfyui import ComfyUI
from .comfyui_client import Client
from .comfyui_setup import ROOT, find_or_install

TARGET = ROOT / "example_workflows"
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
SEED_CONTROL = "randomize"  # the widget that the front end puts behind a seed


@dataclass(frozen=True)
class Link:
    """An input that takes an output of another node."""

    node: int
    output: int = 0


@dataclass(frozen=True)
class Node:
    id: int
    kind: str
    place: tuple[int, int]
    size: tuple[int, int]
    inputs: dict[str, Any]
    title: str = ""
    colours: tuple[str, str] | None = None  # of the title and of the body


@dataclass(frozen=True)
class Workflow:
    name: str
    note: str
    note_place: tuple[int, int]
    nodes: tuple[Node, ...]


# Columns from left to right: words, pictures and what acts on them, the sampler, the result.
# The picture column starts low, so that the links of the words pass above it.
WORDS, PICTURES, SAMPLER, RESULT = 0, 460, 940, 1360
NOTE_SIZE = (400, 190)
SAMPLER_SIZE = (360, 480)
GREEN, RED = ("#232", "#353"), ("#322", "#533")  # ComfyUI's own, as many use them for prompts


def prompt(ident: int, text: str, place: tuple[int, int], *, negative: bool = False) -> Node:
    size = (400, 120)
    title, colours = ("Negative prompt", RED) if negative else ("Prompt", GREEN)
    return Node(ident, "PrimitiveStringMultiline", place, size, {"value": text}, title, colours)


TWO_LORAS = Workflow(
    "text_to_image_two_loras",
    "## Text to image with two LoRAs\n\n"
    "Both LoRAs act at once: a **DT LoRA** takes up to four, each with a switch, and the "
    "nodes chain, any number of them.\n\n"
    "The server is that of `DRAWTHINGS_SERVER`, else `localhost:7859`. For another one "
    "connect a **DT Server** to the loader.",
    (RESULT, 600),
    (
        Node(
            1,
            "DTModelLoader",
            (WORDS, 0),
            (400, 110),
            {"model": "z_image_turbo_1.0_q6p.ckpt", "model_file": ""},
        ),
        Node(
            2,
            "DTLoRA",
            (WORDS, 380),
            (400, 160),
            {
                "lora": "z_image_detail_lora_f16.ckpt",
                "weight": 0.6,
                "mode": "All",
                "on": True,
            },
            "DT LoRA: detail",
        ),
        Node(
            3,
            "DTLoRA",
            (PICTURES, 380),
            (400, 160),
            {
                "lora_stack": Link(2),
                "lora": "z_image_pixel_art_lora_f16.ckpt",
                "weight": 0.9,
                "mode": "All",
                "on": True,
            },
            "DT LoRA: pixel art",
        ),
        prompt(
            4,
            "A lighthouse on a rocky coast at dusk, warm light in the windows, waves breaking, "
            "a flock of gulls",
            (WORDS, 190),
        ),
        Node(
            5,
            "DTSampler",
            (SAMPLER, 0),
            SAMPLER_SIZE,
            {
                "model": Link(1),
                "positive": Link(4),
                "lora": Link(3),
                "seed": 421337,
                "steps": 8,
                "guidance": 1.0,
                "sampler": "UniPC Trailing",
                "width": 1024,
                "height": 768,
                "strength": 1.0,
                "batch_size": 1,
                "shift": 3.0,
            },
        ),
        Node(
            6,
            "SaveImage",
            (RESULT, 0),
            (560, 520),
            {"images": Link(5), "filename_prefix": "DrawThings/two_loras"},
        ),
    ),
)

INPAINTING = Workflow(
    "inpainting",
    "## Inpainting\n\n"
    "The server repaints what is **white** in the mask and keeps the rest. Instead of "
    "loading a mask you can draw one: right click on the picture, *Open in MaskEditor*, and "
    "connect its MASK output.\n\n"
    "A model made for inpainting sees what surrounds the mask.",
    (WORDS, 570),
    (
        Node(1, "LoadImage", (PICTURES, 460), (400, 360), {"image": "dusk_lake.png"}, "Picture"),
        Node(
            2,
            "LoadImageMask",
            (PICTURES, 890),
            (400, 360),
            {"image": "dusk_lake_mask.png", "channel": "red"},
            "Mask: white is repainted",
        ),
        Node(
            3,
            "DTModelLoader",
            (WORDS, 0),
            (400, 110),
            {"model": "fooocus_inpaint_sd_xl_v2.6_f16.ckpt", "model_file": ""},
        ),
        prompt(
            4, "A small wooden rowing boat on a calm lake at dusk, soft reflections", (WORDS, 190)
        ),
        prompt(5, "blurry, text, watermark", (WORDS, 380), negative=True),
        Node(
            6,
            "DTSampler",
            (SAMPLER, 0),
            SAMPLER_SIZE,
            {
                "model": Link(3),
                "positive": Link(4),
                "negative": Link(5),
                "image": Link(1),
                "mask": Link(2),
                "seed": 20240,
                "steps": 16,
                "guidance": 5.0,
                "sampler": "DPM++ 2M AYS",
                "width": 960,
                "height": 640,
                "strength": 1.0,
                "batch_size": 1,
                "shift": 0.0,
            },
        ),
        Node(
            7,
            "SaveImage",
            (RESULT, 0),
            (560, 480),
            {"images": Link(6), "filename_prefix": "DrawThings/inpainting"},
        ),
    ),
)

REFERENCE_EDIT = Workflow(
    "reference_edit",
    "## Edit with reference pictures\n\n"
    "Edit models look at pictures and follow words. The sampler's **image** is *Picture 1*, "
    "every **DT Kontext Reference** after it the next one; call them so in the prompt.\n\n"
    "References may have any size.",
    (WORDS, 810),
    (
        Node(1, "LoadImage", (PICTURES, 800), (400, 460), {"image": "portrait.png"}, "Picture 1"),
        Node(2, "LoadImage", (WORDS, 380), (400, 360), {"image": "dusk_lake.png"}, "Picture 2"),
        Node(
            3,
            "DTModelLoader",
            (WORDS, 0),
            (400, 110),
            {"model": "flux_2_klein_9b_q6p.ckpt", "model_file": ""},
        ),
        prompt(
            4,
            "The woman of Picture 1 stands at the lake of Picture 2 at dusk. Keep her face and "
            "her green pullover.",
            (WORDS, 190),
        ),
        Node(
            5,
            "DTKontextReference",
            (PICTURES, 380),
            (400, 180),
            {"image": Link(2), "weight": 1.0, "on": True, "after_image": True},
        ),
        Node(
            6,
            "DTSampler",
            (SAMPLER, 0),
            SAMPLER_SIZE,
            {
                "model": Link(3),
                "positive": Link(4),
                "reference": Link(5),
                "image": Link(1),
                "seed": 7,
                "steps": 4,
                "guidance": 1.0,
                "sampler": "DDIM Trailing",
                "width": 832,
                "height": 1024,
                "strength": 1.0,
                "batch_size": 1,
                "shift": 3.0,
            },
        ),
        Node(
            7,
            "SaveImage",
            (RESULT, 0),
            (560, 720),
            {"images": Link(6), "filename_prefix": "DrawThings/reference_edit"},
        ),
    ),
)

WORKFLOWS = (TWO_LORAS, INPAINTING, REFERENCE_EDIT)


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
            if is_widget:
                values.append(added.get(name, given))
                continue
            socket: dict[str, Any] = {"name": name, "type": type_name, "link": None}
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
            "bgcolor": "#000",
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
            name = f"{workflow.name}.json"
            for path, content in (
                (TARGET / name, as_graph(workflow, definitions)),
                (TARGET / "api" / name, as_prompt(workflow)),
            ):
                text = json.dumps(content, indent=2, ensure_ascii=False)
                path.write_text(text + "\n", encoding="utf-8")
                print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
