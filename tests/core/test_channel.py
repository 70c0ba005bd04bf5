"""Connections: plain text and TLS, every kind of trust, and what failures say."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from drawthings.dt_core import channel, tls
from drawthings.dt_core.client import Client
from drawthings.dt_core.errors import ServerUnreachable, TrustError
from drawthings.dt_core.profile import ServerProfile, TlsMode
from scripted import Certificate, ScriptedServer, make_certificate, serving


@pytest.fixture(autouse=True)
def _close_channels() -> Iterator[None]:
    yield
    channel.close_all()


@pytest.fixture(scope="module")
def like_stock() -> Certificate:
    return make_certificate(ips=("127.0.0.1", "0.0.0.0"))


@pytest.fixture
def stock(like_stock: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """A certificate of the stock one's shape, taken for the stock one."""
    monkeypatch.setattr(tls, "STOCK_FINGERPRINT", like_stock.fingerprint)
    return like_stock


def greeting(profile: ServerProfile, secret: str | None = None) -> tuple[str, str]:
    client = Client(profile, secret=secret, name="TEST")
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


def test_a_self_made_certificate_is_accepted_on_this_machine() -> None:
    with serving(ScriptedServer(), make_certificate("mine", dns=("mine",))) as server:
        found = greeting(ServerProfile(f"localhost:{server.port}"))
        assert found == ("HELLO TEST", "TLS, self-made certificate on this machine")


def test_another_machines_own_certificate_is_refused_with_its_fingerprint() -> None:
    own = make_certificate("box", dns=("box",))
    with serving(ScriptedServer(), own) as server:
        profile = ServerProfile(f"0.0.0.0:{server.port}")
        with pytest.raises(TrustError, match=own.fingerprint):
            Client(profile).echo()


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


@pytest.mark.parametrize("mode", list(TlsMode))
def test_a_server_that_is_not_there_is_told_as_such(mode: TlsMode) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        profile = ServerProfile(f"127.0.0.1:{held.getsockname()[1]}", mode)
        with pytest.raises(ServerUnreachable, match="No Draw Things server at"):
            Client(profile).echo()


def test_an_unknown_machine_is_told_as_such() -> None:
    with pytest.raises(ServerUnreachable, match=r"no machine named 'nowhere\.invalid'"):
        Client(ServerProfile("nowhere.invalid")).echo()


def test_a_profile_has_one_channel_for_all_clients() -> None:
    with serving(ScriptedServer()) as server:
        profile = ServerProfile(server.address)
        first, second = channel.connect(profile), channel.connect(ServerProfile(server.address))
        assert first is second


def test_a_restarted_server_with_another_certificate_is_found_again() -> None:
    with serving(ScriptedServer(), make_certificate("one")) as server:
        profile = ServerProfile(server.address)
        client = Client(profile)
        client.echo()
    with pytest.raises(ServerUnreachable):
        client.echo()
