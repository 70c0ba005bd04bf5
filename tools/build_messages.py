"""Write the lists in docs/messages.md: every sentence template of dt_core and nodes, by room.

`python -m tools.build_messages`; with --check it only compares, and fails if the page is stale.
The templates are read from the sources, so that nothing has to be importable; what the kinds
of errors mean, and what to do, stands above the lists.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "messages.md"
BEGIN, END = "<!-- sentences -->\n", "<!-- end -->"

# The rooms whose sentences a user may meet, and what they are about.
ROOMS = {
    "dt_core": "What to do",
    "dt_core/connection": "Reaching a server",
    "dt_core/generation": "Generating and uploading",
    "dt_core/wire": "What arrives",
    "dt_core/settings": "Settings and configurations",
    "dt_core/pictures": "Pictures and masks",
    "dt_core/models": "Models",
    "dt_core/request": "What is asked for",
    "dt_core/preflight": "Checks before sending",
    "dt_core/metadata": "Pictures of other programs",
    "dt_core/api": "In Python",
    "dt_core/cli": "On the command line",
    "dt_core/doctor": "The doctor",
    "dt_core/simulator": "The simulator",
    "nodes": "Nodes",
    "nodes/host": "Nodes and ComfyUI",
    "nodes/servers": "Stored servers and secrets",
    "nodes/running": "While a node runs",
    "nodes/exchange": "Settings and pictures of the app",
    "nodes/exchange/official": "Workflows of the official extension",
    "nodes/routes": "The page",
}
_ESCAPED = re.compile(r"([\\`*_\[\]<>|{}])")
_HOLE = re.compile(r"\{(\w+)\}")


def templates(path: Path) -> Iterator[tuple[str, str]]:
    """Key and English of every template that a module makes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="Template"),
                args=[ast.Constant(value=str(key)), ast.Constant(value=str(english)), *_],
            ):
                yield key, english


def by_room() -> dict[str, dict[str, str]]:
    """The sentences of each room, by their keys, in the order of the sources."""
    found: dict[str, dict[str, str]] = {}
    for folder in ("dt_core", "nodes"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            rows = dict(templates(path))
            if rows:
                found.setdefault(path.parent.relative_to(ROOT).as_posix(), {}).update(rows)
    return found


def lists() -> str:
    """The lists as Markdown. Raises KeyError for a room that has no heading."""
    found = by_room()
    parts = []
    for room, heading in ROOMS.items():
        rows = [text for text in found.pop(room, {}).values() if _is_whole(text)]
        if rows:
            parts.append(f"### {heading}\n\n" + "".join(f"- {_shown(text)}\n" for text in rows))
    if found:
        raise KeyError(f"no heading for {', '.join(found)}")
    return "\n".join(parts)


def _is_whole(english: str) -> bool:
    """Not a reason or a name, which is part of other sentences."""
    return " " in _HOLE.sub("", english).strip() and not english[0].islower()


def _shown(english: str) -> str:
    words = _HOLE.sub(lambda hole: f"‹{hole[1].replace('_', ' ')}›", english)
    return _ESCAPED.sub(r"\\\1", words)


def page(text: str) -> str:
    """The page with fresh lists."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{lists()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    text = TARGET.read_text(encoding="utf-8")
    fresh = page(text)
    if arguments == ["--check"]:
        if fresh != text:
            sys.stderr.write("docs/messages.md is stale: run python -m tools.build_messages\n")
        return int(fresh != text)
    TARGET.write_text(fresh, encoding="utf-8")
    sys.stdout.write(f"{TARGET.name}: {sum(map(len, by_room().values()))} templates\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
