"""`python -m tools.hostile [PACK]`: the table of docs/reliability.md, of the pack that lies there.

Linux only: peaks are read from /proc.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .cases import CASES, REQUESTS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHARE, SPARE = 1.5, 64 << 20


def peak(root: Path, request: str, case: str) -> int:
    """Bytes that a client took at its peak for the answer `case` to `request`."""
    environment = {**os.environ, "GRPC_VERBOSITY": "NONE", "MALLOC_ARENA_MAX": "1"}
    with subprocess.Popen(
        [sys.executable, str(HERE / "cases.py"), str(root), request, case],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as server:
        assert server.stdout is not None  # noqa: S101
        try:
            port = server.stdout.readline().strip()
            done = subprocess.run(
                [sys.executable, str(HERE / "client.py"), str(root), request, port],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
                timeout=300,
            )
        finally:
            server.kill()
    return int(done.stdout)


def allowed(honest: int) -> int:
    return round(SHARE * honest) + SPARE


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    for request in REQUESTS:
        honest = peak(root, request, "honest")
        print(f"{request}: honest {honest >> 20} MiB, goal {allowed(honest) >> 20} MiB", flush=True)
        for case in CASES:
            took = peak(root, request, case)
            much = "" if took <= allowed(honest) else " (!)"
            print(f"  {case}: {took >> 20} MiB{much}", flush=True)


if __name__ == "__main__":
    main()
