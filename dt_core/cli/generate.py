"""`drawthings generate`: an order from the command line, followed and written to files."""

from __future__ import annotations

import argparse
from typing import Any

from ..api.media import as_mask, as_picture, wav_of
from ..api.running import Work
from ..errors import RequestError
from ..models.catalog import Catalog
from ..preflight import Level
from ..request.batches import Batch
from ..request.parts import Control, Lora, Reference
from ..request.resolved import GenerationRequest
from ..settings.app_json import to_json
from ..text import Template
from . import connecting, exits, names, output
from .following import Following
from .patterns import Pattern
from .requested_settings import Wished, named_with_weight, wished

_NO_MODEL = Template(
    "command_without_model",
    "Name a model: --model, or one in --config. See: drawthings models",
)


def run(options: argparse.Namespace) -> int:
    output.so_far(lambda: {"pictures": [], "warnings": []})
    pattern = Pattern(options.output)
    wish = wished(options)
    work = Work(connecting.clients_of(options), lambda catalog: _batch(options, wish, catalog))
    if options.dry_run:
        return _dry(options, work)
    first = work.requests[0].settings
    pattern.check(str(first["model"]), int(first["seed"]))
    follow = Following(options, pattern, len(work.requests))
    follow.warn(work.notes)
    running = work.start()
    try:
        for event in running:
            for told in work.told(event):
                follow.take(told)
        sound = follow.save_sound(wav_of(work.audio) if work.audio else None)
    finally:
        running.cancel()
        follow.close()
    follow.finish(sound)
    return exits.DONE


def _batch(options: argparse.Namespace, wish: Wished, catalog: Catalog) -> Batch:
    settings = wish.settings
    if not settings["model"]:
        raise RequestError(_NO_MODEL())
    file = names.find("model", str(settings["model"]), catalog.models)
    settings = settings.replace(model=file)
    model = catalog.model(file)
    version = model.version if model else ""
    loras = []
    for text in options.lora:
        name, weight = named_with_weight(text)
        loras.append(Lora(names.find("LoRA", name, catalog.loras, version), weight))
    controls = []
    for text in options.control:
        name, _, picture = text.partition("=")
        name, weight = named_with_weight(name)
        controls.append(
            Control(
                names.find("control", name, catalog.controls, version),
                weight=1.0 if weight is None else weight,
                picture=as_picture(picture) if picture else None,
            )
        )
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
        if errors:
            output.note("Nothing would be sent. The configuration:")
        elif len(work.requests) == 1:
            output.note("One request would be sent, with this configuration:")
        else:
            output.note(f"{len(work.requests)} requests would be sent, the first with this:")
        output.as_json(told["configuration"])
    return exits.REFUSED if errors else exits.DONE
