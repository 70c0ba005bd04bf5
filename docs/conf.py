"""Sphinx: the site of these pages. `make docs` builds it strictly.

The pages stay plain Markdown that can be read on any code host, so the order of the site stands
here and not in a page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

project = "Draw Things Nodes"
author = "the authors of Draw Things Nodes"
html_title = project
html_theme = "furo"
html_show_copyright = False
html_static_path = html_css_files = ["site.css"]
smartquotes = False  # options begin with two hyphens, and messages are searched for
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["requirements.txt"]
# Python's tuples in signatures and the like are shown as they are.
suppress_warnings = ["misc.highlighting_failure"]

CHAPTERS = {
    "Start": ("quickstart-app", "quickstart-linux", "quickstart-simulator"),
    "Graphs": ("cookbook", "settings", "several-servers", "bridge", "from-the-official-extension"),
    "Scripts": ("python", "command", "simulator"),
    "When something goes wrong": ("troubleshooting", "messages", "security"),
    "Below": ("protocol", "conformance", "coverage", "performance", "reliability"),
}


def add_chapters(app: Any, name: str, source: list[str]) -> None:
    """The table of contents, below the first page."""
    if name != "index":
        return
    for title, pages in CHAPTERS.items():
        there = [page for page in pages if (Path(app.srcdir) / f"{page}.md").exists()]
        lines = "\n".join(there)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{lines}\n```\n"


def setup(app: Any) -> None:
    app.connect("source-read", add_chapters)
