"""What is published: the registry's archive, the source distribution and the wheel."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from drawthings.tools.example_graphs import TITLES

ROOT = Path(__file__).resolve().parents[2]
FOR_DEVELOPERS = ("tests", "tools", ".build", ".ci", "demo", "artifacts")
EXAMPLES = {
    f"example_workflows/{title}{ending}"
    for title in TITLES.values()
    for ending in (".json", ".jpg")
}


def checkout() -> set[str]:
    """What git tracks, and what is new and not ignored; without what was deleted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = filter(None, answer.stdout.decode().split("\0"))
    return {name for name in names if (ROOT / name).is_file()}


def below(*folders: str) -> set[str]:
    return {name for name in checkout() if name.startswith(tuple(f"{f}/" for f in folders))}


def in_registry() -> set[str]:
    """`.comfyignore` read as git reads such a file, as far as ours goes."""
    lines = (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]

    def left_out(name: str) -> bool:
        return any(
            name.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatch(name, pattern)
            for pattern in patterns
        )

    return {name for name in checkout() if not left_out(name)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel made from that alone."""
    source = tmp_path_factory.mktemp("source")  # a build leaves files beside its source
    for name in checkout():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    target = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(source)]
    answer = subprocess.run(
        command, check=False, timeout=110, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return target


@pytest.fixture(scope="module")
def in_source(built: Path) -> set[str]:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = [member.name for member in tar.getmembers() if member.isfile()]
    return {name.partition("/")[2] for name in names}


@pytest.fixture(scope="module")
def in_wheel(built: Path) -> set[str]:
    (archive,) = built.glob("*.whl")
    return {name for name in zipfile.ZipFile(archive).namelist() if not name.endswith("/")}


def pack() -> set[str]:
    """What runs, and what ComfyUI shows."""
    kept = below("dt_core", "nodes", "web", "locales", "example_workflows", "proto", "docs")
    return kept | {"__init__.py", "requirements.txt", "pyproject.toml", "README.md", "LICENSE"}


def test_the_registry_gets_the_whole_pack_and_nothing_for_developers() -> None:
    published = in_registry()

    assert pack() | EXAMPLES <= published
    assert not [name for name in published if name.startswith(FOR_DEVELOPERS)]


def test_the_source_distribution_is_the_whole_pack(in_source: set[str]) -> None:
    assert pack() | EXAMPLES <= in_source
    assert not [name for name in in_source if name.startswith(FOR_DEVELOPERS)]


def test_the_source_distribution_holds_nothing_that_the_registry_does_not(
    in_source: set[str],
) -> None:
    made = {"PKG-INFO", "setup.cfg", "MANIFEST.in"}

    assert {name for name in in_source if ".egg-info/" not in name} - made <= in_registry()


def test_every_language_of_every_help_page_is_published(in_source: set[str]) -> None:
    pages = {name for name in in_source if name.startswith("web/docs/")}
    nodes = {name.split("/")[2].removesuffix(".md") for name in pages}

    assert len(nodes) > 20
    for node in nodes:
        assert {f"web/docs/{node}.md", f"web/docs/{node}/zh.md", f"web/docs/{node}/ja.md"} <= pages


def test_the_wheel_is_the_library_alone(in_wheel: set[str]) -> None:
    library = {name for name in in_wheel if ".dist-info/" not in name}

    assert library == below("dt_core")
    assert {
        "dt_core/py.typed",
        "dt_core/models/families.json",
        "dt_core/wire/schema.binpb",
    } <= library
