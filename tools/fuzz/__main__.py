"""`python -m tools.fuzz`: coverage-guided fuzzing of every target, one after the other.

Wants atheris, which `make fuzz` installs into an environment of its own; it has wheels for
Linux and Python 3.11 to 3.14. Inputs that led somewhere new are kept in .build/fuzz/corpus.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "fuzz"
PACK = "drawthings"
MEMORY_MB = 2048  # libFuzzer ends a target that takes more
INPUT_TIMEOUT_S = 20  # or longer for one input
LONGEST_INPUT = 1 << 16  # bytes
_RUNS = re.compile(r"^Done (\d+) runs|stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--only", metavar="TARGET", help="this one")
    parser.add_argument("--inside", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _fuzz(options.inside, options.seconds)
        return 0
    _import_pack()
    from drawthings.tools.fuzz.targets import TARGETS

    failed = []
    for name, target in TARGETS.items():
        if options.only in {None, name}:
            folder = WORK / "corpus" / name
            folder.mkdir(parents=True, exist_ok=True)
            for number, seed in enumerate(target.seeds()):
                (folder / f"seed-{number}").write_bytes(seed)
            if not _run(name, options.seconds):
                failed.append(name)
    if failed:
        sys.stdout.write(f"Findings in: {', '.join(failed)}. Inputs are in {WORK}.\n")
    return 1 if failed else 0


def _run(name: str, seconds: int) -> bool:
    """One target in a process of its own; whether nothing was found."""
    command = [sys.executable, "-m", "tools.fuzz", "--inside", name, "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    counted = [int(a or b) for a, b in _RUNS.findall(output)]
    verdict = "nothing found" if done.returncode == 0 else "FINDING"
    sys.stdout.write(f"{name:14} {max(counted, default=0):>9,} inputs in {seconds} s: {verdict}\n")
    if done.returncode:
        sys.stdout.write(output[-6000:] + "\n")
    sys.stdout.flush()
    return done.returncode == 0


def _fuzz(name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=[PACK], enable_loader_override=False):
        _import_pack()
        from drawthings.tools.fuzz.targets import TARGETS
    target = TARGETS[name]
    target.seeds()  # imports what the target needs
    folder = WORK / "corpus" / name
    limits = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-malloc_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={WORK}/{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *limits, str(folder)], target.try_out)
    atheris.Fuzz()


def _import_pack() -> None:
    """The pack without the code that starts it, which wants ComfyUI."""
    package = types.ModuleType(PACK)
    package.__path__ = [str(ROOT)]
    sys.modules.setdefault(PACK, package)


if __name__ == "__main__":
    sys.exit(main())
