"""`drawthings models`, `loras`, `controls`, `upscalers`: what a server has."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import RequestError
from ..models.families import family
from ..text import Template
from . import connecting, exits, output

_LISTS_NOTHING = Template(
    "command_lists_nothing",
    "The server at {address} does not list what it has: start it with --model-browser (in the "
    "app: switch model browsing on).",
)


def run(options: argparse.Namespace) -> int:
    client = connecting.clients_of(options)[0]
    catalog = client.echo()
    if not catalog.browsable:
        raise RequestError(_LISTS_NOTHING(address=client.profile.address))
    words = [word.lower() for word in options.search]
    rows = [_row(options.command, entry) for entry in getattr(catalog, options.command)]
    rows = [row for row in rows if _fits(row, words)]
    rows.sort(key=lambda row: (str(row.get("family", "")), row["file"]))
    if options.json:
        output.as_json(rows)
    elif options.files:
        for row in rows:
            output.line(row["file"])
    elif rows:
        heads = list(rows[0])
        cells = [["" if row[head] is None else str(row[head]) for head in heads] for row in rows]
        output.table([head.replace("_", " ").upper() for head in heads], cells)
    else:
        output.note(f"No {options.command} there{' with these words' if words else ''}.")
    return exits.DONE


def _row(kind: str, entry: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"file": entry.file}
    if kind == "upscalers":
        row["factor"] = entry.scale_factor
    else:
        known = family(entry.version)
        row["family"] = known.name if known else entry.version
    if kind == "models":
        row["size"] = entry.default_scale * 64 if entry.default_scale else None
    elif kind == "loras":
        row["weight"] = entry.default_weight
    elif kind == "controls":
        row["input"] = entry.modifier or entry.type
    row["name"] = entry.name
    return row


def _fits(row: dict[str, Any], words: list[str]) -> bool:
    text = " ".join(str(row.get(key, "")) for key in ("file", "family", "name")).lower()
    return all(word in text for word in words)
