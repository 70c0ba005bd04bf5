"""Connections: plain text and TLS, every kind of trust, and what failures say."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from drawthings.dt_core import folders as places
from drawthings.dt_core.connection import addresses, keepalive, tls
from drawthings.dt_core.connection.channel import Link
from drawthings.dt_core.connection.known_servers import KnownServers
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import (
    CertificateChanged,
    NoAnswer,
    Remedy,
    ServerError,
    ServerUnreachable,
    TlsMismatch,
    TrustError,
)
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from recording import known_names
from scripted import Certificate, ScriptedServer, make_certificate, serving


@pytest.fixture(scope="module")
def like_stock() -> Certificate:
    return make_certificate(ips=("127.0.0.1", "0.0.0.0"))


@pytest.fixture
def stock(like_stock: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """A certificate of the stock one's shape, taken for the stock one."""
    monkeypatch.setattr(tls, "STOCK_FINGERPRINT", like_stock.fingerprint)
    return like_stock


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "known" / "servers.json")


def greeting(
    profile: ServerProfile, secret: str | None = None, known: KnownServers | None = None
) -> tuple[str, str]:
    client = Client(profile, secret=secret, name="TEST", known=known)
    return client.echo().greeting, client.security


def test_plain_text_connects_by_choice_and_automatically() -> None:
    with serving(ScriptedServer()) as server:
        for mode in (TlsMode.PLAIN, TlsMode.AUTOMATIC):
            assert greeting(ServerProfile(server.address, mode)) == ("HELLO TEST", "plain text")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "0.0.0.0"])
@pytest.mark.parametrize("mode", [TlsMode.TLS, TlsMode.AUTOMATIC])
def test_the_stock_certificate_is_accepted_at_any_address(
    host: str, mode: TlsMode, stock: Certificate
) -> None:
    with serving(ScriptedServer(), stock) as server:
        profile = ServerProfile(f"{host}:{server.port}", mode)
        assert greeting(profile) == ("HELLO TEST", "TLS, public stock certificate")


def test_the_stock_certificate_is_accepted_under_another_machines_name(stock: Certificate) -> None:
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:  # a machine that cannot resolve itself: any other name will do
        name = "localhost.localdomain"
    with serving(ScriptedServer(), stock) as server:
        profile = ServerProfile(f"{name}:{server.port}", TlsMode.TLS)
        assert greeting(profile) == ("HELLO TEST", "TLS, public stock certificate")


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
def test_an_own_certificate_is_trusted_on_first_use_and_remembered(
    host: str, known: KnownServers
) -> None:
    own = make_certificate("mine", dns=("mine",))
    with serving(ScriptedServer(), own) as server:
        profile = ServerProfile(f"{host}:{server.port}")
        words = "TLS, own certificate, seen for the first time"
        assert greeting(profile, known=known) == ("HELLO TEST", words)
        assert known.all() == {profile.address: own.fingerprint}
        words = "TLS, own certificate, the same as before"
        assert greeting(profile, known=known) == ("HELLO TEST", words)


@pytest.mark.parametrize("mode", [TlsMode.AUTOMATIC, TlsMode.TLS])
def test_a_certificate_that_changed_is_refused_until_it_is_accepted(
    mode: TlsMode, known: KnownServers
) -> None:
    before, after = make_certificate("box"), make_certificate("box")
    with serving(ScriptedServer(), after) as server:
        profile = ServerProfile(server.address, mode)
        known.remember(profile.address, before.fingerprint)
        with pytest.raises(CertificateChanged, match="remembered one") as caught:
            Client(profile, known=known).echo()
        assert caught.value.remedy is Remedy.ACCEPT_CERTIFICATE
        assert caught.value.expected == before.fingerprint
        assert caught.value.presented == after.fingerprint
        assert before.fingerprint in str(caught.value)
        assert after.fingerprint in str(caught.value)
        assert server.greeted == 0  # nothing was sent to it

        with pytest.raises(CertificateChanged, match="accepted one"):
            Link(profile, known).accept("ab" * 32)
        assert known.fingerprint(profile.address) == before.fingerprint
        Link(profile, known).accept(after.fingerprint)
        assert greeting(profile, known=known)[0] == "HELLO TEST"


def test_a_certificate_that_changes_under_an_open_channel_is_refused_by_name(
    known: KnownServers,
) -> None:
    before, after = make_certificate("box"), make_certificate("box")
    with serving(ScriptedServer(), before) as server:
        profile = ServerProfile(server.address)
        client = Client(profile, known=known)
        client.echo()
        port = server.port
    with serving(ScriptedServer(), after, port=port):
        with pytest.raises(ServerError):  # the connection broke, or was made anew
            client.echo()
        with pytest.raises(CertificateChanged, match=after.fingerprint):
            client.echo()


def test_tls_that_was_seen_once_never_falls_back_to_plain_text(known: KnownServers) -> None:
    with serving(ScriptedServer()) as server:
        known.remember(server.address, "ab" * 32)
        with pytest.raises(TlsMismatch, match="spoke TLS before and now does not"):
            Client(ServerProfile(server.address), secret="hush-hush", known=known).echo()
        assert server.greeted == 0
        chosen = ServerProfile(server.address, TlsMode.PLAIN)
        assert greeting(chosen, known=known)[1] == "plain text"


def test_the_users_own_simulator_needs_no_memory(
    known: KnownServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make_certificate()
    (tmp_path / "certificate.pem").write_bytes(own.pem)
    monkeypatch.setattr(places, "simulator_folder", lambda: tmp_path)
    with serving(ScriptedServer(), own) as server:
        known.remember(server.address, "ab" * 32)  # another program was there before
        assert greeting(ServerProfile(server.address), known=known)[1] == (
            "TLS, this user's simulator"
        )
        assert known.all() == {server.address: "ab" * 32}
        elsewhere = ServerProfile(f"0.0.0.0:{server.port}")
        assert "first time" in greeting(elsewhere, known=known)[1]


def test_an_own_authority_vouches_for_its_servers_alone(
    known: KnownServers, tmp_path: Path
) -> None:
    own, other = make_certificate(dns=("localhost",)), make_certificate(dns=("localhost",))
    for name, certificate in (("mine.pem", own), ("other.pem", other)):
        (tmp_path / name).write_bytes(certificate.pem)
    (tmp_path / "text.pem").write_text("no certificate")

    def at(server: ScriptedServer, file: str) -> ServerProfile:
        address = f"localhost:{server.port}"
        return ServerProfile(address, TlsMode.AUTHORITY, ca_file=str(tmp_path / file))

    with serving(ScriptedServer(), own) as server:
        assert greeting(at(server, "mine.pem"), known=known)[1] == (
            "TLS, certificate of the own authority"
        )
        with pytest.raises(TrustError, match=r"not signed by the authority in 'other\.pem'"):
            Client(at(server, "other.pem"), known=known).echo()
        with pytest.raises(TrustError, match="holds no certificate in PEM form"):
            Client(at(server, "text.pem"), known=known).echo()
        with pytest.raises(TrustError, match="cannot be read"):
            Client(at(server, "missing.pem"), known=known).echo()
    assert known.all() == {}


@pytest.mark.parametrize("dns", [("box",), ()], ids=["with a name", "common name only"])
def test_a_pinned_certificate_is_accepted(dns: tuple[str, ...]) -> None:
    own = make_certificate("box", dns=dns)
    with serving(ScriptedServer(), own) as server:
        shown = ":".join(own.fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
        profile = ServerProfile(f"0.0.0.0:{server.port}", TlsMode.TLS, fingerprint=shown)
        assert greeting(profile) == ("HELLO TEST", "TLS, pinned certificate")


def test_a_changed_certificate_is_refused_with_both_fingerprints() -> None:
    pinned, presented = make_certificate("box"), make_certificate("box")
    with serving(ScriptedServer(), presented) as server:
        profile = ServerProfile(f"localhost:{server.port}", fingerprint=pinned.fingerprint)
        with pytest.raises(TrustError) as caught:
            Client(profile).echo()
        assert pinned.fingerprint in str(caught.value)
        assert presented.fingerprint in str(caught.value)


def test_system_authorities_do_not_vouch_for_a_self_made_certificate(stock: Certificate) -> None:
    with serving(ScriptedServer(), stock) as server:
        profile = ServerProfile(f"localhost:{server.port}", TlsMode.SYSTEM)
        with pytest.raises(TrustError, match="not trusted by this system"):
            Client(profile).echo()


def test_tls_is_refused_by_name_where_the_server_speaks_plain_text() -> None:
    with serving(ScriptedServer()) as server:
        for mode in (TlsMode.TLS, TlsMode.SYSTEM):
            with pytest.raises(TrustError, match="does not speak TLS"):
                Client(ServerProfile(server.address, mode)).echo()


def test_a_pin_never_falls_back_to_plain_text() -> None:
    with serving(ScriptedServer()) as server:
        profile = ServerProfile(server.address, TlsMode.AUTOMATIC, fingerprint="ab" * 32)
        with pytest.raises(TrustError, match="does not speak TLS"):
            Client(profile).echo()


def test_plain_text_to_a_tls_server_says_so(stock: Certificate) -> None:
    with serving(ScriptedServer(), stock) as server:
        with pytest.raises(ServerUnreachable, match="wants TLS"):
            Client(ServerProfile(server.address, TlsMode.PLAIN)).echo()


def test_a_secret_does_not_travel_readable_on_its_own_accord() -> None:
    with serving(ScriptedServer()) as server:
        elsewhere = f"0.0.0.0:{server.port}"  # not a loopback address, yet this machine
        with pytest.raises(TrustError, match="readable") as caught:
            Client(ServerProfile(elsewhere), secret="hush-hush").echo()
        assert "hush-hush" not in str(caught.value)
        chosen = ServerProfile(elsewhere, TlsMode.PLAIN)
        assert greeting(chosen, "hush-hush")[1] == "plain text"


@pytest.mark.parametrize("mode", [mode for mode in TlsMode if mode is not TlsMode.AUTHORITY])
def test_a_server_that_is_not_there_is_told_as_such(mode: TlsMode) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        profile = ServerProfile(f"127.0.0.1:{held.getsockname()[1]}", mode)
        with pytest.raises(ServerUnreachable, match="No Draw Things server at"):
            Client(profile).echo()


def test_an_unknown_machine_is_told_as_such() -> None:
    with pytest.raises(ServerUnreachable, match=r"no machine named 'nowhere\.invalid'"):
        Client(ServerProfile("nowhere.invalid")).echo()


@pytest.mark.parametrize("mode", [TlsMode.PLAIN, TlsMode.AUTOMATIC])
def test_a_name_that_the_system_alone_can_find_is_enough(
    mode: TlsMode, monkeypatch: pytest.MonkeyPatch, known: KnownServers
) -> None:
    """gRPC's own resolver knows no names of the local network, such as my-mac.local."""
    known_names(monkeypatch, {"studio.local": ["127.0.0.1"]})
    with serving(ScriptedServer()) as server:
        profile = ServerProfile(f"studio.local:{server.port}", mode)
        assert greeting(profile, known=known) == ("HELLO TEST", "plain text")


def test_an_authority_vouches_for_the_name_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, known: KnownServers, tmp_path: Path
) -> None:
    known_names(monkeypatch, {"studio.local": ["127.0.0.1"], "other.local": ["127.0.0.1"]})
    own = make_certificate(dns=("studio.local",))
    (tmp_path / "own.pem").write_bytes(own.pem)

    def at(name: str, port: int) -> ServerProfile:
        file = str(tmp_path / "own.pem")
        return ServerProfile(f"{name}:{port}", TlsMode.AUTHORITY, ca_file=file)

    with serving(ScriptedServer(), own) as server:
        assert greeting(at("studio.local", server.port), known=known)[0] == "HELLO TEST"
        with pytest.raises(TrustError, match="is for another name"):
            Client(at("other.local", server.port), known=known).echo()
        member = at("studio.local", server.port).at("127.0.0.2")  # one of several there
        assert greeting(member, known=known)[0] == "HELLO TEST"
        tls_by_name = ServerProfile(f"other.local:{server.port}", TlsMode.TLS)
        assert "own certificate" in greeting(tls_by_name, known=known)[1]


def test_of_several_addresses_the_first_that_answers_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known_names(monkeypatch, {"studio.local": ["::1", "127.0.0.9", "127.0.0.1"]})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Simulator(port=port):
        profile = ServerProfile(f"studio.local:{port}")
        assert greeting(profile) == ("HELLO TEST", "plain text")
        assert addresses.addresses(profile) == ("127.0.0.9", "127.0.0.1")


def test_a_server_that_moved_to_another_address_is_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {"studio.local": ["127.0.0.1"]}
    known_names(monkeypatch, places)
    with Simulator() as before:
        port = before.port
        client = Client(ServerProfile(f"studio.local:{port}"))
        first = client.echo().server_identifier
    places["studio.local"] = ["127.0.0.2"]
    with Simulator(host="127.0.0.2", port=port) as after:
        assert client.echo().server_identifier == after.identifier != first


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no list of sockets")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_kept_alive_by_tcp(host: str) -> None:
    with Simulator(host=host) as server:
        client = Client(ServerProfile(server.address, TlsMode.PLAIN))
        client.echo()
        (kept,) = [
            opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            for opened in sockets()
            if opened.getpeername()[1] == server.port
        ]
        assert kept
        assert keepalive.keep(client.server.link.connect().target) == 1
        assert keepalive.keep("ipv4:192.0.2.1:7859") == 0


def sockets() -> Iterator[socket.socket]:
    """The connections of this process."""
    for number in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as opened:
                    if opened.family in {socket.AF_INET, socket.AF_INET6}:
                        opened.getpeername()
                        yield opened


def test_silence_is_not_taken_for_plain_text(
    monkeypatch: pytest.MonkeyPatch, known: KnownServers
) -> None:
    monkeypatch.setattr(addresses, "CONNECT_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        profile = ServerProfile(f"127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(2):
            with pytest.raises(NoAnswer, match="takes connections but does not answer"):
                Client(profile, secret="hush-hush", known=known).echo()
            known.remember(profile.address, "ab" * 32)


def test_a_plain_server_that_says_nothing_is_told_as_that_within_15_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(ServerProfile(f"127.0.0.1:{silent.getsockname()[1]}", TlsMode.PLAIN))
        since = time.monotonic()
        with pytest.raises(NoAnswer, match="takes connections but does not answer"):
            list(client.generate(GenerationRequest(Configuration(model="m.ckpt"))))
        assert time.monotonic() - since < 15


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("CLIENT: Sent message larger than max (2000 vs. 1000)", "as too large"),
        ("Payload length exceeds limit (2000 > 1000)", "as too large"),
        ("CLIENT: Received message larger than max (2000 vs. 1000)", "than an answer can hold"),
        ("too many calls", "at a limit of its own"),
    ],
)
def test_smaller_pictures_are_not_advised_to_who_sent_none(details: str, words: str) -> None:
    def refuse(request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, details)

    with serving(ScriptedServer(echo=refuse)) as server:
        with pytest.raises(ServerError) as refused:
            Client(ServerProfile(server.address, TlsMode.PLAIN)).echo()
    assert words in str(refused.value)
    assert "smaller" not in str(refused.value)


def test_a_question_is_asked_again_while_a_server_is_just_starting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made: list[Simulator] = []
    late = threading.Timer(0.1, lambda: made.append(Simulator(port=port)))
    late.start()
    try:
        assert Client(ServerProfile(f"127.0.0.1:{port}")).echo().models
    finally:
        late.join()
        made[0].stop()


def test_a_link_has_one_connection_for_all_who_ask_at_once() -> None:
    with serving(ScriptedServer()) as server:
        link = Link(ServerProfile(server.address))
        with ThreadPoolExecutor(8) as pool:
            first, *others = pool.map(lambda _: link.connect(), range(8))
        assert all(other is first for other in others)
        link.close()
        assert link.connect() is not first
        link.close()


def test_a_restarted_server_with_another_certificate_is_found_again() -> None:
    with serving(ScriptedServer(), make_certificate("one")) as server:
        profile = ServerProfile(server.address)
        client = Client(profile)
        client.echo()
    with pytest.raises(ServerUnreachable):
        client.echo()
