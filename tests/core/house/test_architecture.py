"""Who may import whom: the rules of ARCHITECTURE.md, read off the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = sorted((ROOT / "dt_core").rglob("*.py"))
NODES = sorted((ROOT / "nodes").rglob("*.py"))

STANDARD_NAMES = {"nodes", "dt_core", "proto", "drawthings"}
CORE_MAY_USE = {"grpc", "google", "flatbuffers", "fpzip", "numpy", "PIL", "cryptography", "tqdm"}
SEES_THE_WIRE = {"client", "reading", "catalog", "request", "upload"}
CLIENT_SIDE = {"client", "job", "request", "preflight", "channel", "tls", "secret_store", "events"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, module) of every import in a file; level 0 is absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module is None:
                yield from ((node.level, alias.name) for alias in node.names)
            else:
                yield node.level, node.module


def top(module: str) -> str:
    return module.partition(".")[0]


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*CORE, *NODES, ROOT / "__init__.py"], ids=label)
def test_imports_inside_the_pack_are_relative(path: Path) -> None:
    absolute = {top(module) for level, module in imports(path) if level == 0}
    assert not absolute & STANDARD_NAMES


@pytest.mark.parametrize("path", CORE, ids=label)
def test_dt_core_uses_its_few_dependencies_and_never_looks_above_itself(path: Path) -> None:
    import sys

    depth = len(path.relative_to(ROOT / "dt_core").parts)
    for level, module in imports(path):
        if level == 0:
            assert top(module) in CORE_MAY_USE or top(module) in sys.stdlib_module_names, module
        else:
            assert level <= depth, f"{module} lies above dt_core"


@pytest.mark.parametrize("path", CORE, ids=label)
def test_only_the_named_modules_see_wire_messages(path: Path) -> None:
    parts = path.relative_to(ROOT / "dt_core").parts
    if parts[0] in {"_wire", "simulator"} or path.stem in SEES_THE_WIRE:
        return
    assert "_wire" not in {top(module) for level, module in imports(path) if level}


@pytest.mark.parametrize(
    "path", [path for path in CORE if path.parent.name == "simulator"], ids=label
)
def test_the_simulator_does_not_share_the_client_side(path: Path) -> None:
    from_above = {top(module) for level, module in imports(path) if level == 2}
    assert not from_above & CLIENT_SIDE


@pytest.mark.parametrize("path", NODES, ids=label)
def test_torch_appears_in_convert_only_and_comfyui_versions_in_compat_only(path: Path) -> None:
    absolute = {top(module) for level, module in imports(path) if level == 0}
    if path.name != "convert.py":
        assert "torch" not in absolute
    if path.name != "compat.py":
        assert not absolute & {"comfy", "server", "folder_paths"}


@pytest.mark.parametrize("path", NODES, ids=label)
def test_nodes_do_not_speak_grpc(path: Path) -> None:
    assert not {top(module) for _, module in imports(path)} & {"grpc", "google", "_wire"}


def test_every_file_is_named_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for path in [*CORE, *NODES]:
        parts = path.relative_to(ROOT).parts
        name = parts[1] if len(parts) > 2 else parts[-1]
        assert name in text, f"{label(path)} is not in ARCHITECTURE.md"
