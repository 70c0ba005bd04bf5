"""The fault script: which calls go wrong, when, and how (docs/reliability.md).

    {"faults": [{"fault": "drop", "picture": 1}, {"fault": "status", "on": "echo"}]}

A fault counts for `times` calls (0: all), of one `user` only where given. A request
whose user name is "fault:drop picture=1" brings its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..errors import SettingsError
from ..text import Template

_NO_FAULT = Template("no_such_fault", "There is no fault '{kind}'; there are {kinds}.")
_NO_OPTION = Template(
    "no_such_fault_option", "The fault '{kind}' has no option '{unknown}'; it has {common}."
)
_NOT_THERE = Template("fault_not_there", "The fault '{kind}' is on {on} only.")
_NO_SCRIPT = Template(
    "no_fault_script",
    "The fault file cannot be read ({error}): it is an object whose list 'faults' has objects such "
    "as fault drop, at 3.",
)


BY_USER = "fault:"
_COMMON: dict[str, Any] = {"at": 0, "picture": None, "times": 1, "user": "", "on": "generate"}
_ON = ("generate", "echo", "files")


@dataclass(frozen=True, slots=True)
class _Kind:
    sentence: str
    options: Mapping[str, Any] = field(default_factory=dict)
    on: tuple[str, ...] = ("generate",)


KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "drop": _Kind("reset the connection"),
        "freeze": _Kind("pass nothing any more, without closing: a dead peer"),
        "drip": _Kind("send slowly", {"bytes_per_s": 10_000}),
        "goaway": _Kind(
            "tell the client to use another connection (plain connections only); streams above "
            "last_stream were never seen",
            {"last_stream": 0x7FFF_FFFF, "code": 0, "reason": ""},
        ),
        "restart": _Kind("reset all connections and be another process: new identifier"),
        "stall": _Kind("be silent, for ever or for some seconds", {"seconds": None}, _ON),
        "status": _Kind(
            "end with a gRPC status", {"code": "UNAVAILABLE", "details": "because"}, _ON
        ),
        "secret": _Kind("change the shared secret, and end as for a wrong one"),
        "empty": _Kind("end with OK, as after a failure: no picture from here on"),
        "end": _Kind("end with OK, as if this were all"),
        "garbage": _Kind("send bytes that are no message"),
        "heartbeats": _Kind("send empty messages, then go on", {"count": 5}),
        "endless": _Kind(
            "repeat for ever: heartbeats, progress, previews, pieces (without an end) or pictures",
            {"what": "heartbeats"},
        ),
        "unset_signposts": _Kind("send signposts without an arm"),
        "unknown_values": _Kind("send enum values, fields and signposts of a later version"),
        "cut": _Kind(
            "cut a picture's data off, of fpzip near its beginning", {"keep": 0.5, "codec": "fpzip"}
        ),
        "flip": _Kind(
            "damage bytes of a picture, of fpzip the first ones",
            {"place": 0.5, "count": 16, "codec": "fpzip"},
        ),
        "dims": _Kind("claim another shape of a picture", {"dims": [1, 65536, 65536, 3]}),
        "nan": _Kind("put NaN into a picture", {"share": 1.0}),
        "shrink": _Kind("make a picture smaller than the others", {"by": 8}),
        "order": _Kind("send the pieces of a picture in wrong order", {"piece_bytes": 4096}),
        "no_last": _Kind("never send LAST_CHUNK"),
        "size": _Kind("lie in downloadSize", {"bytes": 1 << 32}),
        "unknown_keys": _Kind("catalogue with keys, kinds and types of a later version"),
        "many_entries": _Kind("catalogue with many models and LoRAs", {"count": 10_000}),
        "bad_catalog": _Kind(
            "damaged catalogue: text, cut, deep, numbers, types or (hostile) names",
            {"what": "text"},
        ),
    }
)
_OF_ECHO = {"unknown_keys", "many_entries", "bad_catalog"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `at` counts the answer's messages from 0; `picture`, where given, is
    reached with the first message of that picture instead.

    Raises SettingsError for a kind or an option that there is not.
    """

    kind: str
    at: int = 0
    picture: int | None = None
    times: int = 1
    user: str = ""
    on: str = "generate"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise SettingsError(_NO_FAULT(kind=self.kind, kinds=", ".join(KINDS)))
        unknown = [name for name in self.options if name not in kind.options]
        if unknown:
            raise SettingsError(
                _NO_OPTION(
                    kind=self.kind, unknown=unknown[0], common=", ".join([*_COMMON, *kind.options])
                )
            )
        if self.kind in _OF_ECHO:
            object.__setattr__(self, "on", "echo")
        elif self.on not in kind.on:
            raise SettingsError(_NOT_THERE(kind=self.kind, on=" or ".join(kind.on)))
        object.__setattr__(self, "options", MappingProxyType({**kind.options, **self.options}))

    @classmethod
    def of(cls, kind: str, **given: Any) -> Fault:
        """A fault of its common values and its own options together."""
        common = {name: given.pop(name) for name in _COMMON if name in given}
        return cls(kind, **common, options=given)

    def __getitem__(self, name: str) -> Any:
        return self.options[name]


class Script:
    """The faults to come. Threads may share it."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int]] = []
        self.add(*faults)

    @classmethod
    def from_json(cls, text: str) -> Script:
        """Read a fault file. Raises SettingsError."""
        try:
            rows = json.loads(text)["faults"]
            return cls(tuple(_fault(row) for row in rows))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SettingsError(_NO_SCRIPT(error=str(error))) from None

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._left.extend((fault, fault.times) for fault in faults)

    def clear(self) -> None:
        with self._lock:
            self._left.clear()

    def take(self, on: str, user: str = "") -> list[Fault]:
        """What goes wrong in this call; counts it."""
        with self._lock:
            due = [f for f, _ in self._left if f.on == on and f.user in {"", user}]
            self._left = [
                (fault, times - 1 if fault in due and times else times)
                for fault, times in self._left
                if not (fault in due and times == 1)
            ]
        if on == "generate" and user.startswith(BY_USER):
            due.append(_by_user(user))
        return due


def _fault(row: Mapping[str, Any]) -> Fault:
    values = dict(row)
    return Fault.of(str(values.pop("fault")), **values)


def _by_user(user: str) -> Fault:
    """ "fault:drop picture=1": values are JSON, or else text."""
    kind, *pairs = user[len(BY_USER) :].split(" ")
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return Fault.of(kind, **values)


def described() -> str:
    """All kinds with their options, a line each, for --help."""
    lines = []
    for name, kind in KINDS.items():
        options = ", ".join(f"{key}={json.dumps(value)}" for key, value in kind.options.items())
        lines.append(f"  {name:16} {kind.sentence}" + (f" [{options}]" if options else ""))
    return "\n".join(lines)
