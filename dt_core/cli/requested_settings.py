"""The settings that the command line asks for: options over --set over --config."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import metadata
from ..errors import RequestError, SettingsError
from ..metadata import generation_data as written
from ..request import seeds
from ..settings.choices import Sampler
from ..settings.configuration import Configuration, checked
from ..settings.table import SETTINGS, Kind, setting
from ..text import Template
from . import output
from .parser import SIZE

_NO_VALUE = Template("set_no_value", "--set {name}: '{value}' is no value of {label}.")
_NOT_BY_SET = Template(
    "not_by_set",
    "--set {name} cannot be: use --lora, --control or --config.",
)
_NO_CONFIG = Template(
    "no_config",
    "--config {path} is neither the app's JSON nor a picture that tells how it was made.",
)
_NO_ASSIGNMENT = Template("set_no_assignment", "--set '{text}' must be like shift=3.0.")
_NO_SIZE = Template("no_size", "--size '{size}' must be like 1024x768.")
_CONFIG_UNREADABLE = Template("config_unreadable", "--config {path} cannot be read: {strerror}.")


_DIRECT = {
    "model": "model",
    "steps": "steps",
    "count": "batch_count",
    "guidance": "guidance_scale",
    "strength": "strength",
    "frames": "num_frames",
}
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True, slots=True)
class Wished:
    """What the command line asks for, before names are looked up."""

    settings: Configuration
    prompt: str
    negative_prompt: str


def wished(options: argparse.Namespace) -> Wished:
    """Raises SettingsError for values that cannot be, RequestError for an unreadable file."""
    base = _config(options.config) if options.config else metadata.Generation(Configuration())
    found: dict[str, Any] = dict(_assigned(text) for text in options.set)
    for option, name in _DIRECT.items():
        value = getattr(options, option)
        if value is not None:
            found[name] = checked(setting(name), value, f"--{option}")
    if options.sampler is not None:
        found["sampler"] = Sampler.from_label(options.sampler)
    if options.size is not None:
        match = SIZE.fullmatch(options.size.strip())
        if match is None:
            raise SettingsError(_NO_SIZE(size=options.size))
        for number, name in enumerate(("start_width", "start_height"), 1):
            side = f"The {setting(name).label.lower()} of --size"
            found[name] = checked(setting(name), int(match[number]), side)
    if options.seed is not None or "seed" not in (*base.settings, *found):
        found["seed"], note = seeds.given(options.seed, "--seed")
        if note is not None:
            output.note(str(note))
    return Wished(
        base.settings.merged(Configuration.of(found)),
        base.prompt if options.prompt is None else options.prompt,
        base.negative_prompt if options.negative is None else options.negative,
    )


def named_with_weight(text: str) -> tuple[str, float | None]:
    """The name and weight of "name:0.8"; no weight where there is no number."""
    name, _, weight = text.rpartition(":")
    try:
        return (name, float(weight)) if name else (text, None)
    except ValueError:
        return text, None


def _config(path: str) -> metadata.Generation:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise RequestError(_CONFIG_UNREADABLE(path=path, strerror=str(error.strerror))) from None
    made = metadata.read(data)
    if made is not None:
        return made
    import json

    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise SettingsError(_NO_CONFIG(path=path))
    return written.from_json(parsed)


def _assigned(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(_NO_ASSIGNMENT(text=text))
    name, value = name.strip(), value.strip()
    row = next((row for row in SETTINGS if row.json_key == name), None) or setting(name)
    wrong = SettingsError(_NO_VALUE(name=name, value=value, label=row.label))
    try:
        if row.choices is not None:
            return row.name, row.choices.from_label(value)
        if row.kind is Kind.BOOL:
            if value.lower() not in _TRUE | _FALSE:
                raise wrong
            return row.name, value.lower() in _TRUE
        if row.kind is Kind.F32:
            return row.name, float(value)
        if row.kind is Kind.STR:
            return row.name, value
        if row.wire_range is not None:
            return row.name, int(value)
    except ValueError:
        raise wrong from None
    raise SettingsError(_NOT_BY_SET(name=name))
