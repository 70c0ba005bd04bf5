"""Events from threads to whoever takes them: by looking, by waiting, or when called."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from drawthings.dt_core.errors import GenerationFailed
from drawthings.dt_core.generation import event_queue
from drawthings.dt_core.generation.event_queue import AsyncEvents, EventQueue
from drawthings.dt_core.text import verbatim


class Counting(EventQueue[int]):
    """Numbers, and how often it was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


def test_looking_gives_what_came_since_and_nothing_once_all_is_taken() -> None:
    events = Counting()
    assert events.poll() == []
    events.put(1)
    events.put(2)
    assert events.poll() == [1, 2]
    events.put(3)
    events.end()
    assert events.poll() == [3]
    assert events.poll() is None
    assert events.poll() is None
    assert list(events) == []


def test_an_error_comes_after_the_events_before_it_and_once() -> None:
    for take in (EventQueue.poll, list):
        events = Counting()
        events.put(1)
        events.end(GenerationFailed(verbatim("no")))
        if take is list:
            seen: list[Any] = []
            with pytest.raises(GenerationFailed):
                seen.extend(events)
        else:
            assert events.poll() == [1]
            with pytest.raises(GenerationFailed):
                events.poll()
        assert events.poll() is None


def test_whoever_asks_to_be_called_is_told_of_what_came_before_too() -> None:
    events, calls = Counting(), []
    events.put(1)
    events.on_event(lambda: calls.append(events.poll()))
    events.put(2)
    events.end()
    assert calls == [[1], [2], None]


def test_waiting_ends_when_another_thread_says_something() -> None:
    events = Counting()

    def say() -> None:
        for number in range(100):
            events.put(number)
        events.end()

    threading.Thread(target=say).start()
    assert list(events) == list(range(100))


def test_what_may_be_left_out_is_while_too_much_of_it_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_queue, "OPTIONAL_BYTES", 10)
    events = Counting()
    for number in range(5):
        events.put(number, 8)
    events.put(99)
    assert events.poll() == [0, 1, 99]
    events.put(7, 8)
    assert events.poll() == [7]


def test_an_asyncio_loop_takes_them_and_leaving_early_stops_the_source() -> None:
    async def follow(events: Counting, until: int) -> list[int]:
        seen: list[int] = []
        stream = aiter(AsyncEvents(events))
        async for event in stream:
            seen.append(event)
            if event == until:
                break
        await stream.aclose()
        return seen

    whole, left = Counting(), Counting()
    for events in (whole, left):
        for number in range(3):
            events.put(number)
        events.end()
    assert asyncio.run(follow(whole, -1)) == [0, 1, 2]
    assert asyncio.run(follow(left, 1)) == [0, 1]
    assert left.cancelled == 1


def test_events_can_go_to_another_queue_and_the_end_stays() -> None:
    whole: EventQueue[tuple[str, int]] = EventQueue()
    events = Counting()
    events.pass_on(lambda event, optional: whole.put(("a", event), optional))
    events.put(1)
    events.put(2, 8)
    events.end(GenerationFailed(verbatim("no")))
    assert whole.poll() == [("a", 1), ("a", 2)]
    with pytest.raises(GenerationFailed):
        events.poll()
