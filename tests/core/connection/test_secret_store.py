"""Secrets are saved, replaced and forgotten, each by its own name."""

from __future__ import annotations

import json
import stat
import sys
import threading
from pathlib import Path

import pytest
from drawthings.dt_core.connection.secret_store import SecretStore
from drawthings.dt_core.errors import Remedy, SecretRejected


def test_a_secret_is_replaced_and_removed_and_the_others_stay(tmp_path: Path) -> None:
    store = SecretStore(tmp_path / "secrets.json")
    store.save("home", "one")
    store.save("work", "two")
    store.save("home", "three")
    assert store.lookup("home") == "three"
    store.remove("home")
    store.remove("home")  # there is none any more
    assert store.names() == ("work",)
    assert json.loads((tmp_path / "secrets.json").read_text()) == {"work": "two"}


def test_removing_from_no_file_makes_none(tmp_path: Path) -> None:
    SecretStore(tmp_path / "secrets.json").remove("home")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"home": "kept')
    with pytest.raises(SecretRejected):
        SecretStore(path).save("work", "two")
    assert path.read_text() == '{"home": "kept'


def test_the_variable_of_a_name_has_letters_that_every_shell_takes() -> None:
    store = SecretStore()
    assert store.variable("") == "DRAWTHINGS_SECRET"
    assert store.variable("my box.2") == "DRAWTHINGS_SECRET_MY_BOX_2"


def test_threads_that_save_at_once_lose_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    names = [f"server {number}" for number in range(16)]
    begin = threading.Barrier(len(names))

    def save(name: str) -> None:
        begin.wait()
        SecretStore(path).save(name, f"secret of {name}")

    threads = [threading.Thread(target=save, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SecretStore(path).names() == tuple(sorted(names))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        ".secrets.json.lock",
        "secrets.json",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_file_is_its_owners_alone_also_where_it_was_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    SecretStore(path).save("home", "one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert SecretStore(path).lookup("home") == "one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["HoMe", "home", "HOME", " home "])
def test_capitals_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    store = SecretStore(tmp_path / "secrets.json")
    store.save("Home", "one")
    assert store.lookup(name) == "one"
    assert store.source(name) == store.source("home") == "file:home"
    store.save(name, "two")
    assert len(store.names()) == 1
    assert store.lookup("Home") == "two"
    for variable in ("DRAWTHINGS_SECRET_HOME", "drawthings_secret_Home"):
        monkeypatch.setenv(variable, "three")
        assert store.lookup(name) == "three"
        assert store.source(name) == "DRAWTHINGS_SECRET_HOME"
        monkeypatch.delenv(variable)
    store.remove(name)
    assert store.source("home") is None
    assert store.names() == ()


def test_of_two_entries_that_differ_in_capitals_the_first_counts_for_both(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"HOME": "one", "home": "two", "other": 3}')
    store = SecretStore(path)
    assert {store.lookup(name) for name in ("HOME", "home", "Home")} == {"one"}
    store.save("home", "three")
    assert json.loads(path.read_text()) == {"other": 3, "home": "three"}


def test_a_secret_that_is_no_text_is_a_sentence_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"home": "hush\\ud800"}')
    with pytest.raises(SecretRejected, match=r"in secrets\.json is no text") as caught:
        SecretStore(path).lookup("home")
    assert "hush" not in str(caught.value)
    if sys.platform != "win32":
        monkeypatch.setenv("DRAWTHINGS_SECRET", "hush\udcff")
        with pytest.raises(SecretRejected, match="in DRAWTHINGS_SECRET is no text"):
            SecretStore(path).lookup("")


def test_a_secret_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SecretRejected) as caught:
        SecretStore(tmp_path / "secrets.json").lookup("my box")
    assert str(caught.value) == (
        "No shared secret named 'my box' is stored. Set the environment variable "
        "DRAWTHINGS_SECRET_MY_BOX, or add it to secrets.json."
    )
    assert caught.value.remedy is Remedy.STORE_SECRET
    with pytest.raises(SecretRejected, match=r"Set the environment variable \S+MY_BOX\.$"):
        SecretStore().lookup("my box")
