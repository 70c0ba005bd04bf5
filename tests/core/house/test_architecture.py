"""What each folder is for, and who may import whom: the table in ARCHITECTURE.md."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACK = [*(ROOT / "dt_core").rglob("*.py"), *(ROOT / "nodes").rglob("*.py"), ROOT / "__init__.py"]
WEB = [*(ROOT / "web").rglob("*.mjs"), ROOT / "web" / "drawthings.js"]
GROUND = "dt_core"
# Doors: a folder's way in, which may look into every room behind it.
DOORS = {"__init__", "dt_core", "dt_core.__main__", "nodes.extension"}
SEES_MESSAGES = ("dt_core/wire", "dt_core/generation", "dt_core/simulator")
SEE_MESSAGES_TOO = {"dt_core.request.message", "dt_core.models.catalog"}
_ROW = re.compile(r"^\| (`[^|]+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)
_FROM = re.compile(r"(?:from|import)\s*\(?\s*'(\.{1,2}/[^']+)'")


class Rule:
    """What the page allows one folder: other folders, and packages that are not ours."""

    def __init__(self, allowed: str) -> None:
        rooms, _, packages = allowed.strip().partition(";")
        names = [name.strip() for name in rooms.split(",") if name.strip(" —")]
        self.rooms = {
            name if "/" in name or name == "nodes" else f"dt_core/{name}" for name in names
        }
        self.packages = {name.strip() for name in packages.split(",") if name.strip()}


def rows() -> dict[str, Rule]:
    found = {}
    for places, _, allowed in _ROW.findall(PAGE):
        for place in re.findall(r"`([^`]+)/`", places):
            found[place] = Rule(allowed)
    return found


RULES = rows()


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in PACK}


def room_of(module: str) -> str:
    return MODULES[module].parent.relative_to(ROOT).as_posix()


@cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """(modules of ours, packages of others) that a module imports anywhere in it."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    ours: set[str] = set()
    theirs: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            theirs |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            theirs.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = [] if module == "__init__" else package[: len(package) - node.level + 1]
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}" if source else alias.name
                ours.add(whole if whole in MODULES else source)
    return frozenset(ours), frozenset(theirs - set(sys.stdlib_module_names))


def circles(arrows: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """A way round for every name that is reached from itself."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            yield [*path[path.index(name) :], name]
        elif name not in done:
            for other in arrows.get(name, ()):
                yield from walk(other, [*path, name])
            done.add(name)

    for name in arrows:
        yield from walk(name, [])


def folders() -> set[str]:
    """Every folder with files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: the folders cannot be told from left-overs")
    files = (PurePosixPath(name) for name in listed.stdout.split("\0") if name)
    return {folder.as_posix() for file in files for folder in file.parents} - {"."}


def has_row(folder: str) -> bool:
    """Data lies below its row; code needs a row of its own."""
    if folder in RULES or folder == ".ci" or any(row.startswith(f"{folder}/") for row in RULES):
        return True
    above = next((p.as_posix() for p in PurePosixPath(folder).parents if p.as_posix() in RULES), "")
    has_code = any((ROOT / folder).glob("*.py")) or any((ROOT / folder).glob("*.mjs"))
    is_below_tests = above == "tests/core" or PurePosixPath(folder).name == "support"
    return bool(above) and (not has_code or is_below_tests)


def test_every_folder_has_a_row_and_every_row_a_folder() -> None:
    there = folders()

    assert [folder for folder in sorted(there) if not has_row(folder)] == []
    assert [row for row in RULES if row not in there] == []


def test_tests_of_the_core_have_the_rooms_of_the_core() -> None:
    rooms = {folder.name for folder in (ROOT / "dt_core").iterdir() if folder.name[0] not in "._"}
    tests = {folder.name for folder in (ROOT / "tests" / "core").iterdir() if folder.is_dir()}

    assert tests - {"__pycache__", "ground", "house", "support"} <= rooms


def label(module: str) -> str:
    return module


@pytest.mark.parametrize("module", sorted(MODULES), ids=label)
def test_a_module_imports_only_what_its_row_lists(module: str) -> None:
    ours, theirs = imports(module)
    room = room_of(module)
    if module not in DOORS:
        allowed = RULES[room].rooms | {room, GROUND}
        assert {other for other in ours if room_of(other) not in allowed} == set()
        assert ours & DOORS <= {"dt_core"}, "what a door shows is told by nobody behind it"
        assert theirs <= RULES[room].packages
    assert not theirs & {"nodes", "dt_core", "proto", "drawthings"}, "relative imports only"


@pytest.mark.parametrize("module", sorted(MODULES), ids=label)
def test_messages_of_the_wire_are_seen_in_few_places(module: str) -> None:
    seen = imports(module)[0] & {"dt_core.wire.messages", "dt_core.wire.protobuf"}

    assert not seen or room_of(module) in SEES_MESSAGES or module in SEE_MESSAGES_TOO


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert list(circles({module: imports(module)[0] for module in MODULES})) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for module in MODULES.keys() - DOORS:
        room = room_of(module)
        arrows.setdefault(room, set()).update(
            room_of(other) for other in imports(module)[0] if room_of(other) != room
        )

    assert list(circles(arrows)) == []


def test_a_circle_is_found_also_behind_a_detour() -> None:
    assert list(circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a"]})) == [["b", "c", "b"]]


@pytest.mark.parametrize("path", WEB, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_of_the_page_import_only_what_their_row_lists(path: Path) -> None:
    room = path.parent.relative_to(ROOT).as_posix()
    used = set()
    for target in _FROM.findall(path.read_text(encoding="utf-8")):
        file = (path.parent / target).resolve()
        if file.is_relative_to(ROOT):  # the rest is ComfyUI's
            assert file.is_file(), target
            used.add(file.parent.relative_to(ROOT).as_posix())

    assert used <= RULES[room].rooms | {room}


def test_modules_have_names_of_their_own() -> None:
    """Node files are named for their node, and `__init__` for its folder."""
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        if path.stem[0] != "_":
            places.setdefault(path.stem, []).append(module)
    same_thing = {
        "remedies": "what to do, in the words of each face",
        "effects": "what preflight works out, and the route that tells it",
        "exchange": "the room, and its routes",
        "options": "what options nodes chain, and the nodes",
        "servers": "the room, and its routes",
        "upscale": "the request, and the node",
    }

    assert {name for name, found in places.items() if len(found) > 1} <= same_thing.keys()


def test_files_of_tests_that_run_together_have_names_of_their_own() -> None:
    """pytest imports them by these; those of the nodes run by themselves, in ComfyUI's Python."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    nodes = {path for path in files if path.is_relative_to(ROOT / "tests" / "nodes")}
    for together in (nodes, set(files) - nodes):
        names = Counter(path.name for path in together if path.stem != "__init__")
        assert [name for name, count in names.items() if count > 1] == []
