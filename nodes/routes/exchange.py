"""Settings and pictures of the app in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dt_core.text import Template
from ..exchange import copying
from ..running import reporting
from .guard import Body, Refused, answered, json_route, text, whole_body
from .threads import HERE, run

PICTURE_LIMIT = 64 * 1024 * 1024  # bytes
TEXT_LIMIT = 1024 * 1024  # characters
_NO_GRAPH = Template("prompt_no_graph", "'prompt' must be a graph in API form.")


def import_configuration(body: Body) -> Any:
    """{"text"} → {"recipe", "notes", "note_texts"}; recipe is null where that is none."""
    return copying.imported_text(text(body, "text", limit=TEXT_LIMIT))


def export_configuration(body: Body) -> Any:
    """{"prompt" in API form, "node"} → {"text", "notes", "note_texts"}."""
    prompt = body.get("prompt")
    if not isinstance(prompt, Mapping):
        raise Refused(400, _NO_GRAPH())
    try:
        return copying.exported(prompt, text(body, "node", limit=256))
    except reporting.Problem as problem:
        raise Refused(400, problem.text) from None


async def import_picture(request: Any) -> Any:
    """A picture file as it is → {"recipe", "notes", "note_texts"}."""

    async def work() -> Any:
        return await run(HERE, copying.imported_picture, await whole_body(request, PICTURE_LIMIT))

    return await answered(request, work)


ROUTES = {
    "/import/configuration": json_route(import_configuration),
    "/import/picture": import_picture,
    "/export/configuration": json_route(export_configuration),
}
