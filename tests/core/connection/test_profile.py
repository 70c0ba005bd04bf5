"""Addresses, the environment, and secrets by name."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from drawthings.dt_core import DrawThingsClient
from drawthings.dt_core.cli import connecting
from drawthings.dt_core.cli.parser import parse
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode, default_profile
from drawthings.dt_core.connection.secret_store import SecretStore
from drawthings.dt_core.errors import SecretRejected, SettingsError


@pytest.mark.parametrize(
    ("written", "address", "host", "port"),
    [
        ("mac", "mac:7859", "mac", 7859),
        (" my-mac.local:80 ", "my-mac.local:80", "my-mac.local", 80),
        ("192.168.1.5", "192.168.1.5:7859", "192.168.1.5", 7859),
        ("[fe80::1]:99", "[fe80::1]:99", "fe80::1", 99),
        ("[::1]", "[::1]:7859", "::1", 7859),
        ("::1", "[::1]:7859", "::1", 7859),
    ],
)
def test_an_address_has_a_host_and_a_port(written: str, address: str, host: str, port: int) -> None:
    profile = ServerProfile(written)
    assert (profile.address, profile.host, profile.port) == (address, host, port)
    assert profile == ServerProfile(address)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("My-Mac.LOCAL", "my-mac.local"),
        ("my-mac.local.", "my-mac.local"),
        ("my-mac.local.:7859", "my-mac.local"),
        ("mac:07859", "mac"),
        ("Büro.local", "xn--bro-hoa.local"),
        ("BÜRO.local", "büro.local"),
        ("mac\u3002local", "mac.local"),
        ("\uff2dac:80", "mac:80"),
        ("\u217cocalhost", "localhost"),
        ("LOCALHOST.", "localhost"),
        ("[FE80:0:0::0:1]:80", "[fe80::1]:80"),
        ("0:0:0:0:0:0:0:1", "[::1]:7859"),
        ("[::ffff:192.168.1.5]:80", "192.168.1.5:80"),
        ("::FFFF:c0a8:105", "192.168.1.5"),
        ("[fe80::1%eth0]", "[FE80::1%eth0]:7859"),
    ],
)
def test_every_spelling_of_a_server_is_the_same_server(one: str, same: str) -> None:
    assert ServerProfile(one) == ServerProfile(same)
    assert ServerProfile(f"{one}, {same}").addresses == (ServerProfile(same).address,)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mac", "mac.local"),
        ("mac:7859", "mac:7860"),
        ("127.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("[fe80::1%eth0]", "[fe80::1%eth1]"),
        ("bu\u0308ro.local", "buro.local"),
        ("m\u0430c", "mac"),
        ("xn--mac", "mac"),
    ],
)
def test_what_only_looks_like_it_is_another_server(one: str, other: str) -> None:
    assert ServerProfile(one) != ServerProfile(other)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://mac",
        "mac:port",
        "mac:0",
        "mac:70000",
        "a b",
        "mac/x",
        "[::1",
        "a:1:2",
        ".",
        "user@mac",
        "[mac]",
        "[1:2]",
        "mac:" + "1" * 5000,
        "ma\u0000c",
        "ma\udce4c",
        "ma\u200bc:x",
        "\u00ad",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(SettingsError):
        ServerProfile(written)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("0.0.0.0", False), ("mac", False)],
)
def test_loopback_is_told_by_the_address(address: str, loopback: bool) -> None:
    assert ServerProfile(address).is_loopback is loopback


def test_a_fingerprint_is_64_digits() -> None:
    assert ServerProfile(fingerprint="AB:" * 31 + "ab").fingerprint == "ab" * 32
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        ServerProfile(fingerprint="abc")


def test_the_environment_names_the_default_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAWTHINGS_SERVER", raising=False)
    assert default_profile() == ServerProfile("localhost:7859")
    for text, address, mode in (
        ("box", "box:7859", TlsMode.AUTOMATIC),
        ("plain://box:1", "box:1", TlsMode.PLAIN),
        ("tls://box", "box:7859", TlsMode.TLS),
    ):
        monkeypatch.setenv("DRAWTHINGS_SERVER", text)
        assert default_profile() == ServerProfile(address, mode)
    monkeypatch.setenv("DRAWTHINGS_SERVER", "https://box")
    with pytest.raises(SettingsError, match="DRAWTHINGS_SERVER"):
        default_profile()


def test_a_scheme_before_the_address_chooses_tls_wherever_an_address_is_read() -> None:
    assert ServerProfile("plain://box") == ServerProfile("box", TlsMode.PLAIN)
    assert ServerProfile(" TLS://box:1, other ") == ServerProfile("box:1,other", TlsMode.TLS)
    assert ServerProfile("tls://box", TlsMode.SYSTEM).tls is TlsMode.SYSTEM
    by_option = parse(["ping", "--server", "plain://box", "--tls", "automatic"])
    assert connecting.profile_of(by_option) == ServerProfile("box", TlsMode.PLAIN)
    assert DrawThingsClient("plain://box").profile == ServerProfile("box", TlsMode.PLAIN)
    assert DrawThingsClient("box").profile == ServerProfile("box", TlsMode.TLS)


@pytest.mark.parametrize("address", ["http://box", "plain://tls://box", "box,plain://other"])
def test_no_other_scheme_and_none_in_the_middle(address: str) -> None:
    with pytest.raises(SettingsError, match="not a server address"):
        ServerProfile(address)


@pytest.mark.parametrize("mode", [TlsMode.TLS, TlsMode.SYSTEM])
def test_a_scheme_that_contradicts_the_mode_is_no_guess(mode: TlsMode) -> None:
    with pytest.raises(SettingsError, match="contradict"):
        ServerProfile("plain://box", mode)
    with pytest.raises(SettingsError, match="contradict"):
        DrawThingsClient("tls://box", insecure=True)


def test_a_secret_comes_from_the_environment_first_then_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAWTHINGS_SECRET", raising=False)
    store = SecretStore(tmp_path / "deep" / "secrets.json")
    store.save("home", "from the file")
    store.save("work", "other")
    assert store.names() == ("home", "work")
    assert store.lookup("home") == "from the file"
    monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", "from the environment")
    assert store.lookup("home") == "from the environment"
    assert store.lookup("") is None
    monkeypatch.setenv("DRAWTHINGS_SECRET", "default")
    assert store.lookup("") == "default"


def test_an_unknown_secret_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(
        SecretRejected, match=r"DRAWTHINGS_SECRET_MY_BOX, or add it to secrets.json"
    ):
        SecretStore(tmp_path / "secrets.json").lookup("my box")


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_the_secrets_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    before = os.umask(0)
    try:
        SecretStore(path).save("home", "x")
        SecretStore(path).save("work", "y")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["not json", "[]", json.dumps(["a"])])
def test_a_damaged_secrets_file_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(SecretRejected, match=r"secrets\.json") as caught:
        SecretStore(path).lookup("home")
    assert content not in str(caught.value).replace("one JSON object", "")
