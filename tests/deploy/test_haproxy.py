"""The shipped HAProxy configuration: real HAProxy over three simulators, one of them killed."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from drawthings.dt_core.connection import channel
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import ServerError, ServerUnreachable
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.fleet import Run
from drawthings.dt_core.generation.upload import CHUNK_BYTES, UploadPhase
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script

ROOT = Path(__file__).resolve().parents[2]
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin") or (
    shutil.which("haproxy")
)
SETTINGS = Configuration(
    model="z_image_turbo_1.0_q6p.ckpt", start_width=128, start_height=128, steps=4
)
PATIENCE_S = 30

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="HAProxy is not installed")


@contextmanager
def haproxy(servers: list[Simulator], folder: Path) -> Iterator[str]:
    """HAProxy with our configuration before these servers; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = (ROOT / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
    text, changed = re.subn(r"^( +bind) :7859", rf"\1 127.0.0.1:{port}", text, flags=re.MULTILINE)
    assert changed == 1
    for number, server in enumerate(servers, 1):
        assert f"gpu{number}.local:7859" in text
        text = text.replace(f"gpu{number}.local:7859", server.address)
    config = folder / "haproxy.cfg"
    config.write_text(text, encoding="utf-8")
    log = (folder / "haproxy.log").open("w+")
    with subprocess.Popen(
        [str(HAPROXY), "-f", str(config), "-db"], stdout=log, stderr=log
    ) as child:
        try:
            address = f"127.0.0.1:{port}"
            ready = grpc.insecure_channel(address)
            grpc.channel_ready_future(ready).result(PATIENCE_S)
            ready.close()
            yield address
        finally:
            child.terminate()
            child.wait(PATIENCE_S)
            log.close()


def request(seed: int) -> GenerationRequest:
    return GenerationRequest(SETTINGS.replace(seed=seed), prompt=f"number {seed}")


def seeds(server: Simulator, outcome: str) -> list[int]:
    return [
        int(record.configuration["seed"])
        for record in server.requests
        if record.outcome == outcome and record.configuration is not None
    ]


def test_three_servers_share_the_work_and_one_that_is_killed_loses_no_picture(
    tmp_path: Path,
) -> None:
    three = [Simulator(step_delay=0.05) for _ in range(3)]
    lengths: list[int] = []
    got: dict[int, int] = {}
    told: list[ServerError] = []
    left = list(range(24))
    lock = threading.Lock()

    def work(address: str) -> None:
        """One user: picture after picture; what failed with a sentence is asked for again."""
        client = Client(ServerProfile(address, TlsMode.PLAIN))
        while True:
            with lock:
                if not left:
                    return
                seed = left.pop(0)
            job = client.generate(request(seed))
            try:
                for _ in job:
                    lengths.extend(server.queue_length for server in three)
            except ServerError as error:
                with lock:
                    told.append(error)
                    left.append(seed)
            else:
                with lock:
                    got[seed] = got.get(seed, 0) + len(job.images)

    try:
        with haproxy(three, tmp_path) as address:
            users = [threading.Thread(target=work, args=(address,)) for _ in range(6)]
            for user in users:
                user.start()
            three[1].wait_for(lambda record: record.outcome == "done", PATIENCE_S)
            three[1].wait_for(lambda record: record.started and not record.outcome, PATIENCE_S)
            three[1].stop()
            for user in users:
                user.join(PATIENCE_S)
            assert not any(user.is_alive() for user in users)
    finally:
        for server in three:
            server.stop()

    assert got == dict.fromkeys(range(24), 1), "every picture, and none twice"
    made = [seeds(server, "done") for server in three]
    assert all(made), "all had a share"
    assert max(lengths) == 1, "no server had two requests at once"
    assert 1 <= len(told) <= 6  # those that were under way, each with a sentence
    assert all(str(error) for error in told)


def test_a_server_that_dies_behind_it_is_a_broken_connection_and_another_goes_on(
    tmp_path: Path,
) -> None:
    dying = [Simulator(faults=Script((Fault.of("drop", at=3, times=0),))) for _ in range(3)]
    with Simulator() as other:
        try:
            with haproxy(dying, tmp_path) as address:
                proxied = Client(ServerProfile(address, TlsMode.PLAIN))
                with pytest.raises(ServerUnreachable, match="broke"):
                    list(proxied.generate(request(1)))
                beside = Client(ServerProfile(other.address))
                run = Run([proxied, beside], [request(seed) for seed in (2, 3)])
                for _ in run:
                    pass
        finally:
            for server in dying:
                server.stop()
    assert [answer.complete for answer in run.answers] == [True, True]
    assert sorted(seeds(other, "done")) == [2, 3]


def test_an_upload_whose_server_dies_is_a_broken_connection(tmp_path: Path) -> None:
    file = tmp_path / "large.ckpt"
    file.write_bytes(bytes(4 * CHUNK_BYTES))
    three = [Simulator() for _ in range(3)]

    def leave(phase: UploadPhase, done: int, total: int) -> None:
        if phase is UploadPhase.SENDING and done == CHUNK_BYTES:
            three[0].stop()

    try:
        with haproxy(three, tmp_path) as address:
            upload = Client(ServerProfile(address, TlsMode.PLAIN)).upload(file)
            with pytest.raises(ServerUnreachable):
                upload.run(leave)
    finally:
        for server in three:
            server.stop()


def test_pings_pass_while_a_generation_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in each second in place of one in 45; HAProxy itself answers them."""
    monkeypatch.setattr(channel, "KEEPALIVE_S", 1)
    monkeypatch.setattr(channel, "PING_ANSWER_S", 2)
    silent = Script((Fault.of("stall", at=2, seconds=6.0, times=0),))
    three = [Simulator(faults=silent) for _ in range(3)]
    try:
        with haproxy(three, tmp_path) as address:
            job = Client(ServerProfile(address, TlsMode.PLAIN)).generate(request(1))
            for _ in job:
                pass
    finally:
        for server in three:
            server.stop()
    assert len(job.images) == 1


def test_questions_do_not_wait_behind_generations(tmp_path: Path) -> None:
    three = [Simulator(step_delay=60) for _ in range(3)]
    try:
        with haproxy(three, tmp_path) as address:
            client = Client(ServerProfile(address, TlsMode.PLAIN))
            jobs = [client.generate(request(seed)) for seed in range(3)]
            for server in three:
                server.wait_for(lambda record: record.started, PATIENCE_S)
            assert client.echo().browsable
            assert client.files_exist([str(SETTINGS["model"])])[0].exists
            for job in jobs:
                job.cancel()
            for server in three:  # the cancellation passes through
                server.wait_for(lambda record: record.outcome == "cancelled", PATIENCE_S)
    finally:
        for server in three:
            server.stop()
