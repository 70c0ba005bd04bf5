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
    nearby = "; ".join(f"{entry.file} ({entry.name})" for entry in close)
    told = f"Nearest: {nearby}." if nearby else f"See: drawthings {what.lower()}s"
    exactly = f"several {what}s" if named else f"no {what}"
    kind = ModelNotFound if what == "model" else RequestError
    raise kind(f"The server has {exactly} named {given!r}. {told}")


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
