"""Links are followed through reroutes, bypassed nodes and subgraphs, however deep."""

from __future__ import annotations

from typing import Any

from canvas import Canvas

# A server, a reroute, a loader, a LoRA and a sampler; `walk` is our module.
BUILD = """async folder => {
  const walk = await import(`/extensions/${folder}/lib/graph.mjs`)
  const add = (type, x, y) => {
    const node = LiteGraph.createNode(type)
    node.pos = [x, y]
    app.graph.add(node)
    return node
  }
  const slot = (node, name) => node.inputs.findIndex(input => input.name === name)
  const [server, reroute] = [add('DTServer', 0, 100), add('Reroute', 260, 60)]
  const [loader, lora] = [add('DTModelLoader', 400, 100), add('DTLoRA', 400, 420)]
  const sampler = add('DTSampler', 800, 100)
  server.connect(0, reroute, 0)
  reroute.connect(0, loader, slot(loader, 'server'))
  loader.connect(0, sampler, slot(sampler, 'model'))
  lora.connect(0, sampler, slot(sampler, 'lora'))
  server.widgets.find(widget => widget.name === 'address').value = 'studio:7859'
  const told = node => ({
    server: walk.serverNodeOf(node)?.type ?? null,
    address: walk.serverRef(node)?.address ?? null,
    model: walk.modelNodeOf(node)?.type ?? null,
    samplers: walk.samplersOf(node).map(other => other.type)
  })
  const only = type => walk.allNodes(type)[0]
"""


def told(canvas: Canvas, steps: str) -> dict[str, Any]:
    """What the walk tells of the LoRA and the server, after `steps` in JavaScript."""
    answer: dict[str, Any] = canvas.page.evaluate(
        BUILD + steps + "\n return {lora: told(only('DTLoRA')), server: told(only('DTServer'))} }",
        canvas.pack_folder,
    )
    return answer


FOUND = {
    "server": "DTServer",
    "address": "studio:7859",
    "model": "DTModelLoader",
    "samplers": ["DTSampler"],
}


def test_a_reroute_is_walked_through_both_ways(canvas: Canvas) -> None:
    answer = told(canvas, "")

    assert answer["lora"] == FOUND
    assert answer["server"]["samplers"] == ["DTSampler"]


def test_nested_subgraphs_are_walked_through_both_ways(canvas: Canvas) -> None:
    answer = told(
        canvas,
        """
        app.graph.convertToSubgraph(new Set([loader, lora]))
        const [outer] = app.graph._nodes.filter(node => node.subgraph)
        outer.subgraph.convertToSubgraph(new Set([only('DTModelLoader')]))
        """,
    )

    assert answer["lora"] == FOUND
    assert answer["server"]["samplers"] == ["DTSampler"]


def test_a_bypassed_lora_node_hands_on_what_it_gets_and_a_muted_loader_nothing(
    canvas: Canvas,
) -> None:
    answer = told(
        canvas,
        """
        const between = add('DTLoRA', 600, 420)
        lora.connect(0, between, slot(between, 'lora_stack'))
        between.connect(0, sampler, slot(sampler, 'lora'))
        between.mode = 4
        """,
    )
    assert answer["lora"] == FOUND

    canvas.clear()
    answer = told(canvas, "loader.mode = 2")
    assert answer["lora"]["model"] is None
    assert answer["lora"]["server"] is None


def test_an_address_from_a_primitive_is_read(canvas: Canvas) -> None:
    answer = told(
        canvas,
        """
        const text = add('PrimitiveString', -300, 100)
        text.widgets[0].value = 'attic:7859'
        text.connect(0, server, slot(server, 'address'))
        """,
    )

    assert answer["lora"]["address"] == "attic:7859"
