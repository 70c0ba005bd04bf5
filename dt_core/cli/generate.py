"""`drawthings generate`: an order from the command line, followed and written to files."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..api.pictures import as_mask, as_picture
from ..api.running import (
    GeneratedImage,
    GenerationDownload,
    GenerationEvent,
    GenerationProgress,
    GenerationStarted,
    ServerLeft,
    Work,
)
from ..batches import Batch
from ..catalog import Catalog
from ..errors import RequestError
from ..json_codec import to_json
from ..preflight import Level
from ..request import GenerationRequest
from ..values import Control, Lora, Reference
from . import connecting, exits, names, output
from .settings import Wished, named_with_weight, wished


def run(options: argparse.Namespace) -> int:
    wish = wished(options)
    work = Work(connecting.clients_of(options), lambda catalog: _batch(options, wish, catalog))
    if options.dry_run:
        return _dry(options, work)
    follow = _Follow(options)
    follow.warn(work.notes)
    following = work.start()
    try:
        for event in following:
            for told in work.told(event):
                follow.take(told)
    except KeyboardInterrupt:
        following.cancel()
        raise
    finally:
        follow.close()
    sound = follow.sound_path()
    heard = sound is not None and work.write_audio(sound)
    follow.finish(str(sound) if heard else None)
    return exits.DONE


def _batch(options: argparse.Namespace, wish: Wished, catalog: Catalog) -> Batch:
    settings = wish.settings
    if not settings["model"]:
        raise RequestError("Name a model: --model, or one in --config. See: drawthings models")
    settings = settings.replace(model=names.find("model", str(settings["model"]), catalog.models))
    loras = []
    for text in options.lora:
        name, weight = named_with_weight(text)
        loras.append(Lora(names.find("lora", name, catalog.loras), weight))
    controls = []
    for text in options.control:
        name, _, picture = text.partition("=")
        name, weight = named_with_weight(name)
        controls.append(
            Control(
                names.find("control", name, catalog.controls),
                weight=1.0 if weight is None else weight,
                picture=as_picture(picture) if picture else None,
            )
        )
    if options.mask and not options.image:
        raise RequestError("--mask needs the picture that it belongs to: --image.")
    request = GenerationRequest(
        settings=settings,
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt,
        loras=tuple(loras),
        controls=tuple(controls),
        references=tuple(Reference(as_picture(path)) for path in options.reference),
    )
    images = (as_picture(options.image),) if options.image else ()
    return Batch(request, images, (as_mask(options.mask),) if options.mask else ())


def _dry(options: argparse.Namespace, work: Work) -> int:
    """Say what would be sent. REFUSED where preflight would not let it."""
    findings = work.findings()
    errors = [finding.sentence for finding in findings if finding.level is Level.ERROR]
    warned = [finding.sentence for finding in findings if finding.level is not Level.ERROR]
    if not errors:
        work.check()  # whether the server has the model, too
    request = work.requests[0]
    told: dict[str, Any] = {
        "requests": len(work.requests),
        "errors": errors,
        "warnings": [*work.notes, *warned],
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "configuration": to_json(work.resolved.settings),
    }
    if options.json or options.jsonl:
        output.as_json(told, pretty=options.json)
    else:
        for kind in ("errors", "warnings"):
            for sentence in told[kind]:
                output.note(f"{kind[:-1]}: {sentence}")
        output.note(f"{told['requests']} request(s) would be sent, the first with:")
        output.as_json(told["configuration"])
    return exits.REFUSED if errors else exits.DONE


class _Follow:
    """What a person or a program sees of a run, and the files that it leaves."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._bar = output.bar(quiet=options.quiet or options.json or options.jsonl)
        self._warnings: list[str] = []
        self._files: list[dict[str, Any]] = []
        self._now = dt.datetime.now().astimezone()

    def take(self, event: GenerationEvent) -> None:
        if isinstance(event, GenerationStarted):
            self.warn(event.warnings)
        elif isinstance(event, ServerLeft):
            self.warn([f"{event.why} Another server goes on."])
        elif isinstance(event, GenerationProgress):
            step = f" {event.step}/{event.steps}" if event.steps else ""
            self._bar.show(event.done, event.total, f"{event.stage}{step}")
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
            self._bar.show(event.received_bytes, event.expected_bytes, "server downloads")
            self._event("download", received=event.received_bytes, expected=event.expected_bytes)
        elif isinstance(event, GeneratedImage):
            self._save(event)

    def warn(self, sentences: Any) -> None:
        for sentence in sentences:
            if sentence not in self._warnings:
                self._warnings.append(sentence)
                self._event("warning", sentence=sentence)
                if not (self._options.json or self._options.jsonl):
                    output.note(f"warning: {sentence}")

    def _save(self, image: GeneratedImage) -> None:
        path = _free(_path(self._options.output, image, self._now))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.png())
        except OSError as error:
            raise RequestError(f"{path} cannot be written: {error.strerror}.") from None
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
        if not (self._options.json or self._options.jsonl):
            self._bar.close()
            self._bar = output.bar(quiet=self._options.quiet)
            output.line(str(path))

    def sound_path(self) -> Path | None:
        """Beside the first picture; None without pictures."""
        if not self._files:
            return None
        return _free(Path(self._files[0]["file"]).with_suffix(".wav"))

    def _event(self, kind: str, **values: Any) -> None:
        if self._options.jsonl:
            output.as_json({"event": kind, **values}, pretty=False)

    def close(self) -> None:
        self._bar.close()

    def finish(self, audio: str | None) -> None:
        self._files.sort(key=lambda row: row["index"])
        whole = {"pictures": self._files, "audio": audio, "warnings": self._warnings}
        if self._options.jsonl:
            self._event("done", **whole)
        elif self._options.json:
            output.as_json(whole)
        elif audio:
            output.line(audio)


def _path(pattern: str, image: GeneratedImage, now: dt.datetime) -> Path:
    model = str(image.generation.settings["model"] or "picture").removesuffix(".ckpt")
    values = {
        "{model}": model.replace("/", "_"),
        "{seed}": str(image.seed),
        "{index}": f"{image.index + 1:04}",
        "{date}": f"{now:%Y-%m-%d}",
        "{time}": f"{now:%H%M%S}",
    }
    for hole, value in values.items():
        pattern = pattern.replace(hole, value)
    path = Path(pattern)
    return path if path.suffix.lower() == ".png" else Path(f"{path}.png")


def _free(path: Path) -> Path:
    """The path itself, or one with a number behind it: nothing is written over."""
    return next(candidate for candidate in _candidates(path) if not candidate.exists())


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, sys.maxsize):
        yield path.with_name(f"{path.stem}_{number}{path.suffix}")
