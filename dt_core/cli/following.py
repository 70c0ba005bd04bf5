"""What a person or a program sees of a running generation, and the files that it leaves."""

from __future__ import annotations

import argparse
import contextlib
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..api.running import (
    GeneratedImage,
    GenerationDownload,
    GenerationEvent,
    GenerationNote,
    GenerationProgress,
    GenerationStarted,
    ServerLeft,
)
from ..errors import RequestError
from ..text import Template
from . import output
from .patterns import Pattern, free, new_file

_ELSEWHERE = Template("written_elsewhere", "{file} cannot be written ({why}): it is now {other}.")
_NOWHERE = Template("cannot_be_written", "{file} cannot be written: {why}.")


_MEGABYTE = 1_000_000


class Following:
    """Takes the events of a run of so many requests; `finish` or `fail` says the last word.

    A bar and file names for people; with --jsonl a line for each event, with --json one
    object at the end.
    """

    def __init__(self, options: argparse.Namespace, pattern: Pattern, requests: int) -> None:
        self._lines: bool = options.jsonl
        self._whole: bool = options.json and not options.jsonl
        self._bar = output.bar(quiet=options.quiet or self._lines or self._whole)
        self._pattern = pattern
        self._requests = requests
        self._shares: dict[int, float] = {}  # how much of each request is done, 0 to 1
        self._warnings: list[str] = []
        self._files: list[dict[str, Any]] = []
        output.so_far(self._all)

    def take(self, event: GenerationEvent) -> None:
        if isinstance(event, GenerationStarted):
            self.warn(event.warnings)
            self._show(event.request, "waiting for the server")
            self._event("started", request=event.request, server=event.server)
        elif isinstance(event, GenerationNote):
            self.warn([event.sentence])
        elif isinstance(event, ServerLeft):
            self.warn([f"{event.why} Another server goes on."])
        elif isinstance(event, GenerationProgress):
            self._shares[event.request] = event.done / max(event.total, 1)
            step = f" {event.step}/{event.steps}" if event.steps else ""
            self._show(event.request, f"{_spoken(event.stage)}{step}")
            self._event(
                "progress",
                request=event.request,
                stage=event.stage,
                step=event.step,
                steps=event.steps,
                done=event.done,
                total=event.total,
            )
        elif isinstance(event, GenerationDownload):
            received, expected = event.received_bytes, event.expected_bytes
            of = f" of {expected // _MEGABYTE}" if expected else ""
            self._show(event.request, f"the server downloads {received // _MEGABYTE}{of} MB")
            self._event("download", request=event.request, received=received, expected=expected)
        elif isinstance(event, GeneratedImage):
            self._save(event)

    def warn(self, sentences: Iterable[str]) -> None:
        """Say each sentence once."""
        for sentence in sentences:
            if sentence not in self._warnings:
                self._warnings.append(sentence)
                self._event("warning", sentence=sentence)
                if not (self._whole or self._lines):
                    self._bar.close()
                    output.note(f"warning: {sentence}")

    def save_sound(self, wav: bytes | None) -> str | None:
        """Beside the first picture; the file's name, None without sound or pictures."""
        if wav is None or not self._files:
            return None
        beside = free(Path(self._files[0]["file"]).with_suffix(".wav"))
        return str(self._kept(beside, wav))

    def close(self) -> None:
        self._bar.close()

    def finish(self, audio: str | None) -> None:
        """All came; `audio` is the sound's file."""
        if self._lines:
            self._event("done", **self._all(), audio=audio)
        elif self._whole:
            output.as_json({**self._all(), "audio": audio})
        elif audio:
            output.line(audio)

    def _all(self) -> dict[str, Any]:
        pictures = sorted(self._files, key=lambda row: int(row["index"]))
        return {"pictures": pictures, "warnings": self._warnings}

    def _show(self, request: int, words: str) -> None:
        if self._requests > 1:
            words = f"{request + 1}/{self._requests} {words}"
        self._bar.show(sum(self._shares.values()), self._requests, words)

    def _save(self, image: GeneratedImage) -> None:
        model = str(image.generation.settings["model"] or "")
        path = self._kept(self._pattern.path(model, image.seed, image.index), image.png())
        row = {
            "file": str(path),
            "index": image.index,
            "seed": image.seed,
            "width": image.size.width,
            "height": image.size.height,
            "server": image.server,
        }
        self._files.append(row)
        self._event("picture", **row)
        if not (self._whole or self._lines):
            self._bar.close()
            output.line(str(path))

    def _kept(self, path: Path, data: bytes) -> Path:
        """Where the file is now: what was made must not be lost for want of room there."""
        try:
            return new_file(path, data)
        except OSError as error:
            why, failed = error.strerror or type(error).__name__, error
        for folder in (Path.cwd(), Path.home(), Path(tempfile.gettempdir())):
            with contextlib.suppress(OSError):
                other = new_file(folder / path.name, data)
                self.warn([str(_ELSEWHERE(file=str(path), why=why, other=str(other)))])
                return other
        raise RequestError(_NOWHERE(file=str(path), why=why)) from failed

    def _event(self, kind: str, **values: Any) -> None:
        if self._lines:
            output.as_json({"event": kind, **values}, pretty=False)


def _spoken(stage: str) -> str:
    """The server's word as words: "secondPassSampling" becomes "second pass sampling"."""
    return re.sub(r"(?=[A-Z])", " ", stage).lower()
