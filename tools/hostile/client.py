"""One request to one server in a process of its own: `client.py PACK REQUEST PORT` prints the
bytes that it took at its peak beyond what was there before, its workers' with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cases import REQUESTS, pack

CLEAR = Path("/proc/self/clear_refs")


def _status(key: str, process: str = "self") -> int:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0


def run(root: Path, request: str, port: int) -> int:
    pack(root)
    from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
    from drawthings.dt_core.errors import DrawThingsError
    from drawthings.dt_core.generation.client import Client
    from drawthings.dt_core.request.resolved import GenerationRequest
    from drawthings.dt_core.settings.configuration import Configuration
    from drawthings.dt_core.wire import fpzip_pool

    client = Client(ServerProfile(f"127.0.0.1:{port}", TlsMode.PLAIN))
    client.echo()
    wanted = GenerationRequest(Configuration(**REQUESTS[request], steps=4), prompt="x")
    fpzip_pool.warm_up()
    CLEAR.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    job = client.generate(wanted)
    job.wait(120)  # nobody takes events meanwhile: they may not pile up
    try:
        for _ in job:
            pass
    except DrawThingsError as error:
        print(error, file=sys.stderr)
    workers = sum(_status("VmHWM", str(child)) for child in fpzip_pool.process_ids())
    idle = 40 << 20
    more = max(workers - idle * len(fpzip_pool.process_ids()), 0)
    return _status("VmHWM") - before + more


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
