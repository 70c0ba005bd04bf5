"""A generation as a recipe: the nodes, values and links of ours that ask for the same.

A recipe is what the front end puts on the canvas: {"nodes": [{id, type, values, title?}],
"links": [[from, output, to, input]]}. Only settings that differ from what is sent anyway
get an options node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...dt_core.metadata import Generation
from ...dt_core.models.families import Family
from ...dt_core.models.file_names import family_of_file
from ...dt_core.settings import themes
from ...dt_core.settings.choices import Choice
from ...dt_core.settings.configuration import DEFAULTS, Configuration, ControlSettings, LoraSettings
from ...dt_core.settings.table import INTEGER_RANGES, NOT_READ, Setting, setting, title
from ...dt_core.text import MORE, Filling, Template, Text
from ..lora import ROWS
from ..servers import lists, stored
from ..servers.owner import here

# Settings in fields of DT Sampler, by its names for them.
FIELDS = {
    themes.EVERYDAY[name][1]: name
    for name in themes.EVERYDAY
    if themes.EVERYDAY[name][0] == "DTSampler"
}
_SIDE_PX = (64, 8192)  # of DT Sampler's width and height
_SHIFT_MAX = 16.0
_LORA_WEIGHT = 5.0
_CONTROL_WEIGHT = 2.5
_DOWN_SAMPLING = (1.0, 8.0)
_DISTANT = ("resolution_dependent_shift",)  # decided together with shift
_FILES = {"refiner_model", "upscaler", "face_restoration"}
_MORE_NAMED = 8

_NO_MODEL = Template("no_model_named", "It names no model: choose one in DT Model Loader.")
_NO_IMAGE = Template(
    "image_missing",
    "Strength is below 1: it was made from an image, which is not in the file. Connect one to "
    "image of DT Sampler.",
)
_UNKNOWN = Template("left_out_unknown", "Not known here, and left out: {names}.")
_IDLE = Template("left_out_idle", "Without effect on {family}, and left out: {names}.")
_NO_FILE = Template(
    "control_without_file", "A control without a file was left out: it is a picture alone."
)
_NO_PICTURE = Template(
    "control_picture_missing", "The picture for {file} is not in it: connect one to image."
)
_NO_PROMPT = Template("no_prompt", "No prompt, of {file}, was left out: no server reads it.")
_BECAME = Template("became", "{label}: {value} became {result}, the nearest that the node takes.")


@dataclass(slots=True)
class Recipe:
    """Nodes and links so far, and sentences about what could not be taken over."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)

    def add(self, kind: str, values: Mapping[str, Any] | None = None, titled: str = "") -> str:
        """A node; gives its id."""
        ident = str(len(self.nodes) + 1)
        node: dict[str, Any] = {"id": ident, "type": kind, "values": dict(values or {})}
        self.nodes.append({**node, "title": titled} if titled else node)
        return ident

    def link(self, source: str, output: int, target: str, name: str) -> None:
        self.links.append([source, output, target, name])

    def chain(self, kind: str, name: str, rows: Iterator[dict[str, Any]]) -> str | None:
        """Nodes of one kind, each fed by the one before through the input `name`."""
        last = None
        for values in rows:
            node = self.add(kind, values)
            if last is not None:
                self.link(last, 0, node, name)
            last = node
        return last

    @property
    def data(self) -> dict[str, Any]:
        return {"nodes": self.nodes, "links": self.links}


def recipe_of(generation: Generation) -> Recipe:
    """The graph that makes the same, without the pictures that it started from."""
    settings = generation.settings
    family = _family(settings["model"])
    recipe = Recipe()
    model = recipe.add("DTModelLoader", {"model": settings["model"]} if settings["model"] else {})
    if not settings["model"]:
        recipe.notes.append(_NO_MODEL())
    prompts = {"positive": generation.prompt, "negative": generation.negative_prompt}
    texts = {
        name: recipe.add("DTPrompt", {"text": text}, f"DT Prompt: {name}")
        for name, text in prompts.items()
        if text or name == "positive"
    }
    lora = recipe.chain("DTLoRA", "lora_stack", _loras(settings["loras"], recipe.notes))
    control = recipe.chain(
        "DTControlNet", "control_stack", _controls(settings["controls"], recipe.notes)
    )
    options = _options(settings, family, recipe)
    sampler = recipe.add("DTSampler", _fields(settings, family, recipe.notes))
    recipe.link(model, 0, sampler, "model")
    for name, node in texts.items():
        recipe.link(node, 0, sampler, name)
    for name, end in (("lora", lora), ("control", control), ("options", options)):
        if end is not None:
            recipe.link(end, 0, sampler, name)
    _end(recipe, sampler, family)
    if settings.explicit.get("strength", 1.0) < 1:
        recipe.notes.append(_NO_IMAGE())
    if settings.unknown:
        recipe.notes.append(_UNKNOWN(names=_shortened([*settings.unknown])))
    return recipe


def _family(model: str) -> Family | None:
    """By what the default server told of the file, else by its name."""
    catalog = here().lists.catalog(stored.default_profile())
    known = catalog.model(model) if catalog and model else None
    return known.family if known else family_of_file(model)


def _end(recipe: Recipe, sampler: str, family: Family | None) -> None:
    if family is not None and family.is_video:
        video = recipe.add("SaveVideo")
        recipe.link(sampler, 2, video, "video")
        return
    save = recipe.add("DTSaveImage")
    recipe.link(sampler, 0, save, "images")
    recipe.link(sampler, 6, save, "generation")


def _fields(settings: Configuration, family: Family | None, notes: list[Text]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for input_id, name in FIELDS.items():
        if name not in settings or name == "shift":
            continue
        low, high = _SIDE_PX if setting(name).wire_scale > 1 else (None, None)
        values[input_id] = _shown(setting(name), settings[name], notes, low, high)
    if "seed" in values:
        values["control_after_generate"] = "fixed"
    own = "shift" in settings or settings.explicit.get("resolution_dependent_shift") is False
    if own and not _shift_is_automatic(settings, family):
        values["shift"] = _clamped(title("shift"), settings["shift"], 0.0, _SHIFT_MAX, notes)
    return values


def _shift_is_automatic(settings: Configuration, family: Family | None) -> bool:
    """Whether the server computes the shift, and reads no value."""
    return settings.explicit.get("resolution_dependent_shift") is True and (
        family is None or family.supports("resolution_dependent_shift")
    )


def _loras(rows: tuple[LoraSettings, ...], notes: list[Text]) -> Iterator[dict[str, Any]]:
    """The widgets of DT LoRA nodes, four LoRAs in each."""
    named = [row for row in rows if row.file]
    for start in range(0, len(named), len(ROWS)):
        values: dict[str, Any] = {}
        for key, row in zip(ROWS, named[start : start + len(ROWS)], strict=False):
            weight = _clamped(row.file, row.weight, -_LORA_WEIGHT, _LORA_WEIGHT, notes)
            values |= {
                f"lora{key}": row.file,
                f"weight{key}": weight,
                f"mode{key}": row.mode.label,
                f"on{key}": True,
            }
        yield values


def _controls(rows: tuple[ControlSettings, ...], notes: list[Text]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not row.file:
            notes.append(_NO_FILE())
            continue
        if row.weight:
            notes.append(_NO_PICTURE(file=row.file))
        if row.no_prompt:
            notes.append(_NO_PROMPT(file=row.file))
        yield {
            "control": row.file,
            "input_type": row.input_override.label,
            "weight": _clamped(row.file, row.weight, 0.0, _CONTROL_WEIGHT, notes),
            "start": row.guidance_start,
            "end": row.guidance_end,
            "control_mode": row.control_mode.label,
            "own_target_blocks": ", ".join(row.target_blocks),
            "down_sampling_rate": _clamped(
                row.file, row.down_sampling_rate, *_DOWN_SAMPLING, notes
            ),
            "global_average_pooling": row.global_average_pooling,
        }


def _options(settings: Configuration, family: Family | None, recipe: Recipe) -> str | None:
    """A chain of the options nodes that change something; gives the last one."""
    idle: list[Filling] = []
    last = None
    for theme in themes.THEMES:
        names = [name for name in theme.settings if name not in _DISTANT]
        values = {name: settings.explicit.get(name, DEFAULTS[name]) for name in names}
        changed = [
            name
            for name, value in themes.counting(values).items()
            if name in settings and value != DEFAULTS[name]
        ]
        idle += [title(name) for name in changed if not _counts(name, family)]
        if not any(_counts(name, family) for name in changed):
            continue
        node = recipe.add(
            theme.node_id,
            {
                themes.input_id(name): _shown(setting(name), value, recipe.notes)
                for name, value in values.items()
            },
        )
        if last is not None:
            recipe.link(last, 0, node, "options")
        last = node
    if idle and family is not None:
        recipe.notes.append(_IDLE(family=family.name, names=_shortened(idle)))
    return last


def _counts(name: str, family: Family | None) -> bool:
    feature = setting(name).families
    return family is None or feature in (None, NOT_READ) or family.supports(str(feature))


def _shown(
    row: Setting,
    value: Any,
    notes: list[Text],
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """What the widget of a setting holds for a value."""
    if isinstance(value, Choice):
        return value.label
    if row.name in _FILES:
        return value or lists.NONE
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    low = row.minimum if low is None else low
    high = row.maximum if high is None else high
    result = _clamped(title(row.name), value, low, high, notes)
    return int(result) if row.kind in INTEGER_RANGES else result


def _clamped(
    label: Filling, value: float, low: float | None, high: float | None, notes: list[Text]
) -> float:
    """The value within what the widget takes."""
    result = value
    if low is not None:
        result = max(result, type(value)(low))
    if high is not None:
        result = min(result, type(value)(high))
    if result != value:
        notes.append(_BECAME(label=label, value=float(value), result=float(result)))
    return result


def _shortened(names: list[Filling]) -> list[Filling]:
    if len(names) <= _MORE_NAMED:
        return names
    return [*names[:_MORE_NAMED], MORE(count=len(names) - _MORE_NAMED)]
