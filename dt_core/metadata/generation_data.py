"""`Generation`: what made one picture, and its JSON in the app's pictures.

The JSON has two parts: flat keys of older versions, and under "v2" the whole
configuration (docs/protocol.md 10). The second one wins where both are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import SettingsError
from ..request.resolved import Resolved
from ..settings import app_json
from ..settings.choices import LoraMode, Sampler, SeedMode
from ..settings.configuration import Configuration, ControlSettings, LoraSettings
from ..settings.table import setting

PROMPT, NEGATIVE, WHOLE = "c", "uc", "v2"
_DEFAULT_SAMPLER = Sampler.DPMPP_2M_KARRAS  # what the app takes for an unknown name
_DEFAULT_SEED_MODE = SeedMode.SCALE_ALIKE
_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*")

# Flat keys that carry a setting as it is.
_PLAIN = {
    "steps": "steps",
    "scale": "guidance_scale",
    "seed": "seed",
    "model": "model",
    "strength": "strength",
    "upscaler": "upscaler",
    "clip_skip": "clip_skip",
    "image_guidance": "image_guidance_scale",
    "hires_fix": "hires_fix",
    "second_stage_strength": "hires_fix_strength",
    "clip_weight": "clip_weight",
    "image_prior_steps": "image_prior_steps",
    "negative_prompt_for_image_prior": "negative_prompt_for_image_prior",
    "refiner": "refiner_model",
    "refiner_start": "refiner_start",
    "crop_top": "crop_top",
    "crop_left": "crop_left",
    "aesthetic_score": "aesthetic_score",
    "negative_aesthetic_score": "negative_aesthetic_score",
    "zero_negative_prompt": "zero_negative_prompt",
    "expand_prompt_to_json": "expand_prompt_to_json",
    "shift": "shift",
}
# Flat keys that carry two as "WxH" in px.
_SIZES = {
    "size": ("start_width", "start_height"),
    "first_stage_size": ("hires_fix_start_width", "hires_fix_start_height"),
    "target_size": ("target_image_width", "target_image_height"),
    "original_size": ("original_image_width", "original_image_height"),
    "negative_original_size": ("negative_original_image_width", "negative_original_image_height"),
}
_LISTS = ("lora", "control")
# The other four fields of a control are in the whole of the settings.
_CONTROL_KEYS = (
    "file", "weight", "guidance_start", "guidance_end", "no_prompt", "global_average_pooling",
)  # fmt: skip
_FLAT = {PROMPT, NEGATIVE, WHOLE, "sampler", "seed_mode", *_PLAIN, *_SIZES, *_LISTS}
_ONLY_FLAT = {PROMPT, NEGATIVE, "scale", "size", "lora", "control"}


@dataclass(frozen=True, slots=True)
class Generation:
    """What made one picture: the settings with its own seed, LoRAs and controls; prompts.

    Names no server and no secret, and holds no pictures.
    """

    settings: Configuration
    prompt: str = ""
    negative_prompt: str = ""

    @classmethod
    def of(cls, resolved: Resolved) -> Generation:
        """What a request will make."""
        request = resolved.request
        return cls(resolved.settings, request.prompt, request.negative_prompt)

    def with_seed(self, seed: int) -> Generation:
        return replace(self, settings=self.settings.replace(seed=seed))

    def without_seed(self) -> Generation:
        """For a picture of which nobody knows which of several it is."""
        return replace(self, settings=self.settings.without("seed"))


def to_json(generation: Generation) -> dict[str, Any]:
    """Both parts of the app's JSON."""
    settings = generation.settings
    data: dict[str, Any] = {PROMPT: generation.prompt, NEGATIVE: generation.negative_prompt}
    for key, (width, height) in _SIZES.items():
        if settings[width] and settings[height]:
            data[key] = f"{settings[width]}x{settings[height]}"
    for key, name in _PLAIN.items():
        value = settings[name]
        if value == "" or (name == "seed" and "seed" not in settings):
            continue
        if key == "aesthetic_score":
            if value != int(value):  # the app reads whole numbers only here
                continue
            value = int(value)
        data[key] = value
    data["sampler"] = settings["sampler"].label
    data["seed_mode"] = settings["seed_mode"].label
    data["lora"] = [
        {"model": row.file, "weight": row.weight, "mode": row.mode.json_name}
        for row in settings["loras"]
    ]
    data["control"] = [
        {name: getattr(row, name) for name in _CONTROL_KEYS} for row in settings["controls"]
    ]
    whole = app_json.to_json(settings, complete=True)
    if "seed" not in settings:
        whole["seed"] = -1  # random for the app
        data.pop("seed", None)
    data[WHOLE] = whole
    return data


def is_ours(data: Mapping[str, Any]) -> bool:
    """Whether an object is metadata or a configuration of the app, and not some other JSON."""
    if isinstance(data.get(WHOLE), Mapping) or isinstance(data.get("configuration"), Mapping):
        return True
    if {"nodes", "last_node_id", "workflow"} & data.keys():  # ComfyUI's own
        return False
    return len(data.keys() & (app_json.KEYS | _FLAT)) >= 2


def from_json(data: Mapping[str, Any]) -> Generation:
    """The generation in metadata of a picture, or in a configuration alone.

    Flat values that cannot be are left out, as the app does. Raises SettingsError for
    wrong values in a whole configuration.
    """
    prompt, negative = (
        data[key] if isinstance(data.get(key), str) else "" for key in (PROMPT, NEGATIVE)
    )
    flat = isinstance(data.get("sampler"), str) or bool(_ONLY_FLAT & data.keys())
    if isinstance(data.get(WHOLE), Mapping):
        settings = app_json.from_json(data[WHOLE])
        if "seed" not in settings and flat:
            settings = _flat_settings({"seed": data.get("seed")}).merged(settings)
    elif flat and not isinstance(data.get("configuration"), Mapping):
        settings = _flat_settings(data)
    else:
        settings = app_json.from_json(data)
    return Generation(settings, prompt, negative)


def _flat_settings(data: Mapping[str, Any]) -> Configuration:
    found = Configuration()
    for key, name in _PLAIN.items():
        found = _with(found, name, lambda key=key: data.get(key))  # type: ignore[misc]
    for key, names in _SIZES.items():
        match = _SIZE.fullmatch(str(data.get(key, "")))
        if match:
            for name, text in zip(names, match.groups(), strict=True):
                scale = setting(name).wire_scale
                found = _with(found, name, lambda t=text, s=scale: int(t) // s * s)  # type: ignore[misc]
    if isinstance(data.get("sampler"), str):
        found = found.replace(sampler=sampler_named(data["sampler"]))
    if isinstance(data.get("seed_mode"), str):
        found = found.replace(seed_mode=_seed_mode(data["seed_mode"]))
    found = _with(found, "loras", lambda: _rows(data.get("lora"), _lora))
    found = _with(found, "controls", lambda: _rows(data.get("control"), _control))
    unknown = {key: value for key, value in data.items() if key not in _FLAT}
    return Configuration.of(found.explicit, unknown)


def _with(settings: Configuration, name: str, value: Callable[[], Any]) -> Configuration:
    """The settings with one more, if it can be."""
    try:
        given = value()
        if given is None or (name == "seed" and given < 0):
            return settings
        if isinstance(given, float) and given.is_integer() and setting(name).wire_range:
            given = int(given)
        return settings.replace(**{name: given})
    except (SettingsError, TypeError):
        return settings


def _rows(rows: object, one: Callable[[Mapping[str, Any]], Any]) -> list[Any] | None:
    if not isinstance(rows, list):
        return None
    return [one(row) for row in rows if isinstance(row, Mapping)]


def _lora(row: Mapping[str, Any]) -> LoraSettings:
    words = {mode.json_name: mode for mode in LoraMode}
    mode = words.get(str(row.get("mode", "all")).lower(), LoraMode.ALL)
    return LoraSettings(row.get("model", ""), row.get("weight", 0.6), mode)


def _control(row: Mapping[str, Any]) -> ControlSettings:
    return ControlSettings(**{"file": "", **{k: row[k] for k in _CONTROL_KEYS if k in row}})


# Words of a name, and the samplers for them: plain, substep, trailing, AYS.
_NAMES: tuple[tuple[str, dict[str, Sampler]], ...] = (
    (
        "sde",
        {
            "": Sampler.DPMPP_SDE_KARRAS,
            "substep": Sampler.DPMPP_SDE_SUBSTEP,
            "trailing": Sampler.DPMPP_SDE_TRAILING,
            "ays": Sampler.DPMPP_SDE_AYS,
        },
    ),
    (
        "dpm",
        {
            "": Sampler.DPMPP_2M_KARRAS,
            "trailing": Sampler.DPMPP_2M_TRAILING,
            "ays": Sampler.DPMPP_2M_AYS,
        },
    ),
    (
        "euler",
        {
            "": Sampler.EULER_A,
            "substep": Sampler.EULER_A_SUBSTEP,
            "trailing": Sampler.EULER_A_TRAILING,
            "ays": Sampler.EULER_A_AYS,
        },
    ),
    (
        "unipc",
        {"": Sampler.UNIPC, "trailing": Sampler.UNIPC_TRAILING, "ays": Sampler.UNIPC_AYS},
    ),
    ("plms", {"": Sampler.PLMS}),
    ("ddim", {"": Sampler.DDIM, "trailing": Sampler.DDIM_TRAILING}),
    ("lcm", {"": Sampler.LCM}),
    ("tcd", {"": Sampler.TCD, "trailing": Sampler.TCD_TRAILING}),
)


def sampler_named(text: str) -> Sampler:
    """The sampler of a name as loosely as the app reads it: by the words in it."""
    name = text.lower()
    for word, kinds in _NAMES:
        if word in name and (word != "sde" or "dpm" in name):
            return next((kinds[kind] for kind in kinds if kind and kind in name), kinds[""])
    return _DEFAULT_SAMPLER


def _seed_mode(text: str) -> SeedMode:
    return next((mode for mode in SeedMode if mode.label == text), _DEFAULT_SEED_MODE)


def described(generation: Generation) -> str:
    """The same for people, as the app writes it below its pictures."""
    settings = generation.settings
    lines = [generation.prompt]
    if generation.negative_prompt:
        lines.append(f"-{generation.negative_prompt}")
    facts = {
        "Steps": settings["steps"],
        "Sampler": settings["sampler"].label,
        "Guidance Scale": settings["guidance_scale"],
        "Seed": settings.explicit.get("seed"),
        "Size": f"{settings['start_width']}x{settings['start_height']}",
        "Model": settings["model"] or None,
        "Strength": settings["strength"],
        "Seed Mode": settings["seed_mode"].label,
    }
    if settings["hires_fix"]:
        first = (settings["hires_fix_start_width"], settings["hires_fix_start_height"])
        facts |= {
            "Hires Fix": "true",
            "First Stage Size": f"{first[0]}x{first[1]}",
            "Second Stage Strength": settings["hires_fix_strength"],
        }
    loras = [f"{row.file} ({row.weight})" for row in settings["loras"]]
    facts["LoRA"] = "; ".join(loras) or None
    lines.append(", ".join(f"{key}: {value}" for key, value in facts.items() if value is not None))
    return "\n".join(lines)
