"""Our colours, settings and languages, as a user meets them."""

from __future__ import annotations

import pytest
from canvas import Canvas

COLOR = "#2b4a58"
ADD = """kind => {
    const node = LiteGraph.createNode(kind)
    app.graph.add(node)
    return { color: node.color, saved: node.serialize().color ?? null, width: node.size[0] }
}"""


def test_a_new_node_has_our_colour_and_does_not_save_it(canvas: Canvas) -> None:
    added = canvas.page.evaluate(ADD, "DTModelLoader")

    assert added["color"] == COLOR
    assert added["saved"] is None
    assert added["width"] >= 315
    assert canvas.page.evaluate("app.graph.serialize().nodes[0].bgcolor ?? null") is None


def test_a_colour_of_the_users_own_is_saved_and_stays(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    canvas.page.evaluate(
        "() => void Object.assign(app.graph._nodes[0], {color: '#323', bgcolor: '#535'})"
    )
    saved = canvas.page.evaluate("app.graph.serialize()")
    canvas.load(saved)

    assert canvas.page.evaluate("app.graph._nodes[0].color") == "#323"


def test_nodes_of_others_keep_their_colour(canvas: Canvas) -> None:
    assert canvas.page.evaluate(ADD, "SaveImage")["color"] != COLOR


def test_the_setting_takes_the_colours_away_and_brings_them_back(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    name = "drawthingsnodes.node_colors"
    for wanted, color in ((False, ""), (True, COLOR)):
        canvas.page.evaluate(
            "([name, on]) => app.extensionManager.setting.set(name, on)", [name, wanted]
        )
        canvas.page.wait_for_function(
            "color => (app.graph._nodes[0].color ?? '') === color", arg=color
        )


def test_sockets_have_colours_of_their_own(canvas: Canvas) -> None:
    canvas.page.evaluate(ADD, "DTModelLoader")
    canvas.page.evaluate(ADD, "DTSampler")
    canvas.screenshot("look")

    types = canvas.page.evaluate(
        "['DT_SERVER', 'DT_MODEL', 'DT_LORA', 'DT_CONTROL', 'DT_OPTIONS'].map(type => ["
        "app.canvas.default_connection_color_byType[type],"
        "app.canvas.constructor.link_type_colors[type],"
        "getComputedStyle(document.body).getPropertyValue(`--color-datatype-${type}`).trim()])"
    )

    assert all(len(set(colors)) == 1 and colors[0].startswith("#") for colors in types)
    assert len({colors[0] for colors in types}) == len(types)


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_every_command_and_setting_of_ours_is_translated(canvas: Canvas, language: str) -> None:
    missing = canvas.page.evaluate(
        """async language => {
            const { [language]: texts } = await (await fetch('/api/i18n')).json()
            const ours = extension => extension.name.startsWith('drawthingsnodes.')
            const key = entry => entry.id.replaceAll('.', '_')
            const missing = []
            for (const { commands = [], settings = [] } of app.extensions.filter(ours)) {
                for (const c of commands) if (!texts.commands?.[key(c)]) missing.push(c.id)
                for (const s of settings) if (!texts.settings?.[key(s)]) missing.push(s.id)
            }
            return missing
        }""",
        language,
    )

    assert missing == []
