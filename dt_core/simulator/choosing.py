"""Which of the files that a request names take part: model, refiner, LoRAs, controls,
upscaler, face restorer (docs/protocol.md 7.8, 11.3).

Everything that the real server skips or replaces in silence is skipped or replaced here
too, and noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..models.families import FAMILIES, Family
from ..settings.configuration import ControlSettings, LoraSettings
from .intake import Asked
from .inventory import FALLBACK_MODEL, Description
from .newer import family_of, is_newer

IMAGE_PROMPTS = frozenset(
    {"ipadapterplus", "ipadapterfull", "ipadapterfaceidplus", "pulid", "redux", "llava"}
)
DEPTH_ESTIMATOR = "depth_anything_v2.0_f16.ckpt"
HED = "hed_f16.ckpt"
_FACE_RESTORER = "restoreformer_v1.0_f16.ckpt"
_FACE_PARSER = "parsenet_v1.0_f16.ckpt"
_SIDE_FILES = ("image_encoder", "preprocessor", "autoencoder")
_BARE_V1: Description = {"name": "no description", "file": "", "version": "v1"}


@dataclass(frozen=True, slots=True)
class ActiveControl:
    """A control that acts. `kind` is the hint type it wants; `type` its architecture."""

    settings: ControlSettings
    name: str
    type: str
    kind: str


@dataclass(slots=True)
class Choice:
    """The files that take part in a run."""

    file: str
    model: Description
    family: Family
    modifier: str = "none"
    refiner: Description | None = None
    loras: list[tuple[LoraSettings, Description]] = field(default_factory=list)
    controls: list[ActiveControl] = field(default_factory=list)
    upscale: int = 1
    restores_faces: bool = False
    transparent: bool = False

    @property
    def is_consistency(self) -> bool:
        """Whether model or LoRAs turn CFG off."""
        rows = (self.model, *(row for _, row in self.loras))
        return any(row.get("is_consistency_model") is True for row in rows)

    @property
    def edits(self) -> bool:
        """Whether the run looks at reference pictures. What a newer server's modifier does is
        not known: a stand-in looks at all that it gets."""
        newer = is_newer(self.family) and self.modifier != "none"
        return newer or self.modifier.startswith(("kontext", "qwenimage_edit"))

    @property
    def shows_image(self) -> bool:
        """Whether the image shows in the result at strength 1."""
        return self.edits or self.modifier == "qwenimage_layered"


def choose(asked: Asked) -> Choice:
    chosen = _model(asked)
    _refiner(asked, chosen)
    _loras(asked, chosen)
    _post_processing(asked, chosen)
    modifiers = (row.get("modifier", "none") for row in (chosen.model, *_rows(chosen)))
    chosen.modifier = next((m for m in modifiers if m != "none"), "none")
    chosen.transparent = chosen.modifier == "qwenimage_layered" or any(
        row.get("alternative_decoder") and row.get("alternative_decoder_version") == "transparent"
        for row in _rows(chosen)
    )
    chosen.controls = list(_controls(asked, chosen))
    return chosen


def _rows(chosen: Choice) -> Iterator[Description]:
    return (row for _, row in chosen.loras)


def _model(asked: Asked) -> Choice:
    catalog = asked.catalog
    file = str(asked.configuration["model"] or "")
    if "model" in asked.empty_texts:
        asked.notes.append('the model "" counts as present: taken for Stable Diffusion v1')
        return Choice("", _BARE_V1, FAMILIES["v1"])
    if file not in catalog.files:
        models = (row["file"] for row in catalog.all("models") if row["file"] in catalog.files)
        fallback = FALLBACK_MODEL if FALLBACK_MODEL in catalog.files else next(models, "")
        missing = f'model "{file}" is not on the server' if file else "no model was named"
        asked.notes.append(f'{missing}: replaced by the default model "{fallback}"')
        file = fallback
    row = catalog.find("models", file)
    if row is None:
        asked.notes.append(f'"{file}" has no description: taken for Stable Diffusion v1')
        row = {**_BARE_V1, "file": file, "name": file}
    return Choice(file, row, family_of(row))


def _refiner(asked: Asked, chosen: Choice) -> None:
    file = asked.configuration["refiner_model"]
    if not file:
        return
    row = asked.catalog.find("models", file)
    if file not in asked.catalog.files:
        reason = "is not on the server"
    elif file == chosen.file:
        reason = "is the model itself"
    elif (row or _BARE_V1)["version"] not in chosen.family.refiner_versions:
        reason = "is of an incompatible version"
    else:
        chosen.refiner = row or _BARE_V1
        return
    asked.notes.append(f'refiner "{file}" {reason}: ignored')


def _loras(asked: Asked, chosen: Choice) -> None:
    versions = {chosen.family.version}
    if chosen.refiner is not None:
        versions.add(chosen.refiner["version"])
    for lora in asked.configuration["loras"]:
        if not lora.file:
            asked.notes.append("a LoRA without a file: skipped")
            continue
        row = asked.catalog.find("loras", lora.file)
        version = row["version"] if row is not None else "v1"
        if lora.file not in asked.catalog.files:
            asked.notes.append(f'LoRA "{lora.file}" is not on the server: skipped')
        elif version not in versions:
            why = f"is for {version}" if row is not None else "has no description"
            asked.notes.append(f'LoRA "{lora.file}" {why}: skipped')
        else:
            chosen.loras.append((lora, row or {**_BARE_V1, "name": lora.file, "file": lora.file}))


def _post_processing(asked: Asked, chosen: Choice) -> None:
    configuration, files = asked.configuration, asked.catalog.files
    for name in asked.empty_texts:
        if name in {"upscaler", "refiner_model"} or name.startswith("loras"):
            asked.notes.append(f'{name} "" counts as present: leave it out')
    if "upscaler" in asked.empty_texts:
        chosen.upscale = 4
    upscaler = configuration["upscaler"]
    if upscaler and upscaler not in files:
        asked.notes.append(f'upscaler "{upscaler}" is not on the server: skipped')
    elif upscaler:
        row: Any = asked.catalog.find("upscalers", upscaler) or {"scale_factor": 4}
        forced = configuration["upscaler_scale_factor"]
        chosen.upscale = forced if forced in {2, 4} else row["scale_factor"]
    restorer = configuration["face_restoration"]
    if restorer and not {restorer, _FACE_PARSER} <= files:
        asked.notes.append(f'face restorer "{restorer}" is not on the server: skipped')
    elif restorer:
        chosen.restores_faces = True
        if restorer != _FACE_RESTORER:
            asked.notes.append(f'"{restorer}" is no face restorer that the server knows')


def _controls(asked: Asked, chosen: Choice) -> Iterator[ActiveControl]:
    for control in asked.configuration["controls"]:
        row = asked.catalog.find("controlNets", control.file)
        reason = _unusable(asked, chosen, control, row)
        if reason or row is None:
            asked.notes.append(f'control "{control.file or "without a file"}" {reason}: skipped')
            continue
        kind = row.get("modifier") or control.input_override.hint_name or "custom"
        active = ActiveControl(control, row["name"], row["type"], kind)
        if not _has_input(asked, active, chosen):
            asked.notes.append(f'control "{row["name"]}" got no {kind} input: skipped')
            continue
        yield active


def _unusable(
    asked: Asked, chosen: Choice, control: ControlSettings, row: Description | None
) -> str:
    if not control.file:
        return "names nothing"
    if control.file not in asked.catalog.files:
        return "is not on the server"
    if row is None:
        return "has no description"
    if row["version"] != chosen.family.version:
        return f"is for {row['version']}"
    if control.weight <= 0:
        return "has no weight above 0"
    if not row.get("modifier") and not control.input_override:
        return "is a union model and has no input type"
    side_files = {row[key] for key in _SIDE_FILES if row.get(key)}
    if not side_files <= asked.catalog.files:
        return "lacks " + ", ".join(sorted(side_files - asked.catalog.files))
    return ""


def _has_input(asked: Asked, control: ActiveControl, chosen: Choice) -> bool:
    """Whether the server finds a picture for the control (docs/protocol.md 4.4)."""
    image = asked.image is not None
    custom, shuffle = bool(asked.hint("custom")), bool(asked.hint("shuffle"))
    own = bool(asked.hint(control.kind))
    if control.type == "inject_kv":
        return shuffle or custom  # with custom alone it dies: strict.py
    if control.type in IMAGE_PROMPTS:
        return shuffle or custom or (image and control.type == "llava")
    files = asked.catalog.files
    if control.type == "t2iadapter":
        answers = {
            "canny": image or custom,
            "depth": own or (image and DEPTH_ESTIMATOR in files),
            "scribble": own,
            "pose": own or custom,
            "color": own or image,
        }
        return answers.get(control.kind, image or custom)
    answers = {
        "canny": image or custom,
        "mlsd": image or custom,
        "softedge": (image and HED in files) or custom,
        "depth": own or (image and DEPTH_ESTIMATOR in files),
        "scribble": own or (image and HED in files),
        "pose": own or custom,
        "inpaint": image,
        "ip2p": image,
        "shuffle": shuffle or custom or chosen.family.is_video,
        "color": False,
    }
    if control.kind in {"tile", "blur", "gray", "lowquality"}:
        return custom or image
    return answers.get(control.kind, custom)
