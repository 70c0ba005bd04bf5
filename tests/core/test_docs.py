"""What the pages say is true: blocks run, links lead somewhere, every message is listed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import PAGES, ROOT, Block, anchors, blocks, links
from drawthings.dt_core import json_codec
from drawthings.dt_core.simulator import Simulator, faults
from drawthings.tools import build_messages

DEFAULT = "localhost:7859"
OWN_TEST = {"docs/python.md", "docs/command.md"}  # run by a test of their own
NOT_RUN = {"docs/quickstart-linux.md": 1}
ALL = [block for page in PAGES for block in blocks(page)]
HERE = [block for block in ALL if block.page not in OWN_TEST]
KNOWN = {"python", "sh", "json"}
PICTURE_BYTES = 150_000


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def test_blocks_that_cannot_run_here_are_counted() -> None:
    counted: dict[str, int] = {}
    for block in ALL:
        if block.reason:
            counted[block.page] = counted.get(block.page, 0) + 1
    assert {page: n for page, n in counted.items() if page not in OWN_TEST} == NOT_RUN


def test_every_block_has_a_language_that_is_checked() -> None:
    assert {block.language for block in HERE} <= KNOWN
    assert len(HERE) > 10


@pytest.mark.parametrize("page", sorted(OWN_TEST))
def test_a_page_that_is_left_out_here_has_a_test_of_its_own(page: str) -> None:
    if (ROOT / page).exists():
        tests = (ROOT / "tests" / "core").glob("test_*.py")
        name = page.partition("/")[2]
        assert any(
            name in path.read_text(encoding="utf-8")
            for path in tests
            if path.name != Path(__file__).name
        )


@pytest.mark.parametrize(
    "block", [b for b in HERE if b.language == "json"], ids=lambda block: block.name
)
def test_json_is_a_configuration_of_the_app_or_faults_of_the_simulator(block: Block) -> None:
    keys: dict[str, Any] = json.loads(block.text)
    if "faults" in keys:
        faults.Script.from_json(block.text)  # raises at what it does not know
        return

    configuration = json_codec.from_json(block.text)

    assert json_codec.to_json(configuration).keys() >= keys.keys()
    assert configuration.unknown == {}


def test_python_runs(server: Simulator, tmp_path: Path) -> None:
    for block in HERE:
        if block.language == "python" and not block.reason:
            done = subprocess.run(
                [sys.executable, "-c", block.text.replace(DEFAULT, server.address)],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT), "DRAWTHINGS_SERVER": server.address},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{block.name}: {done.stderr}"


SHELL = [
    (block, command)
    for block in HERE
    if block.language == "sh" and not block.reason
    for command in block.commands()
]


@pytest.mark.parametrize(
    ("block", "command"), SHELL, ids=[f"{block.name}:{command[:40]}" for block, command in SHELL]
)
def test_a_command_does_what_it_says(
    block: Block, command: str, server: Simulator, tmp_path: Path
) -> None:
    words = shlex.split(command)
    match words:
        case ["drawthings", "simulator", *options]:
            known = drawthings(["simulator", "--help"], server, tmp_path).stdout
            assert all(f" {word}" in known for word in options if word.startswith("-"))
        case ["drawthings", *arguments]:
            done = drawthings(
                [word.replace(DEFAULT, server.address) for word in arguments], server, tmp_path
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout
        case ["make", target, *_]:
            assert re.search(rf"^{target}( [\w-]+)*:", read("Makefile"), re.MULTILINE)
        case ["pip", "install", "-r", file]:
            assert (ROOT / Path(file).name).is_file()
        case ["pip", "install", *names]:
            assert all(f'"{name}' in read("pyproject.toml") for name in names)
        case ["export", setting]:
            assert re.match(r"DRAWTHINGS_(SERVER|SECRET_[A-Z]+)=.", setting)
        case ["git", "clone", *_, "drawthings-nodes"] | ["cd", "ComfyUI/custom_nodes"]:
            pass
        case ["gRPCServerCLI", *options]:
            flags = read("docs/protocol.md")
            assert all(f"`{word}`" in flags for word in options if word.startswith("-"))
        case _:
            pytest.fail(f"{block.name}: nobody checks {command!r}")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def drawthings(
    arguments: list[str], server: Simulator, folder: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dt_core", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DRAWTHINGS_SERVER": server.address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
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


def test_the_messages_are_read_from_every_way_of_raising() -> None:
    page = read("docs/messages.md")
    for sentence in (
        "The generation was cancelled.",  # a plain text
        "The server at ‹address› does not speak TLS",  # an f-string
        "has a file ‹name› already",  # returned, raised elsewhere
        "No model is chosen: pick one in DT Model Loader.",  # a check before sending
    ):
        assert sentence in page


def test_only_known_places_take_over_the_sentence_of_another_error() -> None:
    assert set(build_messages.borrowed()) == {
        ("dt_core/preflight/__init__.py", "' '.join(errors)"),
        ("dt_core/preflight/crashes.py", "str(problem)"),
        ("dt_core/preflight/ignored.py", "sentence"),
        ("nodes/routes/exchange.py", "str(problem)"),
        ("nodes/routes/uploads.py", "sentence"),
        ("nodes/routes/uploads.py", "str(error)"),
    }


def test_nodes_are_called_by_their_names() -> None:
    titles = {
        page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for page in (ROOT / "web" / "docs").glob("*.md")
    }
    for page in PAGES:
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert set(re.findall(r"\*\*(DT [^*]+)\*\*", text)) <= titles, page.name
