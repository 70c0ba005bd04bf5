"""Only what matters: dimmed widgets, idle sockets, and settings that are recommended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from canvas import Canvas
from drawthings.dt_core.simulator import Simulator
from playwright.sync_api import expect

SDXL = "sd_xl_base_1.0_f16.ckpt"
SCHNELL = "flux_1_schnell_q5p.ckpt"
DEV = "flux_1_dev_q5p.ckpt"
QWEN = "qwen_image_1.0_q6p.ckpt"
LIGHTNING = "qwen_image_1.0_lightning_4_step_v2.0_lora_f16.ckpt"
HIGH_NOISE = "wan_v2.2_a14b_hne_t2v_q6p_svd.ckpt"
LOW_NOISE = "wan_v2.2_a14b_lne_t2v_q6p_svd.ckpt"

NODE = "app.graph._nodes.find(node => String(node.id) === id)"
WIDGET = f"{NODE}?.widgets.find(widget => widget.name === name)"


def graph(
    canvas: Canvas, model: str, values: dict[str, Any], more: dict[str, Any], links: list[Any]
) -> dict[str, str]:
    """A loader and a sampler, and `more` nodes with their links."""
    nodes = {
        "loader": ["DTModelLoader", 420, 60, {"model": model}],
        "sampler": ["DTSampler", 900, 60, values],
        **more,
    }
    return canvas.build(nodes, [["loader", 0, "sampler", "model"], *links])


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


def test_a_dimmed_field_looks_so_and_tells_why_under_the_mouse(canvas: Canvas) -> None:
    ids = graph(canvas, SCHNELL, {}, {}, [])
    wait_dimmed(canvas, ids["sampler"], "guidance")
    canvas.show_all()

    tooltip = canvas.page.get_by_text("No effect: ").locator("visible=true").first

    def point(x: float, y: float) -> None:
        canvas.page.mouse.move(x, y)
        canvas.page.mouse.move(x + 3, y)
        expect(tooltip).to_contain_text("distilled model")

    canvas.at_field(ids["sampler"], "guidance", point)
    canvas.screenshot("dimmed")
    if canvas.face.vue:
        row = canvas.page.locator(f"[data-node-id='{ids['sampler']}'] [node-id]")
        for name, opacity in (("guidance", "0.45"), ("steps", "1")):
            expect(row.filter(has_text=name).first).to_have_css("opacity", opacity)


def test_a_text_without_effect_is_quiet_but_can_be_read(canvas: Canvas) -> None:
    texts = ["DTTextEncoderOptions", 420, 460, {"separate_t5": True, "t5_text": "my own words"}]
    graph(canvas, SCHNELL, {}, {"texts": texts}, [["texts", 0, "sampler", "options"]])
    canvas.show_all()

    expect(canvas.page.get_by_text("settings have no effect with FLUX.1").last).to_be_visible()
    words = canvas.page.locator("textarea").locator("visible=true")
    expect(words).to_have_count(3)
    assert words.nth(2).input_value() == "my own words"
    canvas.screenshot("dimmed-text")


@pytest.fixture
def attic(canvas: Canvas, simulator: Simulator) -> Iterator[str]:
    """The name of a stored server."""
    row = {"name": "attic", "address": simulator.address, "tls": "automatic", "fingerprint": ""}
    canvas.call("/servers/save", row)
    yield "attic"
    canvas.call("/servers/remove", {"name": "attic"})


def test_beside_a_saved_server_the_address_counts_no_more(canvas: Canvas, attic: str) -> None:
    ids = canvas.build({"server": ["DTServer", 420, 60, {"saved_server": attic}]}, [])

    wait_dimmed(canvas, ids["server"], "address")
    assert "A saved server is chosen." in why(canvas, ids["server"], "tls")
    assert not is_dimmed(canvas, ids["server"], "saved_server")
    canvas.screenshot("dimmed-server")
    set_value(canvas, ids["server"], "saved_server", "as above")
    wait_dimmed(canvas, ids["server"], "address", dimmed=False)


@pytest.fixture
def way(canvas: Canvas) -> Iterator[Callable[[str], None]]:
    """Chooses what becomes of settings without effect."""

    def choose(value: str) -> None:
        canvas.set_setting("drawthingsnodes.without_effect", value)

    yield choose
    choose("dim")


def test_settings_without_effect_are_folded_away_or_left_alone_for_who_wants_that(
    canvas: Canvas, way: Callable[[str], None]
) -> None:
    ids = graph(canvas, SCHNELL, {"guidance": 5.5}, {}, [])
    wait_dimmed(canvas, ids["sampler"], "guidance")
    hidden = f"([id, name]) => Boolean({WIDGET}.hidden)"
    where = [ids["sampler"], "guidance"]

    way("fold")
    canvas.page.wait_for_function(hidden, arg=where)
    canvas.screenshot("folded-away")
    [sampler] = [n for n in canvas.prompt().values() if n["class_type"] == "DTSampler"]
    assert sampler["inputs"]["guidance"] == 5.5  # folded away, not left out
    way("show")
    canvas.page.wait_for_function(f"([id, name]) => !{WIDGET}.hidden", arg=where)
    wait_dimmed(canvas, ids["sampler"], "guidance", dimmed=False)
    way("dim")
    wait_dimmed(canvas, ids["sampler"], "guidance")


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
    ids = canvas.build(
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
    canvas.wait_until_recorded()
    added = (
        "['DTVideoOptions', 'DTRefinerOptions']"
        ".filter(type => app.graph._nodes.some(node => node.type === type)).length"
    )
    page.keyboard.press("Control+z")
    page.wait_for_function(f"{added} === 0")
    expect(offer).to_contain_text("81 frames")  # as before
    page.get_by_role("button", name="Use", exact=True).click()
    page.wait_for_function(f"{added} === 2")
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
