"""Write the help pages' tables and docs/settings.md: `python -m tools.build_help`.

A page of web/docs is written by hand around one part that this tool writes: what the inputs
take and mean and what comes out, from the nodes' definitions and the settings table. The
pages of other languages (web/docs/<node>/<language>.md) are made of the same and of what
tools/translations has. With --check it writes nothing, and fails if a page is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dt_core.settings import themes
from dt_core.settings.table import NOT_READ, SETTINGS, Setting, setting

from . import setting_words
from .build_locales import LANGUAGES, ROOT, TRANSLATIONS, table_of

PAGES = ROOT / "web" / "docs"
REFERENCE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- python -m tools.build_help writes from here -->"
END = "<!-- to here -->"
_CHOSEN = {"start_width", "start_height"}  # no server has a size of its own
FEW_FAMILIES = 3  # with as many, "Only for …" in a tooltip has told them already

_NUMBERED = re.compile(r"_\d$")
_REFERENCE_INTRODUCTION = """\
# The settings of a generation

Written by `python -m tools.build_help` from the settings table, do not edit. *Field* is the name
in Python (`dt_core.Configuration`); node and input are where a graph sets it. *Default* is what a
new graph starts with; what the server takes where a request says nothing stands behind it, where
that is something else.
"""

Node = Mapping[str, Any]
Words = Mapping[str, str]


def generated(node: Node, words: Words) -> str:
    """The part between the markers."""
    lines = [BEGIN]
    for title, first, rows in (
        ("Inputs", "Input", list(_inputs(node, words))),
        ("Outputs", "Output", list(_outputs(node, words))),
    ):
        if rows:
            lines += ["", f"## {_in(words, title)}", ""]
            lines += [f"| {_in(words, first)} | {_in(words, 'Meaning')} |", "|---|---|", *rows]
    return "\n".join([*lines, "", END])


def _in(words: Words, text: str) -> str:
    return words.get(text, text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _inputs(node: Node, words: Words) -> Iterator[str]:
    for group in _groups(node["inputs"]):
        first = group[0]
        names = [_in(words, each["name"]) for each in group]
        name = f"**{names[0]}**"
        if len(names) > 1:
            name += f", **{names[1]}**" + (f" … **{names[-1]}**" if len(names) > 2 else "")
        meaning = _cell(_in(words, first["tooltip"] or ""))
        facts = "; ".join(_facts(first, words))
        yield f"| {name} | {meaning}<br>*{_cell(facts)}* |"


def _groups(inputs: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Inputs that differ only in their number, together, where the first one stands."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in inputs:
        tooltip = re.sub(r"_\d\b", "", entry["tooltip"] or "")
        key = (_NUMBERED.sub("", entry["id"]), entry["type"], tooltip)
        found.setdefault(key, []).append(entry)
    return list(found.values())


def _facts(entry: Mapping[str, Any], words: Words) -> Iterator[str]:
    kind = entry["type"]
    default = entry.get("default")
    row = setting(entry["setting"]) if entry["setting"] else None
    if kind in ("INT", "FLOAT"):
        yield _range(entry, row, words)
        yield _in(words, "default {value}").format(value=_number(default))
    elif kind == "BOOLEAN":
        yield _in(words, "default on" if default else "default off")
    elif kind == "COMBO":
        options = entry.get("options")
        yield " · ".join(options) if options else _in(words, "a list")
        if default is not None:
            yield _in(words, "default {value}").format(value=default)
    elif kind == "STRING":
        yield _in(words, "text from another node" if entry["socket"] else "text")
        if default:
            yield _in(words, "default {value}").format(value=default)
    else:
        yield kind.replace(",", _in(words, " or "))
        if entry["optional"]:
            yield _in(words, "optional")
    if row is not None:
        yield from _families(entry["tooltip"] or "", row, words)


def _range(entry: Mapping[str, Any], row: Setting | None, words: Words) -> str:
    low, high, step = entry.get("min"), entry.get("max"), entry.get("step")
    unit = row.unit if row and not row.unit[:1].isdigit() else ""
    text = _in(words, "{low} to {high}").format(low=_number(low), high=_number(high))
    text += f" {_in(words, unit)}" if unit else ""
    if step and not (step == 1 and entry["type"] == "INT"):
        text += _in(words, ", steps of {step}").format(step=_number(step))
    return text


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else str(value)


def _families(tooltip: str, row: Setting, words: Words) -> Iterator[str]:
    if row.families in (None, NOT_READ):
        return
    does, others = setting_words.readers(row)
    if not others or ("Only for" in tooltip and len(does) <= FEW_FAMILIES):
        return
    text, names = ("not for {names}", others) if len(others) < len(does) else ("for {names}", does)
    yield _in(words, text).format(names=", ".join(names))


def _outputs(node: Node, words: Words) -> Iterator[str]:
    for entry in node["outputs"]:
        meaning = _cell(_in(words, entry["tooltip"] or ""))
        yield f"| **{_in(words, entry['name'])}** | {meaning}<br>*{entry['type']}* |"


def page(node: Node, written: str) -> str:
    """The English page: what is written, with a fresh part between the markers.

    Raises ValueError if the page has no markers.
    """
    before, begin, rest = written.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"web/docs/{node['id']}.md has no place for its tables: {BEGIN} {END}")
    return before + generated(node, {}) + after


def translated_page(node: Node, language: str) -> str:
    """The page in another language; notes that nobody translated are left out."""
    words = _words(language)
    notes = TRANSLATIONS / "help" / language / f"{node['id']}.md"
    parts = [f"# {_in(words, node['title'])}", _in(words, node["description"])]
    before, _, after = (notes.read_text(encoding="utf-8") if notes.exists() else "").partition(
        "---\n"
    )
    parts += [before.strip(), generated(node, words), after.strip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _words(language: str) -> Words:
    more = json.loads((TRANSLATIONS / "help.json").read_text(encoding="utf-8"))
    return {**table_of(language), **more[language]}


def reference(nodes: list[dict[str, Any]]) -> str:
    """docs/settings.md."""
    starts = {
        (node["id"], entry["id"]): entry.get("default")
        for node in nodes
        for entry in node["inputs"]
    }
    head = ("Setting", "Field", "Unit", "Range", "Default", "Node, input", "Families")
    lines = [_REFERENCE_INTRODUCTION, f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in SETTINGS:
        cells = (_cell(cell) for cell in _reference_row(row, starts))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## What they do", ""]
    lines += [f"- **{row.label}** (`{row.name}`): {row.help}" for row in SETTINGS]
    lines += ["", "## Named values", ""]
    for row in SETTINGS:
        if row.choices is not None:
            labels = ", ".join(f"{member.label} ({int(member)})" for member in row.choices)
            lines.append(f"- `{row.name}`: {labels}")
    lines += ["", "## Families", "", "| Group | Read by |", "|---|---|"]
    groups = {row.families: row for row in SETTINGS if _is_group(row)}
    lines += [f"| {group} | {setting_words.families(row)} |" for group, row in groups.items()]
    return "\n".join(lines) + "\n"


def _is_group(row: Setting) -> bool:
    """Whether its families are too many for a cell."""
    return setting_words.families(row).count(";") >= FEW_FAMILIES


def _reference_row(row: Setting, starts: Mapping[tuple[str, str], Any]) -> Iterator[str]:
    place = themes.place(row.name)
    yield row.label
    yield f"`{row.name}`"
    yield setting_words.unit(row)
    both = row.minimum is not None and row.maximum is not None
    yield f"{_number(row.minimum)} to {_number(row.maximum)}" if both else ""
    yield _default(row, starts.get(place, row.default) if place else row.default)
    yield f"{place[0]}, {place[1]}" if place else "not offered"
    yield f"[{row.families}](#families)" if _is_group(row) else setting_words.families(row)


def _default(row: Setting, start: Any) -> str:
    def text(value: Any) -> str:
        if row.choices is not None:
            return str(row.choices.from_label(value).label)
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, (int, float)):
            return _number(value)
        return str(value or "none")

    ours, servers = text(start), text(row.default)
    return ours if ours == servers or row.name in _CHOSEN else f"{ours} ({servers})"


def files(nodes: list[dict[str, Any]]) -> dict[Path, str]:
    """What every file should hold."""
    found = {REFERENCE: reference(nodes)}
    for node in nodes:
        path = PAGES / f"{node['id']}.md"
        found[path] = page(node, path.read_text(encoding="utf-8"))
        for language in LANGUAGES:
            found[PAGES / node["id"] / f"{language}.md"] = translated_page(node, language)
    return found


def stale(nodes: list[dict[str, Any]]) -> list[str]:
    """The files that are not what this tool would write."""
    return [
        path.relative_to(ROOT).as_posix()
        for path, content in files(nodes).items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]


def main(arguments: list[str]) -> int:
    from .node_texts import read

    nodes = read()
    if arguments == ["--check"]:
        found = stale(nodes)
        print("\n".join(f"{name} is stale: run python -m tools.build_help" for name in found))
        return 1 if found else 0
    written = files(nodes)
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    print(f"help: {len(written)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
