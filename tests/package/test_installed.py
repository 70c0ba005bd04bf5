"""dt_core as pip installs it: alone, without ComfyUI, without torch, with its data files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from drawthings.dt_core import DrawThingsClient, ImageGenerationConfig
from drawthings.dt_core.simulator import Simulator

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


WITHOUT_FPZIP = """
import sys
import dt_core

config = dt_core.ImageGenerationConfig("z_image_turbo_1.0_q6p.ckpt", steps=1)
for address in sys.argv[1:]:
    with dt_core.DrawThingsClient(address, insecure=True) as client:
        assert client.list_models()
        try:
            print("picture", len(client.generate_image("alone", config)))
        except dt_core.TensorError as error:
            print(error)
"""


@pytest.fixture(scope="module")
def without_fpzip(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has all packages but fpzip."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    for name in ("grpc", "google", "flatbuffers", "numpy", "numpy.libs", "PIL", "pillow.libs",
                 "typing_extensions.py"):  # fmt: skip
        for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            if (there := Path(place) / name).exists() and not (packages / name).exists():
                (packages / name).symlink_to(there)
    (packages / "dt_core").symlink_to(installed / "dt_core")
    return python


def test_without_fpzip_all_else_works_and_says_what_is_missing(without_fpzip: Path) -> None:
    with Simulator() as compressed, Simulator(response_compression=False) as raw:
        answer = subprocess.run(
            [str(without_fpzip), "-c", WITHOUT_FPZIP, compressed.address, raw.address],
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert answer.returncode == 0, answer.stderr
    missing, works = answer.stdout.splitlines()
    assert "fpzip" in missing
    assert "Install fpzip (rms-fpzip on Python 3.14)" in missing
    assert "--no-response-compression" in missing
    assert works == "picture 1"


def test_the_simulator_runs_without_fpzip(without_fpzip: Path) -> None:
    command = [str(without_fpzip), "-m", "dt_core", "simulator", "--port", "0", "--no-tls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        address = running.stdout.readline().decode().split(" listening on ")[1].split(",")[0]
        config = ImageGenerationConfig("z_image_turbo_1.0_q6p.ckpt", steps=1)
        with DrawThingsClient(address, insecure=True) as client:
            assert len(client.generate_image("alone", config)) == 1
        running.terminate()
        assert b"fpzip is not installed: pictures are sent uncompressed." in running.stderr.read()
