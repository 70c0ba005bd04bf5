"""Write the lists in docs/messages.md: every sentence template of dt_core and nodes, by room.

`python -m tools.build_messages`; with --check it only compares, and fails if the page is stale.
The templates are read from the sources, so that nothing has to be importable; what the kinds
of errors mean, and what to do, stands above the lists. A remedy stands once, with the words
that each face has for it.
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
    "dt_core": "Everywhere",
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
# The tables of remedies in a face's own words, in the order of the page.
FACES = {
    "nodes/host/remedies.py": "ComfyUI",
    "dt_core/cli/remedies.py": "command",
    "dt_core/api/remedies.py": "Python",
    "dt_core/simulator/__main__.py": "simulator",
}
_ESCAPED = re.compile(r"([\\`*_\[\]<>|{}])")
_HOLE = re.compile(r"\{(\w+)\}")


def templates(path: Path) -> Iterator[tuple[str, str]]:
    """Key and English of every template that a module makes."""
    return _made_in(_tree(path))


def by_room() -> dict[str, dict[str, str]]:
    """The sentences of each room, by their keys, in the order of the sources."""
    found: dict[str, dict[str, str]] = {}
    for folder in ("dt_core", "nodes"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            rows = dict(templates(path))
            if rows:
                found.setdefault(path.parent.relative_to(ROOT).as_posix(), {}).update(rows)
    return found


def remedies() -> dict[str, tuple[str, str]]:
    """Key and neutral words of each member of Remedy, by its name."""
    found = {}
    for node in ast.walk(_tree(ROOT / "dt_core" / "errors.py")):
        match node:
            case ast.ClassDef(name="Remedy", body=body):
                for line in body:
                    match line:
                        case ast.Assign(targets=[ast.Name(id=name)], value=made):
                            [found[name]] = _made_in(made)
    return found


def faces() -> dict[str, dict[str, tuple[str, str]]]:
    """Key and words of each remedy that a face words itself, by the face and the remedy's name."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for path, face in FACES.items():
        own = found.setdefault(face, {})
        for node in ast.walk(_tree(ROOT / path)):
            match node:
                case ast.Dict(keys=names, values=values):
                    for name, made in zip(names, values, strict=True):
                        match name:
                            case ast.Attribute(value=ast.Name(id="Remedy"), attr=remedy):
                                [own[remedy]] = _made_in(made)
    return found


def lists() -> str:
    """The lists as Markdown. Raises KeyError for a room that has no heading."""
    found = by_room()
    words = faces()
    parts, there = ["### What to do\n\n"], set()
    for name, (key, english) in remedies().items():
        parts[0] += f"- {_shown(english)}\n"
        there.add(key)
        for face, own in words.items():
            if name in own:
                parts[0] += f"  - {face}: {_shown(own[name][1])}\n"
                there.add(own[name][0])
    for room, heading in ROOMS.items():
        rows = {key: text for key, text in found.pop(room, {}).items() if key not in there}
        shown = [text for text in rows.values() if _HOLE.sub("", text).strip(" .:×")]
        shown.sort(key=_is_part)  # else in the order of the sources
        if shown:
            parts.append(f"### {heading}\n\n" + "".join(f"- {_shown(text)}\n" for text in shown))
    if found:
        raise KeyError(f"no heading for {', '.join(found)}")
    return "\n".join(parts)


def _made_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="Template"),
                args=[ast.Constant(value=str(key)), ast.Constant(value=str(english)), *_],
            ):
                yield key, english


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_part(english: str) -> bool:
    """A reason or a name, which stands in other sentences."""
    return not english[0].isupper() and ". " not in english and not english.endswith(".")


def _shown(english: str) -> str:
    words = _HOLE.sub(lambda hole: f"‹{hole[1].replace('_', ' ')}›", english)
    words = _ESCAPED.sub(r"\\\1", words)
    return f"… {words} …" if _is_part(english) else words


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
