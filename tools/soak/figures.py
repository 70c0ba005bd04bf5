"""What a process holds, whether that grows, and the report of it in docs/reliability.md."""

from __future__ import annotations

import datetime as dt
import platform
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..comfyui_setup import ROOT

REPORT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make soak -->", "<!-- end of what make soak wrote -->"

WARM_UP = 200  # generations before the first figure counts
COMPARED = 5  # samples at either end whose medians are compared: one alone is chance

# How much more the process may hold at the end than after the warm-up. One picture
# (0.75 MiB) that every tenth generation left behind would make 150 MiB.
BOUNDS = {"memory": 64.0, "descriptors": 8, "threads": 8, "processes": 0}
UNITS = {"memory": "MiB", "descriptors": "", "threads": "", "processes": ""}
NAMES = {
    "memory": "resident memory, with its workers'",
    "descriptors": "open files and sockets",
    "threads": "threads",
    "processes": "worker processes",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """ComfyUI's process, with the resident memory of its children, after some generations."""

    generations: int
    memory: float  # MiB
    descriptors: int
    threads: int
    processes: int


@dataclass(slots=True)
class Soak:
    """What happened so far. Times in seconds, but `cancel_ms`."""

    samples: list[Sample] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    cancel_ms: list[float] = field(default_factory=list)
    requests: int = 0
    partly: int = 0
    odd: int = 0  # requests and graphs that no page makes
    longest: float = 0.0
    seconds: float = 0.0


def sample(pid: int, generations: int) -> Sample:
    """Read /proc."""
    root = Path("/proc") / str(pid)
    children = [
        int(child)
        for task in (root / "task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    memory = sum(_status(process, "VmRSS") for process in (pid, *children)) / 1024
    return Sample(
        generations,
        memory,
        len(list((root / "fd").iterdir())),
        _status(pid, "Threads"),
        len(children),
    )


def _status(pid: int, name: str) -> int:
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:  # a worker that ended just now
        return 0
    row = next((line for line in lines if line.startswith(f"{name}:")), f"{name}: 0")
    return int(row.split()[1])


def counted(samples: list[Sample]) -> list[Sample]:
    """The samples after the warm-up."""
    return [one for one in samples if one.generations >= WARM_UP] or samples[-1:]


def ends(samples: list[Sample], name: str) -> tuple[float, float]:
    """The median of the first and of the last samples that count."""
    values = [getattr(row, name) for row in counted(samples)]
    return statistics.median(values[:COMPARED]), statistics.median(values[-COMPARED:])


def growth(samples: list[Sample]) -> list[str]:
    """A sentence for everything that ended above its bound."""
    found = []
    for name, bound in BOUNDS.items():
        first, last = ends(samples, name)
        if last - first > bound:
            found.append(f"{name} grew from {first:.0f} to {last:.0f} {UNITS[name]}".strip())
    return found


def report(soak: Soak) -> str:
    """What docs/reliability.md says of it."""
    rows = counted(soak.samples)
    made = soak.outcomes.total()
    summary = (
        f"{made:,} generations of {len(soak.kinds)} kinds of graph in {soak.seconds / 60:.0f} "
        f"minutes on {dt.date.today().isoformat()} ({platform.system()}, Python "
        f"{platform.python_version()}); {soak.requests:,} requests reached a server. "
        f"{soak.faults.total()} generations had a fault, of {len(soak.faults)} kinds. "
        f"{soak.outcomes['success']:,} ended with pictures ({soak.partly} of them with fewer "
        f"than asked for, and a warning), {soak.outcomes['interrupted']} were interrupted, "
        f"{soak.outcomes['error']} ended with a sentence; the longest took {soak.longest:.0f} s. "
        f"Between them came {soak.odd:,} requests and graphs that no page makes."
    )
    since = f"from {rows[0].generations:,} generations on"
    lines = [
        summary,
        "",
        f"| ComfyUI's process | {since} | at the end | highest | may grow by |",
        "|---|---|---|---|---|",
    ]
    for name, bound in BOUNDS.items():
        first, last = ends(soak.samples, name)
        highest = max(getattr(row, name) for row in rows)
        unit = f" {UNITS[name]}" if UNITS[name] else ""
        values = " | ".join(f"{value:.0f}{unit}" for value in (first, last, highest))
        lines.append(f"| {NAMES[name]} | {values} | {bound:g}{unit} |")
    lines += [
        "",
        f"First and last are medians of {COMPARED} samples each, one every few generations.",
    ]
    if soak.cancel_ms:
        ordered = sorted(soak.cancel_ms)
        late = ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
        lines.append(
            f"From the interrupt to ComfyUI's word that the node was interrupted: median "
            f"{statistics.median(ordered):.0f} ms, 95 % within {late:.0f} ms, longest "
            f"{ordered[-1]:.0f} ms ({len(ordered)} times)."
        )
    return "\n".join(lines)


def write(text: str, page: Path = REPORT) -> None:
    """Put the report into its place in docs/reliability.md."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
