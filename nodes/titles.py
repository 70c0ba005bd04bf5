"""What our nodes are called, for sentences that name them."""

from __future__ import annotations

from ..dt_core.text import TEMPLATES, Template


def titled(node_id: str, title: str) -> Template:
    """The title of a node, which a language has already."""
    key = f"title_{node_id}"
    return TEMPLATES.get(key) or Template(key, title)
