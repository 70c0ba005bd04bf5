"""Several real processes that do the same thing at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_START = f"""
import importlib, sys, types
pack = types.ModuleType("drawthings"); pack.__path__ = [{str(ROOT)!r}]
sys.modules["drawthings"] = pack
number, arguments = int(sys.argv[1]), sys.argv[2:]
"""
_TOGETHER = 'print("ready", flush=True); sys.stdin.readline()\n'


def together(
    count: int, preparation: str, work: str, arguments: Sequence[str] = (), **variables: str
) -> list[str]:
    """What `count` processes print that run Python code; `work` begins in all of them at once.

    The code knows its process's `number`, from 0, and the `arguments`. Raises AssertionError
    with what a process complained about if one fails.
    """
    script = _START + preparation + "\n" + _TOGETHER + work
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        for number in range(count)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in running]
    for process, (_, complaints) in zip(running, ended, strict=True):
        assert process.returncode == 0, complaints
    return [said for said, _ in ended]
