"""One text of the server stands for four causes; the sentence names the likely one first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from drawthings.dt_core import errors
from drawthings.dt_core.api import remedies as in_python
from drawthings.dt_core.cli import remedies as on_the_command_line
from drawthings.dt_core.connection import failures
from drawthings.dt_core.connection.failures import Known
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import DrawThingsError, GenerationFailed, Remedy
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.request.parts import Lora
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.simulator.faults import Fault, Script
from drawthings.dt_core.wire import protobuf
from drawthings.nodes.host import remedies as in_nodes
from scripted import ScriptedServer, make_certificate, serving

REAL_WORDS = "unknown error processing request"
REQUEST = GenerationRequest(
    Configuration(
        model="z_image_turbo_1.0_q6p.ckpt", start_width=128, start_height=128, steps=2, seed=1
    )
)


class _Call(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


def explained(known: Known) -> str:
    call = _Call(grpc.StatusCode.INTERNAL, REAL_WORDS)
    return str(failures.explain(call, ServerProfile("box"), known))


@pytest.mark.parametrize(
    ("known", "likely", "not_said"),
    [
        (Known(secret_is_right=True), "what generates there failed", "secret"),
        (Known(secret_is_right=None), "the shared secret is wrong", "nothing"),
        (Known(secret_is_right=True, downloads=True), "could not download", "secret"),
    ],
)
def test_the_likely_cause_comes_first_and_what_is_ruled_out_is_not_named(
    known: Known, likely: str, not_said: str
) -> None:
    sentence = explained(known)

    assert f"most likely {likely}" in sentence or f"most likely it {likely}" in sentence
    assert not_said not in sentence
    assert "but the same is said of" in sentence


def test_a_server_that_takes_the_secret_and_fails_is_not_told_to_have_a_wrong_one() -> None:
    fault = Fault.of("status", code="INTERNAL", details=REAL_WORDS)
    with Simulator(secret="s3cret", faults=Script((fault,))) as server:
        client = Client(ServerProfile(server.address), secret="s3cret")
        with pytest.raises(GenerationFailed, match="most likely what generates there"):
            list(client.generate(REQUEST))


def test_a_server_that_broke_off_while_it_fetched_a_file_could_not_download_it() -> None:
    def generate(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        remote = protobuf.RemoteDownloadResponse(bytesReceived=1, bytesExpected=9, item=1)
        yield protobuf.ImageGenerationResponse(remoteDownload=remote)
        context.abort(grpc.StatusCode.INTERNAL, REAL_WORDS)

    with serving(ScriptedServer(generate=generate)) as server:
        with pytest.raises(GenerationFailed, match="could not download") as caught:
            list(Client(ServerProfile(server.address)).generate(REQUEST))
    assert caught.value.remedy is Remedy.LET_IT_DOWNLOAD


def test_a_lora_that_the_server_lacks_is_the_likely_cause() -> None:
    fault = Fault.of("status", code="INTERNAL", details=REAL_WORDS)
    with Simulator(faults=Script((fault,))) as server:
        request = replace(REQUEST, loras=(Lora("nowhere_lora_f16.ckpt"),))
        with pytest.raises(GenerationFailed, match="could not download"):
            list(Client(ServerProfile(server.address)).generate(request))


@pytest.mark.parametrize(
    ("known", "remedy"),
    [(Known(pictures=True), Remedy.SMALLER_PICTURES), (Known(), Remedy.READ_LOG_FIRST)],
)
def test_smaller_pictures_help_only_where_there_are_any(known: Known, remedy: Remedy) -> None:
    limit = "CLIENT: Sent message larger than max (9 vs. 4)"
    call = _Call(grpc.StatusCode.RESOURCE_EXHAUSTED, limit)

    assert failures.explain(call, ServerProfile("box"), known).remedy is remedy


FACES = {
    "Python": in_python.WORDS,
    "command": on_the_command_line.WORDS,
    "nodes": in_nodes.WORDS,
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("remedy", [Remedy.ACCEPT_CERTIFICATE, Remedy.PIN_CERTIFICATE])
def test_every_face_can_word_what_to_do_about_a_changed_certificate(
    face: str, remedy: Remedy, tmp_path: Path
) -> None:
    shown, before = make_certificate("box"), "ab" * 32
    is_pinned = remedy is Remedy.PIN_CERTIFICATE
    with serving(ScriptedServer(), shown) as server:
        known = KnownServers(tmp_path / "known.json")
        known.remember(server.address, before)
        profile = ServerProfile(server.address, fingerprint=before if is_pinned else "")
        with pytest.raises(errors.CertificateChanged) as caught:
            Client(profile, known=known).echo()

    assert caught.value.remedy is remedy
    told = str(caught.value.told(FACES[face]))
    assert told.startswith(str(caught.value.text))
    assert told.endswith("therwise somebody may be listening.")


def test_an_error_says_what_happened_and_then_what_to_do_in_a_faces_words() -> None:
    error = errors.TlsMismatch(
        failures._NO_TLS(address="box:7859"), remedy=Remedy.CHOOSE_PLAIN_TEXT
    )

    assert isinstance(error, DrawThingsError)
    assert str(error) == str(error.told())
    assert str(error).startswith("The server at box:7859 does not speak TLS. ")
    assert "--tls plain" in str(error.told(on_the_command_line.WORDS))
    assert "insecure" in str(error.told(in_python.WORDS))
