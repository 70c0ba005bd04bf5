"""Nodes of the official extension in, nodes of ours out; neither knows how a file is written.

A graph is here a set of nodes with values and links; `saved_graphs` and `api_prompts` read it
from files and write it back. An official node's id goes to the node of ours that has its
output, so what hangs on it stays where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ....dt_core.settings.choices import ControlInputType
from ....dt_core.text import Template, Text
from ...servers.lists import NONE
from . import hint_nodes
from . import their_nodes as official
from .graph import BYPASS, NEVER, OF_NODE, Effort, Id, Made, Official, Plan, Source
from .our_nodes import shapes
from .sampler_settings import Settings, server_of, settings_of

_CHUNK = 4  # LoRAs in one DT LoRA

NOW = Template("change_now", "now {nodes}.")
_TIMES = Template("change_times", "{count} × {title}")
_NOTHING = Template("change_nothing", "held nothing that is sent and was left out.")
_LINK_OF_VALUE = Template(
    "change_link_value",
    "the link to {input} was left out; the value that was saved counts.",
)
_LINK = Template(
    "change_link", "the link to {input} was left out: there is no such input any more."
)
_NO_CONTROL = Template(
    "change_no_control", "no control was chosen, so its image is not sent, as before."
)
_LAST_CONTROL = Template(
    "change_last_control",
    "in the official extension only the last ControlNet of a chain acted; now all do.",
)
_REFINER_START = Template("change_refiner_start", "refiner_start 0 was sent as 0.7: now 0.7.")
_NO_TYPE = Template("change_no_type", "{image} has no type, so it is not sent, as before.")
_HINT_WEIGHTS = Template(
    "change_hint_weights",
    "the official extension sent every hint with weight 1; now the weights of a moodboard act.",
)
_NO_MODEL = Template("change_no_model", "no model was chosen: choose one in its DT Model Loader.")
_REFINER_BORDER = Template(
    "change_refiner_border", "its refiner comes through a subgraph's border and was left out."
)
_ONLY_MOODBOARD = Template(
    "change_only_moodboard", "of the hints from outside the subgraph only a moodboard is taken."
)
_HINT_MOVED = Template(
    "change_hint_moved", "its {kind} picture is now connected to the ControlNet itself."
)


class Planner:
    """Plans one graph. `new_id` draws ids, `trace` finds the official node behind a source.

    Each look along a link and each node made is a step of `effort`.
    """

    def __init__(
        self,
        nodes: Mapping[Id, Official],
        new_id: Callable[[], Id],
        trace: Callable[[Source], Official | None],
        effort: Effort,
    ) -> None:
        self._official = nodes
        self._new_id = new_id
        self._find = trace
        self._effort = effort
        self._users: Counter[Id] | None = None
        self._made: list[Made] = []
        self._by_id: dict[Id, Made] = {}
        self._servers: dict[tuple[str, str], Id] = {}
        self._moved: dict[tuple[Id, str], tuple[Id, str]] = {}
        self._changes: list[Text] = []
        self._chained: set[Id] = set()

    def plan(self) -> Plan:
        """Our nodes for all official ones."""
        steps = {
            official.PROMPT: self._prompt,
            official.POSITIVE: self._prompt,
            official.NEGATIVE: self._prompt,
            official.LORA: self._lora,
            official.CONTROL: self._control,
            official.UPSCALER: self._upscaler,
            official.REFINER: self._refiner,
            official.HINTS: self._hints,
        }
        samplers = []
        for node in self._official.values():
            if node.kind == official.SAMPLER:
                samplers.append(node)
                continue
            steps[node.kind](node)
        for node in samplers:
            self._sampler(node)
        became: dict[Id, Counter[Template]] = {}
        for made in self._made:
            became.setdefault(made.near, Counter())[shapes()[made.kind].title] += 1
        for node in self._official.values():
            self._tell_kinds(node, became.get(node.id))
        return Plan(tuple(self._made), self._moved, tuple(self._changes))

    def _say(self, node: Official, text: Text) -> None:
        self._changes.append(OF_NODE(node=node.label, what=text))

    def _trace(self, source: Source) -> Official | None:
        self._effort.step()
        return self._find(source)

    def _tell_kinds(self, node: Official, titles: Counter[Template] | None) -> None:
        if titles:
            named = [_TIMES(count=n, title=one()) if n > 1 else one() for one, n in titles.items()]
            self._say(node, NOW(nodes=named))
        else:
            self._say(node, _NOTHING())

    def _add(self, kind: str, near: Official, ident: Id | None = None, **values: Any) -> Made:
        self._effort.step()
        made = Made(self._new_id() if ident is None else ident, kind, near.id, values)
        self._made.append(made)
        self._by_id[made.id] = made
        return made

    def _take(self, node: Official, made: Made, names: Mapping[str, str]) -> None:
        """Links and places of the official inputs `names`, which our node has too."""
        for name, ours in names.items():
            self._moved[node.id, name] = (made.id, ours)
            if name in node.links:
                made.links[ours] = node.links[name]

    def _drop_links(self, node: Official, kept: set[str]) -> None:
        for name in node.links:
            if name in kept:
                continue
            said = _LINK_OF_VALUE if name in node.values else _LINK
            self._say(node, said(input=name))

    def _prompt(self, node: Official) -> None:
        name = {official.POSITIVE: "positive", official.NEGATIVE: "negative"}.get(
            node.kind, "prompt"
        )
        made = self._add("DTPrompt", node, node.id, text=node.values[name], embedding=NONE)
        made.mode = node.mode
        self._take(node, made, {name: "text"})
        self._drop_links(node, {name})

    def _lora(self, node: Official) -> None:
        rows = official.LORA_ROWS
        used = [row for row in rows if node.values[f"lora{row}"]]
        linked = {f"weight{row}" for row in rows} & set(node.links)
        chunks = [rows[:_CHUNK]]
        if any(row in used or f"weight{row}" in linked for row in rows[_CHUNK:]):
            chunks.append(rows[_CHUNK:])
        stack = node.links.get("lora_stack") or node.links.get("lora")  # "lora": before 1.5
        for chunk in chunks:
            last = chunk is chunks[-1]
            made = self._add("DTLoRA", node, node.id if last else None)
            made.mode = node.mode
            if stack:
                made.links["lora_stack"] = stack
            for row, ours in zip(chunk, rows, strict=False):
                model = node.values[f"lora{row}"]
                made.values[f"lora{ours}"] = model.file if model else NONE
                made.values[f"weight{ours}"] = node.values[f"weight{row}"]
                made.values[f"mode{ours}"] = node.values[f"mode{row}"]
                self._moved[node.id, f"lora{row}"] = (made.id, f"lora{ours}")
                self._moved[node.id, f"mode{row}"] = (made.id, f"mode{ours}")
                self._take(node, made, {f"weight{row}": f"weight{ours}"})
            stack = (made.id, 0)
        self._drop_links(node, linked | {"lora_stack", "lora"})

    def _control(self, node: Official) -> None:
        given = node.values
        model = given["control_name"]
        spec = model.spec if model else {}
        kind = ControlInputType.from_label(given["control_input_type"]).label
        if model is None and "image" in node.links:
            kind = ControlInputType.UNSPECIFIED.label
            self._say(node, _NO_CONTROL())
        acts_on_blocks = spec.get("modifier") == "shuffle" and spec.get("version") in {
            "v1",
            "sdxl_base_v0.9",
        }
        made = self._add(
            "DTControlNet",
            node,
            node.id,
            control=model.file if model else NONE,
            input_type=kind,
            weight=given["control_weight"],
            start=given["control_start"],
            end=given["control_end"],
            control_mode=given["control_mode"],
            target_blocks=given["target_blocks"] if acts_on_blocks else "All",
            down_sampling_rate=1.0,  # theirs goes up to 1, where it is off
            global_average_pooling=bool(
                spec.get("global_average_pooling") and given["global_average_pooling"]
            ),
            invert=given["invert_image"],
        )
        made.mode = node.mode
        names = {
            "control_net": "control_stack",
            "image": "image",
            "control_weight": "weight",
            "control_start": "start",
            "control_end": "end",
            "invert_image": "invert",
        }
        self._take(node, made, names)
        for name, ours in (("control_name", "control"), ("control_mode", "control_mode")):
            self._moved[node.id, name] = (made.id, ours)
        self._drop_links(node, set(names))
        if "control_net" in node.links:
            self._say(node, _LAST_CONTROL())

    def _upscaler(self, node: Official) -> None:
        model = node.values["upscaler_model"]
        made = self._add(
            "DTUpscalerOptions",
            node,
            node.id,
            upscaler=model.file if model else NONE,
            upscaler_scale_factor=node.values["upscaler_scale_factor"],
            face_restoration=NONE,
        )
        made.mode = node.mode
        self._moved[node.id, "upscaler_model"] = (made.id, "upscaler")
        self._take(node, made, {"upscaler_scale_factor": "upscaler_scale_factor"})
        self._drop_links(node, {"upscaler_scale_factor"})

    def _refiner(self, node: Official) -> None:
        model, start = node.values["refiner_model"], node.values["refiner_start"]
        if start == 0:
            start = 0.7
            self._say(node, _REFINER_START())
        made = self._add(
            "DTRefinerOptions",
            node,
            node.id,
            refiner_model=model.file if model else NONE,
            refiner_start=start,
        )
        made.mode = node.mode
        self._moved[node.id, "refiner_model"] = (made.id, "refiner_model")
        self._take(node, made, {"refiner_start": "refiner_start"})
        self._drop_links(node, {"refiner_start"})

    def _hints(self, node: Official) -> None:
        """A DT Kontext Reference for its moodboard; other hints go to the samplers."""
        rows = [row for row, kind, _, _ in hint_nodes.rows(node) if kind == hint_nodes.MOODBOARD]
        for row in official.HINT_ROWS:
            untyped = node.values[f"type{row}"] == official.NONE_SELECTED
            if f"image{row}" in node.links and untyped:
                self._say(node, _NO_TYPE(image=f"image{row}"))
        if any(weight != 1 for _, _, weight, _ in hint_nodes.rows(node)):
            self._say(node, _HINT_WEIGHTS())
        if not rows:
            return
        made = self._add("DTKontextReference", node, node.id, after_image=False)
        made.mode = node.mode
        for row, ours in zip(rows, official.HINT_ROWS, strict=False):
            made.values[f"weight{ours}"] = node.values[f"weight{row}"]
            self._take(node, made, {f"image{row}": f"image{ours}", f"weight{row}": f"weight{ours}"})
        before = node.links.get("hints")
        if before and (source := hint_nodes.references(before, self._trace)):
            made.links["reference_stack"] = source

    def _sampler(self, node: Official) -> None:
        settings = settings_of(node.values, set(node.links))
        made = self._add("DTSampler", node, node.id, **settings.sampler)
        made.mode = node.mode
        names = {
            **dict.fromkeys(("image", "mask", "positive", "negative", "lora"), ""),
            **{name: ours for name, (kind, ours) in settings.places.items() if kind == made.kind},
            "control_net": "control",
        }
        self._take(node, made, {name: ours or name for name, ours in names.items()})
        self._model(node, made)
        taken = {*names, "hints", "upscaler", "refiner", *settings.places}
        self._drop_links(node, taken)
        self._use_hints(node, made)
        self._options(node, made, settings)
        for text in settings.changes:
            self._say(node, text)

    def _model(self, node: Official, made: Made) -> None:
        model = node.values["model"]
        loader = self._add("DTModelLoader", node, model=model.file if model else "")
        made.links["model"] = (loader.id, 0)
        self._moved[node.id, "model"] = (loader.id, "model")
        if model is None:
            self._say(node, _NO_MODEL())
        server = server_of(node.values)
        if server is None:
            return
        if server not in self._servers:
            address, tls = server
            added = self._add("DTServer", node, address=address, tls=tls)
            self._servers[server] = added.id
        loader.links["server"] = (self._servers[server], 0)

    def _options(self, node: Official, made: Made, settings: Settings) -> None:
        """Upscaler, refiner, then our own options nodes, in one chain."""
        tail: Source | None = None
        for name in ("upscaler", "refiner"):
            source = node.links.get(name)
            if source is None:
                continue
            if tail is not None:
                source = self._chained_after(node, source, tail)
            tail = source or tail
        for kind, values in settings.options.items():
            added = self._add(kind, node, **values)
            for name, (owner, ours) in settings.places.items():
                if owner == kind:
                    self._take(node, added, {name: ours})
            if tail:
                added.links["options"] = tail
            tail = (added.id, 0)
        if tail:
            made.links["options"] = tail

    def _chained_after(self, node: Official, source: Source, tail: Source) -> Source | None:
        refiner = self._trace(source)
        if refiner is None:
            self._say(node, _REFINER_BORDER())
            return None
        made = self._by_id[refiner.id]
        if refiner.id in self._chained or self._is_shared(refiner):
            made = self._add(made.kind, node, **made.values)
            made.mode = refiner.mode
            made.links = {
                name: link
                for name, link in self._by_id[refiner.id].links.items()
                if name != "options"
            }
            source = (made.id, 0)
        self._chained.add(refiner.id)
        made.links["options"] = tail
        if made.mode == NEVER:
            made.mode = BYPASS  # muted, it would take the upscaler before it along
        return source

    def _is_shared(self, refiner: Official) -> bool:
        if self._users is None:
            sources = (n.links["refiner"] for n in self._official.values() if "refiner" in n.links)
            found = map(self._trace, sources)
            self._users = Counter(node.id for node in found if node is not None)
        return self._users[refiner.id] > 1

    def _use_hints(self, node: Official, made: Made) -> None:
        source = node.links.get("hints")
        if source is None:
            return
        references = hint_nodes.references(source, self._trace)
        if references:
            made.links["reference"] = references
            board = self._by_id.get(references[0])
            if board is not None and "image" in node.links:
                board.values["after_image"] = True
            if self._trace(source) is None:
                self._say(node, _ONLY_MOODBOARD())
        for owner, kind, picture, acts in hint_nodes.maps(source, self._trace):
            control = self._without_picture(node, kind) if acts else None
            if control is not None:
                control.links["image"] = picture
                self._say(owner, _HINT_MOVED(kind=kind))
                continue
            free = owner.id not in self._by_id
            added = self._add("DTControlNet", owner, owner.id if free else None)
            added.values = {"control": NONE, "input_type": kind, "weight": 1.0}
            added.mode = 0 if acts else BYPASS
            added.links["image"] = picture
            if "control" in made.links:
                added.links["control_stack"] = made.links["control"]
            made.links["control"] = (added.id, 0)

    def _without_picture(self, sampler: Official, hint: str) -> Made | None:
        """A ControlNet of the sampler's chain that would look at that hint, without image."""
        for node in hint_nodes.controls(sampler, self._trace):
            made = self._by_id[node.id]
            if "image" not in made.links and hint in hint_nodes.read_by(node):
                return made
        return None
