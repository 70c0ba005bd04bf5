"""`python -m tools.bench [--quick] [--only PART]`: measure, and write docs/performance.md.

Takes minutes; both cores should have nothing else to do. With `--only` one part is measured,
its figures are printed, and nothing is written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..comfyui_setup import ROOT, Installation, SetupError, environment_python, find_or_install
from . import machine, startup
from .peer import PYTHON_VARIABLE
from .report import report
from .rows import Found, Growth, Missing, Row, read, write

TARGET = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "growth.png"
PEER, DRAWING = ROOT / ".build" / "peer", ROOT / ".build" / "bench"
PEER_PACKAGES, DRAWING_PACKAGES = ("drawthings-py==0.4.0",), ("matplotlib",)
PARTS = ("micro", "compressed", "whole", "memory", "growth")
# What is freed stays with the process: where the machine is virtual, its host may take freed
# memory back at once, and giving it anew then takes longer than all that is measured.
KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1"
    f":glibc.malloc.trim_threshold={16 << 30}"
}
_PACK = Path(__file__).with_name("pack.py")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes")
    parser.add_argument("--only", choices=(*PARTS, "startup"), help="measure this, write nothing")
    arguments = parser.parse_args()
    try:
        installation = find_or_install()
    except SetupError as error:
        sys.exit(str(error))
    began, load = time.monotonic(), machine.load()
    found: list[Found] = []
    with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as folder:
        for name in (*PARTS, "startup") if arguments.only is None else (arguments.only,):
            print(f"measuring: {name}", flush=True)
            if name == "startup":
                found += startup.measure(installation, arguments.quick)
            else:
                found += _part(installation, name, Path(folder) / name, arguments.quick)
        _tell(found)
        if arguments.only is None:
            drawn = _draw(found, Path(folder) / "all")
            facts = machine.facts(installation.python, installation.folder)
            facts["Load when it began"] = load
            facts["Run"] = f"{'quick, ' if arguments.quick else ''}{time.monotonic() - began:.0f} s"
            page = report(found, facts, PLOT.name if drawn else None)
            TARGET.write_text(page, encoding="utf-8")
            print(f"written: {TARGET.relative_to(ROOT)}")


def _part(installation: Installation, name: str, target: Path, quick: bool) -> list[Found]:
    """Run one part in ComfyUI's Python."""
    places = (installation.folder, installation.stand_ins)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(place) for place in places if place),
        PYTHON_VARIABLE: _environment(PEER, PEER_PACKAGES),
        **(KEEP_MEMORY if name in ("micro", "whole", "compressed") else {}),
    }
    command = [str(installation.python), str(_PACK), name, str(target)]
    command += ["--quick"] if quick else []
    done = subprocess.run(command, cwd=installation.folder, env=env, check=False)
    if done.returncode != 0:
        return [Missing(name.capitalize(), "Everything", "the measurement failed")]
    return read(target)


def _environment(folder: Path, packages: tuple[str, ...]) -> str:
    """The interpreter of an environment with those packages; where there is none, why."""
    python, stamp = environment_python(folder), folder / "stamp"
    wanted = " ".join(packages)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return str(python)
    print(f"installing {wanted}", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", *packages], check=True)
    except (subprocess.CalledProcessError, OSError):
        return f"{wanted} could not be installed"
    stamp.write_text(wanted, encoding="utf-8")
    return str(python)


def _draw(found: list[Found], target: Path) -> bool:
    python = _environment(DRAWING, DRAWING_PACKAGES)
    if not Path(python).is_file() or not any(isinstance(one, Growth) for one in found):
        print(f"no plot: {python}")
        return False
    write(target, found)
    subprocess.run([python, str(_PACK), "plot", str(target), str(PLOT)], check=True)
    return True


def _tell(found: list[Found]) -> None:
    for one in found:
        if isinstance(one, Row):
            met = {True: "met", False: "NOT MET", None: ""}[one.met]
            print(f"{one.name}: {one.median:.3g} {one.unit} ({one.beside}) {met}")
        else:
            print(one)


if __name__ == "__main__":
    main()
