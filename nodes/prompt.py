"""DT Prompt: text with textual inversions, and what the model does not understand of it."""

from __future__ import annotations

from comfy_api.latest import io

from ..dt_core.models.file_names import family_of_file
from ..dt_core.request import prompt_syntax
from ..dt_core.request.parts import ModelChoice
from ..dt_core.text import Text
from .host import compat, sockets
from .inputs import listed_input
from .running import reporting
from .servers import lists
from .servers.owner import here


class DTPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="DTPrompt",
            display_name="DT Prompt",
            category=sockets.CATEGORY,
            description="A prompt, with a textual inversion of the server if you like. Tells what "
            "the connected model does not understand of it.",
            search_aliases=["draw things", "prompt", "textual inversion", "embedding"],
            inputs=[
                sockets.Model.Input(
                    "model",
                    optional=True,
                    tooltip="From DT Model Loader. With it the node tells which weights and "
                    "textual inversions this model does not read.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    tooltip="What to generate, or to keep out. Stable Diffusion and SDXL read "
                    "(text:1.2) as a weight and <keyword> as a textual inversion.",
                ),
                listed_input(
                    "embeddings",
                    "embedding",
                    options=[lists.NONE, *here().lists.current().embeddings],
                    default=lists.NONE,
                    tooltip="A textual inversion of the server, by keyword; put at the end of the "
                    "text. For Stable Diffusion v1, v2 and SDXL in the Draw Things app.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="prompt", tooltip="To positive or negative of DT Sampler."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, embedding: str) -> bool:
        """Any name may be right: the server decides when the graph runs."""
        return True

    @classmethod
    def execute(
        cls, text: str, embedding: str = lists.NONE, model: ModelChoice | None = None
    ) -> io.NodeOutput:
        if embedding != lists.NONE:
            text = prompt_syntax.with_keyword(text, embedding)
        notes = _notes(text, model) if model is not None else ()
        return io.NodeOutput(text, ui=reporting.notes_ui(notes))


def _notes(text: str, choice: ModelChoice) -> tuple[Text, ...]:
    """By what the server told before; nobody is asked here."""
    catalog = here().lists.catalog(choice.server)
    known = catalog.model(choice.model) if catalog else None
    family = known.family if known else family_of_file(choice.model)
    version = known.version if known else family.version if family else ""
    return prompt_syntax.notes(text, version, catalog, known)
