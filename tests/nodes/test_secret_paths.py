"""Which addresses hear which secret: every way out of ComfyUI, every place a secret comes from.

The addresses write down every byte that reaches them (real sockets, plain text by choice).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.connection.profile import ADDRESS_VARIABLE, ServerProfile, TlsMode
from drawthings.dt_core.errors import DrawThingsError
from drawthings.dt_core.generation.spread import spread
from drawthings.dt_core.request.parts import ModelChoice
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.options import DTAppOptions
from drawthings.nodes.routes import catalogs, uploads
from drawthings.nodes.routes import servers as routes
from drawthings.nodes.routes.guard import Refused
from drawthings.nodes.running.reporting import Problem
from drawthings.nodes.sampler import DTSampler
from drawthings.nodes.server import DTServer
from drawthings.nodes.servers import stored
from drawthings.nodes.servers.owner import here
from recording import Recorder, known_names, recording

MODEL = "z_image_turbo_1.0_q6p.ckpt"
PLAIN = TlsMode.PLAIN.value
STUDIO, ATTIC, BOX, HERE, STRANGER = "studio.local", "attic.local", "box.local", "localhost", "evil"
# By name as a graph has it: the secret, and where it may go.
SECRETS = {
    "": "hush-of-no-name",
    "LAB": "hush-of-a-variable",
    "hand": "hush-written-by-hand",
    "studio": "hush-of-a-stored-server",
}
OF_THE_USER = {STUDIO, ATTIC, BOX, HERE}
MAY_HEAR = {"": OF_THE_USER, "LAB": OF_THE_USER, "hand": OF_THE_USER, "studio": {STUDIO}}
# Of the secrets that a stored server or the default has without being asked.
OWN = {STUDIO: "studio", ATTIC: "", BOX: "", HERE: ""}


class Sampling(DTSampler):
    class hidden:  # noqa: N801
        unique_id = "7"


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Recorder]]:
    """A stored server with a secret, one without, the default, this machine, and a stranger."""
    names = (STUDIO, ATTIC, BOX, HERE, STRANGER)
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    known_names(monkeypatch, {name: ["127.0.0.1", "127.0.0.2"] for name in names})
    with Simulator() as simulator, recording(simulator.address, *names) as recorders:
        monkeypatch.setenv(ADDRESS_VARIABLE, f"plain://{BOX}:{recorders[BOX].port}")
        monkeypatch.setenv("DRAWTHINGS_SECRET", SECRETS[""])
        monkeypatch.setenv("DRAWTHINGS_SECRET_LAB", SECRETS["LAB"])
        for name, secret in (("studio", SECRETS["studio"]), ("attic", None)):
            host = f"{name}.local"
            stored.save(name, f"{host}:{recorders[host].port}", PLAIN, secret=secret)
        kept_by_hand(tmp_path)
        yield recorders


def kept_by_hand(user: Path) -> None:
    from drawthings.nodes.servers import kept

    kept.secrets().save("hand", SECRETS["hand"])
    assert (user / "__drawthings" / "secrets.json").exists()


def sample(profile: ServerProfile, rounds: int = 1) -> None:
    widgets = {"seed": 1, "steps": 1, "guidance": 1.0, "sampler": "UniPC Trailing", "shift": 0.0}
    sizes = {"width": 64, "height": 64, "strength": 1.0, "batch_size": 1}
    options = DTAppOptions.execute(batch_count=rounds).args[0]
    given = {**widgets, **sizes, "options": options, "positive": "x"}
    asyncio.run(Sampling.execute(model=ModelChoice(profile, MODEL), **given))


def ref(address: str, name: str) -> dict[str, Any]:
    return {"address": address, "tls": PLAIN, "secret_name": name, "fingerprint": ""}


def by_graph(address: str, name: str) -> None:
    sample(DTServer.execute(address, PLAIN, name).args[0])


def by_value(address: str, name: str) -> None:
    """A value that a cache of ComfyUI kept from before the list changed."""
    sample(ServerProfile(address, TlsMode.PLAIN, name))


def by_status(address: str, name: str) -> None:
    catalogs.status({"server": ref(address, name)})


def by_files(address: str, name: str) -> None:
    uploads.exist({"server": ref(address, name), "files": [MODEL]})


def by_catalog(address: str, name: str) -> None:
    catalogs.catalog({"server": ref(address, name), "refresh": True})


def by_refresh(address: str, name: str) -> None:
    here().lists.refresh(ServerProfile(address, TlsMode.PLAIN, name))
    catalogs.refresh({})


def by_spread(address: str, name: str) -> None:
    spread([here().clients.client(ServerProfile(address, TlsMode.PLAIN, name)).sync])


def by_upload(address: str, name: str, file: Path) -> None:
    profile = ServerProfile(address, TlsMode.PLAIN, name)
    here().clients.client(profile).sync.upload(file, overwrite=True).run()


WAYS = (by_graph, by_value, by_status, by_files, by_catalog, by_refresh, by_spread)
# Those that reach a server which is there, so that silence is no success.
REACHES = {by_graph, by_value, by_refresh, by_spread}


def heard(places: dict[str, Recorder], name: str) -> set[str]:
    return {place for place, it in places.items() if SECRETS[name].encode() in it.heard}


def try_all(way: Callable[[str, str], None], places: dict[str, Recorder], name: str) -> None:
    for place, recorder in places.items():
        with suppress(Problem, DrawThingsError, Refused):
            way(f"{place}:{recorder.port}", name)


@pytest.mark.parametrize(("way", "name"), list(itertools.product(WAYS, SECRETS)))
def test_a_secret_is_heard_where_it_may_be_and_nowhere_else(
    places: dict[str, Recorder], way: Callable[[str, str], None], name: str
) -> None:
    try_all(way, places, name)
    assert heard(places, name) <= MAY_HEAR[name]
    if way in REACHES:
        assert heard(places, name) == MAY_HEAR[name]
    for other in SECRETS:
        assert heard(places, other) <= MAY_HEAR[other]


@pytest.mark.parametrize("name", SECRETS)
def test_an_upload_takes_no_secret_elsewhere(
    places: dict[str, Recorder], tmp_path: Path, name: str
) -> None:
    file = tmp_path / "new_lora_f16.ckpt"
    file.write_bytes(b"weights")
    try_all(lambda address, secret: by_upload(address, secret, file), places, name)
    assert heard(places, name) == MAY_HEAR[name]


@pytest.mark.parametrize("name", SECRETS)
def test_a_fleet_with_a_stranger_in_it_is_not_told_a_named_secret(
    places: dict[str, Recorder], name: str
) -> None:
    at = {place: f"{place}:{recorder.port}" for place, recorder in places.items()}
    both = f"{at[STUDIO]}, {at[STRANGER]}"
    with suppress(Problem):
        sample(DTServer.execute(both, PLAIN, name).args[0], rounds=4)
    with suppress(Problem):
        sample(ServerProfile(both, TlsMode.PLAIN, name), rounds=4)
    assert heard(places, name) <= MAY_HEAR[name]


@pytest.mark.parametrize("spelled", ["studio", "STUDIO", "StuDio", " studio "])
def test_no_spelling_of_a_name_or_of_an_address_lets_a_secret_out(
    places: dict[str, Recorder], spelled: str
) -> None:
    port = places[STRANGER].port
    for address in (f"EVIL:{port}", f"evil.:{port}", f"{STUDIO}:{port}", f"localhost:{port}"):
        for way in WAYS:
            with suppress(Problem, DrawThingsError, Refused):
                way(address, spelled)
    assert heard(places, "studio") == set()
    by_graph(f"Studio.LOCAL.:{places[STUDIO].port}", spelled)
    assert heard(places, "studio") == {STUDIO}


def test_what_a_server_has_of_its_own_goes_to_it_alone(places: dict[str, Recorder]) -> None:
    for row in stored.current().stored:
        sample(row.profile)
        catalogs.status({"server": {"saved": row.name}})
        here().lists.refresh(row.profile)
    catalogs.status({"server": None})
    catalogs.refresh({})
    for place, name in OWN.items():
        for other in SECRETS:
            if other != name:
                assert place not in heard(places, other)
    assert heard(places, "studio") == {STUDIO}
    assert heard(places, "") == {ATTIC, BOX}


@pytest.mark.parametrize("again", ["", "hush again"])
def test_a_server_that_moves_is_not_told_its_old_secret_by_the_refresh(
    places: dict[str, Recorder], monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    monkeypatch.setattr(here().lists, "refresh_in_background", here().lists.refresh)
    row = {"name": "studio", "was": "studio", "tls": PLAIN}
    moved = f"{STRANGER}:{places[STRANGER].port}"
    answer = routes.save({**row, "address": moved})
    assert answer["secret_wanted"] == "studio"
    routes.save({**row, "address": moved, **({"secret": again} if again else {})})
    assert places[STRANGER].heard, "it was asked"
    assert heard(places, "studio") == set()
    assert (b"hush again" in places[STRANGER].heard) == bool(again)


def test_what_announces_itself_is_not_connected_to(
    places: dict[str, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    from drawthings.dt_core.connection import discovery
    from drawthings.dt_core.connection.discovery import FoundServer
    from drawthings.nodes.routes import discovered

    announced = FoundServer("evil", STRANGER, places[STRANGER].port, "127.0.0.1", tls=False)
    monkeypatch.setattr(discovery, "discover", lambda _seconds: (announced,))
    [row] = discovered.found({"seconds": 0.1})["found"]
    assert row["tls"] == "automatic"
    assert places[STRANGER].heard == b""
