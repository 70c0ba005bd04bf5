"""The options nodes: one per theme of dt_core.settings.themes, all made from the settings table."""

from __future__ import annotations

from typing import Any, ClassVar

from comfy_api.latest import io

from ..dt_core.settings import themes
from ..dt_core.settings.configuration import DEFAULTS, ONE_OF, wrong
from ..dt_core.settings.fitting import Fitting
from ..dt_core.settings.options import Options
from ..dt_core.settings.table import Kind, setting
from ..dt_core.settings.themes import Theme
from .host import compat, sockets
from .inputs import chosen_file, file_input, for_setting, listed_input, setting_input
from .running import reporting
from .servers import lists
from .servers.owner import here
from .titles import titled

CATEGORY = f"{sockets.CATEGORY}/options"

AUTOMATIC = "automatic"
_TITLES = {theme: titled(theme.node_id, theme.title) for theme in themes.THEMES}
_ON_OFF = {AUTOMATIC: None, "on": True, "off": False}
_AUTOMATIC_TOOLTIP = (
    "Whether shift follows the size of the picture. Automatic: unless the sampler's shift is set."
)
_TEXTS = {"clip_l_text", "open_clip_g_text", "t5_text"}
_LISTS = {
    "refiner_model": "refiners",
    "upscaler": "upscalers",
    "face_restoration": "face_restorers",
}


def _offered(name: str) -> tuple[str, ...]:
    known = here().lists.current()
    files = {
        "refiner_model": known.models,
        "upscaler": known.upscalers,
        "face_restoration": known.face_restorers,
    }
    return (lists.NONE, *files[name])


def _widget(name: str) -> Any:
    """Optional, so that a script names only what it means; the rest is as the node shows it."""
    ident = themes.input_id(name)
    if name == "resolution_dependent_shift":
        combo = io.Combo.Input(
            ident,
            options=[*_ON_OFF],
            default=AUTOMATIC,
            optional=True,
            tooltip=_AUTOMATIC_TOOLTIP,
        )
        return for_setting(name, combo)
    if name in _LISTS:
        widget = listed_input(
            _LISTS[name],
            ident,
            options=[*_offered(name)],
            default=lists.NONE,
            optional=True,
            tooltip=setting(name).help,
        )
        return for_setting(name, widget)
    start = themes.STARTS.get(name, DEFAULTS[name])
    more = {"multiline": True} if name in _TEXTS else {}
    return setting_input(name, ident, default=start, optional=True, **more)


def _value(name: str, given: Any, typed: str) -> Any:
    """The setting's value for what its widget gives; None where it sets nothing."""
    row = setting(name)
    if name == "resolution_dependent_shift":
        if given not in _ON_OFF:  # from a link: ComfyUI checks only what is chosen
            raise wrong(name, ONE_OF(names=", ".join(_ON_OFF)), given)
        return _ON_OFF[given]
    if name in _LISTS:
        return chosen_file(given, typed)
    if row.choices is not None:
        return row.choices.from_label(given)
    return given.strip() if row.kind is Kind.STR else given


class OptionsNode(io.ComfyNode):
    """What the nodes below share; each names its theme."""

    theme: ClassVar[Theme]

    @classmethod
    def define_schema(cls) -> io.Schema:
        theme = cls.theme
        files = [name for name in theme.settings if name in _LISTS]
        return compat.schema(
            node_id=theme.node_id,
            display_name=theme.title,
            category=CATEGORY,
            description=f"{theme.description} Chain options nodes; a later one overrides.",
            search_aliases=["draw things", "settings", "configuration"],
            inputs=[
                sockets.Options.Input(
                    "options", optional=True, tooltip="Options that these are added to."
                ),
                *(_widget(name) for name in theme.settings),
                *(for_setting(name, file_input(f"{name}_file")) for name in files),
            ],
            outputs=[
                sockets.Options.Output(
                    display_name="options", tooltip="To DT Sampler or another options node."
                )
            ],
        )

    @classmethod
    def execute(cls, options: Options | None = None, **widgets: Any) -> io.NodeOutput:
        with reporting.errors_in_words():
            shown = {name: _widget(name) for name in cls.theme.settings}
            fitting = Fitting()
            values = {
                name: _value(
                    name,
                    widgets.get(widget.id, widget.default),
                    widgets.get(f"{name}_file", ""),
                )
                for name, widget in shown.items()
            }
            chosen = themes.counting({k: v for k, v in values.items() if v is not None})
            made = {k: fitting.of(k, v, themes.input_id(k)) for k, v in chosen.items()}
            before = options or Options()
            before = Options(before.settings, (*before.notes, *fitting.notes))
            return io.NodeOutput(before.then(made, _TITLES[cls.theme]()))


class DTGuidanceOptions(OptionsNode):
    theme = themes.GUIDANCE


class DTTextEncoderOptions(OptionsNode):
    theme = themes.TEXT_ENCODERS


class DTSDXLOptions(OptionsNode):
    theme = themes.SDXL


class DTHiresFixOptions(OptionsNode):
    theme = themes.HIRES_FIX


class DTTilingOptions(OptionsNode):
    theme = themes.TILING


class DTTeaCacheOptions(OptionsNode):
    theme = themes.TEA_CACHE


class DTRefinerOptions(OptionsNode):
    theme = themes.REFINER

    @classmethod
    def validate_inputs(cls, refiner_model: str = lists.NONE) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True


class DTUpscalerOptions(OptionsNode):
    theme = themes.UPSCALER

    @classmethod
    def validate_inputs(
        cls, upscaler: str = lists.NONE, face_restoration: str = lists.NONE
    ) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True


class DTInpaintOptions(OptionsNode):
    theme = themes.INPAINT


class DTVideoOptions(OptionsNode):
    theme = themes.VIDEO


class DTCascadeOptions(OptionsNode):
    theme = themes.CASCADE


class DTImagePriorOptions(OptionsNode):
    theme = themes.IMAGE_PRIOR


class DTImageGuidanceOptions(OptionsNode):
    theme = themes.IMAGE_GUIDANCE


class DTAppOptions(OptionsNode):
    theme = themes.APP
