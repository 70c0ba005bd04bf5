"""The simulator as a process of its own, as a user starts it."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from .child import Child
from .comfyui_setup import ROOT

START_TIMEOUT_S = 30.0
READY = re.compile(r"listening on (\S+:\d+)")


class SimulatorProcess:
    """A simulated Draw Things server on a free port, without TLS."""

    def __init__(self, *, step_delay_s: float, log: Path | None = None) -> None:
        self.address = ""  # known once it runs
        self._folder = tempfile.TemporaryDirectory(prefix="simulator-")
        self._log = log or Path(self._folder.name) / "simulator.log"
        self._step_delay_s = step_delay_s
        self._child: Child | None = None

    def __enter__(self) -> SimulatorProcess:
        self._child = Child(
            "the simulator",
            [
                *(sys.executable, "-m", "dt_core.simulator"),
                *("--port", "0", "--no-tls", "--model-browser"),
                *("--step-delay", str(self._step_delay_s)),
            ],
            log=self._log,
            cwd=ROOT,
            env={"PYTHONUNBUFFERED": "1"},
        )
        self._child.wait_until(self._announced, timeout_s=START_TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.stop()
        self._folder.cleanup()

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError("this simulator is not running")
        return self._child

    def _announced(self) -> bool:
        """It prints one line, with its address, when it is ready."""
        line = READY.search(self.child.output())
        self.address = line.group(1).rstrip(",") if line else ""
        return line is not None
