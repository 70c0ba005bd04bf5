"""The Draw Things tab of the sidebar, as a user handles it."""

from __future__ import annotations

from canvas import Canvas
from playwright.sync_api import Locator, expect

DEADLINE_MS = 15_000


def open_tab(canvas: Canvas) -> Locator:
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
    opened = canvas.page.locator(".dt-sidebar")
    expect(opened).to_be_visible()
    expect(opened.locator(".dt-contents-tabs")).to_be_visible()
    return opened


def close_tab(canvas: Canvas) -> None:
    canvas.page.get_by_role("button", name="Draw Things: servers").first.click()
    expect(canvas.page.locator(".dt-sidebar")).to_have_count(0)


def remove(canvas: Canvas, tab: Locator) -> None:
    buttons = tab.get_by_role("button", name="Remove", exact=True)
    before = buttons.count()
    buttons.first.click()
    canvas.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(buttons).to_have_count(before - 1)


def fill(tab: Locator, **fields: str) -> None:
    for label, value in fields.items():
        tab.get_by_label(label.replace("_", " "), exact=True).fill(value)
    tab.get_by_role("button", name="Save and test").click()


def add_server(tab: Locator, name: str, address: str, **more: str) -> Locator:
    """Store a server; it is then the chosen one."""
    tab.get_by_role("button", name="Add a server").click()
    fill(tab, Name=name, Address=address, **more)
    return card(tab, name)


def card(tab: Locator, name: str) -> Locator:
    return tab.locator(".dt-server").filter(has_text=name)


def search(tab: Locator, text: str) -> None:
    field = tab.get_by_role("combobox", name="Search")
    if field.is_visible():
        field.fill(text)


def add_node(canvas: Canvas, kind: str) -> tuple[int, dict[str, int]]:
    """Put a node on the canvas; its id, and a place on its title in px of the canvas."""
    ident, x, y = canvas.page.evaluate(
        """kind => {
            const node = LiteGraph.createNode(kind)
            node.pos = [700, 300]
            app.graph.add(node)
            const { scale, offset } = app.canvas.ds
            return [node.id, (node.pos[0] + 60 + offset[0]) * scale,
                    (node.pos[1] - 12 + offset[1]) * scale]
        }""",
        kind,
    )
    canvas.page.wait_for_function("id => app.graph.getNodeById(id).size[1] > 30", arg=ident)
    return ident, {"x": x, "y": y}
