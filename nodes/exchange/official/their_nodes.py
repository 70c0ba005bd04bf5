"""What the official extension's nodes hold: their inputs, saved orders and defaults.

Reads values out of a saved node, whatever version saved it, and repairs what that version
left wrong. Knows nothing of our nodes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from ....dt_core.text import Template, Text

Say = Callable[[Text], None]

_LAYOUT = Template(
    "change_layout",
    "{count} values were saved, which is no known layout: they were read in the order that fits "
    "best. Please check them.",
)
_IMPOSSIBLE = Template(
    "change_impossible", "{field} held {given}, which it cannot be: now {value}."
)
_HELD = Template("change_held", "{field} held {given}: now {value}.")
_SHIFTED = Template(
    "change_shifted",
    "cfg_zero_star, its init steps and stochastic_sampling_gamma held values of other fields, "
    "saved wrongly by an older version: now off, 0 and 0.3.",
)

NONE_SELECTED = "(None selected)"
SAMPLER = "DrawThingsSampler"
PROMPT, POSITIVE, NEGATIVE = "DrawThingsPrompt", "DrawThingsPositive", "DrawThingsNegative"
LORA, CONTROL, HINTS = "DrawThingsLoRA", "DrawThingsControlNet", "DrawThingsHints"
UPSCALER, REFINER = "DrawThingsUpscaler", "DrawThingsRefiner"

TITLES: Mapping[str, str] = MappingProxyType(
    {
        SAMPLER: "Draw Things Sampler",
        PROMPT: "Draw Things Prompt",
        POSITIVE: "Draw Things Positive Prompt",
        NEGATIVE: "Draw Things Negative Prompt",
        LORA: "Draw Things LoRA",
        CONTROL: "Draw Things Control Net",
        HINTS: "Draw Things Hints",
        UPSCALER: "Draw Things Upscaler",
        REFINER: "Draw Things Refiner",
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a widget chose: its file and what the server said of it."""

    file: str
    spec: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The family's version string; "" if the workflow does not tell."""
        return str(self.spec.get("version") or "")


@dataclass(frozen=True, slots=True)
class Field:
    """One widget: `kind` is int, float, bool, str, "model" or a tuple of choices."""

    name: str
    kind: Any
    default: Any = None
    low: float = -math.inf
    high: float = math.inf


_SAMPLERS = (
    "DPM++ 2M Karras|Euler A|DDIM|PLMS|DPM++ SDE Karras|UniPC|LCM|Euler A Substep|"
    "DPM++ SDE Substep|TCD|Euler A Trailing|DPM++ SDE Trailing|DPM++ 2M AYS|Euler A AYS|"
    "DPM++ SDE AYS|DPM++ 2M Trailing|DDIM Trailing|UniPC Trailing|UniPC AYS|TCD Trailing"
)
_INPUT_TYPES = (
    "Unspecified|Custom|Depth|Canny|Scribble|Pose|Normalbae|Color|Lineart|Softedge|Seg|Inpaint|"
    "Ip2p|Shuffle|Mlsd|Tile|Blur|Lowquality|Gray"
)
_SEED_MODES = "Legacy|TorchCpuCompatible|ScaleAlike|NvidiaGpuCompatible"
_HINTS = f"{NONE_SELECTED}|Depth|Pose|Scribble|Color|Shuffle (Moodboard)|Custom"
_AFTER = ("fixed", "increment", "decrement", "randomize")
_MAX_SEED = 2**32 - 1


def _choice(name: str, choices: str, default: str) -> Field:
    return Field(name, tuple(choices.split("|")), default)


def _side(name: str, default: int, low: int = 128, high: int = 2048) -> Field:
    return Field(name, int, default, low, high)


# In the saved order since 1.5.0.
_SAMPLER_FIELDS = (
    _choice("settings", "Basic|Advanced|All", "Basic"),
    Field("server", str, "localhost"),
    Field("port", str, "7859"),
    Field("use_tls", bool, True),
    Field("model", "model"),
    Field("strength", float, 1.0, 0, 1),
    Field("seed", int, 0, -1, _MAX_SEED),
    Field("control_after_generate", _AFTER, "randomize"),
    _choice("seed_mode", _SEED_MODES, "ScaleAlike"),
    _side("width", 512, high=8192),
    _side("height", 512, high=8192),
    Field("steps", int, 20, 1, 150),
    Field("num_frames", int, 14, 1, 201),
    Field("cfg", float, 4.5, 0, 50),
    Field("cfg_zero_star", bool, False),
    Field("cfg_zero_star_init_steps", int, 0, 0, 50),
    Field("speed_up", bool, True),
    Field("guidance_embed", float, 4.5, 0, 50),
    _choice("sampler_name", _SAMPLERS, "DPM++ 2M AYS"),
    Field("stochastic_sampling_gamma", float, 0.3, 0, 1),
    Field("res_dpt_shift", bool, True),
    Field("shift", float, 1.0, 0.1, 16),
    Field("batch_size", int, 1, 1, 4),
    Field("fps", int, 5, 1, 30),
    Field("motion_scale", int, 127, 0, 255),
    Field("guiding_frame_noise", float, 0.02, 0, 1),
    Field("start_frame_guidance", float, 1.0, 0, 25),
    Field("causal_inference", int, 0, 0, 129),
    Field("causal_inference_pad", int, 0, 0, 129),
    Field("clip_skip", int, 1, 1, 23),
    Field("sharpness", float, 0.6, 0, 30),
    Field("mask_blur", float, 1.5, 0, 50),
    Field("mask_blur_outset", int, 0, -100, 1000),
    Field("preserve_original", bool, True),
    Field("high_res_fix", bool, False),
    _side("high_res_fix_start_width", 448),
    _side("high_res_fix_start_height", 448),
    Field("high_res_fix_strength", float, 0.7, 0, 1),
    Field("tiled_decoding", bool, False),
    _side("decoding_tile_width", 640),
    _side("decoding_tile_height", 640),
    _side("decoding_tile_overlap", 128, 64, 1024),
    Field("tiled_diffusion", bool, False),
    _side("diffusion_tile_width", 512),
    _side("diffusion_tile_height", 512),
    _side("diffusion_tile_overlap", 64, 64, 1024),
    Field("tea_cache", bool, False),
    Field("tea_cache_start", int, 5, 0, 1000),
    Field("tea_cache_end", int, 2, -151, 150),
    Field("tea_cache_threshold", float, 0.2, 0, 1),
    Field("tea_cache_max_skip_steps", int, 3, 1, 50),
    Field("separate_clip_l", bool, False),
    Field("clip_l_text", str, ""),
    Field("separate_open_clip_g", bool, False),
    Field("open_clip_g_text", str, ""),
)
_SINCE_1_5 = {"cfg_zero_star", "cfg_zero_star_init_steps"}
_SINCE_1_4 = {"stochastic_sampling_gamma", "causal_inference_pad"}
LORA_ROWS = ("", *(f"_{row}" for row in range(2, 9)))
HINT_ROWS = ("", "_2", "_3", "_4")
_MODES = "All|Base|Refiner"

FIELDS: Mapping[str, tuple[Field, ...]] = MappingProxyType(
    {
        SAMPLER: _SAMPLER_FIELDS,
        PROMPT: (Field("insert_textual_inversion", "model"), Field("prompt", str, "a lovely cat")),
        POSITIVE: (Field("positive", str, "a lovely cat"),),
        NEGATIVE: (Field("negative", str, "text, watermark"),),
        LORA: (
            Field("buttons", "model"),
            *(
                field
                for row in LORA_ROWS
                for field in (
                    Field(f"lora{row}", "model"),
                    Field(f"weight{row}", float, 1.0, -5, 5),
                    _choice(f"mode{row}", _MODES, "All"),
                )
            ),
        ),
        CONTROL: (
            Field("control_name", "model"),
            _choice("control_input_type", _INPUT_TYPES, "Custom"),
            _choice("control_mode", "Balanced|Prompt|Control", "Balanced"),
            Field("control_weight", float, 1.0, 0, 2.5),
            Field("control_start", float, 0.0, 0, 1),
            Field("control_end", float, 1.0, 0, 1),
            Field("global_average_pooling", bool, False),
            Field("down_sampling_rate", float, 1.0, 0, 1),
            _choice("target_blocks", "All|Style|Style and Layout", "All"),
            Field("invert_image", bool, False),
        ),
        HINTS: tuple(
            field
            for row in HINT_ROWS
            for field in (
                _choice(f"type{row}", _HINTS, NONE_SELECTED),
                Field(f"weight{row}", float, 1.0, 0, 1),
            )
        ),
        UPSCALER: (
            Field("upscaler_model", "model"),
            Field("upscaler_scale_factor", int, 2, 0, 4),
        ),
        REFINER: (Field("refiner_model", "model"), Field("refiner_start", float, 0.85, 0, 1)),
    }
)
KINDS = frozenset(FIELDS)
_RENAMED = {"cfg_zero_init_steps": "cfg_zero_star_init_steps"}


def is_official(kind: Any) -> bool:
    """Whether that is the type of a node of theirs; files may hold anything there."""
    return isinstance(kind, str) and kind in KINDS


@cache
def _layouts(kind: str) -> tuple[tuple[str, ...], ...]:
    """The saved orders of a node, the newest first."""
    names = tuple(field.name for field in FIELDS[kind])
    if kind == SAMPLER:
        older = tuple(name for name in names if name not in _SINCE_1_5)
        return names, older, tuple(name for name in older if name not in _SINCE_1_4)
    if kind == CONTROL:
        gone = {"down_sampling_rate", "target_blocks"}
        return names, tuple(name for name in names if name not in gone)
    if kind == LORA:
        return names, ("lora", "weight")
    return (names,)


def saved(kind: str, node: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """The raw values of a node in a saved graph, by name."""
    for key in ("widget_values_keyed", "widgets_values_named", "widgets_values"):
        named = node.get(key)
        if isinstance(named, dict) and named:
            return {_RENAMED.get(str(name), str(name)): value for name, value in named.items()}
    listed = node.get("widgets_values")
    values = list(listed) if isinstance(listed, Sequence) and not isinstance(listed, str) else []
    if kind in {POSITIVE, NEGATIVE} and len(values) == 2:  # rewritten by a later version
        values = values[1:]
    if kind == PROMPT and len(values) == 1:
        return {"prompt": values[0]}
    layouts = _layouts(kind)
    for names in layouts:
        if len(values) == len(names):
            return dict(zip(names, values, strict=True))
    if not values:
        return {}
    best = max(layouts, key=lambda names: _fit(kind, names, values))
    say(_LAYOUT(count=len(values)))
    return dict(zip(best, values, strict=False))


def _fit(kind: str, names: Sequence[str], values: Sequence[Any]) -> float:
    """How well values fit that order, as a share of all names and values."""
    fields = {field.name: field for field in FIELDS[kind]}
    pairs = list(zip(names, values, strict=False))
    good = sum(_coerced(fields[name], value) is not None for name, value in pairs)
    return good / max(len(names), len(values))


def read(
    kind: str, raw: Mapping[str, Any], say: Say, fallback: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Every value of a node, in range and of its type; defaults for what is absent.

    Models are `Model` or None. `fallback` holds the models that were chosen before the
    server was away.
    """
    values: dict[str, Any] = {}
    if kind == SAMPLER:
        raw = _unshifted(raw, say)
    for field in FIELDS[kind]:
        given = raw.get(field.name)
        if type(given) is dict and "__value__" in given:
            given = given["__value__"]
        if field.kind == "model":
            values[field.name] = model_of(given) or model_of((fallback or {}).get(field.name))
            continue
        if given is None:
            values[field.name] = field.default
            continue
        value = _coerced(field, given)
        if value is None:
            value = field.default
            say(_IMPOSSIBLE(field=field.name, given=_short(given), value=_short(value)))
        elif field.kind in (int, float) and not _same(value, given):
            say(_HELD(field=field.name, given=_short(given), value=value))
        values[field.name] = value
    return values


def model_of(given: Any) -> Model | None:
    """The model of a widget's value; None for texts such as "(None selected)"."""
    if not isinstance(given, Mapping):
        return None
    spec: Any = given.get("value")
    file = spec.get("file") if isinstance(spec, Mapping) else None
    if not isinstance(file, str) or not file.strip():
        return None
    return Model(file.strip(), MappingProxyType(dict(spec)))


def _coerced(field: Field, given: Any) -> Any:
    """`given` as a value of the field, within its range; None if it is something else."""
    kind = field.kind
    if kind == "model":
        return given if isinstance(given, (Mapping, str)) else ""
    if isinstance(kind, tuple):
        folded = {str(choice).lower(): choice for choice in kind}
        return folded.get(str(given).strip().lower())
    if kind is bool:
        return given if isinstance(given, bool) else None
    if kind is str:
        if isinstance(given, bool) or not isinstance(given, (str, int)):
            return None
        return str(given)
    if isinstance(given, bool):
        return None
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if field.name == "seed" and number > _MAX_SEED:
        return int(given) % _MAX_SEED  # as their sampler does
    number = min(max(number, field.low), field.high)
    return round(number) if kind is int else round(number, 6)  # 0.25000000000000006 is 0.25


def _same(value: float, given: Any) -> bool:
    return isinstance(given, (int, float)) and abs(value - given) < 1e-5


def _unshifted(raw: Mapping[str, Any], say: Say) -> Mapping[str, Any]:
    """`raw` without what versions 1.5.0 to 1.7.4 saved in the wrong places."""
    steps = raw.get("cfg_zero_star_init_steps")
    if isinstance(steps, bool) or not isinstance(steps, (int, float)):
        return raw
    if not steps or not math.isfinite(steps):
        return raw
    embed = raw.get("guidance_embed")
    rounded = False
    if isinstance(embed, float) and math.isfinite(embed):
        rounded = steps == int(embed + 0.5)  # put into a widget of whole numbers
    displaced = steps == embed or steps != int(steps)
    if not displaced and not (rounded and raw.get("stochastic_sampling_gamma") == 1):
        return raw
    say(_SHIFTED())
    right = {"cfg_zero_star": False, "cfg_zero_star_init_steps": 0}
    return {**raw, **right, "stochastic_sampling_gamma": 0.3}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"


def own_title(kind: str, title: Any) -> str:
    """The title that a user gave a node; "" for the official one."""
    given = title if isinstance(title, str) else ""
    return "" if given in {kind, TITLES[kind]} else given
