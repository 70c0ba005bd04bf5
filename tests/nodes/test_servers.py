"""The user's list of servers: who is the default, what is kept, what is told when it fails."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.connection import addresses
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.errors import Remedy, SecretRejected, SettingsError
from drawthings.dt_core.simulator import Simulator
from drawthings.nodes.host import compat
from drawthings.nodes.model import DTModelLoader
from drawthings.nodes.node_list import NODES
from drawthings.nodes.routes import catalogs
from drawthings.nodes.routes import servers as routes
from drawthings.nodes.routes.guard import UnknownServer
from drawthings.nodes.routes.permitted import profile_of
from drawthings.nodes.server import AS_ABOVE, DTServer
from drawthings.nodes.servers import kept, secret_homes, stored
from drawthings.nodes.servers.owner import here
from processes import together


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "__drawthings"


def test_a_chosen_default_wins_over_the_environment_and_that_over_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stored.default_profile() == ServerProfile("localhost:7859")
    monkeypatch.setenv("DRAWTHINGS_SERVER", "plain://box")
    assert stored.default_profile() == ServerProfile("box", TlsMode.PLAIN)
    stored.save("studio", "studio.local", "TLS")
    assert stored.default_profile() == ServerProfile("box", TlsMode.PLAIN)
    stored.make_default("studio")
    assert stored.default_profile() == ServerProfile("studio.local", TlsMode.TLS)
    stored.make_default("")
    assert stored.default_profile() == ServerProfile("box", TlsMode.PLAIN)


def test_a_new_default_changes_what_a_loader_without_a_server_gives() -> None:
    before = DTModelLoader.fingerprint_inputs()
    stored.save("studio", "studio.local", "automatic")
    stored.make_default("studio")
    assert DTModelLoader.fingerprint_inputs() != before
    choice = DTModelLoader.execute("m.ckpt").args[0]
    assert choice.server == ServerProfile("studio.local")


def test_a_node_names_a_stored_server_and_its_fields_then_do_not_count() -> None:
    stored.save("studio", "studio.local", "plain text", secret="s3cret")
    inputs = DTServer.define_schema().inputs
    offered = next(entry for entry in inputs if entry.id == "saved_server").options
    assert offered == [AS_ABOVE, "studio"]
    assert DTServer.validate_inputs("studio") is True
    profile = DTServer.execute("not an address", "TLS", saved_server="studio").args[0]
    assert profile == ServerProfile("studio.local", TlsMode.PLAIN, "studio")
    assert kept.secrets().lookup(profile.secret_name) == "s3cret"

    before = DTServer.fingerprint_inputs("studio")
    stored.save("studio", "attic.local", "plain text", was="studio")
    assert DTServer.fingerprint_inputs("studio") != before


def test_a_name_that_is_not_stored_is_one_clear_sentence() -> None:
    said = DTServer.validate_inputs("elsewhere")
    assert isinstance(said, str)
    assert "'elsewhere'" in said
    with pytest.raises(SettingsError, match="No server named 'elsewhere' is stored here"):
        stored.named("elsewhere")


def test_a_secret_of_the_environment_counts_for_the_server_of_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAWTHINGS_SECRET_MY_BOX", "from the environment")
    profile = stored.save("my box", "box", "automatic").stored[0].profile
    assert stored.secret_state(profile) == "environment"
    assert kept.secrets().lookup(profile.secret_name) == "from the environment"


def test_a_secret_is_removed_on_request_and_with_its_server(folder: Path) -> None:
    stored.save("studio", "studio.local", "automatic", secret="s3cret")
    kept = stored.save("studio", "studio.local", "automatic", was="studio").stored[0].profile
    assert stored.secret_state(kept) == "stored"
    bare = stored.save("studio", "studio.local", "automatic", was="studio", secret="")
    assert bare.stored[0].profile.secret_name == ""
    stored.save("studio", "studio.local", "automatic", was="studio", secret="again")
    assert stored.remove("studio") == stored.Servers()
    assert json.loads((folder / "secrets.json").read_text()) == {}


def test_a_workflow_cannot_send_the_secret_of_a_stored_server_elsewhere() -> None:
    stored.save("studio", "studio.local", "TLS", secret="s3cret")
    with pytest.raises(Exception, match="not sent to elsewhere:7859") as caught:
        DTServer.execute("elsewhere", "plain text", "studio")
    assert "s3cret" not in str(caught.value)
    profile = DTServer.execute("studio.local", "TLS", "studio").args[0]
    assert profile == ServerProfile("studio.local", TlsMode.TLS, "studio")
    assert DTServer.execute("elsewhere", "TLS", "a name of its own").args[0].host == "elsewhere"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="a name of 1 to 64 characters"):
        stored.save(name, "box", "automatic")
    assert stored.current().stored == ()


DAMAGED = [
    "{",
    '{"servers": [1]}',
    '{"servers": [{"name": "a"}]}',
    '{"servers": [{"name": "a", "address": "http://x"}]}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_list_stops_neither_the_start_nor_the_definitions_and_is_kept(
    folder: Path, content: str
) -> None:
    folder.mkdir(parents=True)
    (folder / "servers.json").write_text(content)
    here().lists.start()
    assert all(node.define_schema() for node in NODES)
    for use in (stored.current, lambda: stored.save("box", "box", "automatic")):
        with pytest.raises(SettingsError, match=r"servers\.json"):
            use()
    assert (folder / "servers.json").read_text() == content


def test_threads_that_save_at_once_lose_no_server() -> None:
    names = [f"server {number}" for number in range(12)]
    begin = threading.Barrier(len(names))

    def save(name: str) -> None:
        begin.wait()
        stored.save(name, "box", "automatic", secret=f"secret of {name}")

    threads = [threading.Thread(target=save, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored.names()) == sorted(names)
    assert kept.secrets().names() == tuple(sorted(names))


def test_a_server_that_waits_for_its_queue_is_busy_and_one_behind_a_wall_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogs, "STATUS_TIMEOUT_S", 0.5)
    monkeypatch.setattr(addresses, "CONNECT_TIMEOUT_S", 0.5)

    def state(address: str) -> Any:
        stored.remove("box")
        stored.save("box", address, "plain text")
        return catalogs.status({"server": {"saved": "box"}})

    with Simulator(echo_on_queue=True) as simulator, simulator._queue.turn():
        assert state(simulator.address)["code"] == "busy"
    with socket.socket() as wall:  # its backlog is full, so packets are dropped
        wall.bind(("127.0.0.1", 0))
        wall.listen(0)
        address = wall.getsockname()
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(address)
        try:
            answer = state(f"127.0.0.1:{address[1]}")
        finally:
            for caller in callers:
                caller.close()
    assert answer["code"] == "unreachable"
    assert "no answer" in answer["sentence"]


def test_two_processes_that_store_160_servers_lose_none_and_no_secret(tmp_path: Path) -> None:
    preparation = """
import pathlib
sys.path[0:0] = [arguments[1]]
from comfy.cli_args import args
args.cpu = True
from drawthings.nodes.host import compat
compat.folder_paths.get_user_directory = lambda: arguments[0]
from drawthings.nodes.servers import stored
"""
    work = """
for server in range(80):
    stored.save(f"box {number}-{server}", "box", "automatic", secret=f"of {number}-{server}")
    if server % 4 == 3:
        stored.remove(f"box {number}-{server}")
        stored.save(f"box {number}-{server}", "box", "automatic", secret="again")
"""
    comfyui = str(Path(compat.folder_paths.__file__).parent)
    together(2, preparation, work, [str(tmp_path), comfyui])
    servers = stored.current().stored
    assert len(servers) == 160
    assert {row.profile.secret_name for row in servers} == set(kept.secrets().names())


def secret_of(name: str) -> str | None:
    """What would go along to that stored server."""
    return secret_homes.secret_for(stored.named(name))


def secret_at(
    address: str, tls: str = "TLS", secret_name: str = "", fingerprint: str = ""
) -> str | None:
    """What would go along to a server that only a graph names."""
    return secret_homes.secret_for(ServerProfile(address, TlsMode(tls), secret_name, fingerprint))


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_secret_that_no_server_has_goes_to_servers_of_the_users_own_only(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv("DRAWTHINGS_SECRET_LAB", "hush")
    else:
        kept.secrets().save("lab", "hush")
    monkeypatch.setenv("DRAWTHINGS_SERVER", "box")
    stored.save("studio", "studio.local", "TLS")
    for address in ("studio.local", "STUDIO.local.:7859", "box", "localhost:99", "[::1]:99"):
        assert secret_at(address, secret_name="lAb") == "hush"
    for address in ("elsewhere", "studio.local:7860", "studio", "studio.local.evil", "127.1:99"):
        with pytest.raises(SettingsError) as caught:
            secret_at(address, secret_name="lab")
        assert str(caught.value) == (
            f"The secret 'lab' is not sent to {ServerProfile(address).address}, which is not in "
            "your list of servers. Store this server first, with the secret that it is to have."
        )
        assert caught.value.remedy is Remedy.STORE_SERVER_FIRST
        with pytest.raises(Exception, match="is not sent to"):
            DTServer.execute(address, "TLS", "LAB")


def test_the_secret_without_a_name_stays_here_where_it_may_not_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAWTHINGS_SECRET", "hush")
    monkeypatch.setenv("DRAWTHINGS_SERVER", "box")
    stored.save("studio", "studio.local", "TLS")
    assert secret_of("studio") == secret_at("box") == secret_at("localhost") == "hush"
    assert secret_at("elsewhere") is None
    assert DTServer.execute("elsewhere", "TLS").args[0].host == "elsewhere"


@pytest.mark.parametrize("name", ["studio", "Studio", "STUDIO", " sTudio "])
def test_the_secret_of_a_stored_server_is_its_own_by_every_spelling(name: str) -> None:
    stored.save("studio", "studio.local", "TLS", secret="hush")
    stored.save("attic", "attic.local", "TLS")
    assert secret_at("studio.local", secret_name=name) == "hush"
    for address in ("attic.local", "localhost:99", "elsewhere"):
        with pytest.raises(SettingsError, match=r"belongs to studio\.local:7859 and is not sent"):
            secret_at(address, secret_name=name)


def test_the_variable_of_a_stored_server_is_its_own_by_every_name_that_leads_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAWTHINGS_SECRET_MY_BOX", "hush")
    stored.save("my box", "box", "TLS")
    assert secret_of("my box") == "hush"
    for name in ("my-box", "MY_BOX", "my box"):
        with pytest.raises(SettingsError, match=r"belongs to box:7859"):
            secret_at("localhost:99", secret_name=name)


@pytest.mark.parametrize(
    ("tls", "fingerprint"),
    [("plain text", ""), ("automatic", ""), ("TLS", "ab" * 32), ("TLS, own authority", "")],
)
def test_a_graph_cannot_weaken_how_a_stored_server_is_known(tls: str, fingerprint: str) -> None:
    stored.save("studio", "studio.local", "TLS", secret="hush")
    profile = ServerProfile(
        "studio.local", TlsMode(tls), "studio", fingerprint, "its.pem" if "own" in tls else ""
    )
    with pytest.raises(SettingsError, match="other TLS settings than are stored"):
        secret_homes.secret_for(profile)
    assert secret_at("studio.local", "TLS, system certificates", "studio") == "hush"


@pytest.mark.parametrize(
    "change",
    [
        {"address": "attic.local"},
        {"address": "studio.local, attic.local"},
        {"address": "studio.local:1"},
        {"tls": "plain text"},
        {"tls": "automatic"},
        {"fingerprint": "ab" * 32},
        {"tls": "TLS, own authority", "ca_file": "its.pem"},
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_server_that_moved_or_lost_security_has_no_secret_until_it_is_given_again(
    monkeypatch: pytest.MonkeyPatch, folder: Path, change: dict[str, str], where: str
) -> None:
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    row = {"name": "studio", "address": "studio.local", "tls": "TLS"}
    if where == "environment":
        monkeypatch.setenv("DRAWTHINGS_SECRET_STUDIO", "hush")
        routes.save(row)
    else:
        routes.save({**row, "secret": "hush"})
    assert secret_of("studio") == "hush"
    answer = routes.save({**row, "was": "studio", **change})
    assert answer["secret_wanted"] == "studio"
    assert secret_of("studio") is None
    if where == "file":
        assert "hush" not in (folder / "secrets.json").read_text()
    again = routes.save({**row, **change, "was": "studio", "secret": "new"})
    assert "secret_wanted" not in again


@pytest.mark.parametrize(
    "change",
    [
        {"address": "STUDIO.local.:7859"},
        {"name": "atelier"},
        {"name": "STUDIO"},
        {"tls": "TLS, system certificates"},
    ],
)
def test_a_server_that_stayed_where_it_is_keeps_its_secret(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    row = {"name": "studio", "address": "studio.local", "tls": "TLS", "secret": "hush"}
    routes.save(row)
    answer = routes.save({**row, "was": "studio", "secret": None, **change})
    assert "secret_wanted" not in answer
    assert secret_of(change.get("name", "studio")) == "hush"
    assert len(kept.secrets().names()) == 1


def test_a_server_is_added_with_the_name_of_its_secret_and_then_it_is_the_one_of_the_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(here().lists, "refresh_in_background", lambda _profile: None)
    monkeypatch.setenv("DRAWTHINGS_SECRET_LAB", "hush")
    node = {"address": "Lab.local", "tls": "TLS", "secret_name": "Lab", "fingerprint": ""}
    with pytest.raises(UnknownServer):
        profile_of({"server": node})
    rows = routes.save({"name": "our lab", **node})["servers"]
    assert rows[-1]["secret_name"] == "Lab"
    assert rows[-1]["secret"] == "environment"
    for spelled in ("lab", "LAB", "Lab"):
        assert profile_of({"server": {**node, "secret_name": spelled}}) == stored.named("our lab")
    assert secret_at("lab.local", secret_name="lab") == "hush"


def test_a_secret_that_is_named_before_it_is_there_is_stored_under_that_name() -> None:
    stored.save("our lab", "lab.local", "TLS", secret_name="lab")
    with pytest.raises(SecretRejected, match="No shared secret named 'lab'"):
        secret_of("our lab")
    stored.save("our lab", "lab.local", "TLS", was="our lab", secret="hush")
    assert secret_at("lab.local", secret_name="lab") == "hush"
    stored.remove("our lab")
    assert kept.secrets().names() == ()


def test_no_server_is_stored_with_the_secret_of_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored.save("studio", "studio.local", "TLS", secret="hush")
    with pytest.raises(SettingsError, match="'STUDIO' is that of another stored server"):
        stored.save("evil", "elsewhere", "TLS", secret_name="STUDIO")
    with pytest.raises(SettingsError, match="There is a server named 'STUDIO' already"):
        stored.save("STUDIO", "elsewhere", "TLS")
    monkeypatch.setenv("DRAWTHINGS_SECRET_HOME", "shared")
    for name in ("one", "two"):
        stored.save(name, f"{name}.local", "TLS", secret_name="home")
        assert secret_of(name) == "shared"
    assert {row.name for row in stored.current().stored} == {"studio", "one", "two"}
