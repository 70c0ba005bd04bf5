"""What happened is said in neutral words, and what to do in those of nodes, command and Python."""

from __future__ import annotations

import ast
import copy
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from drawthings.dt_core import errors
from drawthings.dt_core.api import remedies as in_python
from drawthings.dt_core.cli import remedies as on_the_command_line
from drawthings.dt_core.connection.profile import ServerProfile, TlsMode
from drawthings.dt_core.connection.secret_store import SecretStore
from drawthings.dt_core.errors import DrawThingsError, Remedy, SettingsError
from drawthings.dt_core.files import JsonFile
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.pictures import masks
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.text import Template, verbatim
from drawthings.nodes.host import remedies as in_nodes
from drawthings.tools import build_messages

ROOT = Path(__file__).resolve().parents[3]
FACES = {
    "neutral": {},
    "Python": in_python.WORDS,
    "command": on_the_command_line.WORDS,
    "nodes": in_nodes.WORDS,
}
TABLES = {
    "dt_core/errors.py",
    *(f"{place}/remedies.py" for place in ("dt_core/api", "dt_core/cli")),
}
TABLES |= {"nodes/host/remedies.py", "dt_core/simulator/__main__.py"}
# They take a remedy from elsewhere, where it is known what they say.
HANDED_ON = {
    "dt_core/connection/failures.py",
    "dt_core/errors.py",
    "dt_core/files.py",
    "dt_core/generation/reading.py",
    "nodes/servers/stored.py",
}
SPOKEN_BY_FACES = ("dt_core/api", "dt_core/cli", "dt_core/simulator", "nodes")


@cache
def sources() -> dict[str, ast.Module]:
    paths = [path for folder in ("dt_core", "nodes") for path in (ROOT / folder).rglob("*.py")]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }


def remedies_in(node: ast.AST) -> set[Remedy]:
    return {
        Remedy[part.attr]
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.value, ast.Name)
        and part.value.id == "Remedy"
    }


def uses() -> Iterator[tuple[str, set[Remedy], set[str]]]:
    """Where an error is given a remedy: the place, those that it may be, and its values."""
    for path, tree in sources().items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = {word.arg: word.value for word in call.keywords if word.arg}
            if "remedy" not in given:
                continue
            values = set(given) - {"remedy"}
            for said in call.args[:1]:
                if isinstance(said, ast.Call):
                    values |= {word.arg for word in said.keywords if word.arg}
                    values |= {"address", "presented"} if called(said) == "_other_than" else set()
            yield f"{path}:{call.lineno}", remedies_in(given["remedy"]), values


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def asked_for(remedy: Remedy) -> set[str]:
    """What the words of any face want to know."""
    templates = [words[remedy] for words in FACES.values() if remedy in words]
    return {hole for template in [remedy.value, *templates] for hole in template.holes}


def test_every_error_with_a_remedy_has_the_values_that_each_face_asks_for() -> None:
    found = list(uses())
    assert len(found) >= 50
    for place, remedies, values in found:
        for remedy in remedies:
            assert asked_for(remedy) <= values, f"{place}: {remedy}"
    handed_on = {place.partition(":")[0] for place, remedies, _ in found if not remedies}
    assert handed_on <= HANDED_ON


def test_every_remedy_is_given_somewhere() -> None:
    given: set[Remedy] = set()
    for path, tree in sources().items():
        given |= set() if path in TABLES else remedies_in(tree)

    assert given == set(Remedy)


@pytest.mark.parametrize("face", FACES)
def test_a_table_of_words_holds_a_template_for_some_of_the_remedies(face: str) -> None:
    for remedy, words in FACES[face].items():
        assert isinstance(remedy, Remedy)
        assert isinstance(words, Template)
        assert words.english != remedy.value.english, "the neutral words are there anyway"


def changed(server: Simulator, _folder: Path) -> None:
    Client(ServerProfile(server.address, fingerprint="ab" * 32)).echo()


def plain(server: Simulator, _folder: Path) -> None:
    Client(ServerProfile(server.address, TlsMode.PLAIN)).echo()


def foreign(server: Simulator, _folder: Path) -> None:
    Client(ServerProfile(server.address, TlsMode.SYSTEM)).echo()


def nobody(_server: Simulator, _folder: Path) -> None:
    Client(ServerProfile("127.0.0.1:9")).echo()


def no_secret(_server: Simulator, folder: Path) -> None:
    SecretStore(folder / "secrets.json").lookup("studio")


def no_place_for_secrets(_server: Simulator, _folder: Path) -> None:
    SecretStore().lookup("studio")


def damaged_file(_server: Simulator, folder: Path) -> None:
    (folder / "list.json").write_text("[", encoding="utf-8")
    JsonFile(folder / "list.json", verbatim("The list"), SettingsError).read()


def folder_for_a_file(_server: Simulator, folder: Path) -> None:
    (folder / "there").write_text("", encoding="utf-8")
    with JsonFile(folder / "there" / "list.json", verbatim("The list"), SettingsError).changing():
        pass


def empty_mask(_server: Simulator, _folder: Path) -> None:
    masks.combined(None, None, None)


FAILURES: tuple[tuple[Callable[[Simulator, Path], None], set[Remedy]], ...] = (
    (changed, {Remedy.PIN_CERTIFICATE}),
    (plain, {Remedy.SEE_THAT_IT_RUNS}),
    (foreign, {Remedy.CHOOSE_TLS}),
    (nobody, {Remedy.START_SERVER}),
    (no_secret, {Remedy.STORE_SECRET}),
    (no_place_for_secrets, {Remedy.SET_VARIABLE}),
    (damaged_file, {Remedy.MEND_FILE}),
    (folder_for_a_file, {Remedy.MAKE_WRITABLE, Remedy.MEND_FILE}),
    (empty_mask, {Remedy.GIVE_AREA}),
)


@pytest.mark.parametrize(
    ("fail", "remedies"), FAILURES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_real_failure_is_told_in_the_words_of_each_face(
    fail: Callable[[Simulator, Path], None], remedies: set[Remedy], tmp_path: Path
) -> None:
    with Simulator(tls=True) as server, pytest.raises(DrawThingsError) as caught:
        fail(server, tmp_path)
    error = caught.value

    assert error.remedy in remedies
    assert str(error) == str(error.told())
    for words in FACES.values():
        told = str(error.told(words))
        what_to_do = words.get(error.remedy, error.remedy.value).english
        begin, end = re.split(r"\{\w+\}", what_to_do)[0], re.split(r"\{\w+\}", what_to_do)[-1]
        assert told.startswith(f"{error.text} {begin}")
        assert told.endswith(end)
        assert "{" not in told


def test_an_error_that_is_copied_or_comes_from_another_process_says_the_same() -> None:
    error = errors.TensorError(verbatim("Damaged."), remedy=Remedy.GENERATE_AGAIN)

    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(other) == str(error) == "Damaged. Generate again."


def library() -> Iterator[tuple[str, str]]:
    """Keys and English of what the library says by itself."""
    for room, templates in build_messages.by_room().items():
        if not room.startswith(SPOKEN_BY_FACES):
            yield from templates.items()


def test_the_library_names_no_node_no_place_of_the_page_and_nothing_of_python() -> None:
    said = dict(library())
    assert len(said) >= 400
    faces = re.compile(
        r"\bDT [A-Z]|\bnodes?\b|sidebar|widget|[Cc]onnect (an|one|the)\b|\w=|drawthings [a-z]"
    )
    assert {key for key, english in said.items() if faces.search(english)} == set()


def test_the_flags_that_the_library_names_are_those_of_the_server() -> None:
    theirs = set(re.findall(r"`(--[\w-]+)", (ROOT / "docs" / "protocol.md").read_text("utf-8")))
    named = {
        flag for _, english in library() for flag in re.findall(r"(?<!-)--[a-z][\w-]+", english)
    }

    assert named <= theirs


def test_a_key_is_that_of_one_template_in_the_whole_pack() -> None:
    keys = Counter(key for path in sources() for key, _ in build_messages.templates(ROOT / path))
    assert {key for key, times in keys.items() if times > 1} == set()


def words_in(node: ast.expr) -> Iterator[str]:
    """English that the code itself puts into an expression."""
    match node:
        case ast.Constant(value=str(words)):
            yield words
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from words_in(part)
        case ast.IfExp(body=body, orelse=orelse):
            yield from words_in(body)
            yield from words_in(orelse)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from words_in(part)


def test_english_fills_no_hole_for_it_would_be_english_in_every_language() -> None:
    found = [
        f"{path}:{call.lineno}: {words}"
        for path, tree in sources().items()
        if not path.startswith(SPOKEN_BY_FACES[:3])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and re.fullmatch(r"_?[A-Z][A-Z0-9_]+", called(call))
        for word in call.keywords
        for words in words_in(word.value)
        if re.search(r"[A-Za-z]{2} [A-Za-z]", words)
    ]
    assert found == []


def test_no_code_asks_what_words_a_sentence_of_ours_has() -> None:
    found = []
    for path, tree in sources().items():
        for node in ast.walk(tree):
            match node:
                case ast.Compare(left=ast.Constant(value=str()), ops=[ast.In() | ast.NotIn()]):
                    asked = node.comparators[0]
                case ast.Call(func=ast.Attribute(attr="startswith" | "endswith", value=asked)):
                    pass
                case _:
                    continue
            match asked:
                case (
                    ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error")])
                    | ast.Call(func=ast.Attribute(attr="told"))
                    | ast.Attribute(
                        attr="text" | "sentence", value=ast.Name(id="error" | "finding")
                    )
                ):
                    found.append(f"{path}:{node.lineno}")
    assert found == []
