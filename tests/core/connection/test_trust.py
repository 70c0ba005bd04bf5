"""Whom the client believes: trust belongs to the name, and what is wrong is told in words."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import (
    CertificateChanged,
    ProtocolError,
    SecretRejected,
    ServerUnreachable,
    TlsMismatch,
    TrustError,
)
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.generation.spread import spread
from drawthings.dt_core.wire import protobuf
from processes import together
from recording import known_names
from scripted import Certificate, ScriptedServer, make_certificate, serving

TLS_PATIENCE_S = 20


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "known" / "servers.json")


@contextmanager
def answering_tls(certificate: Certificate, tmp_path: Path) -> Iterator[str]:
    """The address of somebody who speaks TLS with any certificate, and no gRPC."""
    files = tmp_path / "shown.pem", tmp_path / "shown.key"
    files[0].write_bytes(certificate.pem)
    files[1].write_bytes(certificate.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    accepted = listening.accept()[0]
                except OSError:
                    return
                with suppress(OSError), accepted:
                    context.wrap_socket(accepted, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"days": (-9, -2)}, "has expired. Give the server a new certificate."),
    "too early": ({"days": (2, 9)}, "is not valid yet. Check the clocks of both machines."),
    "Ed25519": ({"kind": "Ed25519"}, r"gRPC does not know \(Ed25519\). .* ECDSA P-256 or RSA"),
    "Ed448": ({"kind": "Ed448"}, r"gRPC does not know \(Ed448\)"),
    "P-521": ({"kind": "P-521"}, r"gRPC does not know \(ECDSA P-521\)"),
}


@pytest.mark.parametrize("mode", [TlsMode.AUTOMATIC, TlsMode.TLS, TlsMode.AUTHORITY])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_certificate_is_told(
    known: KnownServers, tmp_path: Path, mode: TlsMode, wrong: str
) -> None:
    made, said = WRONG[wrong]
    certificate = make_certificate(ips=("127.0.0.1",), **made)
    (tmp_path / "own.pem").write_bytes(certificate.pem)
    with answering_tls(certificate, tmp_path) as address:
        profile = ServerProfile(address, mode, ca_file=str(tmp_path / "own.pem"))
        with pytest.raises(TrustError, match=said):
            Client(profile, secret="hush", known=known).echo()
    assert known.all() == {}


@pytest.mark.parametrize("mode", [TlsMode.SYSTEM, TlsMode.AUTHORITY])
def test_a_foreign_certificate_and_one_for_another_name_are_told_apart(
    known: KnownServers, tmp_path: Path, mode: TlsMode
) -> None:
    own, other = make_certificate(dns=("studio.local",)), make_certificate()
    (tmp_path / "own.pem").write_bytes(own.pem)
    foreign = "not signed by" if mode is TlsMode.AUTHORITY else "not trusted by this system"
    said = {"other": foreign, "own": "another name" if mode is TlsMode.AUTHORITY else foreign}
    for shown, certificate in (("own", own), ("other", other)):
        with serving(ScriptedServer(), certificate) as server:
            profile = ServerProfile(server.address, mode, ca_file=str(tmp_path / "own.pem"))
            with pytest.raises(TrustError, match=said[shown]):
                Client(profile, known=known).echo()


def test_an_address_beside_the_known_one_is_no_first_meeting(
    monkeypatch: pytest.MonkeyPatch, known: KnownServers, caplog: pytest.LogCaptureFixture
) -> None:
    real, fake = make_certificate(), make_certificate()
    with serving(ScriptedServer(), real, host="127.0.0.1") as server:
        profile = ServerProfile(f"studio.local:{server.port}")
        known_names(monkeypatch, {"studio.local": ["127.0.0.1"]})
        client = Client(profile, secret="hush", known=known)
        client.echo()
        assert known.all() == {f"studio.local:{server.port}": real.fingerprint}
        with serving(ScriptedServer(), fake, port=server.port, host="127.0.0.2") as impostor:
            with pytest.raises(CertificateChanged) as caught:
                client.at("127.0.0.2").echo()
            assert caught.value.expected == real.fingerprint
            assert impostor.greeted == 0
            known_names(monkeypatch, {"studio.local": ["127.0.0.1", "127.0.0.2"]})
            assert spread([client]) == [client]
            assert impostor.greeted == 0
            assert "is not the remembered one" in caplog.text
        with serving(ScriptedServer(), None, port=server.port, host="127.0.0.2") as impostor:
            with pytest.raises(TlsMismatch):
                client.at("127.0.0.2").echo()
            assert impostor.greeted == 0
        assert client.at("127.0.0.1").echo().greeting == "HELLO drawthings-nodes"


def test_two_addresses_that_are_met_at_once_are_not_both_the_first(
    monkeypatch: pytest.MonkeyPatch, known: KnownServers
) -> None:
    one, two = make_certificate(), make_certificate()
    meeting = threading.Event()

    def slow(request: Any, _context: Any) -> Any:
        meeting.set()
        assert over.wait(TLS_PATIENCE_S)
        return protobuf.EchoReply(message=f"HELLO {request.name}")

    over = threading.Event()
    with (
        serving(ScriptedServer(echo=slow), one, host="127.0.0.1") as first,
        serving(ScriptedServer(), two, port=first.port, host="127.0.0.2") as second,
    ):
        known_names(monkeypatch, {"studio.local": ["127.0.0.1", "127.0.0.2"]})
        client = Client(ServerProfile(f"studio.local:{first.port}"), known=known)
        asking = threading.Thread(target=client.at("127.0.0.1").echo)
        asking.start()
        assert meeting.wait(TLS_PATIENCE_S)
        with pytest.raises(CertificateChanged):
            client.at("127.0.0.2").echo()
        over.set()
        asking.join()
        assert second.greeted == 0
    assert known.all() == {f"studio.local:{first.port}": one.fingerprint}


def _wants_another_secret(_request: Any, _context: Any) -> Any:
    return protobuf.EchoReply(sharedSecretMissing=True)


def _is_none_of_ours(_request: Any, context: grpc.ServicerContext) -> Any:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "what is Echo?")


@pytest.mark.parametrize("echo", [_wants_another_secret, _is_none_of_ours])
def test_nothing_is_remembered_of_a_server_that_was_not_believed(
    known: KnownServers, echo: Any
) -> None:
    certificate, own = make_certificate(), make_certificate()
    with serving(ScriptedServer(echo=echo), certificate) as server:
        with pytest.raises((SecretRejected, ProtocolError)):
            Client(ServerProfile(server.address), secret="hush", known=known).echo()
    assert known.all() == {}
    assert not known.is_met(server.address)
    with serving(ScriptedServer(), own, port=server.port) as right:  # the one that was meant
        Client(ServerProfile(right.address), secret="hush", known=known).echo()
    assert known.all() == {right.address: own.fingerprint}


def test_nothing_is_remembered_of_a_server_whose_tls_failed(
    known: KnownServers, tmp_path: Path
) -> None:
    with answering_tls(make_certificate(), tmp_path) as address:
        with pytest.raises(ServerUnreachable):
            Client(ServerProfile(address), known=known).echo()
    assert known.all() == {}
    assert not known.is_met(address)


def test_two_processes_that_meet_one_server_at_once_both_reach_it(tmp_path: Path) -> None:
    preparation = """
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.generation.client import Client
from pathlib import Path
"""
    work = """
for meeting in range(8):
    known = KnownServers(Path(arguments[1], f"known{meeting}.json"))
    Client(ServerProfile(arguments[0]), known=known).echo()
"""
    certificate = make_certificate()
    with serving(ScriptedServer(), certificate) as server:
        together(2, preparation, work, [server.address, str(tmp_path)])
        for meeting in range(8):
            known = KnownServers(tmp_path / f"known{meeting}.json")
            assert known.all() == {server.address: certificate.fingerprint}
