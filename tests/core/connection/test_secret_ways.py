"""Command and library send the secret that they were given, to whom they were told, unread."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from drawthings.dt_core import DrawThingsClient
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.connection.secret_store import SecretStore
from drawthings.dt_core.errors import DrawThingsError, TrustError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.request.resolved import GenerationRequest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from recording import Recorder, known_names, recording
from scripts import MODEL, config

SECRET = "hush-hush-hush"
SOURCES = ("variable", "named variable", "file")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Recorder]]:
    """Two other machines, without TLS."""
    known_names(monkeypatch, {name: ["127.0.0.1"] for name in ("box", "other")})
    with Simulator() as simulator, recording(simulator.address, "box", "other") as recorders:
        yield recorders


@pytest.fixture(params=SOURCES)
def name(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """The name of the secret, which comes from each of the places."""
    monkeypatch.setenv("DRAWTHINGS_HOME", str(tmp_path))
    if request.param == "variable":
        monkeypatch.setenv("DRAWTHINGS_SECRET", SECRET)
        yield ""
        return
    if request.param == "named variable":
        monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", SECRET)
    else:
        SecretStore(tmp_path / "secrets.json").save("home", SECRET)
    yield "HoMe"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def heard(places: dict[str, Recorder]) -> set[str]:
    return {place for place, it in places.items() if SECRET.encode() in it.heard}


COMMANDS = (
    ("ping",),
    ("models",),
    ("files", MODEL),
    ("upload", __file__, "--name", "a_lora_f16.ckpt"),
    ("generate", "a lighthouse", "--model", MODEL, "--set", "steps=1", "--dry-run"),
)


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("tls", ["automatic", "plain"])
def test_the_command_tells_it_readably_by_choice_only_and_to_nobody_else(
    places: dict[str, Recorder], command: Command, name: str, words: tuple[str, ...], tls: str
) -> None:
    address = f"box:{places['box'].port}"
    named = ("--secret-name", name) if name else ()
    answer = command(*words, "--server", address, "--tls", tls, *named)
    assert heard(places) == ({"box"} if tls == "plain" else set())
    if tls == "automatic":
        assert "would travel readable" in answer.err
        assert SECRET not in answer.err + answer.out


def test_a_scheme_of_the_address_is_a_choice_by_name_too(
    places: dict[str, Recorder], command: Command, name: str
) -> None:
    named = ("--secret-name", name) if name else ()
    command("ping", "--server", f"plain://box:{places['box'].port}", *named)
    assert heard(places) == {"box"}


def _by_generation(client: Client) -> Any:
    settings = Configuration(model=MODEL, start_width=64, start_height=64, steps=1)
    return list(client.generate(GenerationRequest(settings, prompt="x")))


def _by_upload(client: Client) -> Any:
    return client.upload(Path(__file__), "a_lora_f16.ckpt").run()


CALLS: tuple[Callable[[Client], Any], ...] = (
    lambda client: client.echo(),
    lambda client: client.files_exist([MODEL]),
    lambda client: client.thresholds(),
    _by_generation,
    _by_upload,
)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("mode", [TlsMode.AUTOMATIC, TlsMode.PLAIN])
def test_no_call_of_the_library_tells_it_readably_unless_that_was_chosen(
    places: dict[str, Recorder], call: Callable[[Client], Any], mode: TlsMode
) -> None:
    profile = ServerProfile(f"box:{places['box'].port}", mode)
    client = Client(profile, secret=SECRET)
    if mode is TlsMode.AUTOMATIC:
        with pytest.raises(TrustError, match="would travel readable"):
            call(client)
        assert heard(places) == set()
    else:
        call(client)
        assert heard(places) <= {"box"}


def test_a_script_sends_what_it_was_given(
    places: dict[str, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"box:{places['box'].port}"
    with pytest.raises(DrawThingsError):  # TLS is asked for, and there is none
        DrawThingsClient(address, shared_secret=SECRET).generate_image("x", config())
    assert heard(places) == set()
    DrawThingsClient(address, insecure=True, shared_secret=SECRET).generate_image("x", config())
    assert heard(places) == {"box"}


@pytest.mark.parametrize("options", [(), ("--secret-name", "home"), ("--tls", "plain")])
def test_a_server_that_was_only_heard_is_not_told_a_secret_that_nobody_named(
    places: dict[str, Recorder],
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    from drawthings.dt_core.cli import ping
    from drawthings.dt_core.connection.discovery import FoundServer

    heard_of = FoundServer("evil", "other", places["other"].port, "other", tls=False)
    monkeypatch.setattr(ping, "discover", lambda _seconds: (heard_of,))
    monkeypatch.setenv("DRAWTHINGS_SECRET", SECRET)
    monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", SECRET)
    [told] = json.loads(command("ping", "--discover", "--json", *options).out)
    assert told["works"] is ("--secret-name" not in options)
    assert heard(places) == set()
    assert places["other"].heard or "--secret-name" in options
