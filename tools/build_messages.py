"""Write the lists in docs/messages.md: every sentence that our errors and warnings can say.

`python -m tools.build_messages`; with --check it only compares, and fails if the page is stale.
The sentences are read from the sources; cause and remedy of each kind stand in the page.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "messages.md"
_FOLDERS = ("dt_core", "nodes")
_ROOTS = {"DrawThingsError", "Refused"}
_CHECKS = {"error": "preflight errors", "warning": "preflight warnings"}
_CHECK_FOLDER = "dt_core/preflight"
# The first argument of these is something else than the sentence.
_SENTENCE_AT = {"Refused": 1}
_BLOCK = re.compile(r"(<!-- messages: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HOLE = re.compile(r"\{(\w+)\}")
_ESCAPED = re.compile(r"([\\`*_\[\]<>|{}])")


class PageError(Exception):
    """The page and the sources do not fit together."""


@dataclass
class _Source:
    """One module: its functions, and the names that stand for one text everywhere in it."""

    path: str
    tree: ast.Module
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    texts: dict[str, ast.expr] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bound: list[str] = []
        for node in ast.walk(self.tree):
            match node:
                case ast.FunctionDef(name=name):
                    self.functions[name] = node
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                    bound.append(name)
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(
                        func=ast.Name(id="Template"), args=[_, ast.Constant(value=str(english))]
                    ),
                ):
                    self.templates[name] = _HOLE.sub(
                        lambda hole: f"‹{hole[1].replace('_', ' ')}›", english
                    )
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_text(value):
                    self.texts[name] = value
        self.texts = {name: text for name, text in self.texts.items() if bound.count(name) == 1}


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _sources() -> list[_Source]:
    paths = [path for folder in _FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    sources = [
        _Source(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in paths
    ]
    shared = {n: t for source in sources for n, t in source.texts.items() if n.isupper()}
    for source in sources:
        source.texts = {**shared, **source.texts}
    return sources


def _kinds(sources: list[_Source]) -> set[str]:
    """The names of all our error classes."""
    classes = [n for s in sources for n in ast.walk(s.tree) if isinstance(n, ast.ClassDef)]
    found = set(_ROOTS)
    while True:
        more = {
            node.name
            for node in classes
            if any(isinstance(base, ast.Name) and base.id in found for base in node.bases)
        }
        if more <= found:
            return found
        found |= more


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _name(node: ast.expr) -> str:
    """The last name in an expression: what it is about."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").replace("_", " ").lower()
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[first, *_]):
            return _name(first)  # ", ".join(names)
        case ast.Call(func=ast.Name(), args=[first, *_]) | ast.Starred(value=first):
            return _name(first)
        case ast.Call(func=ast.Attribute(value=first)) | ast.Subscript(value=first):
            return _name(first)
        case ast.BinOp(left=first) | ast.BoolOp(values=[first, *_]):
            return _name(first)
    return "…"


def _hole(node: ast.expr, source: _Source) -> str:
    """What stands for a value that only a run knows."""
    match node:
        case ast.IfExp(body=body, orelse=ast.Constant(value="")):
            return f"[{_words(body, source)}]"
        case ast.IfExp(body=body, orelse=orelse):
            return f"{_words(body, source)}/{_words(orelse, source)}"
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name) if (
            name in source.texts and (name.isupper() or isinstance(node, ast.Name))
        ):
            return _words(source.texts[name], source)
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr():
            return _words(node, source)
    return f"‹{_name(node)}›"


def _words(node: ast.expr, source: _Source) -> str:
    """A sentence as the reader knows it, with ‹names› where values go."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                _hole(part.value, source)
                if isinstance(part, ast.FormattedValue)
                else _words(part, source)
                for part in parts
            )
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _words(left, source) + _words(right, source)
    return _hole(node, source)


def _sentences(node: ast.expr, source: _Source) -> Iterator[str]:
    """The sentences that an expression can be; none where it passes another error's on."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr() | ast.BinOp():
            yield _words(node, source)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _sentences(body, source)
            yield from _sentences(orelse, source)
        case ast.Call(func=ast.Name(id=name)) if name in source.templates:
            yield source.templates[name]
        case ast.Name(id=name) if name in source.texts:
            yield from _sentences(source.texts[name], source)
        case ast.Call(func=ast.Name(id=name)) if name in source.functions:
            for part in ast.walk(source.functions[name]):
                if isinstance(part, ast.Return) and part.value is not None:
                    yield from _sentences(part.value, source)


def _passed_on(source: _Source, kinds: set[str]) -> dict[str, tuple[str, int]]:
    """Functions that make an error of a sentence that they are given: its kind, which argument."""
    found = {}
    for name, function in source.functions.items():
        parameters = [argument.arg for argument in function.args.args]
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or _called(node) not in kinds:
                continue
            at = _SENTENCE_AT.get(_called(node), 0)
            if len(node.args) > at and isinstance(node.args[at], ast.Name):
                given = node.args[at]
                if isinstance(given, ast.Name) and given.id in parameters:
                    found[name] = (_called(node), parameters.index(given.id))
    return found


def _either(source: _Source, kinds: set[str]) -> dict[str, tuple[str, int]]:
    """Names for one of two classes: the first one counts."""
    found = {}
    for node in ast.walk(source.tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.IfExp(body=ast.Name(id=kind))):
                if kind in kinds:
                    found[name] = (kind, _SENTENCE_AT.get(kind, 0))
    return found


def _made() -> Iterator[tuple[_Source, str, ast.expr]]:
    """Every place that makes an error or a warning: its kind, and what its sentence is made of."""
    sources = _sources()
    kinds = _kinds(sources)
    for source in sources:
        makers = {kind: (kind, _SENTENCE_AT.get(kind, 0)) for kind in kinds}
        makers |= _passed_on(source, kinds) | _either(source, kinds)
        if source.path.startswith(_CHECK_FOLDER):
            makers |= {name: (kind, 0) for name, kind in _CHECKS.items()}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and _called(node) in makers:
                kind, at = makers[_called(node)]
                if len(node.args) > at:
                    yield source, kind, node.args[at]


def collect() -> dict[str, list[str]]:
    """Every sentence by the kind of its error, in the order of the sources."""
    found: dict[str, dict[str, None]] = {}
    for source, kind, given in _made():
        for sentence in _sentences(given, source):
            found.setdefault(kind, {})[sentence] = None
    return {kind: list(sentences) for kind, sentences in found.items()}


def borrowed() -> list[tuple[str, str]]:
    """Where an error only takes over another one's sentence: the module, and the expression."""
    return [
        (source.path, ast.unparse(given))
        for source, _, given in _made()
        if not list(_sentences(given, source))
    ]


def page(text: str) -> str:
    """The page with fresh lists. Raises PageError if a kind has no place, or a place no kind."""
    found = collect()
    places = [match[2] for match in _BLOCK.finditer(text)]
    if missing := sorted(set(found) - set(places)):
        raise PageError(f"docs/messages.md has no place for: {', '.join(missing)}")
    if len(places) != len(set(places)) or set(places) - set(found):
        raise PageError(f"docs/messages.md has places too many: {', '.join(sorted(places))}")

    def fill(match: re.Match[str]) -> str:
        lines = "".join("- " + _ESCAPED.sub(r"\\\1", line) + "\n" for line in found[match[2]])
        return f"{match[1]}\n{lines}\n{match[3]}"

    return _BLOCK.sub(fill, text)


def main(arguments: list[str]) -> int:
    text = TARGET.read_text(encoding="utf-8")
    try:
        fresh = page(text)
    except PageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments == ["--check"]:
        if fresh != text:
            sys.stderr.write("docs/messages.md is stale: run python -m tools.build_messages\n")
        return int(fresh != text)
    TARGET.write_text(fresh, encoding="utf-8")
    sys.stdout.write(f"{TARGET.name}: {sum(map(len, collect().values()))} sentences\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
