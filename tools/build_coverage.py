"""Write docs/coverage.md: where each setting is reached. `python -m tools.build_coverage`.

All of it comes from the settings table, the themes and families.json; run it after a change
of one of them. With --check it only compares, and fails if the page is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from dt_core.settings import themes
from dt_core.settings.table import SETTINGS

from . import setting_words

TARGET = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"

_INTRODUCTION = """\
# Where each setting is reached

Written by `python -m tools.build_coverage` from the settings table, do not edit. Node and input
are ids; *JSON key* is the name in the app's JSON, which DT Config takes and DT Config Export
writes. *Families* tells who reads the field.
"""
_NO_KEY = "(none)"


def page() -> str:
    """The whole page."""
    lines = [_INTRODUCTION, "| Field | Node | Input | JSON key | Unit | Families |"]
    lines.append("|---|---|---|---|---|---|")
    lines.extend(_rows())
    lines += ["", "## Not offered", "", "| Field | Why |", "|---|---|"]
    lines.extend(f"| {name} | {reason} |" for name, reason in themes.NOT_OFFERED.items())
    return "\n".join(lines) + "\n"


def _rows() -> Iterator[str]:
    for row in SETTINGS:
        node, widget = themes.place(row.name) or ("not offered", "")
        words = (setting_words.unit(row), setting_words.families(row))
        cells = (row.name, node, widget, row.json_key or _NO_KEY, *words)
        yield f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        fresh = TARGET.exists() and TARGET.read_text(encoding="utf-8") == page()
        if not fresh:
            sys.stderr.write("docs/coverage.md is stale: run python -m tools.build_coverage\n")
        return 0 if fresh else 1
    TARGET.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name}: {len(SETTINGS)} fields\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
