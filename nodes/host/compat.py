"""Differences between ComfyUI versions, 0.3.64 on. Nothing else asks which one it is."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import InputImpl, Types, io
from comfy_execution.graph_utils import ExecutionBlocker
from comfy_execution.utils import get_executing_context

try:
    from server import PromptServer
except ImportError:  # ComfyUI's libraries without its server
    PromptServer = None

_FIELDS = {field.name for field in dataclasses.fields(io.Schema)}
_Input = TypeVar("_Input")

# Exception up to 0.8, BaseException later: always caught by this name, never by a base.
Interrupted = comfy.model_management.InterruptProcessingException


def schema(**fields: Any) -> io.Schema:
    """An `io.Schema` with those of the fields that this ComfyUI knows."""
    return io.Schema(**{key: value for key, value in fields.items() if key in _FIELDS})


def advanced(widget: _Input) -> _Input:
    """Mark an input as advanced; older typed inputs do not take it as an argument."""
    widget.extra_dict = {**(getattr(widget, "extra_dict", None) or {}), "advanced": True}  # type: ignore[attr-defined]
    return widget


def blocked(sentence: str) -> Any:
    """In place of an output that there is none of: stops what hangs on it, and says why."""
    return ExecutionBlocker(sentence)


def video(images: Any, frames_per_second: float, audio: Any) -> Any:
    """A VIDEO of an IMAGE, with the sound of an AUDIO or None."""
    rate = Fraction(frames_per_second).limit_denominator(1001)
    return InputImpl.VideoFromComponents(
        Types.VideoComponents(images=images, frame_rate=rate, audio=audio)
    )


def user_folder() -> Path:
    """Our folder beside the users' ones; its leading underscores keep it off HTTP."""
    return Path(folder_paths.get_user_directory()) / "__drawthings"


def input_folder() -> Path:
    """Where LoadImage looks for pictures."""
    return Path(folder_paths.get_input_directory())


def raise_if_interrupted() -> None:
    """Raise `Interrupted` if the user pressed Stop."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def progress_bar(total: int, node_id: str | None) -> Any:
    """ComfyUI's bar of a node. Its updates raise `Interrupted` too."""
    return comfy.utils.ProgressBar(total, node_id=node_id)


def preview_side() -> int:
    """The user's limit for previews, px."""
    from comfy.cli_args import args

    return int(getattr(args, "preview_size", 512))


def send_to_client(name: str, data: dict[str, Any]) -> None:
    """Tell the front end that queued the running prompt; safe from any thread."""
    instance: Any = getattr(PromptServer, "instance", None)
    if instance is not None and instance.client_id is not None:
        instance.send_sync(name, data, instance.client_id)


def running_node() -> str | None:
    """The node that is executed now, as ComfyUI's events name it; None outside of a run."""
    context = get_executing_context()
    return None if context is None else str(context.node_id)


def send_event(name: str, data: dict[str, Any]) -> None:
    """Tell every open front end; safe from any thread."""
    instance = getattr(PromptServer, "instance", None)
    if instance is not None:
        instance.send_sync(name, data)


def routes() -> Any:
    """ComfyUI's route table; None without a server."""
    instance = getattr(PromptServer, "instance", None)
    return None if instance is None else instance.routes


def metadata_allowed() -> bool:
    """Whether the user lets pictures say how they were made (--disable-metadata)."""
    from comfy.cli_args import args

    return not getattr(args, "disable_metadata", False)


def save_place(prefix: str, width: int, height: int) -> tuple[Path, str, int, str]:
    """Where ComfyUI's Save Image would write: folder, name, first number, subfolder.

    Raises an Exception of ComfyUI's for a place outside its output folder.
    """
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    return Path(folder), name, number, subfolder
