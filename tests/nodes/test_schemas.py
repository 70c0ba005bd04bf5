"""What ComfyUI reads of a node before it runs: definitions, ids, order, help."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from drawthings.nodes import NODES, lists

ROOT = Path(__file__).resolve().parents[2]

# A file format: saved workflows depend on these ids and on the order of the widgets.
# Append only.
FORMAT = {
    "DTServer": (["address", "tls", "secret_name", "fingerprint"], [], ["DT_SERVER"]),
    "DTModelLoader": (["model", "model_file"], ["server"], ["DT_MODEL"]),
    "DTLoRA": (["lora", "weight", "mode", "lora_file"], ["lora_stack"], ["DT_LORA"]),
    "DTControlNet": (
        [
            "control",
            "input_type",
            "weight",
            "start",
            "end",
            "control_mode",
            "control_file",
        ],
        ["control_stack", "image"],
        ["DT_CONTROL"],
    ),
    "DTKontextReference": (["weight"], ["reference_stack", "image"], ["DT_REFERENCE"]),
    "DTSampler": (
        [
            "seed",
            "steps",
            "guidance",
            "sampler",
            "width",
            "height",
            "strength",
            "batch_size",
            "shift",
        ],
        ["model", "positive", "negative", "lora", "control", "reference", "image", "mask", "options"],
        ["IMAGE", "MASK"],
    ),
}
WIDGETS = {"INT", "FLOAT", "STRING", "COMBO", "BOOLEAN"}

by_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.define_schema().node_id)


def is_widget(entry: Any) -> bool:
    return entry.io_type in WIDGETS and not getattr(entry, "force_input", False)


def test_there_are_exactly_the_nodes_of_the_format() -> None:
    assert [node.define_schema().node_id for node in NODES] == list(FORMAT)


@by_node
def test_ids_and_widget_order_are_the_format(node: Any) -> None:
    schema = node.GET_SCHEMA()
    widgets, sockets, outputs = FORMAT[schema.node_id]
    assert [entry.id for entry in schema.inputs if is_widget(entry)] == widgets
    assert [entry.id for entry in schema.inputs if not is_widget(entry)] == sockets
    assert [entry.io_type for entry in schema.outputs] == outputs


@by_node
def test_optional_widgets_come_last_so_that_the_saved_order_holds(node: Any) -> None:
    """The front end lists required inputs before optional ones."""
    widgets = [entry for entry in node.define_schema().inputs if is_widget(entry)]
    assert [bool(entry.optional) for entry in widgets] == sorted(
        bool(entry.optional) for entry in widgets
    )


@by_node
def test_everything_is_described_to_the_user(node: Any) -> None:
    schema = node.define_schema()
    assert len(schema.description) > 20
    assert schema.display_name.startswith("DT ")
    for entry in [*schema.inputs, *schema.outputs]:
        assert entry.tooltip, f"{schema.node_id}.{entry.id} has no tooltip"
        assert entry.tooltip.endswith(".")


@by_node
def test_the_help_page_speaks_of_every_input(node: Any) -> None:
    schema = node.define_schema()
    page = (ROOT / "web" / "docs" / f"{schema.node_id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {schema.display_name}\n")
    for entry in schema.inputs:
        assert re.search(rf"\b{entry.id}\b", page), f"{entry.id} is not in the help page"


@by_node
def test_a_definition_is_pure_and_fast(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made several times per run: no network, and microseconds."""

    def refuse(*_: object) -> None:
        raise AssertionError("define_schema opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    first, second = node.define_schema(), node.define_schema()
    assert [entry.as_dict() for entry in first.inputs] == [e.as_dict() for e in second.inputs]
    begun = time.perf_counter()
    for _ in range(20):
        node.define_schema()
    assert (time.perf_counter() - begun) / 20 < 0.05  # generous: it is well below 1 ms


def test_lists_offer_what_servers_told_and_official_models_before(
    server: Any, profile: Any
) -> None:
    official = lists.Lists()
    assert "z_image_turbo_1.0_q6p.ckpt" in official.models
    ok, sentence = lists.refresh(profile)
    assert ok, sentence
    assert set(lists.current().loras) >= {row.file for row in server_catalog(profile).loras}
    offered = NODES[2].define_schema().inputs[1].options
    assert offered[0] == lists.NONE
    assert set(lists.current().loras) == set(offered[1:])


def server_catalog(profile: Any) -> Any:
    from drawthings.nodes import clients

    return clients.client(profile).sync.known_catalog


def test_a_server_that_is_away_keeps_the_known_lists(profile: Any) -> None:
    lists.refresh(profile)
    before = lists.current()
    ok, sentence = lists.refresh(type(profile)("127.0.0.1:1"))
    assert not ok
    assert "No Draw Things server" in sentence
    assert lists.current() == before
