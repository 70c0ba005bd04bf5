"""The `drawthings` command: what it says of servers and files, and its exit status."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from commands import MODEL, ROOT, Answer, Command, environment, process
from drawthings.dt_core import errors
from drawthings.dt_core.cli import exits
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import tensor
from PIL import Image
from scripted import ScriptedServer, make_certificate, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def drawthings(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def refused(answer: Answer, status: int, *words: str) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert (answer.status, answer.out) == (status, ""), answer
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words), answer.err


# --- ping: what is wrong with my connection


def test_ping_says_how_a_server_answers(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("ping", "--server", server.address)

    assert (answer.status, answer.err) == (0, "")
    assert re.fullmatch(
        rf"{server.address} answers over plain text: \d+ models, \d+ LoRAs, \d+ ControlNets\.\n",
        answer.out,
    )


def test_ping_tells_a_program_the_same(drawthings: Command, server: Simulator) -> None:
    (told,) = json.loads(drawthings("ping", "--json", "--server", server.address).out)

    assert told["works"] is True
    assert told["browsable"] is True
    assert told["models"] > 50
    assert told["latency_ms"] >= 0


def test_ping_says_that_model_browsing_is_off(drawthings: Command) -> None:
    with Simulator(model_browser=False) as server:
        answer = drawthings("ping", "--server", server.address)

    assert answer.status == 0
    assert "does not list its models (model browsing is off)" in answer.out


def test_ping_says_that_nothing_listens_there(drawthings: Command) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, but nobody listens
        answer = drawthings("ping", "--server", f"127.0.0.1:{held.getsockname()[1]}")

    refused(answer, exits.UNREACHABLE, "No Draw Things server at", "port")


def test_ping_says_that_the_port_is_somebody_elses(drawthings: Command) -> None:
    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Standard error is the command's here."""

    with HTTPServer(("127.0.0.1", 0), Quiet) as other:
        serving_it = threading.Thread(target=other.serve_forever, daemon=True)
        serving_it.start()
        answer = drawthings("ping", "--server", f"127.0.0.1:{other.server_port}")
        other.shutdown()
        serving_it.join()

    refused(answer, exits.UNREACHABLE, "Something listens at", "Check the port", "gRPC")


def test_ping_says_that_no_machine_has_that_name(drawthings: Command) -> None:
    answer = drawthings("ping", "--server", "no-such-machine.invalid")

    refused(answer, exits.UNREACHABLE, "There is no machine named 'no-such-machine.invalid'")


@pytest.mark.parametrize("address", ["not an address", "localhost:99999"])
def test_ping_says_that_an_address_cannot_be(drawthings: Command, address: str) -> None:
    refused(drawthings("ping", "--server", address), exits.REFUSED, address)


def test_ping_says_that_only_the_server_speaks_tls(drawthings: Command) -> None:
    own = make_certificate(ips=("127.0.0.1",))
    with Simulator(tls=True, certificate=own.pem, private_key=own.key) as server:
        answer = drawthings("ping", "--server", server.address, "--tls", "plain")

    refused(answer, exits.UNTRUSTED, "speaks TLS", "--tls automatic")


def test_ping_says_that_the_server_does_not_speak_tls(
    drawthings: Command, server: Simulator
) -> None:
    answer = drawthings("ping", "--server", server.address, "--tls", "tls")

    refused(answer, exits.UNTRUSTED, "does not speak TLS", "--tls plain")


def test_ping_says_that_no_authority_of_the_system_knows_the_certificate() -> None:
    own = make_certificate(ips=("127.0.0.1",))
    with Simulator(tls=True, certificate=own.pem, private_key=own.key) as server:
        answer = process("ping", "--server", server.address, "--tls", "system")

    refused(answer, exits.UNTRUSTED, "not trusted by this system's authorities", "--ca-file")


def test_a_changed_certificate_is_accepted_by_its_fingerprint(drawthings: Command) -> None:
    first, second = (make_certificate(ips=("127.0.0.1",)) for _ in range(2))
    with serving(ScriptedServer(), first) as server:
        assert drawthings("ping", "--server", server.address).status == 0
        port = server.port
    with serving(ScriptedServer(), second, port) as server:
        changed = drawthings("ping", "--server", server.address)
        words = changed.err.split("drawthings ")[1].partition(". ")[0].split()
        accepted = drawthings(*words)

    refused(changed, exits.UNTRUSTED, first.fingerprint, f"--accept {second.fingerprint}")
    assert accepted.status == 0
    assert "is trusted from now on" in accepted.err


def test_a_fingerprint_must_look_like_one(drawthings: Command) -> None:
    answer = drawthings("ping", "--accept", "12:34")

    assert answer.status == exits.USAGE
    assert "64 hexadecimal digits" in answer.err


@pytest.mark.parametrize(("secret", "word"), [(None, "none is given"), ("guess", "wrong")])
def test_ping_says_what_is_wrong_with_the_secret(
    drawthings: Command, monkeypatch: pytest.MonkeyPatch, secret: str | None, word: str
) -> None:
    if secret:
        monkeypatch.setenv("DRAWTHINGS_SECRET", secret)
    with Simulator(secret="hush") as server:
        answer = drawthings("ping", "--server", server.address)

    refused(answer, exits.UNTRUSTED, "shared secret", word, "DRAWTHINGS_SECRET", "--secret-name")
    assert "hush" not in answer.err
    assert "guess" not in answer.err


def test_secrets_have_names(drawthings: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWTHINGS_SECRET_MY_MAC", "hush")
    with Simulator(secret="hush") as server:
        answer = drawthings("ping", "--server", server.address, "--secret-name", "my mac")
        unknown = drawthings("ping", "--server", server.address, "--secret-name", "other")

    assert answer.status == 0
    refused(unknown, exits.UNTRUSTED, "No shared secret named 'other'")


def test_the_environment_names_the_server(
    drawthings: Command, monkeypatch: pytest.MonkeyPatch, server: Simulator
) -> None:
    monkeypatch.setenv("DRAWTHINGS_SERVER", f"plain://{server.address}")

    assert drawthings("ping").out.startswith(server.address)


# --- lists


def test_models_are_a_table_with_families(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("models", "--server", server.address)
    head, *rows = answer.out.splitlines()

    assert head.split() == ["FILE", "FAMILY", "SIZE", "NAME"]
    assert any(re.match(r"flux_1_dev_q5p\.ckpt +FLUX\.1 +1024 +FLUX\.1 \[dev\]$", r) for r in rows)


def test_lists_are_searched_by_words(drawthings: Command, server: Simulator) -> None:
    answer = drawthings("models", "--files", "flux", "kontext", "--server", server.address)
    none = drawthings("models", "no-such-model", "--server", server.address)

    assert answer.out.split() == ["flux_1_kontext_dev_q5p.ckpt"]
    assert (none.status, none.out) == (0, "")
    assert none.err == "No models there with these words.\n"


@pytest.mark.parametrize("kind", ["models", "loras", "controls", "upscalers"])
def test_every_list_is_json_too(drawthings: Command, server: Simulator, kind: str) -> None:
    rows = json.loads(drawthings(kind, "--json", "--server", server.address).out)

    assert len(rows) > 2
    assert all(row["file"].endswith(".ckpt") and row["name"] for row in rows)


def test_a_server_that_lists_nothing_says_how_to_change_that(drawthings: Command) -> None:
    with Simulator(model_browser=False) as server:
        answer = drawthings("models", "--server", server.address)

    refused(answer, exits.REFUSED, "--model-browser")


# --- files


def test_files_says_which_are_there(drawthings: Command, server: Simulator) -> None:
    both = drawthings("files", MODEL, "nope.ckpt", "--server", server.address)
    known = drawthings("files", MODEL, "--hashes", "--json", "--server", server.address)

    assert both.status == exits.NOT_THERE
    assert both.out.splitlines() == [f"there    {MODEL}", "missing  nope.ckpt"]
    assert known.status == 0
    assert re.fullmatch("[0-9a-f]{64}", json.loads(known.out)[0]["sha256"])


def test_an_upload_is_never_over_a_file_unasked(drawthings: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine_lora_f16.ckpt"
    file.write_bytes(b"weights" * 300_000)
    with Simulator(secret="") as server:
        to = ("--server", server.address)
        first = drawthings("upload", str(file), *to)
        again = drawthings("upload", str(file), *to)
        other = drawthings("upload", str(file), "--name", "other_lora_f16.ckpt", "--json", *to)
        over = drawthings("upload", str(file), "--overwrite", *to)
        there = server.files()

    assert first.status == over.status == other.status == 0
    assert first.out.startswith(f"mine_lora_f16.ckpt is on {server.address}: 2,100,000 bytes")
    refused(again, exits.NOT_THERE, "already", "--overwrite")
    assert json.loads(other.out)["file"] == "other_lora_f16.ckpt"
    assert {"mine_lora_f16.ckpt", "other_lora_f16.ckpt"} <= there


@pytest.mark.parametrize("name", ["nothing.ckpt", "picture.png"])
def test_what_cannot_be_uploaded_is_refused(
    drawthings: Command, server: Simulator, tmp_path: Path, name: str
) -> None:
    (tmp_path / "picture.png").write_bytes(b"no model")
    answer = drawthings("upload", str(tmp_path / name), "--server", server.address)

    refused(answer, exits.REFUSED, name)


# --- inspect


def test_inspect_tells_what_made_a_picture(
    drawthings: Command, server: Simulator, tmp_path: Path
) -> None:
    made = tmp_path / "made.png"
    size = ("--size", "128x64", "--steps", "2", "--seed", "5")
    drawthings("generate", "a fox", "-m", MODEL, *size, "-o", str(made), "--server", server.address)

    text = drawthings("inspect", str(made)).out
    told = json.loads(drawthings("inspect", "--json", str(made)).out)

    assert text.startswith("a fox\nSteps: 2,")
    assert "Picture: 128x64 px, PNG" in text
    assert (told["kind"], told["prompt"], told["width"]) == ("picture", "a fox", 128)
    assert told["configuration"]["seed"] == 5


def test_inspect_tells_the_size_of_a_picture_that_says_nothing(
    drawthings: Command, tmp_path: Path
) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "plain.jpg")

    answer = drawthings("inspect", str(tmp_path / "plain.jpg"))

    assert answer.out == "A picture that does not tell how it was made: 30x20 px, JPEG\n"


@pytest.mark.parametrize("codec", ["raw", "zip", "fpzip"])
def test_inspect_tells_what_a_tensor_holds(
    drawthings: Command, tmp_path: Path, codec: tensor.Codec
) -> None:
    values = np.linspace(-1, 1, 32 * 32 * 3, dtype=np.float16).reshape(1, 32, 32, 3)
    (tmp_path / "dump").write_bytes(tensor.encode(values, codec))

    told = json.loads(drawthings("inspect", "--json", str(tmp_path / "dump")).out)

    assert (told["kind"], told["type"], told["shape"]) == ("tensor", "F16", [1, 32, 32, 3])
    assert (told["minimum"], told["maximum"], told["nonfinite"]) == (-1.0, 1.0, 0)


def test_inspect_refuses_what_is_neither(drawthings: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no")

    refused(drawthings("inspect", str(tmp_path / "notes.txt")), exits.REFUSED, "notes.txt")
    refused(drawthings("inspect", str(tmp_path / "gone")), exits.REFUSED, "cannot be read")
    refused(drawthings("inspect", str(tmp_path)), exits.REFUSED, "cannot be read")


# --- the command itself


def test_help_documents_every_exit_status(drawthings: Command) -> None:
    told = drawthings("--help").out
    page = (Path(exits.__file__).parents[2] / "docs" / "command.md").read_text(encoding="utf-8")

    codes = {value for name, value in vars(exits).items() if isinstance(value, int)}
    assert codes == {0, 1, 2, 3, 4, 5, 6, 130}
    for code in codes:
        assert re.search(rf"(^|\s){code} \S", told)
        assert re.search(rf"^\| {code} \|", page, re.MULTILINE)


def test_every_kind_of_error_has_its_status() -> None:
    expected = {
        errors.GenerationFailed: exits.FAILED,
        errors.NoImages: exits.FAILED,
        errors.ProtocolError: exits.FAILED,
        errors.UploadFailed: exits.FAILED,
        errors.SettingsError: exits.REFUSED,
        errors.RequestError: exits.REFUSED,
        errors.ModelNotFound: exits.REFUSED,
        errors.ServerUnreachable: exits.UNREACHABLE,
        errors.NoAnswer: exits.UNREACHABLE,
        errors.TrustError: exits.UNTRUSTED,
        errors.TlsMismatch: exits.UNTRUSTED,
        errors.SecretRejected: exits.UNTRUSTED,
        errors.FileOnServer: exits.NOT_THERE,
        errors.Cancelled: exits.INTERRUPTED,
    }
    assert {kind: exits.code_of(kind("x")) for kind in expected} == expected


@pytest.mark.parametrize("words", [(), ("nonsense",), ("generate",), ("ping", "--seconds", "no")])
def test_a_wrong_command_line_is_status_2(drawthings: Command, words: tuple[str, ...]) -> None:
    answer = drawthings(*words)

    assert (answer.status, answer.out) == (exits.USAGE, "")
    assert "error:" in answer.err


def test_a_reader_that_goes_away_is_no_failure(server: Simulator) -> None:
    command = [sys.executable, "-m", "dt_core", "models", "--server", server.address]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0


def test_a_console_without_umlauts_breaks_nothing(server: Simulator) -> None:
    answer = process("models", "--server", server.address, PYTHONIOENCODING="ascii")

    assert answer.status == 0
    assert "W\\xfcrstchen" in answer.out


def test_the_simulator_is_a_subcommand() -> None:
    told = process("simulator", "--help").out

    assert told.startswith("usage: drawthings simulator ")
    assert "--model-browser" in told
