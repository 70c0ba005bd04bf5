"""The values of the official sampler as settings of ours: on DT Sampler and on options nodes.

An options node is only made where one of its settings differs from what the sampler sends
anyway, and matters to the model's family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....dt_core.connection.profile import DEFAULT_ADDRESS, TlsMode
from ....dt_core.models.families import Family, family
from ....dt_core.models.file_names import family_of_file
from ....dt_core.settings import themes
from ....dt_core.settings.choices import Sampler, SeedMode
from ....dt_core.settings.configuration import DEFAULTS
from ....dt_core.settings.table import UNIT_PX, setting, title
from ....dt_core.text import Template, Text
from .their_nodes import FIELDS, SAMPLER, Model

_LATENT_FRAMES = 4  # frames in one latent frame, the unit of causal inference on the wire
_THEMES = (
    themes.GUIDANCE,
    themes.TEXT_ENCODERS,
    themes.HIRES_FIX,
    themes.TILING,
    themes.TEA_CACHE,
    themes.INPAINT,
    themes.VIDEO,
)
_LEFT_OUT = Template("change_left_out", "left out, as {family} does not read it: {settings}.")
_CAUSAL = Template(
    "change_causal",
    "causal inference of {frames} frames and pad {pad} is now counted in latent frames of 4: "
    "{block} and {ahead}.",
)
_UNITS = Template("change_units", "{setting} {value} was sent as {sent} px: now {now}.")
# Inputs of theirs, and the same on our sampler.
_SAMPLER_INPUTS = {
    "seed": "seed",
    "steps": "steps",
    "cfg": "guidance",
    "width": "width",
    "height": "height",
    "strength": "strength",
    "batch_size": "batch_size",
    "shift": "shift",
}
# Inputs of theirs whose name is not that of our settings table.
_NAMES = {
    "cfg_zero_star_init_steps": "cfg_zero_init_steps",
    "speed_up": "speed_up_with_guidance_embed",
    "fps": "fps_id",
    "motion_scale": "motion_bucket_id",
    "guiding_frame_noise": "cond_aug",
    "start_frame_guidance": "start_frame_cfg",
    "preserve_original": "preserve_original_after_inpaint",
    "high_res_fix": "hires_fix",
    "high_res_fix_start_width": "hires_fix_start_width",
    "high_res_fix_start_height": "hires_fix_start_height",
    "high_res_fix_strength": "hires_fix_strength",
}
# Values of another form here, so a link to them cannot stay.
_OTHER_FORM = {"seed_mode", "res_dpt_shift", "causal_inference", "causal_inference_pad"}


def _place(name: str) -> tuple[str, str] | None:
    """Where the value of one of their inputs may be on our options nodes: node and input."""
    if name in _NAMES:
        return themes.place(_NAMES[name])
    own = (theme for theme in _THEMES if name in theme.settings)
    return next(((theme.node_id, themes.input_id(name)) for theme in own), None)


# What holds for every sampler, looked up once.
_FIELDS = {field.name: field for field in FIELDS[SAMPLER]}
_KNOWN = {name for theme in _THEMES for name in theme.settings}
_OURS = {
    name: _NAMES.get(name, name)
    for name in _FIELDS.keys() - _OTHER_FORM
    if _NAMES.get(name, name) in _KNOWN
}
_IN_UNITS = tuple(
    row.name
    for row in map(setting, sorted(_OURS.values()))
    if row.unit == "px" and row.wire_scale == UNIT_PX
)
_PLACES = {
    name: place
    for name in sorted(_FIELDS.keys() - _OTHER_FORM - _SAMPLER_INPUTS.keys())
    if (place := _place(name))
}
_DEFAULTS = {name: DEFAULTS[name] for name in _KNOWN}
_BY_OUR_NAME = {_NAMES.get(field.name, field.name): field for field in _FIELDS.values()}


@dataclass(frozen=True, slots=True)
class Settings:
    """`sampler` and `options` by our input ids; `places`: their input → (our node, input)."""

    sampler: Mapping[str, Any]
    options: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, tuple[str, str]]
    changes: tuple[Text, ...]


def server_of(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Address and TLS mode for DT Server; None for the server that needs none."""
    host, port = values["server"].strip() or "localhost", values["port"].strip() or "7859"
    address = f"[{host}]:{port}" if host.count(":") > 1 and "[" not in host else f"{host}:{port}"
    if address.lower() == DEFAULT_ADDRESS and values["use_tls"]:
        return None
    return address, (TlsMode.TLS if values["use_tls"] else TlsMode.PLAIN).value


def settings_of(values: Mapping[str, Any], linked: set[str]) -> Settings:
    """Our settings for the values of one of their samplers; `linked` inputs have no value."""
    rows = _family(values["model"])
    changes: list[Text] = []
    places = {name: ("DTSampler", ours) for name, ours in _SAMPLER_INPUTS.items()}
    ours = _translated(values, changes)
    follows = values["res_dpt_shift"]
    own_shift = "shift" in linked or values["shift"] != 1
    if follows and own_shift and _reads(rows, "resolution_dependent_shift"):
        ours["resolution_dependent_shift"] = "on"
    wanted = {_NAMES.get(name, name) for name in linked - _OTHER_FORM}
    options, left_out = {}, []
    for theme in _THEMES:
        differing = [name for name in theme.settings if name in ours and _differs(name, ours)]
        if not differing and theme is not themes.VIDEO and wanted.isdisjoint(theme.settings):
            continue
        mine = {name: ours[name] for name in theme.settings if name in ours}
        counting = [name for name in differing if _reads(rows, name)]
        shown = rows is not None and rows.is_video and theme is themes.VIDEO
        if counting or shown or wanted & set(mine):
            options[theme.node_id] = {themes.input_id(name): value for name, value in mine.items()}
        else:
            left_out += [name for name in differing if _chosen(name, values)]
    if left_out and rows is not None:
        labels = [title(name) for name in left_out]
        changes.append(_LEFT_OUT(family=rows.name, settings=labels))
    places |= {name: place for name, place in _PLACES.items() if place[0] in options}
    return Settings(_on_sampler(values, own_shift, follows, changes), options, places, (*changes,))


def _on_sampler(
    values: Mapping[str, Any], own_shift: bool, follows: bool, changes: list[Text]
) -> dict[str, Any]:
    """Our sampler's shift is 0 where it follows the resolution, and then sets nothing."""
    sampler = {ours: values[name] for name, ours in _SAMPLER_INPUTS.items()}
    for side in ("width", "height"):
        sampler[side] = _whole_units(values[side], side, changes)
    sampler["shift"] = values["shift"] if own_shift or not follows else 0.0
    sampler["sampler"] = Sampler.from_label(values["sampler_name"]).label
    sampler["control_after_generate"] = values["control_after_generate"]
    return sampler


def _translated(values: Mapping[str, Any], changes: list[Text]) -> dict[str, Any]:
    """All settings for options nodes, by the names of our table."""
    ours = {_OURS[name]: value for name, value in values.items() if name in _OURS}
    for name in _IN_UNITS:
        if name in ours:
            ours[name] = _whole_units(ours[name], name, changes)
    ours["seed_mode"] = SeedMode.from_label(values["seed_mode"]).label
    ours["resolution_dependent_shift"] = "automatic"
    frames, pad = values["causal_inference"], values["causal_inference_pad"]
    ours["causal_inference_enabled"] = frames > 0
    ours["causal_inference"] = max((frames + 3) // _LATENT_FRAMES, 1)
    ours["causal_inference_pad"] = pad // _LATENT_FRAMES
    if frames > 0:
        block, ahead = ours["causal_inference"], ours["causal_inference_pad"]
        changes.append(_CAUSAL(frames=frames, pad=pad, block=block, ahead=ahead))
    return ours


def _whole_units(value: int, name: str, changes: list[Text]) -> int:
    whole = max(value // UNIT_PX, 1) * UNIT_PX
    if whole != value:
        changes.append(_UNITS(setting=name, value=value, sent=whole, now=whole))
    return whole


def _differs(name: str, ours: Mapping[str, Any]) -> bool:
    """Whether a setting acts and is not what is sent without an options node."""
    if name == "resolution_dependent_shift":
        return bool(ours[name] != "automatic")
    if name == "guidance_embed" and ours["speed_up_with_guidance_embed"]:
        return False
    if not ours.get(themes.SWITCHES.get(name, ""), True):
        return False
    value = SeedMode.from_label(ours[name]) if name == "seed_mode" else ours[name]
    return bool(value != _DEFAULTS[name])


def _chosen(name: str, values: Mapping[str, Any]) -> bool:
    """Whether the value is not simply their default."""
    field = _BY_OUR_NAME.get(name)
    return field is not None and values[field.name] != field.default


def _reads(rows: Family | None, name: str) -> bool:
    """Whether models of the family read the setting; yes for a family we do not know."""
    key = setting(name).families
    return rows is None or key is None or rows.supports(key)


def _family(model: Model | None) -> Family | None:
    if model is None:
        return None
    return family(model.version) or family_of_file(model.file)
