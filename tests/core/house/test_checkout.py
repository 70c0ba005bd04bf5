"""A checkout under the name that the README gives it: with a hyphen, which no module has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git tracks, as it is now, in a folder drawthings-nodes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout: what belongs to it cannot be told from left-overs")
    folder = tmp_path_factory.mktemp("custom_nodes") / "drawthings-nodes"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def run(folder: Path, *words: str) -> str:
    """What a tool says that was content."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say_there(checkout: Path, command: list[str]) -> None:
    run(checkout, "ruff", *command, "--no-cache", ".")


def test_tests_run_there(checkout: Path) -> None:
    told = run(
        checkout, "pytest", "-q", "-p", "no:cacheprovider", "tests/core/pictures/test_crops.py"
    )
    assert " passed" in told
