"""`make soak`: thousands of generations through a real ComfyUI, with faults and cancels.

Watches what must not grow: memory, file descriptors, threads and worker processes of
ComfyUI. Needs Linux, for /proc. With `--report` the figures go into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import threading
import time
import urllib.error
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dt_core.simulator import Simulator
from dt_core.simulator.faults import KINDS, Fault, Script

from ..comfyui import ComfyUI
from ..comfyui_client import Client, Result
from ..comfyui_setup import find_or_install
from ..demo import SHOWS, example_prompt, with_picture
from . import odd
from .figures import Soak, growth, report, sample, write

FAULT_SHARE, CANCEL_SHARE, ODD_SHARE = 0.2, 0.1, 0.1
RUN_TIMEOUT_S = 60.0
SAMPLE_EVERY = 25
QUIET_S = 1.0  # before a sample, for threads that are just ending
# One heap in place of glibc's eight per core, each of which keeps what was freed in it for
# long: what really grows would be lost in that.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
SIDE = 256  # px
ROUNDS = 3  # of the graph that two servers share

# These never end by themselves, so they are cancelled.
ENDLESS = {"freeze", "stall", "drip", "endless"}
# Options that chance chooses among; the rest of a fault is where in the answer it strikes.
CHOICES: dict[str, dict[str, Sequence[Any]]] = {
    "cut": {"codec": ("fpzip", "zip", "raw")},
    "flip": {"codec": ("fpzip", "zip")},
    "endless": {"what": ("heartbeats", "progress", "pieces", "pictures")},
    "bad_catalog": {"what": ("text", "cut", "deep", "numbers", "types")},
    "goaway": {"last_stream": (0, 0x7FFF_FFFF)},
    "status": {
        "code": ("INTERNAL", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNKNOWN", "CANCELLED"),
        "on": ("generate", "echo"),
    },
}

chance = random.Random()  # noqa: S311 - no secret


def some_fault() -> Fault:
    """A fault of any kind, at any place of the answer."""
    kind = chance.choice(sorted(KINDS))
    options = {name: chance.choice(values) for name, values in CHOICES.get(kind, {}).items()}
    place = {"picture": chance.randrange(3)} if chance.random() < 0.5 else {}
    return Fault.of(kind, at=chance.randrange(8), **place, **options)


def graphs(servers: Sequence[Simulator]) -> dict[str, dict[str, Any]]:
    """The examples, small and quick; and one whose rounds are shared by both servers."""
    made = {name: with_picture(example_prompt(name)) for name in SHOWS}
    shared = made["several_servers"] = with_picture(example_prompt("text_to_image"))
    addresses = ", ".join(server.address for server in servers)
    there = {"address": addresses, "tls": "plain text", "secret_name": "", "fingerprint": ""}
    shared["900"] = {"class_type": "DTServer", "inputs": there}
    shared["901"] = {"class_type": "DTAppOptions", "inputs": {"batch_count": ROUNDS}}
    for node in shared.values():
        if node["class_type"] == "DTModelLoader":
            node["inputs"]["server"] = ["900", 0]
        if node["class_type"] == "DTSampler":
            node["inputs"]["options"] = ["901", 0]
    for prompt in made.values():
        for inputs in samplers(prompt):
            inputs.update(width=SIDE, height=SIDE, steps=2)
    return made


def samplers(prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """The inputs of every DT Sampler."""
    return [node["inputs"] for node in prompt.values() if node["class_type"] == "DTSampler"]


def script(server: Simulator) -> Script:
    """The faults of a simulator that has some."""
    if server.faults is None:
        raise ValueError("this simulator was started without faults")
    return server.faults


class Interrupter:
    """Presses Stop again and again: ComfyUI forgets what comes before the prompt has begun."""

    def __init__(self, client: Client, prompt_id: str) -> None:
        self._client, self._prompt_id = client, prompt_id
        self._pressed: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._press, daemon=True)
        self._thread.start()

    def _press(self) -> None:
        while not self._over.wait(chance.uniform(0.05, 0.5)):
            self._pressed.append(time.monotonic())
            self._client.interrupt(self._prompt_id if chance.random() < 0.5 else None)

    def stop(self) -> None:
        """Before the next prompt, or that one would be stopped."""
        self._over.set()
        self._thread.join()

    def took_ms(self, result: Result) -> list[float]:
        """From the last press to the word that a node was interrupted, if one was."""
        told = [event.at for event in result.of_kind("execution_interrupted")]
        before = [at for at in self._pressed if told and at <= told[0]]
        return [(told[0] - before[-1]) * 1e3] if before else []


def run(soak: Soak, client: Client, servers: Sequence[Simulator], prompt: dict[str, Any]) -> None:
    """One generation with whatever chance adds, checked against what must follow."""
    luck = chance.random()
    fault = some_fault() if luck < FAULT_SHARE else None
    cancels = bool(fault and fault.kind in ENDLESS) or 0 <= luck - FAULT_SHARE < CANCEL_SHARE
    asked = repr(fault) if fault else "no fault"
    for server in servers:
        server.step_delay = 0.2 if cancels else 0.0
    if fault:
        soak.faults[fault.kind] += 1
        script(chance.choice(servers) if _is_shared(prompt) else servers[0]).add(fault)
    began = time.monotonic()
    prompt_id = client.queue(prompt)
    interrupter = Interrupter(client, prompt_id) if cancels else None
    try:
        result = client.wait(prompt_id, timeout_s=RUN_TIMEOUT_S)
    except TimeoutError:
        soak.problems.append(f"{asked}: no end within {RUN_TIMEOUT_S:g} s")
        client.interrupt()
        result = client.wait(prompt_id, timeout_s=RUN_TIMEOUT_S)
    finally:
        if interrupter:
            interrupter.stop()
        for server in servers:
            script(server).clear()
            server.secret = ""  # one of the faults changes it
    soak.longest = max(soak.longest, time.monotonic() - began)
    soak.outcomes[result.outcome] += 1
    soak.partly += "picture(s) arrived" in repr(result.history.get("outputs"))
    if interrupter:
        soak.cancel_ms += interrupter.took_ms(result)
    if result.outcome == "error" and not fault:
        soak.problems.append(f"an error without a fault: {result.error}")
    if result.outcome == "interrupted" and not cancels:
        soak.problems.append(f"{asked}: shown as interrupted")
    if result.outcome == "error" and len(result.error.strip().splitlines()) != 1:
        soak.problems.append(f"{asked}: not one sentence but {result.error!r}")


def be_odd(soak: Soak, client: Client, prompt: dict[str, Any]) -> None:
    """A request that no page sends after every generation, a graph that none makes now and then."""
    found = [odd.ask(client, chance)]
    if chance.random() < ODD_SHARE:
        found.append(odd.queue(client, prompt, chance, RUN_TIMEOUT_S))
    soak.odd += len(found)
    soak.problems.extend(filter(None, found))


def _is_shared(prompt: dict[str, Any]) -> bool:
    return "900" in prompt


def soaked(count: int, seconds: float) -> Soak:
    """Run until `count` generations or `seconds` are over."""
    soak = Soak()
    installation = find_or_install()
    with (
        Simulator(faults=Script()) as simulator,
        Simulator(faults=Script()) as second,
        ComfyUI(installation, server=simulator.address, env=ENVIRONMENT) as comfyui,
        comfyui.client() as client,
    ):
        servers = (simulator, second)
        prompts = graphs(servers)
        output = comfyui.base / "output"
        began = time.monotonic()
        for number in range(1, count + 1):
            if time.monotonic() - began > seconds:
                soak.problems.append(f"{seconds / 60:g} minutes were not enough")
                break
            name = chance.choice(sorted(prompts))
            soak.kinds[name] += 1
            for inputs in samplers(prompts[name]):
                inputs["seed"] = number * ROUNDS  # every picture another one: no cache has it
            try:
                run(soak, client, servers, prompts[name])
                be_odd(soak, client, prompts[name])
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                soak.problems.append(f"ComfyUI went away: {error}\n{comfyui.child.tail()}")
                break
            if number % SAMPLE_EVERY == 0 or number == count:
                client.post_json("/history", {"clear": True})
                shutil.rmtree(output, ignore_errors=True)
                for server in servers:
                    before = len(server.requests)
                    server.forget()
                    soak.requests += before - len(server.requests)
                # The catalogue of 10,000 entries goes that one of the faults may have left.
                odd.post(client, "/refresh", {})
                time.sleep(QUIET_S)
                soak.samples.append(sample(comfyui.child.pid, number))
                print(soak.samples[-1], dict(soak.outcomes), flush=True)
        soak.seconds = time.monotonic() - began
        for server in servers:
            server.step_delay = 0.0
        for name, prompt in prompts.items():
            for inputs in samplers(prompt):
                inputs["seed"] = (count + 1) * ROUNDS
            last = client.run(prompt)
            if last.outcome != "success":
                soak.problems.append(f"at the end {name} does not work any more: {last.error}")
    soak.problems.extend(growth(soak.samples))
    return soak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.soak")
    parser.add_argument("--count", type=int, default=2000, help="generations")
    parser.add_argument("--minutes", type=float, default=60, help="stop after that, at the latest")
    parser.add_argument("--seed", type=int, default=1, help="of chance")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("soak: needs Linux, for /proc")
    chance.seed(arguments.seed)
    soak = soaked(arguments.count, arguments.minutes * 60)
    text = report(soak)
    print(text)
    if arguments.report:
        write(text)
    for problem in soak.problems:
        print(f"problem: {problem}", file=sys.stderr)
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
