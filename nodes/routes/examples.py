"""The pictures that our example workflows start from, put where ComfyUI's nodes look for them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ...dt_core.text import Template
from ..host import compat
from .guard import Body, Refused, changing_route

PICTURES = Path(__file__).resolve().parents[2] / "example_workflows" / "input"
NAMES_LIMIT = 100
_TOO_MANY = Template("names_too_many", "'names' must be a list of at most {most} names.")


def pictures(body: Body) -> Any:
    """Copy those of {"names"} that are ours and not there yet: {"copied": names}.

    Nothing is overwritten. What cannot be written, the node that wants it misses in its own words.
    """
    names = body.get("names")
    if not isinstance(names, list) or len(names) > NAMES_LIMIT:
        raise Refused(400, _TOO_MANY(most=NAMES_LIMIT))
    folder = compat.input_folder()
    copied = []
    for picture in sorted(PICTURES.glob("*.png")):
        if picture.name in names:
            with contextlib.suppress(OSError), (folder / picture.name).open("xb") as file:
                file.write(picture.read_bytes())
                copied.append(picture.name)
    return {"copied": copied}


ROUTES = {"/examples/pictures": changing_route(pictures)}
