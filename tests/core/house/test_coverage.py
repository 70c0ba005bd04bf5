"""docs/coverage.md is up to date and every field in it can be reached."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from drawthings.dt_core.settings import themes
from drawthings.dt_core.settings.table import SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_tool_writes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.build_coverage", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_a_field_is_reached_or_has_a_reason(row: Setting) -> None:
    line = next(text for text in PAGE.splitlines() if text.startswith(f"| {row.name} |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    place = themes.place(row.name)
    if place is None:
        assert f"| {row.name} | {themes.NOT_OFFERED[row.name]} |" in PAGE
        return
    assert (cells[1], cells[2]) == place
    assert cells[3] == (row.json_key or "(none)")
    assert cells[4]
    assert cells[5]


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.node_id)
def test_the_help_page_of_a_theme_has_a_line_for_each_setting(theme: themes.Theme) -> None:
    page = (ROOT / "web" / "docs" / f"{theme.node_id}.md").read_text(encoding="utf-8")
    for name in theme.settings:
        words = themes.input_id(name).replace("_", " ")
        assert re.search(rf"^\| \*\*{words}\*\* \| .+\..+ \|$", page, re.MULTILINE)
