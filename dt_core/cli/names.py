"""Which file a name means: exactly one, or a question, or an error. Never a guess."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from typing import Protocol

from ..errors import ModelNotFound, RequestError
from ..text import Template
from . import output

_NONE_NAMED = Template(
    "none_of_that_name", "The server has no {what} named '{given}'. Nearest: {nearest}."
)
_NONE_NEAR = Template(
    "none_near_that_name", "The server has no {what} named '{given}'. See: drawthings {list}"
)
_SEVERAL_NAMED = Template(
    "several_of_that_name", "The server has several {what}s named '{given}': {nearest}."
)
_NOT_CHOSEN = Template("nothing_chosen_at_prompt", "No {what} was chosen: nothing was sent.")


_SHOWN = 6


class Named(Protocol):
    @property
    def file(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


def find(what: str, given: str, entries: Sequence[Named], version: str = "") -> str:
    """The file of that file name, or of that display name in any case.

    For another name asks, where a person sits at a terminal, and puts what is made for models
    of that `version` first. Raises ModelNotFound or RequestError with the nearest names. Where
    the server tells nothing, the name is taken for a file.
    """
    if not entries or any(entry.file == given for entry in entries):
        return given
    named = [entry for entry in entries if entry.name.casefold() == given.casefold()]
    if len(named) == 1:
        return named[0].file
    close = named or nearest(given, entries, version)
    if close and sys.stdin.isatty() and sys.stderr.isatty():
        return _asked(what, given, close)
    kind = ModelNotFound if what == "model" else RequestError
    if not close:
        raise kind(_NONE_NEAR(what=what, given=given, list=f"{what.lower()}s"))
    told = _SEVERAL_NAMED if named else _NONE_NAMED
    nearby = "; ".join(f"{entry.file} ({entry.name})" for entry in close)
    raise kind(told(what=what, given=given, nearest=nearby))


def nearest(given: str, entries: Sequence[Named], version: str = "") -> list[Named]:
    """The entries with all the words first, then those that are spelled alike."""
    words = _words(given)
    having = [e for e in entries if words and all(w in _folded(e) for w in words)]
    having.sort(key=lambda entry: bool(version) and entry.version != version)
    spelled = {_folded(entry): entry for entry in entries}
    alike = difflib.get_close_matches(" ".join(words), spelled, n=_SHOWN, cutoff=0.4)
    found = [*having, *(spelled[key] for key in alike)]
    return list({entry.file: entry for entry in found}.values())[:_SHOWN]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _folded(entry: Named) -> str:
    return " ".join(_words(f"{entry.file.removesuffix('.ckpt')} {entry.name}"))


def _asked(what: str, given: str, close: Sequence[Named]) -> str:
    output.note(f"The server has no {what} named {given!r}. Which one?")
    for number, entry in enumerate(close, 1):
        output.note(f"  {number}  {entry.file}  {entry.name}")
    output.note("Number, or nothing to stop: ", end="")
    answer = sys.stdin.readline().strip()
    if answer.isdigit() and 1 <= int(answer) <= len(close):
        return close[int(answer) - 1].file
    raise RequestError(_NOT_CHOSEN(what=what))
