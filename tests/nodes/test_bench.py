"""The bench on small sizes: its server, its runs, its table. No time is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from drawthings.dt_core.wire import protobuf
from drawthings.tools.bench import compressed, memory, node, report, rows, scenes
from drawthings.tools.bench.instant import Answer, load_script, save_script
from drawthings.tools.bench.instant_process import InstantServer
from drawthings.tools.bench.peer import PYTHON_VARIABLE, PeerMissing, peer

WIDTH, HEIGHT = 128, 64


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "SIDE", WIDTH)


def test_a_script_survives_its_file(tmp_path: Path) -> None:
    answers = [Answer(b"first"), Answer(b"", 0.25)]
    save_script(tmp_path / "script", b"hello", answers)
    assert load_script(tmp_path / "script") == (b"hello", answers)


def test_the_instant_server_says_what_it_was_given_and_remembers_what_it_heard() -> None:
    answers = scenes.answers(WIDTH, HEIGHT, preview=scenes.latent_tensor(8))
    with InstantServer(scenes.echo_reply(), answers) as server:
        assert server.asked().generations == 0
        assert server.exchange(b"a request") == sum(len(answer.data) for answer in answers)
        assert server.request() == b"a request"
        asked = server.asked()
    assert (asked.echoes, asked.generations, asked.connections) == (0, 1, 1)
    assert asked.last_sent > 0


def test_answers_are_messages_of_a_server_in_pieces_of_its_size() -> None:
    messages = [
        protobuf.GENERATE_IMAGE.parse_reply(answer.data)
        for answer in scenes.answers(1024, 1024, preview=scenes.latent_tensor(8))
    ]
    pieces = [message.generatedImages[0] for message in messages if message.generatedImages]
    assert [len(piece) > scenes.CHUNK_BYTES for piece in pieces] == [False, False]
    assert sum(message.downloadSize for message in messages) == sum(map(len, pieces))
    assert sum(message.HasField("previewImage") for message in messages) == scenes.STEPS
    assert messages[-1].chunkState == protobuf.LAST_CHUNK


def test_the_node_gives_the_pictures_of_the_scene() -> None:
    scene = scenes.Scene(scenes.answers(WIDTH, HEIGHT, 2), inputs={"batch_size": 2})
    with node.running(scene) as run:
        assert run.seconds() > 0
        image = run.output.args[0]
    for index, picture in enumerate(image):
        sent = torch.from_numpy(scenes.picture(WIDTH, HEIGHT, index))
        assert (picture - sent).abs().max() < 0.001
    assert tuple(image.shape) == (2, HEIGHT, WIDTH, 3)


def test_a_bare_exchange_moves_the_bytes_of_the_run() -> None:
    scene = scenes.Scene(scenes.answers(WIDTH, HEIGHT))
    with node.running(scene) as run:
        request = run.server.request()
        assert run.server.exchange(request) == sum(len(answer.data) for answer in scene.answers)
    assert protobuf.GENERATE_IMAGE.parse_request(request).prompt == node.WIDGETS["positive"]


@pytest.mark.parametrize("make", [scenes.text, scenes.previews, scenes.inpainting])
def test_every_scene_runs(small: None, make: object) -> None:
    with node.running(make()) as run:  # type: ignore[operator]
        assert run.output.args[0].shape[0] == 1


def test_references_are_sent_once_each() -> None:
    scene = scenes.references(WIDTH)
    with node.running(scene) as run:
        message = protobuf.GENERATE_IMAGE.parse_request(run.server.request())
    assert len(message.contents) == len(set(message.contents)) == 3


def test_a_film_has_its_frames() -> None:
    with node.running(scenes.film(5, WIDTH, HEIGHT)) as run:
        assert tuple(run.output.args[0].shape) == (5, HEIGHT, WIDTH, 3)


def test_the_heartbeat_beats_while_pictures_are_decompressed(small: None) -> None:
    answers = scenes.answers(WIDTH, HEIGHT, 4, codec="fpzip")
    scene = scenes.Scene(answers, inputs={"batch_size": 4})
    with node.running(scene) as run:
        assert run.heartbeat() >= 0
        assert run.output.args[0].shape[0] == 4
    assert compressed.PICTURES == 4


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="peak memory is read from /proc")
def test_a_peak_holds_at_least_the_result() -> None:
    used = memory.used("text", 512)
    assert used.result == 512 * 512 * 3 * 4
    assert used.peak >= used.result
    assert used.blobs == 0


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def contender(name: str, seconds: float) -> rows.Timed:
        def run() -> float:
            order.append(name)
            return seconds

        return run

    times = rows.race(3, contender("a", 1.0), contender("b", 2.0))
    assert times == [[1.0] * 3, [2.0] * 3]
    assert "".join(order) in {"baabbaab", "abbaabba"}
    assert rows.ratios(*times) == [0.5] * 3


def test_what_a_part_found_survives_its_file(tmp_path: Path) -> None:
    found: list[rows.Found] = [
        rows.row("Part", "Name", "floor", [1.0, 2.0, 9.0], "×", goal=2),
        rows.Missing("Part", "Other", "why"),
        rows.Rival("Operation", 0.001, 0.01),
        rows.Growth("frames", (1.0, 2.0), (0.1, 0.2), ()),
    ]
    rows.write(tmp_path / "found", found)
    assert rows.read(tmp_path / "found") == found


def test_the_page_judges_each_goal_and_names_what_is_missing() -> None:
    found: list[rows.Found] = [
        rows.row("Steps", "Fast", "a copy", [1.0, 2.0, 3.0], "×", goal=2, beside="2 ms"),
        rows.row("Steps", "Slow", "a copy", [3.0], "×", goal=2),
        rows.row("Growth", "Time", "a line", [0.999], "R²", goal=0.98, better="at least"),
        rows.Missing("drawthings-py", "Operations", "it is not installed"),
        rows.Rival("Mask", 0.001, 0.0105),
    ]
    page = report.report(found, {"Memory": "1 GiB"}, "growth.png")
    assert "**2 of 3 goals are met**" in page
    assert "| Fast | a copy | at most 2 × | 2 × | 1.50 – 2.50 | met | 2 ms |" in page
    assert "| Slow | a copy | at most 2 × | 3 × |  | **not met** |  |" in page
    assert "](growth.png)" in page
    assert "| Mask | 1 ms | 10.5 ms | 10.5 × |" in page
    assert "Operations: not compared, it is not installed." in page


def test_without_the_peer_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "drawthings-py could not be installed")
    with pytest.raises(PeerMissing, match="could not be installed"), peer({}, 8):
        pass


def test_a_program_that_is_no_peer_is_told_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)  # without drawthings-py
    with pytest.raises(PeerMissing, match="ended"), peer({}, 8):
        pass
