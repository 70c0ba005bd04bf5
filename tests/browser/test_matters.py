"""Only what matters: dimmed widgets, idle sockets, and settings that are recommended."""

from __future__ import annotations

from typing import Any

from canvas import Canvas
from playwright.sync_api import expect

SDXL = "sd_xl_base_1.0_f16.ckpt"
SCHNELL = "flux_1_schnell_q5p.ckpt"
DEV = "flux_1_dev_q5p.ckpt"
QWEN = "qwen_image_1.0_q6p.ckpt"
LIGHTNING = "qwen_image_1.0_lightning_4_step_v2.0_lora_f16.ckpt"
HIGH_NOISE = "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt"
LOW_NOISE = "wan_v2.2_a14b_lne_t2v_q6p_svd.ckpt"

# Puts nodes of ours on the canvas; `nodes` is {name: [type, x, y, {widget: value}]}, `links`
# are [from, output, to, input]. Answers the ids by name.
BUILD = """([nodes, links]) => {
  const made = {}
  for (const [name, [type, x, y, values]] of Object.entries(nodes)) {
    const node = LiteGraph.createNode(type)
    node.pos = [x, y]
    app.graph.add(node)
    for (const widget of node.widgets ?? []) {
      if (!Object.hasOwn(values, widget.name)) continue
      widget.value = values[widget.name]
      widget.callback?.(widget.value)
    }
    made[name] = node
  }
  for (const [from, output, to, input] of links) {
    const slot = made[to].inputs.findIndex(one => one.name === input)
    made[from].connect(output, made[to], slot)
  }
  return Object.fromEntries(Object.entries(made).map(([name, node]) => [name, String(node.id)]))
}"""

NODE = "app.graph._nodes.find(node => String(node.id) === id)"
WIDGET = f"{NODE}?.widgets.find(widget => widget.name === name)"


def build(canvas: Canvas, nodes: dict[str, Any], links: list[Any]) -> dict[str, str]:
    ids: dict[str, str] = canvas.page.evaluate(BUILD, [nodes, links])
    return ids


def graph(
    canvas: Canvas, model: str, values: dict[str, Any], more: dict[str, Any], links: list[Any]
) -> dict[str, str]:
    """A loader and a sampler, and `more` nodes with their links."""
    nodes = {
        "loader": ["DTModelLoader", 420, 60, {"model": model}],
        "sampler": ["DTSampler", 900, 60, values],
        **more,
    }
    return build(canvas, nodes, [["loader", 0, "sampler", "model"], *links])


def set_value(canvas: Canvas, ident: str, name: str, value: Any) -> None:
    canvas.page.evaluate(
        f"([id, name, value]) => {{ const w = {WIDGET}; w.value = value; w.callback?.(value) }}",
        [ident, name, value],
    )


def value_of(canvas: Canvas, ident: str, name: str) -> Any:
    return canvas.page.evaluate(f"([id, name]) => {WIDGET}.value", [ident, name])


def wait_dimmed(canvas: Canvas, ident: str, name: str, dimmed: bool = True) -> None:
    canvas.page.wait_for_function(
        f"([id, name, dimmed]) => Boolean({WIDGET}?.disabled) === dimmed", arg=[ident, name, dimmed]
    )


def is_dimmed(canvas: Canvas, ident: str, name: str) -> bool:
    found: bool = canvas.page.evaluate(f"([id, name]) => Boolean({WIDGET}.disabled)", [ident, name])
    return found


def why(canvas: Canvas, ident: str, name: str) -> str:
    found: str = canvas.page.evaluate(f"([id, name]) => {WIDGET}.tooltip ?? ''", [ident, name])
    return found


def overlaps(canvas: Canvas) -> list[list[str]]:
    """Pairs of nodes that lie on each other."""
    found: list[list[str]] = canvas.page.evaluate(
        """() => {
            const nodes = app.graph._nodes
            const apart = (a, b) => [0, 1].some(i => a.pos[i] + a.size[i] < b.pos[i])
            return nodes.flatMap((a, place) => nodes.slice(place + 1)
                .filter(b => !apart(a, b) && !apart(b, a)).map(b => [a.type, b.type]))
        }"""
    )
    return found


def test_a_distilled_model_dims_guidance_and_gives_it_back(canvas: Canvas) -> None:
    ids = graph(canvas, SCHNELL, {"guidance": 5.5}, {}, [])

    wait_dimmed(canvas, ids["sampler"], "guidance")
    assert "distilled" in why(canvas, ids["sampler"], "guidance")
    set_value(canvas, ids["loader"], "model", SDXL)
    wait_dimmed(canvas, ids["sampler"], "guidance", dimmed=False)
    assert "No effect" not in why(canvas, ids["sampler"], "guidance")
    set_value(canvas, ids["sampler"], "sampler", "LCM")
    wait_dimmed(canvas, ids["sampler"], "guidance")
    assert "LCM" in why(canvas, ids["sampler"], "guidance")
    assert value_of(canvas, ids["sampler"], "guidance") == 5.5


def test_strength_counts_once_an_image_comes_and_mask_blur_once_a_mask_does(
    canvas: Canvas,
) -> None:
    inpaint = ["DTInpaintOptions", 420, 460, {"mask_blur": 4.0}]
    picture = ["EmptyImage", 60, 460, {}]
    mask = ["SolidMask", 60, 700, {}]
    ids = graph(
        canvas,
        SDXL,
        {"strength": 0.5},
        {"inpaint": inpaint, "picture": picture, "mask": mask},
        [["inpaint", 0, "sampler", "options"]],
    )

    wait_dimmed(canvas, ids["sampler"], "strength")
    wait_dimmed(canvas, ids["inpaint"], "mask_blur")
    connect = """([from, to, name]) => {
      const [source, target] = [from, to].map(id => app.graph._nodes.find(n => String(n.id) === id))
      source.connect(0, target, target.inputs.findIndex(input => input.name === name))
    }"""
    canvas.page.evaluate(connect, [ids["picture"], ids["sampler"], "image"])
    wait_dimmed(canvas, ids["sampler"], "strength", dimmed=False)
    assert is_dimmed(canvas, ids["inpaint"], "mask_blur")
    canvas.page.evaluate(connect, [ids["mask"], ids["sampler"], "mask"])
    wait_dimmed(canvas, ids["inpaint"], "mask_blur", dimmed=False)


def test_one_options_node_before_two_families_dims_only_what_neither_reads(
    canvas: Canvas,
) -> None:
    ids = build(
        canvas,
        {
            "sdxl": ["DTModelLoader", 420, 60, {"model": SDXL}],
            "flux": ["DTModelLoader", 420, 330, {"model": DEV}],
            "options": ["DTTextEncoderOptions", 420, 600, {"separate_clip_l": True}],
            "one": ["DTSampler", 900, 60, {}],
            "two": ["DTSampler", 1400, 60, {}],
        },
        [
            ["sdxl", 0, "one", "model"],
            ["flux", 0, "two", "model"],
            ["options", 0, "one", "options"],
            ["options", 0, "two", "options"],
        ],
    )

    wait_dimmed(canvas, ids["options"], "separate_t5")
    assert not is_dimmed(canvas, ids["options"], "separate_clip_l")
    assert not is_dimmed(canvas, ids["options"], "clip_skip")
    assert not is_dimmed(canvas, ids["two"], "shift")  # 0 is automatic, and may be raised
    canvas.show_all()
    page = canvas.page
    page.get_by_text("settings have no effect with Stable Diffusion XL Base, FLUX.1").click()
    expect(
        page.get_by_text(f"separate clip l: read only by DT Sampler #{ids['two']}")
    ).to_be_visible()
    canvas.screenshot("two-families")


def test_a_socket_that_feeds_nothing_is_named(canvas: Canvas) -> None:
    graph(
        canvas,
        QWEN,
        {"guidance": 4.0},
        {
            "reference": ["DTKontextReference", 420, 400, {}],
            "control": ["DTControlNet", 60, 60, {}],
        },
        [["reference", 0, "sampler", "reference"]],
    )

    line = canvas.page.get_by_text("Reference: Qwen Image 1.0 does not look at reference pictures.")
    expect(line).to_have_count(1)


def test_frames_and_the_refiner_of_wan_are_added_by_one_click_and_one_undo_takes_them_back(
    canvas: Canvas,
) -> None:
    tiles = ["DTTilingOptions", 420, 520, {}]
    ids = graph(
        canvas,
        HIGH_NOISE,
        {},
        {"tiles": tiles},
        [["tiles", 0, "sampler", "options"]],
    )
    page = canvas.page
    offer = page.get_by_text("Recommended for Wan 2.2 High Noise Expert T2V A14B")
    expect(offer).to_contain_text("81 frames")
    expect(offer).to_contain_text("refiner Wan 2.2 Low Noise Expert T2V A14B")
    expect(page.get_by_text("Use also adds: DT Video Options, DT Refiner Options.")).to_be_visible()
    canvas.screenshot("recommended-video")
    page.get_by_role("button", name="Use", exact=True).click()

    expect(offer).to_have_count(0)
    canvas.show_all()
    canvas.screenshot("recommended-video-used")
    assert overlaps(canvas) == []
    sent = {node["class_type"]: node["inputs"] for node in canvas.prompt().values()}
    assert sent["DTVideoOptions"]["num_frames"] == 81
    assert sent["DTRefinerOptions"]["refiner_model"] == LOW_NOISE
    assert abs(sent["DTRefinerOptions"]["refiner_start"] - 0.125) < 0.006  # in steps of 0.01
    assert (sent["DTSampler"]["steps"], sent["DTSampler"]["shift"]) == (30, 8)
    before = {
        canvas.prompt()[sent[kind]["options"][0]]["class_type"]
        for kind in ("DTSampler", "DTVideoOptions", "DTRefinerOptions")
    }
    assert before == {"DTRefinerOptions", "DTVideoOptions", "DTTilingOptions"}
    assert value_of(canvas, ids["sampler"], "steps") == 30

    page.keyboard.press("Control+z")
    page.wait_for_function(
        "!app.graph._nodes.some(node => node.type === 'DTVideoOptions' ||"
        " node.type === 'DTRefinerOptions')"
    )


def test_what_comes_by_a_link_is_neither_offered_nor_overwritten(canvas: Canvas) -> None:
    ids = graph(
        canvas,
        QWEN,
        {"steps": 12},
        {"number": ["PrimitiveInt", 60, 460, {"value": 9}]},
        [["number", 0, "sampler", "steps"]],
    )
    page = canvas.page
    expect(page.get_by_text("Recommended for Qwen Image 1.0")).to_be_visible()

    page.get_by_role("button", name="Use", exact=True).click()

    # With steps of 9 by the link nothing differs any more.
    expect(page.get_by_text("Recommended for")).to_have_count(0)
    assert value_of(canvas, ids["sampler"], "steps") == 12
    assert value_of(canvas, ids["sampler"], "shift") == 2
    assert value_of(canvas, ids["number"], "value") == 9


def test_a_lightning_lora_changes_what_is_recommended(canvas: Canvas) -> None:
    ids = graph(
        canvas,
        QWEN,
        {},
        {"lora": ["DTLoRA", 420, 400, {"lora": LIGHTNING}]},
        [["lora", 0, "sampler", "lora"]],
    )
    page = canvas.page
    expect(page.get_by_text("Recommended for Qwen Image 1.0")).to_contain_text("4 steps")

    set_value(canvas, ids["lora"], "on", False)
    expect(page.get_by_text("Recommended for Qwen Image 1.0")).to_contain_text("30 steps")


def test_a_configuration_among_the_options_counts_even_by_a_link(
    canvas: Canvas,
) -> None:
    ids = graph(
        canvas,
        SDXL,
        {"guidance": 5.0, "sampler": "LCM"},
        {
            "tea": ["DTTeaCacheOptions", 420, 400, {}],
            "config": ["DTConfig", 60, 400, {}],
            "text": ["PrimitiveString", 60, 700, {"value": '{"sampler": 2}'}],
        },
        [
            ["config", 0, "tea", "options"],
            ["tea", 0, "sampler", "options"],
            ["text", 0, "config", "configuration"],
        ],
    )

    wait_dimmed(canvas, ids["tea"], "tea_cache")
    # DT Config chooses DDIM over the sampler's LCM.
    assert not is_dimmed(canvas, ids["sampler"], "guidance")
    set_value(canvas, ids["text"], "value", '{"sampler": 6}')
    set_value(canvas, ids["sampler"], "steps", 9)  # a user's change makes our page look again
    wait_dimmed(canvas, ids["sampler"], "guidance")
