"""The arguments of `generate_image` as one order: pictures, hints and descriptions of models."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..errors import RequestError, SettingsError
from ..generation.client import Client
from ..models.catalog import Catalog
from ..pictures.values import Mask, Picture
from ..preflight import idle
from ..request.batches import Batch
from ..request.hints import input_kind
from ..request.parts import Control, Reference
from ..request.resolved import GenerationRequest, resolve
from ..settings.choices import ControlInputType
from ..settings.configuration import Configuration
from ..text import Template
from .collecting import Collected, PreviewCallback, ProgressCallback
from .generation_config import ImageGenerationConfig
from .media import PictureLike, as_mask, as_picture

_HINT_WITHOUT_KIND = Template(
    "hint_without_kind", "A hint needs a kind such as depth, pose or shuffle."
)
_SCALE_FACTOR = Template(
    "scale_factor_not_1",
    "scale_factor must be 1, not '{scale_factor}': pictures are sent at the size of the result. "
    "To enlarge, set upscaler and upscaler_scale_factor.",
)
_MASK_ALONE = Template(
    "mask_without_picture",
    "A mask needs the picture that it belongs to: give input_image.",
)
_NO_HINT = Template(
    "no_hint",
    "A hint must name its kind and picture: a mapping such as depth to a picture, or a list of "
    "(kind, picture, weight).",
)
_OVERRIDE_KEY = Template("override_key", "metadata_override knows no '{key}': {kinds}.")
_OVERRIDE_VALUE = Template(
    "override_value",
    "metadata_override['{key}'] must be a list of objects, or its JSON.",
)


_P = ParamSpec("_P")
_R = TypeVar("_R")
Hints = Mapping[str, Any] | Iterable[Any]

# Keys of `metadata_override`, and what a catalogue calls them.
_KINDS = {
    "models": "models",
    "loras": "loras",
    "controlnets": "controls",
    "controls": "controls",
    "textualinversions": "embeddings",
    "embeddings": "embeddings",
    "upscalers": "upscalers",
}


@dataclass(frozen=True, slots=True)
class Hint:
    """A picture for the controls of one kind, "depth" or another of ControlInputType.

    "shuffle" pictures are references. `weight` counts for those only.
    """

    kind: ControlInputType
    picture: Picture
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a script asks for; `order` makes a batch of it for a server's catalogue."""

    settings: Configuration
    untouched: frozenset[str]
    prompt: str
    negative_prompt: str
    image: Picture | None
    mask: Mask | None
    loras: tuple[Any, ...]
    controls: tuple[Control, ...]
    references: tuple[Reference, ...]
    hints: tuple[Hint, ...]
    extra: Catalog

    @classmethod
    def of(
        cls,
        prompt: str,
        config: ImageGenerationConfig,
        negative_prompt: str = "",
        *,
        input_image: PictureLike | None = None,
        mask_image: PictureLike | None = None,
        references: Sequence[PictureLike] = (),
        hints: Hints | None = None,
        metadata_override: Any = None,
        scale_factor: int = 1,
    ) -> Asked:
        """Read all pictures and check all values.

        Raises RequestError and SettingsError.
        """
        if scale_factor != 1:
            raise SettingsError(_SCALE_FACTOR(scale_factor=scale_factor))
        if mask_image is not None and input_image is None:
            raise RequestError(_MASK_ALONE())
        read = _hints(hints)
        shuffled = [
            Reference(hint.picture, hint.weight)
            for hint in read
            if hint.kind is ControlInputType.SHUFFLE
        ]
        return cls(
            settings=config.to_configuration(),
            untouched=frozenset(config.untouched()),
            prompt=prompt,
            negative_prompt=negative_prompt,
            image=None if input_image is None else as_picture(input_image),
            mask=None if mask_image is None else as_mask(mask_image),
            loras=tuple(lora.to_lora() for lora in config.loras),
            controls=tuple(control.to_control() for control in config.controls),
            references=(*(Reference(as_picture(one)) for one in references), *shuffled),
            hints=tuple(hint for hint in read if hint.kind is not ControlInputType.SHUFFLE),
            extra=described(metadata_override) if metadata_override else Catalog(),
        )

    def order(self, catalog: Catalog) -> Batch:
        """The batch, with each hint at the control that it is for."""
        controls = list(self.controls)
        for hint in self.hints:
            place = next(
                (
                    index
                    for index, control in enumerate(controls)
                    if control.file
                    and control.picture is None
                    and _takes(control, catalog, hint.kind)
                ),
                None,
            )
            if place is None:
                controls.append(Control("", input_type=hint.kind, picture=hint.picture))
            else:
                driven = replace(controls[place], picture=hint.picture)
                if not input_kind(driven, catalog):  # a union control: the hint says which input
                    driven = replace(driven, input_type=hint.kind)
                controls[place] = driven
        request = GenerationRequest(
            settings=self.settings,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            loras=self.loras,
            controls=tuple(controls),
            references=self.references,
        )
        images = () if self.image is None else (self.image,)
        batch = Batch(request, images, () if self.mask is None else (self.mask,))
        # A default that the model does not read is nobody's wish: no warning because of it.
        nothing = idle.reasons(resolve(batch.at(0), catalog)).keys() & self.untouched
        wished = self.settings.without(*(nothing & self.settings.explicit.keys()))
        return replace(batch, request=replace(request, settings=wished))


def asked_for_files(
    prompt: str,
    config: ImageGenerationConfig,
    negative_prompt: str = "",
    scale_factor: int = 1,
    input_image: PictureLike | None = None,
    mask_image: PictureLike | None = None,
    hints: Hints | None = None,
    metadata_override: Any = None,
    progress_callback: ProgressCallback | None = None,
    preview_callback: PreviewCallback | None = None,
    *,
    references: Sequence[PictureLike] = (),
) -> tuple[Asked, Collected]:
    """The arguments of `generate_image`, in the order in which scripts know them."""
    asked = Asked.of(
        prompt,
        config,
        negative_prompt,
        input_image=input_image,
        mask_image=mask_image,
        references=references,
        hints=hints,
        metadata_override=metadata_override,
        scale_factor=scale_factor,
    )
    return asked, Collected(progress_callback, preview_callback)


def takes(
    arguments: Callable[_P, Any],
) -> Callable[[Callable[..., _R]], Callable[Concatenate[Any, _P], _R]]:
    """Decorates a method: it takes what `arguments` takes, for type checkers and `help` too."""
    signature = inspect.signature(arguments)

    def with_them(method: Callable[..., _R]) -> Callable[Concatenate[Any, _P], _R]:
        own = inspect.signature(method)
        me = next(iter(own.parameters.values()))
        told = signature.replace(
            parameters=[me, *signature.parameters.values()],
            return_annotation=own.return_annotation,
        )
        method.__signature__ = told  # type: ignore[attr-defined]
        return method

    return with_them


def _takes(control: Control, catalog: Catalog, kind: ControlInputType) -> bool:
    own = input_kind(control, catalog)
    return own == kind.hint_name or (own != "" and kind is ControlInputType.CUSTOM) or not own


def _hints(given: Hints | None) -> tuple[Hint, ...]:
    """Hints from {"depth": picture or pictures}, or from (kind, picture[, weight]) and mappings."""
    if given is None:
        return ()
    rows: Iterable[Any] = given.items() if isinstance(given, Mapping) else given
    found: list[Hint] = []
    for row in rows:
        if isinstance(row, Hint):
            found.append(row)
            continue
        if isinstance(row, Mapping):
            kind = row.get("hint_type", row.get("type"))
            pictures, weight = row.get("image", row.get("picture")), row.get("weight", 1.0)
        elif isinstance(row, Sequence) and not isinstance(row, str) and len(row) in {2, 3}:
            kind, pictures, *rest = row
            weight = rest[0] if rest else 1.0
        else:
            kind = pictures = None
            weight = 1.0
        if kind is None or pictures is None:
            raise RequestError(_NO_HINT())
        many = pictures if isinstance(pictures, (list, tuple)) else [pictures]
        found.extend(Hint(_kind(kind), as_picture(one), float(weight)) for one in many)
    return tuple(found)


def _kind(name: Any) -> ControlInputType:
    kind = ControlInputType.from_label(name if isinstance(name, str) else int(name))
    if not kind:
        raise SettingsError(_HINT_WITHOUT_KIND())
    return kind


class DescribingClient(Client):
    """A client that adds descriptions of files to what the server tells of itself."""

    extra: Catalog = Catalog()

    def catalog(self, max_age_s: float = 60.0) -> Catalog:
        told = super().catalog(max_age_s)
        extra = self.extra
        return replace(
            told,
            models=_first(extra.models, told.models),
            loras=_first(extra.loras, told.loras),
            controls=_first(extra.controls, told.controls),
            embeddings=_first(extra.embeddings, told.embeddings),
            upscalers=_first(extra.upscalers, told.upscalers),
        )


def _first(mine: tuple[Any, ...], told: tuple[Any, ...]) -> tuple[Any, ...]:
    files = {row.file for row in mine}
    return (*mine, *(row for row in told if row.file not in files))


def described(override: Any) -> Catalog:
    """A catalogue of `metadata_override`: a mapping or message with lists of descriptions.

    Its lists (models, loras, controlNets, textualInversions, upscalers) are lists of objects
    or the JSON of one. Raises SettingsError for anything else.
    """
    data: dict[str, Any] = {}
    if isinstance(override, Mapping):
        named = override.items()
    else:
        keys = ("models", "loras", "controlNets", "textualInversions", "upscalers")
        named = {key: getattr(override, key, b"") for key in keys}.items()
    for key, rows in named:
        kind = _KINDS.get(str(key).replace("_", "").lower())
        if kind is None:
            raise SettingsError(_OVERRIDE_KEY(key=key, kinds=", ".join(_KINDS)))
        try:
            listed = json.loads(rows or b"[]") if isinstance(rows, (bytes, str)) else rows
        except ValueError:
            listed = None
        if not isinstance(listed, (list, tuple)):
            raise SettingsError(_OVERRIDE_VALUE(key=key))
        data[kind] = [dict(row) for row in listed]
    return Catalog.from_json(data)
