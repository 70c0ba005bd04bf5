"""`make soak`: thousands of generations through a real ComfyUI, with faults and cancels.

Watches what must not grow: memory, file descriptors, threads and worker processes of
ComfyUI. Needs Linux, for /proc. With `--report` the figures go into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import random
import shutil
import sys
import threading
import time
import urllib.error
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dt_core.simulator import Simulator
from dt_core.simulator.faults import KINDS, Fault, Script

from .comfyui import ComfyUI
from .comfyui_client import Client
from .comfyui_setup import ROOT, find_or_install
from .demo import SHOWS, example_prompt, with_picture

REPORT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make soak -->", "<!-- end of what make soak wrote -->"

FAULT_SHARE, CANCEL_SHARE = 0.2, 0.1
ENDLESS = {"freeze", "stall", "drip", "endless"}  # these runs are cancelled
RUN_TIMEOUT_S = 60.0
SAMPLE_EVERY = 50
WARM_UP = 200  # generations before the first figure counts
SIDE = 256  # px

# What a sample may be above the first one after the warm-up.
BOUNDS = {"memory": 64.0, "descriptors": 16, "threads": 8, "processes": 0}
UNITS = {"memory": "MiB", "descriptors": "", "threads": "", "processes": ""}


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
    """What happened so far."""

    samples: list[Sample] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    cancel_ms: list[float] = field(default_factory=list)


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


def graphs() -> dict[str, dict[str, Any]]:
    """The examples, small and quick."""
    made = {}
    for name in SHOWS:
        prompt = with_picture(example_prompt(name))
        for node in prompt.values():
            if node["class_type"] == "DTSampler":
                node["inputs"].update(width=SIDE, height=SIDE, steps=2)
        made[name] = prompt
    return made


def run(soak: Soak, client: Client, simulator: Simulator, prompt: dict[str, Any]) -> None:
    """One generation with whatever chance adds, checked against what must follow."""
    chance = random.random()  # noqa: S311 - no secret
    fault = random.choice(sorted(KINDS)) if chance < FAULT_SHARE else ""  # noqa: S311
    cancels = fault in ENDLESS or FAULT_SHARE <= chance < FAULT_SHARE + CANCEL_SHARE
    simulator.step_delay = 0.2 if cancels else 0.0
    if fault:
        soak.faults[fault] += 1
        script(simulator).add(Fault.of(fault))
    prompt_id = client.queue(prompt)
    asked: list[float] = []
    over = threading.Event()

    def interrupt() -> None:
        # Again and again: ComfyUI forgets what comes before the prompt has begun.
        while not over.wait(random.uniform(0.05, 0.5)):  # noqa: S311
            asked.append(time.monotonic())
            client.interrupt(prompt_id)

    alarm = threading.Thread(target=interrupt, daemon=True)
    if cancels:
        alarm.start()
    try:
        result = client.wait(prompt_id, timeout_s=RUN_TIMEOUT_S)
    except TimeoutError:
        soak.problems.append(f"{fault or 'no fault'}: no end within {RUN_TIMEOUT_S:g} s")
        client.interrupt()
        result = client.wait(prompt_id, timeout_s=RUN_TIMEOUT_S)
    finally:
        over.set()
        script(simulator).clear()
        simulator.secret = ""  # one of the faults changes it
    if asked and result.outcome == "interrupted":
        soak.cancel_ms.append((time.monotonic() - asked[-1]) * 1e3)
    soak.outcomes[result.outcome] += 1
    if result.outcome == "error" and not fault:
        soak.problems.append(f"an error without a fault: {result.error}")
    if result.outcome == "interrupted" and not cancels:
        soak.problems.append(f"{fault}: shown as interrupted")
    if result.outcome == "error" and not result.error.strip():
        soak.problems.append(f"{fault}: an error without a sentence")


def script(simulator: Simulator) -> Script:
    """The faults of a simulator that has some."""
    if simulator.faults is None:
        raise ValueError("this simulator was started without faults")
    return simulator.faults


def soaked(count: int, seconds: float) -> Soak:
    """Run until `count` generations or `seconds` are over."""
    soak = Soak()
    installation = find_or_install()
    with (
        Simulator(faults=Script()) as simulator,
        ComfyUI(installation, server=simulator.address) as comfyui,
        comfyui.client() as client,
    ):
        prompts = graphs()
        output = comfyui.base / "output"
        began = time.monotonic()
        for number in range(1, count + 1):
            if time.monotonic() - began > seconds:
                break
            name = random.choice(sorted(prompts))  # noqa: S311
            prompt = prompts[name]
            for node in prompt.values():
                if node["class_type"] == "DTSampler":
                    node["inputs"]["seed"] = number
            try:
                run(soak, client, simulator, prompt)
            except (urllib.error.URLError, ConnectionError) as error:
                soak.problems.append(f"ComfyUI went away: {error}")
                break
            if number % SAMPLE_EVERY == 0:
                client.post_json("/history", {"clear": True})
                shutil.rmtree(output, ignore_errors=True)
                simulator.forget()
                soak.samples.append(sample(comfyui.child.pid, number))
                print(soak.samples[-1], dict(soak.outcomes), flush=True)
        script(simulator).clear()
        simulator.step_delay = 0.0
        last = client.run(prompts["text_to_image"])
        if last.outcome != "success":
            soak.problems.append(f"at the end nothing works any more: {last.error}")
    soak.problems.extend(growth(soak.samples))
    return soak


def counted(samples: list[Sample]) -> list[Sample]:
    """The samples after the warm-up."""
    return [one for one in samples if one.generations >= WARM_UP] or samples[-1:]


def growth(samples: list[Sample]) -> list[str]:
    """A sentence for everything that ended above its bound."""
    rows = counted(samples)
    found = []
    for name, bound in BOUNDS.items():
        first, last = getattr(rows[0], name), getattr(rows[-1], name)
        if last - first > bound:
            found.append(f"{name} grew from {first:.0f} to {last:.0f} {UNITS[name]}".strip())
    return found


def report(soak: Soak, seconds: float) -> str:
    """What docs/reliability.md says of it."""
    rows = counted(soak.samples)
    made = soak.outcomes.total()
    summary = (
        f"{made} generations of {len(SHOWS)} kinds in {seconds / 60:.0f} minutes, "
        f"{soak.faults.total()} of them with a fault of {len(soak.faults)} kinds, on "
        f"{dt.date.today().isoformat()} ({platform.system()}, Python {platform.python_version()}): "
        f"{soak.outcomes['success']} ended with pictures, {soak.outcomes['interrupted']} were "
        f"interrupted, {soak.outcomes['error']} ended with a sentence."
    )
    lines = [
        summary,
        "",
        f"| ComfyUI's process | after {rows[0].generations} | at the end | highest | bound |",
        "|---|---|---|---|---|",
    ]
    for name, bound in BOUNDS.items():
        values = [getattr(row, name) for row in rows]
        unit = f" {UNITS[name]}" if UNITS[name] else ""
        lines.append(
            f"| {name} | {values[0]:.0f}{unit} | {values[-1]:.0f}{unit} | {max(values):.0f}{unit} "
            f"| +{bound:g}{unit} |"
        )
    if soak.cancel_ms:
        ordered = sorted(soak.cancel_ms)
        lines.append(
            f"\nFrom the interrupt to ComfyUI's word that the prompt is over: median "
            f"{ordered[len(ordered) // 2]:.0f} ms, longest {ordered[-1]:.0f} ms "
            f"({len(ordered)} times)."
        )
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the report into its place in docs/reliability.md."""
    page = REPORT.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    REPORT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.soak")
    parser.add_argument("--count", type=int, default=2000, help="generations")
    parser.add_argument("--minutes", type=float, default=60, help="stop after that, at the latest")
    parser.add_argument("--seed", type=int, default=1, help="of chance")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("soak: needs Linux, for /proc")
    random.seed(arguments.seed)
    began = time.monotonic()
    soak = soaked(arguments.count, arguments.minutes * 60)
    text = report(soak, time.monotonic() - began)
    print(text)
    if arguments.report:
        write(text)
    for problem in soak.problems:
        print(f"problem: {problem}", file=sys.stderr)
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
