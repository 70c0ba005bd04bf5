"""The app's settings and pictures in and out: recipes of them, and the app's JSON of a graph.

The graph is worked out without running it: nodes of ours that only gather are asked, small
pictures stand for those that are not there yet. No server is asked, nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comfy_api.latest import io

from ...dt_core.errors import RequestError
from ...dt_core.metadata import Generation, read
from ...dt_core.metadata.generation_data import from_json, is_ours
from ...dt_core.request.parts import ModelChoice
from ...dt_core.settings.table import setting
from ...dt_core.text import Template, Text
from ..config import written
from ..host import convert, sentences
from ..node_list import NODES
from ..running import reporting
from ..servers import stored
from ..titles import titled
from . import recipe

_SEVERAL = Template(
    "several_configurations", "It holds {count} configurations: the first was taken."
)
_NO_SAMPLER = Template("no_sampler_in_graph", "There is no DT Sampler of that number in the graph.")
_TOO_MANY_NODES = Template("graph_too_large", "The graph has more than {most} nodes.")
_ONLY_IN_A_RUN = Template(
    "known_only_in_a_run",
    "{node}: {input} is known only when the graph runs, and was left out.",
)
_CIRCLE = Template("graph_in_a_circle", "The graph runs in a circle.")

Node = Mapping[str, Any]  # of an API prompt
Answer = dict[str, Any]

MAX_NODES = 4096
_WRITERS = ("DTSampler", "DTConfigExport")
_NOT_ASKED = {"DTSampler", "DTConfigExport", "DTUpscale", "DTSaveImage"}  # they do something
_MEASURED = {"INT", "FLOAT", "STRING", "BOOLEAN"}  # by pictures, where pictures go in
_PRIMITIVES = {
    "PrimitiveInt",
    "PrimitiveFloat",
    "PrimitiveBoolean",
    "PrimitiveString",
    "PrimitiveStringMultiline",
}


def imported_text(text: str) -> Answer:
    """The recipe of a configuration or of a picture's metadata, as text.

    {"recipe": None} for what is neither. Raises SettingsError for wrong values in it.
    """
    try:
        data = json.loads(text.strip().lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return _answer(None)
    several = len(data) if isinstance(data, list) else 1
    if isinstance(data, list):
        data = next((row for row in data if isinstance(row, dict) and is_ours(row)), None)
    if not isinstance(data, dict) or not is_ours(data):
        return _answer(None)
    return _answer(from_json(data), *([_SEVERAL(count=several)] if several > 1 else ()))


def imported_picture(file: bytes) -> Answer:
    """The recipe of what a picture file says; {"recipe": None} where it says nothing."""
    return _answer(read(file))


def _answer(generation: Generation | None, *notes: Text) -> Answer:
    if generation is None:
        return {"recipe": None, **sentences.several("note", ())}
    made = recipe.recipe_of(generation)
    return {"recipe": made.data, **sentences.several("note", [*notes, *made.notes])}


def exported(prompt: Mapping[str, Any], node_id: str) -> Answer:
    """The app's JSON of the graph at a DT Sampler: {"text", "notes", "note_texts"}.

    Raises RequestError if there is no such node, SettingsError or a Problem for wrong values.
    """
    node = prompt.get(node_id)
    if not isinstance(node, Mapping) or node.get("class_type") not in _WRITERS:
        raise RequestError(_NO_SAMPLER())
    if len(prompt) > MAX_NODES:
        raise RequestError(_TOO_MANY_NODES(most=MAX_NODES))
    graph = _Graph(prompt)
    schema = graph.kinds["DTSampler"].define_schema()
    inputs, _ = graph.inputs(node, schema)
    unknown = [entry.id for entry in schema.inputs if entry.id in graph.unknown]
    if "model" not in inputs:
        inputs["model"] = ModelChoice(stored.default_profile(), "")
    text, notes = written(inputs)
    data = json.loads(text)
    for name in unknown:
        if name in recipe.FIELDS:
            data.pop(str(setting(recipe.FIELDS[name]).json_key), None)
    return {
        "text": json.dumps(data, indent=1, ensure_ascii=False),
        **sentences.several("note", dict.fromkeys([*graph.notes, *notes])),
    }


class _Unknown(Exception):
    """A value that only a run can tell."""


@dataclass(slots=True)
class _Graph:
    """An API prompt whose nodes are worked out as far as that goes without a run."""

    prompt: Mapping[str, Any]
    notes: list[Text] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)  # inputs of the node asked last
    kinds: dict[str, type[io.ComfyNode]] = field(
        default_factory=lambda: {node.define_schema().node_id: node for node in NODES}
    )
    # None for what only a run can tell: asked again at every link, it would take ages.
    _known: dict[str, tuple[Sequence[Any], bool] | None] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)

    def inputs(self, node: Node, schema: io.Schema) -> tuple[dict[str, Any], bool]:
        """The values for the inputs of a node, and whether stand-ins are among them.

        What cannot be known is noted, and left to the widget's default.
        """
        given = node.get("inputs") or {}
        values: dict[str, Any] = {}
        unknown: set[str] = set()
        stands_in = False
        for entry in schema.inputs:
            value = given.get(entry.id)
            if not isinstance(value, list) or not _is_link(value):
                if entry.id in given:
                    values[entry.id] = _plain(value)
                elif getattr(entry, "default", None) is not None and not entry.optional:
                    values[entry.id] = entry.default
                continue
            try:
                values[entry.id], guessed = self._linked(value, entry.get_io_type())
                stands_in = stands_in or guessed
            except _Unknown:
                unknown.add(entry.id)
                title = titled(schema.node_id, schema.display_name)()
                self.notes.append(_ONLY_IN_A_RUN(node=title, input=entry.id))
                if getattr(entry, "default", None) is not None:
                    values[entry.id] = entry.default
        self.unknown = unknown
        return values, stands_in

    def _linked(self, link: Sequence[Any], wanted: str) -> tuple[Any, bool]:
        """The value behind a link, and whether a stand-in took part in it."""
        source = self.prompt.get(str(link[0]))
        kind = source.get("class_type") if isinstance(source, Mapping) else None
        if kind in _PRIMITIVES:
            return self._primitive(source), False  # type: ignore[arg-type]
        if kind in self.kinds and kind not in _NOT_ASKED:
            values, guessed = self._asked(str(link[0]), kind)
            schema = self.kinds[kind].define_schema()
            index = int(link[1])
            if not 0 <= index < len(values):
                raise _Unknown
            if guessed and schema.outputs[index].get_io_type() in _MEASURED:
                raise _Unknown
            return values[index], guessed
        kinds = wanted.split(",")
        if "IMAGE" in kinds:
            return convert.grey_image(), True
        if "MASK" in kinds:
            return convert.white_mask(), True
        raise _Unknown

    def _primitive(self, source: Node) -> Any:
        value = (source.get("inputs") or {}).get("value")
        if _is_link(value):
            return self._linked(value, "")[0]  # type: ignore[arg-type]
        return value

    def _asked(self, ident: str, kind: str) -> tuple[Sequence[Any], bool]:
        """What a node of ours gives out."""
        if ident in self._known:
            known = self._known[ident]
            if known is None:
                raise _Unknown
            return known
        if ident in self._busy:
            raise RequestError(_CIRCLE())
        self._busy.add(ident)
        node, asked = self.kinds[kind], self.prompt[ident]
        schema = node.define_schema()
        kept = self.unknown
        inputs, guessed = self.inputs(asked, schema)
        self.unknown = kept
        try:
            result = node.execute(**inputs).args  # type: ignore[union-attr]
        except reporting.Problem:  # a wrong value, in words
            raise
        except Exception as error:  # a required input is missing, or a stand-in does not fit
            self._known[ident] = None
            raise _Unknown from error
        finally:
            self._busy.discard(ident)
        self._known[ident] = result, guessed
        return result, guessed


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _plain(value: Any) -> Any:
    return value["__value__"] if isinstance(value, Mapping) and "__value__" in value else value
