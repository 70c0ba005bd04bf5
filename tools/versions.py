"""`make test-versions`: the core tests on every Python of 3.10 to 3.14 that is here.

The oldest Python also runs with the oldest dependencies that `requirements.txt` allows,
all of them with the newest. Interpreters are looked for on the PATH, among pyenv's, and
in the folders of `PYTHONS` (separated as in PATH); one that is not here is named.
Environments are kept in `.build/versions`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build" / "versions"
MINORS = range(10, 15)  # Python 3.10 to 3.14
TEST_PACKAGES = (
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "cryptography",
    "tomli",
    "tqdm",
    "websocket-client",
)
SCHEMA_COMPILER = "grpcio-tools"  # its versions are grpcio's


@dataclass(frozen=True, slots=True)
class Run:
    """One environment: a Python, and which end of the dependencies."""

    name: str
    python: Path
    packages: tuple[str, ...]


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def oldest(requirement: str) -> str:
    """`name>=1.2; marker` as `name==1.2; marker`."""
    return requirement.replace(">=", "==", 1)


def interpreter(minor: int) -> Path | None:
    """A Python 3.<minor> that starts, or None."""
    for candidate in _candidates(f"python3.{minor}", minor):
        command = [str(candidate), "-c", "import sys; print(sys.version_info[1])"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if answer.stdout.strip() == str(minor):
            return candidate
    return None


def _candidates(name: str, minor: int) -> Iterator[Path]:
    for folder in filter(None, os.environ.get("PYTHONS", "").split(os.pathsep)):
        yield Path(folder) / name
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in sorted(pyenv.glob(f"versions/3.{minor}.*"), reverse=True):
        yield version / "bin" / name


def runs(minors: list[int]) -> Iterator[Run]:
    """What there is to run; says which interpreters are missing."""
    for minor in minors:
        python = interpreter(minor)
        if python is None:
            print(f"Python 3.{minor} is not here: left out.")
            continue
        newest = (*requirements(), *TEST_PACKAGES, SCHEMA_COMPILER)
        if minor == MINORS[0]:
            pins = tuple(map(oldest, requirements()))
            grpcio = next(pin for pin in pins if pin.startswith("grpcio=="))
            compiler = grpcio.replace("grpcio", SCHEMA_COMPILER)
            # Old compilers read their files through pkg_resources; 67 warns of it.
            extra = (*TEST_PACKAGES, compiler, "setuptools<67")
            yield Run(f"3.{minor}-oldest", python, (*pins, *extra))
        yield Run(f"3.{minor}-newest", python, newest)


def environment(run: Run) -> Path:
    """The Python of that run's environment, made or brought up to date."""
    home = BUILD / run.name
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        subprocess.run([str(run.python), "-m", "venv", "--without-pip", str(home)], check=True)
    stamp = home / "packages.txt"
    wanted = "\n".join(run.packages)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        # Our own pip installs: not every Python that is found brings one.
        pip = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "-qq",
            "-U",
        ]
        subprocess.run([*pip, "--only-binary", ":all:", *run.packages], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def tested(run: Run, arguments: list[str]) -> bool:
    """Whether the core tests pass there."""
    python = environment(run)
    print(f"\n== Python {run.name}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider"]
    answer = subprocess.run([*command, "tests/core", *arguments], cwd=ROOT, check=False)
    return answer.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="versions, as in 3.10,3.14", default="")
    options, arguments = parser.parse_known_args()
    chosen = [int(minor) for minor in re.findall(r"3\.(\d+)", options.only)] or list(MINORS)
    results = {run.name: tested(run, arguments) for run in runs(chosen)}
    print()
    for name, passed in results.items():
        print(f"Python {name}: {'passed' if passed else 'FAILED'}")
    if not results or not all(results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
