"""Widget inputs made from rows of the settings table."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..dt_core.settings.configuration import DEFAULTS
from ..dt_core.settings.table import INTEGER_RANGES, Kind, setting
from .host import compat
from .servers import lists

LIST_KEY = "drawthings_list"
SETTING_KEY = "drawthings_setting"


def file_input(input_id: str) -> Any:
    """A field beside a list, for a file name that the list does not have."""
    return compat.advanced(
        io.String.Input(
            input_id,
            default="",
            optional=True,
            tooltip="A file name that the list does not have; if filled in, it wins. "
            "For servers that do not list what they have.",
        )
    )


def listed_input(kind: str, input_id: str, options: list[str], **overrides: Any) -> Any:
    """A combo of names that a server has; `kind` tells our page which of its lists.

    models, refiners, loras, controls, upscalers, face_restorers or embeddings.
    """
    widget = io.Combo.Input(input_id, options=options, **overrides)
    widget.extra_dict = {**(widget.extra_dict or {}), LIST_KEY: kind}
    return widget


def chosen_file(listed: str, typed: str) -> str:
    """The file of a list and the field beside it; "" where none is chosen."""
    return typed.strip() or ("" if listed == lists.NONE else listed)


def setting_input(name: str, input_id: str | None = None, **overrides: Any) -> Any:
    """The widget for the setting `name`, called `input_id` in the graph.

    `overrides` replace what the row says: default, minimum, maximum, tooltip, and what a
    ComfyUI input takes besides.
    """
    return for_setting(name, _setting_widget(name, input_id, overrides))


def for_setting(name: str, widget: Any) -> Any:
    """The widget, marked for our page as that of a setting."""
    widget.extra_dict = {**(widget.extra_dict or {}), SETTING_KEY: name}
    return widget


def _setting_widget(name: str, input_id: str | None, overrides: dict[str, Any]) -> Any:
    row = setting(name)
    default = overrides.pop("default", DEFAULTS[name])
    low = overrides.pop("minimum", row.minimum)
    high = overrides.pop("maximum", row.maximum)
    common = {"tooltip": row.help, **overrides}
    ident = input_id or name
    if row.choices is not None:
        labels = [member.label for member in row.choices]
        return io.Combo.Input(
            ident, options=labels, default=row.choices.from_label(default).label, **common
        )
    if row.kind is Kind.BOOL:
        return io.Boolean.Input(ident, default=default, **common)
    if row.kind is Kind.STR:
        return io.String.Input(ident, default=default, **common)
    limits = {"default": default, "min": low, "max": high, "step": row.step}
    if row.kind in INTEGER_RANGES:
        whole = {key: int(value) for key, value in limits.items() if value is not None}
        return io.Int.Input(ident, **whole, **common)
    return io.Float.Input(ident, **limits, **common)
