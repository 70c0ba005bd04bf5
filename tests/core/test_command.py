"""The `drawthings` command, as a process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from drawthings.dt_core.simulator import Simulator

ROOT = Path(__file__).resolve().parents[2]


def drawthings(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DRAWTHINGS_")}
    return subprocess.run(
        [sys.executable, "-m", "dt_core", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ping_says_how_a_server_answers() -> None:
    with Simulator() as server:
        answer = drawthings("ping", "--server", server.address)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert re.fullmatch(
        rf"{server.address} answers over plain text: \d+ models, \d+ LoRAs, \d+ ControlNets\.\n",
        answer.stdout,
    )


def test_the_environment_names_server_and_secret() -> None:
    with Simulator(secret="hush", model_browser=False) as server:
        refused = drawthings("ping", DRAWTHINGS_SERVER=f"plain://{server.address}")
        answer = drawthings(
            "ping", DRAWTHINGS_SERVER=f"plain://{server.address}", DRAWTHINGS_SECRET="hush"
        )
    assert refused.returncode == 1
    assert "wants a shared secret" in refused.stderr
    assert answer.returncode == 0
    assert "does not list its models" in answer.stdout
    assert "hush" not in answer.stdout + answer.stderr


def test_models_are_listed_one_per_line() -> None:
    with Simulator() as server:
        answer = drawthings("models", "--server", server.address)
    assert "flux_1_dev_q5p.ckpt" in answer.stdout.splitlines()


@pytest.mark.parametrize("there", [True, False], ids=["nobody listens", "no address"])
def test_a_failure_is_one_sentence_and_status_1(there: bool) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, but nobody listens
        address = f"127.0.0.1:{held.getsockname()[1]}" if there else "not an address"
        answer = drawthings("ping", "--server", address)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.count("\n") == 1
    assert "Traceback" not in answer.stderr
