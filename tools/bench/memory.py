"""How much memory one run takes at its peak: `memory SCENE AMOUNT` in a process of its own.

A process that has run before keeps memory for itself, which would hide what a run takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ...dt_core.wire import protobuf
from . import scenes
from .instant_process import InstantServer
from .node import Run, running
from .rows import Found, Missing, Row, part

PART = "Memory"
FRAMES, WIDTH, HEIGHT = 81, 832, 480
FRAME_BYTES = WIDTH * HEIGHT * 3 * 4
REFERENCE_SIDE = 2048
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
_PACK = Path(__file__).with_name("pack.py")


@dataclass(frozen=True, slots=True)
class Used:
    """What a run took, in bytes, and in s: `peak` beyond what was there before."""

    peak: int
    result: int
    request: int
    blobs: int
    seconds: float


def measure(quick: bool) -> Iterator[Found]:
    del quick  # three processes either way
    if not STATUS.exists():
        yield Missing(PART, "Peak memory", "it is read from /proc, which only Linux has")
        return
    film = used("film", FRAMES)
    share = (film.peak - FRAME_BYTES) / film.result
    yield Row(
        PART,
        "81 frames, 832x480, raw: peak less one frame",
        "the resulting IMAGE",
        *(share,) * 3,
        unit="×",
        goal=1.25,
        beside=f"peak {_mib(film.peak)}, IMAGE {_mib(film.result)}",
    )
    three = used("references", REFERENCE_SIDE)
    copies = three.request / three.blobs
    yield Row(
        PART,
        "Request with three references, 2048x2048, hires fix: bytes sent",
        "its distinct blobs",
        *(copies,) * 3,
        unit="×",
        goal=1.01,
        beside=f"{_mib(three.request)}",
    )
    before = used("text", scenes.SIDE)
    taken = (three.peak - before.peak) / three.blobs
    yield Row(
        PART,
        "The same request: peak beyond a run without pictures",
        "its distinct blobs",
        *(taken,) * 3,
        unit="×",
        beside=f"{_mib(three.peak - before.peak)}: gRPC has copies of its own while it sends",
    )


def used(scene: str, amount: int) -> Used:
    """Run a scene once in a fresh process and see what it took.

    `film` has `amount` frames, `references` and `text` are `amount` px wide and high; `small`
    is a film of so many frames of 320x192.
    """
    done = subprocess.run(
        [sys.executable, str(_PACK), "memory", "run", scene, str(amount)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return Used(**json.loads(done.stdout.splitlines()[-1]))


def scene(name: str, amount: int) -> scenes.Scene:
    """The scene of that name; see `used`."""
    if name == "film":
        return scenes.film(amount, WIDTH, HEIGHT)
    if name == "small":
        return scenes.film(amount, 320, 192)
    if name == "references":
        return scenes.references(amount)
    sizes = {"width": amount, "height": amount}
    return scenes.Scene(scenes.answers(amount, amount), inputs=sizes)


def _run(name: str, amount: int) -> Used:
    with running(scenes.film(5, 64, 64)):  # imports, and gRPC's own buffers
        pass
    wanted = scene(name, amount)
    with InstantServer(scenes.echo_reply(), wanted.answers) as server:
        run = Run(scenes.Scene((), wanted.model, wanted.inputs), server)
        del wanted
        CLEAR.write_text("5", encoding="ascii")  # the peak is what it is now
        before = _status("VmRSS")
        seconds = run.seconds()
        peak = _status("VmHWM") - before
        image = run.output.args[0]
        request = server.request()
    blobs = protobuf.GENERATE_IMAGE.parse_request(request).contents
    return Used(
        peak,
        image.element_size() * image.nelement(),
        len(request),
        sum(len(blob) for blob in set(blobs)),
        seconds,
    )


def _status(key: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(key)


def _mib(size_bytes: float) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


if __name__ == "__main__":
    if sys.argv[1] == "run":
        print(json.dumps(asdict(_run(sys.argv[2], int(sys.argv[3])))))
    else:
        part(measure)
