"""What servers have, and how they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...dt_core.profile import default_profile
from .. import clients, lists
from .guard import Body, json_route


def refresh(_body: Body) -> Any:
    """Ask every known server for its catalogue; a sentence for each."""
    profiles = list(dict.fromkeys([*clients.known_profiles(), default_profile()]))
    with ThreadPoolExecutor(len(profiles)) as pool:
        outcomes = list(pool.map(lists.refresh, profiles))
    return {"servers": [{"ok": ok, "sentence": sentence} for ok, sentence in outcomes]}


ROUTES = {"/refresh": json_route(refresh)}
