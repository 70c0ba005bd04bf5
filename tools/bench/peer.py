"""drawthings-py in an environment of its own, on the same bytes and in the same rounds."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PYTHON_VARIABLE = "BENCH_PEER_PYTHON"  # the interpreter; where it is missing, the reason
_SCRIPT = Path(__file__).with_name("peer_process.py")


class PeerMissing(Exception):
    """There is no drawthings-py to compare with; the message says why."""


class Peer:
    """The running process: one line asks, one line answers."""

    def __init__(self, asking: IO[str], answering: IO[str]) -> None:
        self._asking, self._answering = asking, answering
        self.version: str = self._answer()["version"]

    def seconds(self, operation: str, best_of: int) -> float:
        """Let it do that operation and measure it there, without the way to it."""
        self._asking.write(json.dumps([operation, best_of]) + "\n")
        self._asking.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, str]:
        line = self._answering.readline()
        if not line:
            raise PeerMissing("drawthings-py ended in the middle of a measurement")
        answer: dict[str, str] = json.loads(line)
        return answer


@contextmanager
def peer(given: Mapping[str, bytes], side: int) -> Iterator[Peer]:
    """The peer, for as long as needed; `given` has the bytes for each operation.

    Raises PeerMissing.
    """
    python = os.environ.get(PYTHON_VARIABLE, "")
    if not Path(python).is_file():
        raise PeerMissing(python or "drawthings-py is not installed")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory(prefix="drawthings-bench-") as folder:
        for name, data in given.items():
            (Path(folder) / name).write_bytes(data)
        with subprocess.Popen(
            [python, "-I", str(_SCRIPT), folder, str(side)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        ) as process:
            assert process.stdin is not None  # noqa: S101
            assert process.stdout is not None  # noqa: S101
            yield Peer(process.stdin, process.stdout)
            process.stdin.close()
