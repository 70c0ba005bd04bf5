"""A ComfyUI page as a user handles it: the one file that knows how the front ends differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_client import Http
from drawthings.tools.comfyui_setup import FRONT_ENDS
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as SlowPage

NEWEST, PINNED = FRONT_ENDS
DEADLINE_MS = 20_000
SEARCH_TIMEOUT_MS = 7_000
OPEN_TIMEOUT_MS = 2_000
STILL = 6  # frames
PRESS_AGAIN_MS = 1_000
BARS = (90, 140, 30, 150)  # of the page, px: left, top, right; below room for lines that come late
EMPTY_PLACE = (700, 880)  # of the page, px; below everything that tests load

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

FIELD = """([id, name]) => {
    const node = app.graph._nodes.find(node => String(node.id) === id)
    const widget = node.widgets.find(widget => widget.name === name)
    const drawn = document.querySelector(`[data-node-id="${id}"]`)
    const label = [...(drawn?.querySelectorAll('[data-testid="widget-layout-field-label"]') ?? [])]
        .find(one => one.textContent.trim() === (widget.label ?? name))
    if (label) {
        const box = label.parentElement.getBoundingClientRect()
        return [box.x + box.width / 2, box.y + box.height / 2]
    }
    const { scale, offset } = app.canvas.ds
    const page = app.canvas.canvas.getBoundingClientRect()
    const y = widget.y ?? widget.last_y
    return [page.left + (node.pos[0] + node.size[0] / 2 + offset[0]) * scale,
            page.top + (node.pos[1] + y + 10 + offset[1]) * scale]
}"""


@dataclass(frozen=True)
class Face:
    """A front end and how it draws nodes."""

    version: str
    vue: bool

    @property
    def name(self) -> str:
        return f"{self.version}-{'vue' if self.vue else 'classic'}"


FACES = (Face(NEWEST, vue=False), Face(NEWEST, vue=True), Face(PINNED, vue=False))
# Shows neither our lines nor late changes of combos; what must work there is in test_first_vue.
FIRST_VUE = Face(PINNED, vue=True)


class Canvas:
    """One open page."""

    def __init__(self, page: Page, face: Face, comfyui: ComfyUI, artifacts: Path) -> None:
        self.page = page
        self.face = face
        self.page_errors: list[str] = []
        self._comfyui = comfyui
        self._artifacts = artifacts
        self._console: list[str] = []
        page.set_default_timeout(DEADLINE_MS)
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self._console.append(f"{message.text} {message.location}")
                if message.type == "error"
                else None
            ),
        )

    def open(self) -> None:
        """Load ComfyUI with settings that keep its tutorials out of the way."""
        settings = {
            "Comfy.TutorialCompleted": True,
            "Comfy.InstalledVersion": self.face.version,
            "Comfy.VueNodes.Enabled": self.face.vue,
            "Comfy.Minimap.Visible": False,
            "Comfy.Graph.CanvasInfo": False,
        }
        http = Http(self._comfyui.address)
        for name, value in settings.items():
            http.post_json(f"/api/settings/{name}", value)
        self.page.goto(self._comfyui.address)
        self._wait_until_loaded()
        expect(self.page.get_by_role("button", name="Run", exact=True)).to_be_visible()

    def _wait_until_loaded(self) -> None:
        self.page.wait_for_function(
            "Boolean(window.app?.extensionManager && app.graph && app.canvas"
            " && LiteGraph.registered_node_types['DTSampler'])"
        )

    def speak(self, language: str) -> None:
        """Load the page in another language."""
        Http(self._comfyui.address).post_json("/api/settings/Comfy.Locale", language)
        self.page.reload()
        self._wait_until_loaded()
        # The page opens a graph of its own, last of all.
        self.page.wait_for_function("Boolean(app.extensionManager.workflow?.activeWorkflow)")

    @property
    def pack_folder(self) -> str:
        """The folder under /extensions that serves our modules."""
        return self._comfyui.pack_folder

    @property
    def input_folder(self) -> Path:
        """Where this ComfyUI looks for pictures to load."""
        return self._comfyui.base / "input"

    def troubles(self) -> list[str]:
        """What the page complains of: dialogs, toasts that are no good news, lists of issues."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll("[role=dialog], [role=alertdialog], .p-dialog,"
                + " .p-toast-message-warn, .p-toast-message-error, .text-destructive,"
                + " [role=status]")]
                .filter(one => one.checkVisibility() && !one.closest('.dt-strip'))
                .filter(one => one.getAttribute('role') !== 'status'
                    || /warning|error|issue|missing/i.test(one.textContent))
                .map(one => one.textContent.trim())"""
        )
        return found

    def complaints_about_us(self) -> list[str]:
        """Console errors that name our files."""
        return [text for text in self._console if self._comfyui.pack_folder in text]

    def forget_complaints(self) -> None:
        self.page_errors.clear()
        self._console.clear()

    def clear(self) -> None:
        """No dialog, no node, and nothing left that an undo would bring back first."""
        self.page.keyboard.press("Escape")
        self.close_toasts()
        self.page.evaluate(
            """() => {
                app.canvas.emitBeforeChange()
                app.graph.clear()
                app.canvas.emitAfterChange()
                app.canvas.ds.reset()
            }"""
        )

    def load(self, graph: dict[str, Any]) -> None:
        """Open a workflow, and wait until its nodes are there and drawn."""
        self.page.evaluate("graph => app.loadGraphData(graph)", graph)
        self.page.wait_for_function(
            "count => app.graph._nodes.length === count", arg=len(graph["nodes"])
        )
        self.show_all()
        if self.face.vue:
            self.page.locator("[data-node-id]").nth(len(graph["nodes"]) - 1).wait_for()

    def show_all(self) -> None:
        """Every node in view beside the page's own bars, whatever an earlier test left."""
        self.page.evaluate(
            """([left, top, right, bottom]) => {
                const boxes = app.graph._nodes.map(node => [...node.pos, ...node.size])
                if (!boxes.length) return
                const from = [0, 1].map(side => Math.min(...boxes.map(box => box[side])))
                const to = [0, 1].map(
                    side => Math.max(...boxes.map(box => box[side] + box[side + 2])))
                const { width, height } = app.canvas.canvas.getBoundingClientRect()
                const room = [width - left - right, height - top - bottom]
                const { ds } = app.canvas
                ds.scale = Math.min(1, ...[0, 1].map(side => room[side] / (to[side] - from[side])))
                ds.offset[0] = left / ds.scale - from[0]
                ds.offset[1] = top / ds.scale - from[1]
                app.canvas.setDirty(true, true)
            }""",
            list(BARS),
        )

    def build(self, nodes: dict[str, Any], links: list[Any]) -> dict[str, str]:
        """Put nodes on the canvas; their ids by name.

        `nodes` is {name: [type, x, y, {widget: value}]}, `links` are [from, output, to, input].
        """
        ids: dict[str, str] = self.page.evaluate(BUILD, [nodes, links])
        return ids

    def field(self, ident: str, name: str) -> tuple[float, float]:
        """Where a widget of a node is on the page, its middle, px; once it moves no more."""
        places: list[list[float]] = []
        while len(places) < STILL or places[-STILL:] != places[-1:] * STILL:
            frame = "given => new Promise(done => requestAnimationFrame(() => done(({})(given))))"
            places.append(self.page.evaluate(frame.format(FIELD), [ident, name]))
        x, y = places[-1]
        return x, y

    def at_field(self, ident: str, name: str, act: Callable[[float, float], None]) -> None:
        """Do something there, as a user would again where the page was too busy to take it."""
        for tries_left in range(3, -1, -1):
            try:
                act(*self.field(ident, name))
                return
            except (SlowPage, AssertionError):
                if not tries_left:
                    raise
            self.page.keyboard.press("Escape")
            self.page.mouse.move(*EMPTY_PLACE)

    def add_by_search(self, title: str) -> None:
        """Double click on the empty canvas, type, and take the first find.

        As a user would, it presses Enter again where the front end was too busy to take it, and
        opens the search again where it missed the click.
        """
        typing = "document.activeElement?.tagName === 'INPUT'"
        before = len(self.node_types())
        for tries_left in range(5, -1, -1):
            try:
                self.page.mouse.dblclick(*EMPTY_PLACE)
                self.page.wait_for_function(typing, timeout=OPEN_TIMEOUT_MS)
                self.page.keyboard.type(title)
                found = self.page.get_by_text(title, exact=True).first
                found.wait_for(timeout=SEARCH_TIMEOUT_MS)
                self._press_until("Enter", f"app.graph._nodes.length > {before}")
                break
            except SlowPage:
                if not tries_left:
                    raise
                self.page.keyboard.press("Escape")
                expect(self.page.locator(".p-dialog-mask")).to_have_count(0)
        self.page.wait_for_function(f"!({typing})")
        if self.face.version == NEWEST:  # where it hangs on the mouse until a click
            self.page.mouse.click(*EMPTY_PLACE)

    def _press_until(self, key: str, done: str) -> None:
        """Press a key until something holds, as long as a field has the focus."""
        for _ in range(SEARCH_TIMEOUT_MS // PRESS_AGAIN_MS):
            self.page.keyboard.press(key)
            try:
                self.page.wait_for_function(
                    f"{done} || document.activeElement?.tagName !== 'INPUT'",
                    timeout=PRESS_AGAIN_MS,
                )
                break
            except SlowPage:
                continue
        self.page.wait_for_function(done, timeout=PRESS_AGAIN_MS)

    def call(self, route: str, body: dict[str, Any]) -> Any:
        """Ask the backend as our page does; its answer."""
        return self.page.evaluate(
            """async ([folder, route, body]) => {
                const { call } = await import(`/extensions/${folder}/lib/backend.mjs`)
                return call(route, body)
            }""",
            [self.pack_folder, route, body],
        )

    def set_setting(self, name: str, value: Any) -> None:
        """Change a setting of ComfyUI's, as its dialog does."""
        self.page.evaluate(
            "([name, value]) => app.extensionManager.setting.set(name, value)", [name, value]
        )

    def node_types(self) -> list[str]:
        types: list[str] = self.page.evaluate("app.graph._nodes.map(node => node.type)")
        return types

    def shown_widgets(self, kind: str, start: str) -> list[str]:
        """The names of a node's widgets that are not hidden and are numbered after `start`."""
        names: list[str] = self.page.evaluate(
            """([kind, start]) => app.graph._nodes.find(node => node.type === kind).widgets
                .filter(w => !w.hidden && new RegExp(`^${start}(_[0-9])?$`).test(w.name))
                .map(w => w.name)""",
            [kind, start],
        )
        return names

    def choose(self, kind: str, name: str, value: str | float) -> None:
        """Choose a value in a widget of a node, as the front end's own menus do it."""
        self.page.evaluate(
            """([kind, name, value]) => {
                const node = app.graph._nodes.find(node => node.type === kind)
                const widget = node.widgets.find(widget => widget.name === name)
                widget.value = value
                widget.callback?.(value)
            }""",
            [kind, name, value],
        )

    def undo_steps(self) -> int:
        """How many steps the front end can take back."""
        steps: int = self.page.evaluate(
            "app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"
        )
        return steps

    def wait_for_undo_steps(self, count: int) -> None:
        self.page.wait_for_function(
            "count => app.extensionManager.workflow.activeWorkflow.changeTracker"
            ".undoQueue.length === count",
            arg=count,
        )

    def wait_until_recorded(self) -> None:
        """Until the front end has every change of the nodes among its undo steps."""
        self.page.wait_for_function(
            """() => {
                const { changeTracker } = app.extensionManager.workflow.activeWorkflow
                const shape = ({ nodes }) => JSON.stringify(
                    nodes.map(node => ({ ...node, order: 0 })).sort((a, b) => a.id - b.id))
                return shape(changeTracker.activeState) === shape(app.graph.serialize())
            }"""
        )

    def reload(self) -> None:
        """Load the page again, as a user would; it opens the workflow that was open."""
        self.page.reload()
        self._wait_until_loaded()
        self.page.wait_for_function("app.graph._nodes.length > 0")

    def prompt(self) -> dict[str, Any]:
        """What the page would send if Run were pressed."""
        output: dict[str, Any] = self.page.evaluate("app.graphToPrompt().then(p => p.output)")
        return output

    def close_toasts(self) -> None:
        """Messages lie above the Run button."""
        self.page.evaluate("app.extensionManager.toast.removeAll?.()")

    def run(self) -> None:
        self.close_toasts()
        self.page.get_by_role("button", name="Run", exact=True).first.click()

    def wait_for_picture(self, node_id: int) -> tuple[dict[str, str], int, int]:
        """The file that a node shows, once it is drawn, with its width and height."""
        if self.face.vue:
            image = f"document.querySelector('[data-node-id=\"{node_id}\"] img')"
        else:
            image = f"app.graph.getNodeById({node_id}).imgs?.[0]"
        self.page.wait_for_function(f"{image}?.complete && {image}.naturalWidth > 0")
        width, height = self.page.evaluate(f"[{image}.naturalWidth, {image}.naturalHeight]")
        file: dict[str, str] = self.page.evaluate(
            f"app.nodeOutputs['{node_id}'].images[0]",
        )
        return file, width, height

    def picture_bytes(self, file: dict[str, str]) -> bytes:
        client = self._comfyui.client()
        return client.view(file)

    def screenshot(self, name: str) -> None:
        """A picture of the page for people, in the folder of artifacts."""
        self.page.screenshot(path=self._artifacts / f"{name}-{self.face.name}.png")
