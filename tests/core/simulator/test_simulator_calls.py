"""Echo, files, uploads, secret, queue, cancelling and TLS (docs/protocol.md 4, 6, 8)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from drawthings.dt_core.errors import RequestError, ServerError, TrustError
from drawthings.dt_core.simulator import Catalog, Simulator
from drawthings.dt_core.simulator import __main__ as command
from drawthings.dt_core.simulator.certificate import own_certificate
from drawthings.dt_core.simulator.faults import Script
from drawthings.dt_core.wire import protobuf
from processes import together
from simulator_wire import ROOT, ask, channel, generate, images, request, signposts, stub

CONTENT = b"weights" * 1000
INIT_MESSAGE = "File uploaded init successfully"


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), error.details()


def test_echo_greets_and_tells_what_is_installed(server: Simulator) -> None:
    reply = ask(server, protobuf.ECHO, protobuf.EchoRequest(name="Ada"))
    assert reply.message == "HELLO Ada"
    assert not reply.sharedSecretMissing
    assert reply.serverIdentifier == server.identifier != 0
    assert "sd_xl_base_1.0_f16.ckpt" in reply.files
    assert not reply.HasField("thresholds")
    models = json.loads(reply.override.models)
    assert {"sdxl_base_v0.9", "ltx2.3"} <= {row["version"] for row in models}
    for kind in ("loras", "controlNets", "textualInversions", "upscalers"):
        assert json.loads(getattr(reply.override, kind))
    assert server.echo_count == 1


def test_echo_without_model_browser_tells_nothing() -> None:
    with Simulator(model_browser=False) as server:
        reply = ask(server, protobuf.ECHO, protobuf.EchoRequest(name="Ada"))
        assert not reply.files
        assert not reply.HasField("override")


def test_a_wrong_secret_is_told_by_echo_alone() -> None:
    with Simulator(secret="s3cret") as server:
        for given in ({}, {"sharedSecret": "wrong"}):
            reply = ask(server, protobuf.ECHO, protobuf.EchoRequest(name="Ada", **given))
            assert reply == protobuf.EchoReply(sharedSecretMissing=True)
            files = protobuf.FileListRequest(**given)
            expected = (grpc.StatusCode.INTERNAL, "unknown error processing request")
            assert refusal(lambda f=files: ask(server, protobuf.FILES_EXIST, f)) == expected
            assert refusal(lambda g=given: generate(server, **g)) == expected
            assert refusal(lambda g=given: upload(server, [init()], **g)) == expected
        assert ask(
            server, protobuf.ECHO, protobuf.EchoRequest(name="B", sharedSecret="s3cret")
        ).files
        assert images(generate(server, sharedSecret="s3cret"))
        assert ask(server, protobuf.PUBKEY, protobuf.PubkeyRequest()) == protobuf.PubkeyResponse()
        assert ask(server, protobuf.HOURS, protobuf.HoursRequest()) == protobuf.HoursResponse()


def test_files_exist_answers_in_the_order_of_the_question(server: Simulator) -> None:
    names = ["nope.ckpt", "sd_v1.5_f16.ckpt", "", "flux_1_vae_f16.ckpt"]
    reply = ask(
        server,
        protobuf.FILES_EXIST,
        protobuf.FileListRequest(files=names, filesWithHash=["sd_v1.5_f16.ckpt", "other"]),
    )
    assert list(reply.files) == names
    assert list(reply.existences) == [False, True, True, True]
    assert [len(value) for value in reply.hashes] == [0, 32, 0, 0]


def init(name: str = "new.ckpt", size: int = len(CONTENT), data: bytes = CONTENT) -> Any:
    digest = hashlib.sha256(data).digest()
    return protobuf.FileUploadRequest(
        initRequest=protobuf.InitUploadRequest(filename=name, sha256=digest, totalSize=size)
    )


def chunk(data: bytes, offset: int) -> Any:
    return protobuf.FileUploadRequest(
        chunk=protobuf.FileChunk(content=data, offset=offset, filename="c")
    )


def upload(server: Simulator, messages: list[Any], **secret: str) -> list[Any]:
    for message in messages:
        if secret:
            message.sharedSecret = secret["sharedSecret"]
    with channel(server) as opened:
        call = stub(opened, protobuf.UPLOAD_FILE, "stream_stream")
        return list(call(iter(messages), timeout=20))


def test_an_uploaded_file_exists_and_can_be_used(server: Simulator) -> None:
    replies = upload(
        server,
        [
            init(),
            protobuf.FileUploadRequest(),
            chunk(CONTENT[:4000], 0),
            chunk(CONTENT[4000:], 4000),
        ],
    )
    assert [(r.receivedOffset, r.filename) for r in replies] == [
        (0, "new.ckpt"), (4000, "c"), (7000, "c"),
    ]  # fmt: skip
    assert all(r.chunkUploadSuccess and r.message == INIT_MESSAGE for r in replies)
    question = protobuf.FileListRequest(files=["new.ckpt"], filesWithHash=["new.ckpt"])
    reply = ask(server, protobuf.FILES_EXIST, question)
    assert list(reply.existences) == [True]
    assert reply.hashes[0] == hashlib.sha256(CONTENT).digest()
    assert "new.ckpt" in ask(server, protobuf.ECHO, protobuf.EchoRequest()).files
    assert images(generate(server, model="new.ckpt"))
    assert "has no description" in server.requests[-1].notes[0]


@pytest.mark.parametrize(
    ("messages", "code", "details"),
    [
        ([chunk(CONTENT, 0)], "INTERNAL", "Failed to create file handle"),
        ([init("../evil.ckpt")], "INTERNAL", "Failed to create file handle"),
        ([init(""), chunk(CONTENT, 0)], "INTERNAL", "Failed to create file handle"),
        ([], "INTERNAL", "Missing File metadata"),
        ([init(), chunk(CONTENT, 5)], "DATA_LOSS", "Received chunk with unexpected offset"),
        (
            [init(), chunk(CONTENT[:10], 0)], "INVALID_ARGUMENT",
            "does not match expectation totalBytesReceived: 10 expectedFileSize:7000",
        ),
        ([init(data=b"other"), chunk(CONTENT, 0)], "DATA_LOSS", "File validation failed"),
    ],
)  # fmt: skip
def test_failed_uploads_end_with_the_status_of_the_server(
    server: Simulator, messages: list[Any], code: str, details: str
) -> None:
    status, text = refusal(lambda: upload(server, messages))
    assert status.name == code
    assert details in text
    reply = ask(server, protobuf.FILES_EXIST, protobuf.FileListRequest(files=["new.ckpt"]))
    assert list(reply.existences) == [False]


@pytest.mark.parametrize(
    "method",
    [
        protobuf.ECHO, protobuf.FILES_EXIST, protobuf.PUBKEY, protobuf.HOURS,
        protobuf.GENERATE_IMAGE, protobuf.UPLOAD_FILE,
    ],
    ids=lambda method: method.name,
)  # fmt: skip
def test_undecodable_messages_are_refused_by_every_method(server: Simulator, method: Any) -> None:
    with channel(server) as opened:
        call = opened.stream_stream(method.path)
        status = refusal(lambda: list(call(iter([b"\xff\xff\xff"]), timeout=20)))
    assert status == (grpc.StatusCode.INTERNAL, "unknown error processing request")
    assert server.requests == ()


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("name", ["x", "x" * 5000])
def test_compressed_requests_are_refused_even_where_nothing_was_gained(
    server: Simulator, compression: Any, name: str
) -> None:
    with channel(server) as opened:
        call = stub(opened, protobuf.ECHO)
        message = protobuf.EchoRequest(name=name)
        code, _ = refusal(lambda: call(message, timeout=20, compression=compression))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert call(message, timeout=20).message == f"HELLO {name}"


@pytest.mark.parametrize(
    "path", ["/ImageGenerationService/Nope", "/grpc.health.v1.Health/Check", "/a.b/Echo"]
)
def test_what_there_is_not_is_said_by_its_path(server: Simulator, path: str) -> None:
    with channel(server) as opened:
        status = refusal(lambda: opened.unary_unary(path)(b"", timeout=20))
    assert status == (grpc.StatusCode.UNIMPLEMENTED, f"'{path}' is not implemented")


def test_requests_run_one_after_another_and_wait_in_silence() -> None:
    with Simulator(step_delay=0.05) as server, channel(server) as opened:
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")
        first = call(request(seed=1), timeout=60)
        server.wait_for(lambda record: record.started)
        second = call(request(seed=2), timeout=60)
        server.wait_for(lambda _: server.queue_length == 2)
        assert not server.requests[1].started
        assert ask(server, protobuf.ECHO, protobuf.EchoRequest(name="x")).message == "HELLO x"
        assert server.requests[0].outcome is None
        next(second)
        assert server.requests[0].outcome == "done"
        assert images(list(first))
        list(second)


def test_echo_can_be_made_to_wait_for_the_queue() -> None:
    with Simulator(step_delay=0.1, echo_on_queue=True) as server, channel(server) as opened:
        running = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")(request(), timeout=60)
        server.wait_for(lambda record: record.started)
        ask(server, protobuf.ECHO, protobuf.EchoRequest())
        assert server.requests[0].outcome == "done"
        list(running)


def test_a_cancelled_run_stops_at_the_next_event_and_frees_the_queue() -> None:
    with Simulator(step_delay=0.05) as server, channel(server) as opened:
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")(
            request(steps=1000), timeout=60
        )
        for reply in call:
            if reply.currentSignpost.WhichOneof("signpost") == "sampling":
                break
        call.cancel()
        record = server.wait_for(lambda record: record.outcome == "cancelled", 5)
        assert record.sent < 20
        assert images(generate(server))


def test_a_run_that_is_cancelled_while_it_waits_starts_and_stops_at_once() -> None:
    with Simulator(step_delay=0.1) as server, channel(server) as opened:
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")
        first = call(request(), timeout=60)
        server.wait_for(lambda record: record.started)
        second = call(request(seed=2), timeout=60)
        server.wait_for(lambda record: len(server.requests) == 2)
        second.cancel()
        list(first)
        record = server.wait_for(lambda record: record.outcome == "cancelled", 5)
        assert record.sent == 0


def test_stopping_ends_running_and_waiting_calls() -> None:
    server = Simulator(step_delay=0.2)
    with channel(server) as opened:
        call = stub(opened, protobuf.GENERATE_IMAGE, "unary_stream")
        calls = [call(request(steps=100), timeout=60) for _ in range(3)]
        server.wait_for(lambda record: record.started)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 3
        for running in calls:
            assert refusal(lambda r=running: list(r))[0] in {
                grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN,
            }  # fmt: skip
    server.stop()


def test_records_hold_what_was_asked(server: Simulator) -> None:
    generate(server, prompt="a cat", steps=3)
    (record,) = server.requests
    assert record.message.prompt == "a cat"
    assert record.configuration is not None
    assert record.configuration["steps"] == 3
    assert (record.outcome, record.image, record.mask) == ("done", None, None)
    with pytest.raises(TimeoutError):
        server.wait_for(lambda r: r.outcome == "refused", 0.05)


def test_two_simulators_cannot_share_a_port(server: Simulator) -> None:
    with pytest.raises(ServerError, match=f"{server.port}: {os.strerror(errno.EADDRINUSE)}"):
        Simulator(port=server.port)


@pytest.mark.parametrize("faults", [None, Script()])
def test_the_reason_why_it_cannot_listen_is_told(faults: Script | None) -> None:
    reason = re.escape(f"on 192.0.2.1:0: {os.strerror(errno.EADDRNOTAVAIL)}.") + "$"
    with pytest.raises(ServerError, match=reason):
        Simulator(host="192.0.2.1", faults=faults)  # RFC 5737: nobody's
    with pytest.raises(ServerError, match=r"on nowhere\.invalid:7859: "):
        Simulator(host="nowhere.invalid", port=7859, faults=faults)


@pytest.mark.parametrize("port", [-1, 65_536, 785_900])
def test_numbers_that_are_no_ports_are_refused(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServerError, match=f"{port} is no port"):
        Simulator(port=port)
    with pytest.raises(SystemExit) as ended:
        command.main(["--no-tls", "--port", str(port)])
    assert ended.value.code == 2
    assert "must be 0 to 65535" in capsys.readouterr().err


def test_tls_uses_a_certificate_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    with Simulator(tls=True) as server:
        credentials = grpc.ssl_channel_credentials(server.certificate)
        with grpc.secure_channel(server.address, credentials) as opened:
            assert stub(opened, protobuf.ECHO)(protobuf.EchoRequest(name="x"), timeout=10).message
    keys = list(tmp_path.rglob("private-key.pem"))
    assert len(keys) == 1
    if sys.platform != "win32":
        assert keys[0].stat().st_mode & 0o777 == 0o600
    assert own_certificate(keys[0].parent)[1] == keys[0].read_bytes()


def test_without_the_package_that_makes_certificates_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = own_certificate(tmp_path / "made")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(TrustError, match="cryptography, which is not installed"):
        own_certificate(tmp_path / "none")
    assert own_certificate(tmp_path / "made") == made

    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "fresh"))
    assert command.main(["--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "(pip install cryptography), or start with --no-tls" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"models": [{"name": "a", "file": "b"}]}', r'models\[0\] has no str "version"'),
        ('{"loras": [{"name": "a", "file": "b", "version": 9, "prefix": ""}]}', 'str "version"'),
        ('{"models": 5}', "models is not a JSON list"),
        ('{"upscalers": [{"name": "a", "file": "b", "scale_factor": 3, "blocks": 1}]}', "2 and 4"),
        ('{"files": [1]}', "neither a list of names"),
        ('{"files": {"a.ckpt": -1}}', "neither a list of names"),
    ],
)
def test_a_catalogue_of_another_form_is_refused(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "models.json"
    path.write_text(content)
    with pytest.raises(RequestError, match=complaint):
        Catalog.load(path)


def test_the_command_says_where_it_listens_and_stops_on_a_signal() -> None:
    command = [sys.executable, "-m", "dt_core.simulator", "--no-tls", "-p", "0", "-s", "x"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "simulator" in line.lower()
        assert "plain, a secret is needed" in line
        address = line.split("listening on ")[1].split(",")[0]
        with grpc.insecure_channel(address) as opened:
            reply = stub(opened, protobuf.ECHO)(protobuf.EchoRequest(name="x"), timeout=20)
        assert reply.sharedSecretMissing
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0 or sys.platform == "win32"


def test_the_first_events_name_the_whole_plan(server: Simulator) -> None:
    replies = generate(server)
    assert all(len(r.signposts) == 3 for r in replies if r.HasField("currentSignpost"))
    assert signposts(replies)[0] == "textEncoded"


def test_simulators_that_start_at_once_agree_on_one_certificate(tmp_path: Path) -> None:
    preparation = """
from drawthings.dt_core.simulator.certificate import own_certificate
from pathlib import Path
import hashlib
"""
    work = (
        "print(hashlib.sha256(b''.join(own_certificate(Path(arguments[0], 'made')))).hexdigest())"
    )
    assert len(set(together(4, preparation, work, [str(tmp_path)]))) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "of another pair", "folder"])
def test_a_damaged_certificate_of_the_simulator_is_made_anew(tmp_path: Path, damage: str) -> None:
    before = own_certificate(tmp_path)
    key = tmp_path / "private-key.pem"
    if damage == "folder":
        key.unlink()
        key.mkdir()
    else:
        other = own_certificate(tmp_path / "other")[1]
        key.write_bytes({"cut": before[1][:99], "empty": b""}.get(damage, other))
    pem, private_key = own_certificate(tmp_path)
    assert pem != before[0]
    with Simulator(tls=True, certificate=pem, private_key=private_key) as server:
        with grpc.secure_channel(server.address, grpc.ssl_channel_credentials(pem)) as opened:
            assert stub(opened, protobuf.ECHO)(protobuf.EchoRequest(name="x"), timeout=10).message


def test_a_certificate_that_cannot_be_kept_is_good_for_one_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in the way").write_text("a file where the folder should be")
    pairs = [own_certificate(tmp_path / "in the way") for _ in range(2)]
    assert pairs[0] != pairs[1]
    [said] = [record.message for record in caplog.records]
    assert said.startswith("The simulator's certificate cannot be kept (File exists): ")
