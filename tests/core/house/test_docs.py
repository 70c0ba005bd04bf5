"""What the pages say is true: blocks run, links lead somewhere, every message is listed."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Answer, environment, process
from doc_blocks import PAGES, ROOT, Block, anchors, blocks, links
from drawthings import dt_core
from drawthings.dt_core import metadata
from drawthings.dt_core.api import remedies as api_remedies
from drawthings.dt_core.cli import remedies as cli_remedies
from drawthings.dt_core.connection import known_servers
from drawthings.dt_core.errors import Remedy
from drawthings.dt_core.metadata import Generation
from drawthings.dt_core.settings import app_json
from drawthings.dt_core.simulator import Catalog, Simulator, faults
from drawthings.dt_core.text import TEMPLATES
from drawthings.tools import build_messages
from PIL import Image
from scripted import Certificate, make_certificate

DEFAULT = "localhost:7859"
# Blocks that want what no test has; each says what.
NOT_RUN = {"docs/quickstart-linux.md": 1, "docs/python.md": 1, "docs/command.md": 1}
ALL = [block for page in PAGES for block in blocks(page)]
KNOWN = {"python", "sh", "json"}
APP_JSON = '{"model": "z_image_turbo_1.0_q6p.ckpt", "width": 256, "height": 192, "steps": 2}'
PICTURE_BYTES = 150_000


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make_certificate(ips=("127.0.0.1",))


@pytest.fixture
def server(certificate: Certificate) -> Iterator[Simulator]:
    pem, key = certificate.pem, certificate.key
    with Simulator(tls=True, certificate=pem, private_key=key) as running:
        yield running
    known_servers.KnownServers().forget(running.address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the pages speak of."""
    for name in ("room", "mask", "depth", "fox"):
        Image.new("RGB", (256, 192), "white").save(tmp_path / f"{name}.png")
    settings = app_json.from_json(APP_JSON)
    made = Generation(settings.replace(seed=7), prompt="a lighthouse")
    (tmp_path / "made.png").write_bytes(
        metadata.encode(np.zeros((64, 64, 3), np.uint8), None, made)
    )
    (tmp_path / "app.json").write_text(APP_JSON, encoding="utf-8")
    (tmp_path / "my_lora_f16.ckpt").write_bytes(b"weights")
    return tmp_path


def test_blocks_that_cannot_run_here_are_counted() -> None:
    counted: dict[str, int] = {}
    for block in ALL:
        if block.reason:
            counted[block.page] = counted.get(block.page, 0) + 1
    assert counted == NOT_RUN


def test_every_block_has_a_language_that_is_checked() -> None:
    assert {block.language for block in ALL} <= KNOWN
    assert len(ALL) >= 40


@pytest.mark.parametrize(
    "block", [b for b in ALL if b.language == "json"], ids=lambda block: block.name
)
def test_json_is_what_the_app_or_the_simulator_reads(block: Block, tmp_path: Path) -> None:
    keys: dict[str, Any] = json.loads(block.text)
    if "upscalers" in keys:
        (tmp_path / "models.json").write_text(block.text, encoding="utf-8")
        catalogue = Catalog.load(tmp_path / "models.json")
        assert [lacking for _, lacking in catalogue.incomplete()] == [["my_lora_f16.ckpt"]]
        return
    if "faults" in keys:
        faults.Script.from_json(block.text)  # raises at what it does not know
        return

    configuration = app_json.from_json(block.text)

    assert app_json.to_json(configuration).keys() >= keys.keys()
    assert configuration.unknown == {}


PYTHON = [block for block in ALL if block.language == "python" and not block.reason]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_python_runs(block: Block, server: Simulator, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text.replace(DEFAULT, server.address)],
        cwd=folder,
        env=environment(DRAWTHINGS_SERVER=server.address),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def shell(page: Path) -> list[str]:
    return [
        command
        for block in blocks(page)
        if block.language == "sh" and not block.reason
        for command in block.commands()
    ]


@pytest.mark.parametrize("page", [p for p in PAGES if shell(p)], ids=lambda page: page.name)
def test_commands_of_a_page_do_what_they_say_one_after_the_other(
    page: Path, server: Simulator, folder: Path
) -> None:
    for command in shell(page):
        match shlex.split(command):
            case ["drawthings", "simulator", *options]:
                known = drawthings(["simulator", "--help"], server, folder).out
                assert all(f" {word}" in known for word in options if word.startswith("-"))
            case ["drawthings", *arguments]:
                # Secrets and other servers are set by `export`, which is only looked at.
                words = [word.replace(DEFAULT, server.address) for word in arguments]
                done = drawthings(words, server, folder)
                assert done.status == 0, f"{command}: {done.err}"
                assert done.out, command
            case ["make", target, *_]:
                assert re.search(rf"^{target}( [\w-]+)*:", read("Makefile"), re.MULTILINE)
            case ["pip", "install", "-r", file]:
                assert (ROOT / Path(file).name).is_file()
            case ["pip", "install", *names]:
                parts = {part for name in names for part in name.rstrip("]").split("[")}
                assert all(part in read("pyproject.toml") for part in parts)
            case ["export", setting]:
                assert re.match(r"DRAWTHINGS_(SERVER|SECRET_[A-Z]+)=.", setting)
            case ["git", "clone", *_, "drawthings-nodes"] | ["cd", "ComfyUI/custom_nodes"]:
                pass
            case ["gRPCServerCLI", *options]:
                flags = read("docs/protocol.md")
                assert all(f"`{word}`" in flags for word in options if word.startswith("-"))
            case _:
                pytest.fail(f"{page.name}: nobody checks {command!r}")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def drawthings(arguments: list[str], server: Simulator, folder: Path) -> Answer:
    return process(
        *arguments, cwd=folder, DRAWTHINGS_SERVER=server.address, DRAWTHINGS_SECRET_STUDIO="hush"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target)
        ):
            dead.append(link)
    assert dead == []


def test_every_picture_is_shown_and_small() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    for picture in sorted((ROOT / "docs").rglob("*.jpg")):
        assert picture in shown, picture.name
        assert picture.stat().st_size <= PICTURE_BYTES


def test_every_page_has_its_place_in_the_site() -> None:
    chapters = re.findall(r'"([a-z-]+)"', read("docs/conf.py").partition("CHAPTERS")[2])
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {*chapters, "index"}


def test_every_message_that_can_be_raised_is_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.build_messages", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_messages_are_those_of_every_room() -> None:
    page = read("docs/messages.md")
    for sentence in (
        "The tensor is cut off: ‹arrived› of ‹size› bytes arrived.",
        "No model is chosen: choose one.",
        "Install fpzip",
        "Seed ‹given› is folded into 32 bits",
    ):
        assert sentence in page


def test_the_page_misses_no_template_that_a_module_of_the_library_makes() -> None:
    for module in pkgutil.walk_packages(dt_core.__path__, f"{dt_core.__name__}."):
        if not module.name.endswith(("__main__", "fpzip_worker")):  # programs of their own
            importlib.import_module(module.name)
    read_there = {key for room in build_messages.by_room().values() for key in room}

    assert {key for key in TEMPLATES.keys() - read_there if not key.startswith("label_")} == set()


def test_reasons_within_sentences_and_whole_ones_that_begin_small_are_on_the_page_too() -> None:
    page = read("docs/messages.md")
    for line in (
        "- … its end is missing …",
        "- … a multiple of ‹step› ‹unit›, ‹low› to ‹high› ‹unit› …",
        "- insecure means no TLS: leave out verify\\_ssl and ssl\\_cert\\_path.",
        "- ‹name› is neither a picture nor a tensor. ‹error›",
    ):
        assert f"{line}\n" in page


def test_each_remedy_stands_once_on_the_page_with_the_words_of_each_face() -> None:
    listed = build_messages.remedies()
    own = build_messages.faces()
    every = read("docs/messages.md").splitlines()

    assert listed.keys() == {remedy.name for remedy in Remedy}
    for remedy in Remedy:
        assert listed[remedy.name] == (remedy.value.key, remedy.value.english)
    for face, words in (("Python", api_remedies.WORDS), ("command", cli_remedies.WORDS)):
        told = {remedy.name: (word.key, word.english) for remedy, word in words.items()}
        assert own[face] == told
    at = every.index("- Choose TLS for this server.")
    assert every[at + 1 : at + 4] == [
        '  - ComfyUI: Choose "automatic" or "TLS" in DT Server.',
        "  - command: Choose --tls automatic, or --tls tls.",
        "  - Python: Leave out insecure=True.",
    ]
    assert sum("Leave out insecure=True." in line for line in every) == 1


def test_nodes_are_called_by_their_names() -> None:
    titles = {
        page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for page in (ROOT / "web" / "docs").glob("*.md")
    }
    for page in PAGES:
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert set(re.findall(r"\*\*(DT [^*]+)\*\*", text)) <= titles, page.name
