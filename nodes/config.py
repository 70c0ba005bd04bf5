"""DT Config and DT Config Export: the app's JSON to and from values of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from ..dt_core.request import seeds
from ..dt_core.request.parts import Control, Lora, ModelChoice
from ..dt_core.request.resolved import GenerationRequest, resolve
from ..dt_core.settings import app_json
from ..dt_core.settings.configuration import Configuration
from ..dt_core.settings.options import Options
from ..dt_core.text import Text
from . import gather
from .host import compat, sockets
from .running import reporting
from .servers.owner import here
from .titles import titled

_SOURCE = titled("DTConfig", "DT Config")
_SIZE = ("start_width", "start_height")


def _read(text: str) -> Configuration:
    return app_json.from_json(text) if text.strip() else Configuration()


class DTConfig(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTConfig",
            display_name="DT Config",
            category=sockets.CATEGORY,
            description="Takes a configuration of the Draw Things app as JSON, or any part of it, "
            "and makes options, LoRAs and controls of it.",
            search_aliases=["draw things", "json", "preset", "configuration", "paste"],
            inputs=[
                sockets.Options.Input(
                    "options", optional=True, tooltip="Options that the configuration overrides."
                ),
                sockets.Lora.Input(
                    "lora_stack", optional=True, tooltip="LoRAs that come before its own."
                ),
                sockets.Control.Input(
                    "control_stack", optional=True, tooltip="Controls that come before its own."
                ),
                io.String.Input(
                    "configuration",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    placeholder="In Draw Things: Copy Configuration. Paste it here.",
                    tooltip="What the app's Copy Configuration gives, or any part of it; also "
                    "the JSON in one of its pictures. Sizes in px. Empty: nothing.",
                ),
                io.Boolean.Input(
                    "use_size",
                    default=True,
                    tooltip="On: its width and height replace the sampler's.",
                ),
                io.Boolean.Input(
                    "use_seed", default=False, tooltip="On: its seed replaces the sampler's."
                ),
                io.Boolean.Input(
                    "use_model",
                    default=False,
                    tooltip="On: its model replaces the one that the sampler is connected to.",
                ),
            ],
            outputs=[
                sockets.Options.Output(
                    display_name="options", tooltip="To DT Sampler or an options node."
                ),
                sockets.Lora.Output(display_name="lora", tooltip="To DT Sampler or DT LoRA."),
                sockets.Control.Output(
                    display_name="control",
                    tooltip="To DT Sampler or DT ControlNet. Pictures are not in a configuration.",
                ),
                io.String.Output(
                    display_name="model",
                    tooltip="File name of its model; empty if it names none.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        configuration: str,
        use_size: bool = True,
        use_seed: bool = False,
        use_model: bool = False,
        options: Options | None = None,
        lora_stack: tuple[Lora, ...] = (),
        control_stack: tuple[Control, ...] = (),
    ) -> io.NodeOutput:
        with reporting.errors_in_words():
            config = _read(configuration)
            dropped = ["loras", "controls"]
            dropped += [] if use_size else _SIZE
            dropped += [] if use_seed else ["seed"]
            dropped += [] if use_model else ["model"]
            chosen = (options or Options()).then(config.without(*dropped), _SOURCE())
            loras = tuple(Lora(row.file, row.weight, row.mode) for row in config["loras"])
            controls = resolve(GenerationRequest(config)).controls
            return io.NodeOutput(
                chosen, (*lora_stack, *loras), (*control_stack, *controls), config["model"]
            )


class DTConfigExport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTConfigExport",
            display_name="DT Config Export",
            category=sockets.CATEGORY,
            description="Writes what DT Sampler would send with these inputs as a configuration "
            "for the Draw Things app. Generates nothing.",
            search_aliases=["draw things", "json", "preset", "configuration", "copy"],
            inputs=gather.inputs(),
            outputs=[
                io.String.Output(
                    display_name="json",
                    tooltip="The configuration as the app's JSON, with LoRAs and controls; sizes "
                    "in px. Prompts and pictures are not in it.",
                )
            ],
        )

    @classmethod
    def execute(cls, model: ModelChoice, **inputs: Any) -> io.NodeOutput:
        with reporting.errors_in_words():
            text, notes = written({"model": model, **inputs})
            return io.NodeOutput(text, ui=reporting.notes_ui(notes))


def written(inputs: Mapping[str, Any]) -> tuple[str, tuple[Text, ...]]:
    """The app's JSON for the inputs of a sampler, and sentences on it.

    Raises SettingsError or RequestError.
    """
    request, notes = gather.request(**inputs)
    catalog = here().lists.catalog(inputs["model"].server)
    data = app_json.to_json(resolve(request, catalog).settings)
    options: Options | None = inputs.get("options")
    if inputs["seed"] == seeds.RANDOM and "seed" not in (options or Options()).settings:
        data["seed"] = seeds.RANDOM  # random for the app too (docs/protocol.md 10)
    return json.dumps(data, indent=1, ensure_ascii=False), notes
