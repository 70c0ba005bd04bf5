"""`drawthings doctor`: whether a server does what is documented, as a table and as a report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..doctor.examination import examine
from ..doctor.report import counts, report
from ..doctor.verdicts import Outcome, Verdict
from ..errors import RequestError
from ..text import Template, Text
from . import connecting, exits, output

_NO_REPORT = Template("report_not_written", "The report cannot be written to {file} ({why}).")
_WORDS = {Outcome.PASSED: "passed", Outcome.DIFFERS: "differs", Outcome.NOT_APPLICABLE: "-"}
_WIDTH = 33  # of the titles


def run(options: argparse.Namespace) -> int:
    client = connecting.clients_of(options)[0]
    verdicts: list[Verdict] = []
    for verdict in examine(client, model=options.model or "", may_generate=_asking(options)):
        if not options.json:
            again = bool(verdicts) and verdicts[-1].text == verdict.text
            title = str(verdict.title).ljust(_WIDTH)
            output.line(f"{_WORDS[verdict.outcome]:8} {title} {'' if again else verdict.text}")
        verdicts.append(verdict)
    if options.report:
        _write(Path(options.report), verdicts)
    found = counts(verdicts)
    if options.json:
        rows = report(verdicts, __version__)["checks"]
        texts = [str(verdict.text) for verdict in verdicts]
        told = [{**row, "text": text} for row, text in zip(rows, texts, strict=True)]
        output.as_json({"counts": found, "checks": told})
    else:
        output.line(", ".join(f"{count} {name}" for name, count in found.items()) + ".")
    return exits.FAILED if found[Outcome.DIFFERS.value] else exits.DONE


def _asking(options: argparse.Namespace) -> Callable[[Text], bool]:
    def ask(question: Text) -> bool:
        if options.yes:
            return True
        if not sys.stdin.isatty():
            output.note("Nothing is generated without --yes.")
            return False
        output.note(f"{question} Go on? [y/N] ", end="")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    return ask


def _write(path: Path, verdicts: list[Verdict]) -> None:
    text = json.dumps(report(verdicts, __version__), indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(_NO_REPORT(file=str(path), why=error.strerror or "")) from None
