"""dt_core as pip installs it: alone, without ComfyUI, without torch, with its data files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys
import dt_core
from dt_core.simulator import Simulator

assert not {"torch", "comfy", "nodes"} & set(sys.modules), "something heavy came along"
settings = dt_core.Configuration(
    model="z_image_turbo_1.0_q6p.ckpt", start_width=64, start_height=64, steps=2
)
with Simulator() as server:
    client = dt_core.Client(dt_core.ServerProfile(server.address))
    for event in client.generate(dt_core.GenerationRequest(settings, prompt="alone")):
        last = event
print(dt_core.__file__, last.picture.rgb.shape)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source")  # a build leaves files beside its source
    shutil.copytree(ROOT / "dt_core", source / "dt_core")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(source)], check=True, timeout=110, stdin=subprocess.DEVNULL)
    return target


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_library_generates_on_its_own(installed: Path) -> None:
    answer = run(installed, "-c", SCRIPT)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split()[0] == str(installed / "dt_core" / "__init__.py")
    assert answer.stdout.strip().endswith("(64, 64, 3)")


def test_nothing_but_the_library_is_installed(installed: Path) -> None:
    packages = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert packages - {"bin", "Scripts"} == {"dt_core"}


def test_the_command_is_installed(installed: Path) -> None:
    answer = run(installed, "-m", "dt_core", "--help")
    assert answer.returncode == 0
    assert "simulator" in answer.stdout
    assert list(installed.glob("bin/drawthings")) or list(installed.glob("Scripts/drawthings*"))


def test_every_public_name_is_listed_and_exists() -> None:
    from drawthings import dt_core

    public = {name for name in vars(dt_core) if name[0].isupper()}
    assert public == set(dt_core.__all__)
    assert list(dt_core.__all__) == sorted(dt_core.__all__)
