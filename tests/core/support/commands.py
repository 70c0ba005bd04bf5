"""The `drawthings` command for tests: in this process, as one of its own, and at a terminal."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from drawthings.dt_core.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
# With its terminal in control, so that Ctrl-C is a signal.
_AT_TERMINAL = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background job
from dt_core.cli.main import main
sys.exit(main())
"""
MODEL = "z_image_turbo_1.0_q6p.ckpt"


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


class Command:
    """The command in this process; calling it gives the Answer."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Answer:
        self._capture.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:  # argparse
            status = int(end.code or 0)
        printed = self._capture.readouterr()
        return Answer(status, printed.out, printed.err)


def environment(**more: str) -> dict[str, str]:
    """This one without what a developer set for servers of their own."""
    kept = ("DRAWTHINGS_HOME",)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DRAWTHINGS_") or k in kept}
    return {**clean, "PYTHONPATH": str(ROOT), **more}


def process(*arguments: str, cwd: Path = ROOT, stdin: str = "", **variables: str) -> Answer:
    """The command as a process of its own, no terminal in sight."""
    done = subprocess.run(
        [sys.executable, "-m", "dt_core", *arguments],
        cwd=cwd,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def _size(terminal: int, rows: int, columns: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def at_terminal(cwd: Path, *arguments: str, types: tuple[str, str] | None = None) -> Answer:
    """The command at a pseudo-terminal. `types` = (text to wait for, keys to press then)."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    mine, its = pty.openpty()
    _size(its, rows=24, columns=100)
    running = subprocess.Popen(
        [sys.executable, "-c", _AT_TERMINAL, *arguments],
        cwd=cwd,
        env=environment(COLUMNS="100", TERM="xterm"),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        try:
            piece = os.read(mine, 65_536)
        except OSError:  # closed: the command ended
            break
        if not piece:
            break
        said += piece
        if types is not None and types[0].encode() in said:
            os.write(mine, types[1].encode())
            types = None
    status = running.wait(timeout=30)
    os.close(mine)
    return Answer(status, said.decode(), "")
