"""Whoever asks a server the same thing meanwhile waits for the same answer."""

from __future__ import annotations

import threading

import pytest
from drawthings.nodes.servers import owner
from drawthings.nodes.servers.questions import Questions


def test_one_question_is_asked_once_at_a_time_and_anew_afterwards() -> None:
    questions, go, asked = Questions(), threading.Event(), []

    def answer() -> int:
        asked.append(1)
        assert go.wait(20)
        return len(asked)

    first, second = questions.ask("how?", answer), questions.ask("how?", answer)
    other = questions.ask("who?", lambda: "nobody")
    assert other.result(20) == "nobody"  # no other is held up
    go.set()
    assert first is second
    assert first.result(20) == 1
    while (again := questions.ask("how?", answer)) is first:
        first.result(20)
    assert again.result(20) == 2


def test_an_error_is_for_all_who_asked() -> None:
    def fail() -> None:
        raise OSError("no")

    answer = Questions().ask("how?", fail)
    with pytest.raises(OSError, match="no"):
        answer.result(20)


def test_a_comfyui_that_starts_anew_holds_nothing_of_before() -> None:
    before = owner.here()
    assert owner.here() is before
    owner.restart()
    after = owner.here()
    for part in ("servers", "clients", "lists", "questions", "transfers"):
        assert getattr(after, part) is not getattr(before, part)
