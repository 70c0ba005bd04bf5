"""Events in their order, whatever work takes how long."""

from __future__ import annotations

import threading

import pytest
from drawthings.dt_core.generation.delivery import Delivery
from drawthings.dt_core.generation.events import Arrival, DownloadSize, Event

FIRST, SECOND, THIRD, FOURTH = (DownloadSize(number) for number in range(1, 5))


class Line:
    """A delivery, what it delivered, and work that is done when its gate opens."""

    def __init__(self, at_once: int = 4) -> None:
        self.events: list[Arrival] = []
        self.failed = threading.Event()
        self.delivery = Delivery(self.events.append, self.failed.set, at_once)
        self.gates: dict[Event, threading.Event] = {}

    def make(self, event: Event, error: BaseException | None = None) -> None:
        gate = self.gates[event] = threading.Event()

        def work() -> Event:
            assert gate.wait(10)
            if error is not None:
                raise error
            return event

        self.delivery.make(work)

    def open(self, *events: Event) -> None:
        for event in events:
            self.gates[event].set()


def test_events_wait_for_the_work_before_them() -> None:
    line = Line()
    line.delivery.put(FIRST)
    line.make(SECOND)
    line.make(THIRD)
    line.delivery.put(FOURTH)
    assert line.events == [FIRST]
    line.open(THIRD, SECOND)
    line.delivery.finish()
    assert line.events == [FIRST, SECOND, THIRD, FOURTH]


def test_so_much_work_is_under_way_and_no_more() -> None:
    line = Line(at_once=2)
    line.make(FIRST)
    line.make(SECOND)
    third = threading.Thread(target=line.make, args=(THIRD,))
    third.start()
    assert THIRD not in line.events
    assert third.is_alive()
    line.open(SECOND)  # its turn has not come, but its worker is free
    third.join(10)
    assert not third.is_alive()
    line.open(FIRST, THIRD)
    line.delivery.finish()
    assert line.events == [FIRST, SECOND, THIRD]


def test_work_that_fails_ends_it_after_what_came_before() -> None:
    line = Line()
    line.make(FIRST)
    line.make(SECOND, error=ValueError("torn"))
    line.make(THIRD)
    line.open(THIRD, SECOND)
    assert not line.failed.is_set()
    line.open(FIRST)
    with pytest.raises(ValueError, match="torn"):
        line.delivery.finish()
    assert line.events == [FIRST]
    assert line.failed.is_set()
    line.delivery.put(FOURTH)
    line.delivery.make(lambda: FOURTH)
    assert line.events == [FIRST]


def test_stopping_frees_whoever_waits_and_delivers_nothing_more() -> None:
    line = Line(at_once=1)
    line.make(FIRST)
    waiting = [
        threading.Thread(target=line.delivery.make, args=(lambda: SECOND,)),
        threading.Thread(target=line.delivery.finish),
    ]
    for thread in waiting:
        thread.start()
    line.delivery.stop()
    for thread in waiting:
        thread.join(10)
        assert not thread.is_alive()
    line.open(FIRST)
    assert line.events == []
