"""Write locales/: every text that a user sees, in each language. `python -m tools.build_locales`.

English is where the text is used: in the nodes' definitions, in the templates of dt_core and
nodes, in web/text/*.json, and in the commands and settings of web/**/*.mjs.
`tools/translations/<language>.json` translates whole sentences, so a changed English one is
missing there. With --check it writes nothing, and fails if a sentence has no translation, a
translation no sentence, or a file is stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "tools" / "translations"
LOCALES = ROOT / "locales"
LANGUAGES = ("zh", "ja")
SECTION = "drawthingsnodes"
SENTENCES = "sentences"  # of the backend, by the keys of their templates
PREFIX = "drawthingsnodes."

_STRING = r"'((?:[^'\\]|\\.)*)'"
_COMMAND = re.compile(rf"\bid:\s*'({re.escape(PREFIX)}[\w.]+)',\s*label:\s*{_STRING}")
_SETTING = re.compile(
    rf"\bid:\s*'({re.escape(PREFIX)}[\w.]+)',\s*name:\s*{_STRING},(?:\s*tooltip:\s*(.+?)',\n)?",
    re.DOTALL,
)
_CATEGORY = re.compile(rf"\bcategory:\s*\[SECTION,\s*{_STRING}")
_OPTION = re.compile(rf"\btext:\s*{_STRING}")
_HOLE = re.compile(r"\{\w+\}")

Tree = dict[str, Any]


def english(nodes: list[dict[str, Any]], templates: Mapping[str, str]) -> dict[str, Tree]:
    """The four files of English, by name without ending; `templates` by their keys."""
    return {
        "nodeDefs": {node["id"]: _node(node) for node in nodes},
        "main": {
            SECTION: {**dict(_texts()), SENTENCES: dict(sorted(templates.items()))},
            "settingsCategories": {name: name for name in sorted(set(_categories()))},
        },
        "settings": dict(_settings()),
        "commands": {_key(ident): {"label": label} for ident, label in _commands()},
    }


def _node(node: Mapping[str, Any]) -> Tree:
    return {
        "display_name": node["title"],
        "description": node["description"],
        "inputs": {
            entry["id"]: {"name": entry["name"], "tooltip": entry["tooltip"]}
            for entry in node["inputs"]
        },
        "outputs": {
            str(number): {"name": entry["name"], "tooltip": entry["tooltip"]}
            for number, entry in enumerate(node["outputs"])
        },
    }


def _texts() -> Iterator[tuple[str, Tree]]:
    for file in sorted((ROOT / "web" / "text").glob("*.json")):
        tree: Tree = {}
        for key, text in json.loads(file.read_text(encoding="utf-8")).items():
            *parents, last = key.split(".")
            place = tree
            for part in parents:
                place = place.setdefault(part, {})
            place[last] = text
        yield file.stem, tree


def _features() -> Iterator[str]:
    for file in sorted((ROOT / "web").rglob("*.mjs")):
        yield file.read_text(encoding="utf-8")


def _key(ident: str) -> str:
    return ident.replace(".", "_")


def _unquoted(source: str) -> str:
    """The value of JavaScript strings that are joined with +."""
    return "".join(re.findall(_STRING, source)).replace("\\'", "'")


def _commands() -> Iterator[tuple[str, str]]:
    for source in _features():
        for ident, label in _COMMAND.findall(source):
            yield ident, label.replace("\\'", "'")


def _settings() -> Iterator[tuple[str, Tree]]:
    for source in _features():
        found = list(_SETTING.finditer(source))
        for number, match in enumerate(found):
            end = found[number + 1].start() if number + 1 < len(found) else len(source)
            entry: Tree = {"name": match[2].replace("\\'", "'")}
            if match[3]:
                entry["tooltip"] = _unquoted(f"{match[3]}'")
            options = list(_OPTION.findall(source[match.start() : end]))
            if options:
                entry["options"] = {option: option for option in options}
            yield _key(match[1]), entry


def _categories() -> Iterator[str]:
    for source in _features():
        yield from _CATEGORY.findall(source)


def sentences(tree: Tree, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree, after its place: keys with dots between them."""
    for key, value in tree.items():
        if not isinstance(value, str):
            yield from sentences(value, f"{place}{key}.")
        elif value:
            yield f"{place}{key}", value


def translated(tree: Tree, table: Mapping[str, str]) -> Tree:
    """The same tree in another language; without what the table does not know."""
    done = {
        key: table.get(value) if isinstance(value, str) else translated(value, table)
        for key, value in tree.items()
    }
    return {key: value for key, value in done.items() if value}


def table_of(language: str) -> dict[str, str]:
    table: dict[str, str] = json.loads(
        (TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8")
    )
    return table


def files(texts: Mapping[str, Tree]) -> dict[Path, str]:
    """What every file should hold."""
    # Older front ends (1.32) prefer a setting's English text from here to the translated one that
    # we register it with; the English one is in the code anyway.
    names = [name for name in texts if name != "settings"]
    trees = {LOCALES / "en" / f"{name}.json": _shown(texts[name]) for name in names}
    for language in LANGUAGES:
        table = table_of(language)
        for name, tree in texts.items():
            trees[LOCALES / language / f"{name}.json"] = translated(tree, table)
    return {
        path: json.dumps(tree, ensure_ascii=False, indent=2) + "\n" for path, tree in trees.items()
    }


def _shown(tree: Tree) -> Tree:
    """English for the page: without sentences, each of which brings its own."""
    ours = {key: part for key, part in tree.get(SECTION, {}).items() if key != SENTENCES}
    return {**tree, SECTION: ours} if ours else tree


def complaints(texts: Mapping[str, Tree]) -> Iterator[str]:
    """What is missing, left over, at odds or stale; nothing if all is well."""
    places = list(sentences(dict(texts)))
    known = {text for _, text in places}
    for language in LANGUAGES:
        table = table_of(language)
        for place, text in places:
            if text not in table:
                yield f"{language}: no translation: {place}: {text}"
            elif sorted(_HOLE.findall(text)) != sorted(_HOLE.findall(table[text])):
                yield f"{language}: other holes: {place}: {text}"
        yield from (f"{language}: not used: {text}" for text in table if text not in known)
    for path, content in files(texts).items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            yield f"stale: {path.relative_to(ROOT)}; run python -m tools.build_locales"


def main(arguments: list[str]) -> int:
    from .node_texts import read, read_sentences

    texts = english(read(), read_sentences())
    if arguments != ["--check"]:
        for path, content in files(texts).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    found = list(complaints(texts))
    print("\n".join(found) or "locales: complete")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
