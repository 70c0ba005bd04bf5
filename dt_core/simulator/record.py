"""What the simulator remembers of each GenerateImage call, for tests and the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..settings.configuration import Configuration
from .intake import Array, Hint

Outcome = Literal["done", "empty", "cancelled", "refused", "failed"]


@dataclass(slots=True, eq=False)
class Record:
    """One request. `outcome` is None until it ends; "empty" is an OK without pictures,
    "failed" a status that the fault script asked for.

    `reason` says why it was refused or is empty. `sent` counts the messages that went out.
    """

    message: Any
    configuration: Configuration | None = None
    image: Array | None = None
    mask: Array | None = None
    hints: tuple[Hint, ...] = ()
    notes: tuple[str, ...] = ()
    started: bool = False
    sent: int = 0
    outcome: Outcome | None = None
    reason: str = ""


@dataclass(slots=True)
class Ledger:
    """All records in order of arrival. Every change goes through `change`."""

    records: list[Record] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, record: Record) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def change(self, record: Record, **values: Any) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(record, name, value)
            self._changed.notify_all()

    def forget(self) -> None:
        with self._changed:
            self.records = [record for record in self.records if record.outcome is None]

    def wait_for(self, wanted: Callable[[Record], bool], timeout_s: float) -> Record:
        """The first record that `wanted` accepts, now or within the time.

        Raises TimeoutError.
        """

        def found() -> Record | None:
            return next((record for record in self.records if wanted(record)), None)

        with self._changed:
            record = self._changed.wait_for(found, timeout_s)
        if record is None:
            raise TimeoutError(f"No such request reached the simulator within {timeout_s:g} s.")
        return record
