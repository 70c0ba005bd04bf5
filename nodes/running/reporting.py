"""What a node says to its user: notes on what it did, and why it failed.

Each in English and beside it as a text (`Text.as_json`), which our front end translates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ...dt_core.errors import DrawThingsError
from ...dt_core.text import Text
from ..host import compat, sentences

FAILURE_EVENT = "drawthingsnodes.failure"


class Problem(Exception):
    """What ComfyUI shows when a node of ours fails: one clear sentence."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


Problem.__module__ = "drawthings"  # ComfyUI prints it; the real one is a path


@contextlib.contextmanager
def errors_in_words() -> Iterator[None]:
    """The one place where errors of dt_core become what ComfyUI shows.

    ComfyUI tells its page English alone. So ours gets an event before that, {"node",
    "error", "error_text"}.
    """
    try:
        yield
    except DrawThingsError as error:
        problem = Problem(sentences.told(error))
        said = sentences.one("error", problem.text)
        compat.send_to_client(FAILURE_EVENT, {"node": compat.running_node(), **said})
        raise problem from error


def notes_ui(notes: Sequence[Text]) -> dict[str, list[Any]] | None:
    """Sentences for the user in the form in which a node gives them to the front end."""
    return sentences.several("drawthings_note", notes) if notes else None


def facts_ui(facts: Sequence[Text]) -> dict[str, list[Any]] | None:
    """The same for what is no warning."""
    return sentences.several("drawthings_fact", facts) if facts else None
