"""`drawthings upload` and `drawthings files`: the server's models folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import connecting, exits, output


def run(options: argparse.Namespace) -> int:
    return _upload(options) if options.command == "upload" else _files(options)


def _files(options: argparse.Namespace) -> int:
    client = connecting.clients_of(options)[0]
    found = client.files_exist(options.names, hashes=options.hashes)
    rows = [
        {
            "file": status.name,
            "exists": status.exists,
            **(
                {"sha256": status.sha256.hex() if status.sha256 else None} if options.hashes else {}
            ),
        }
        for status in found
    ]
    if options.json:
        output.as_json(rows)
    else:
        for row in rows:
            digest = f"  {row['sha256'] or ''}" if options.hashes else ""
            output.line(f"{'there  ' if row['exists'] else 'missing'}{digest}  {row['file']}")
    return exits.DONE if all(status.exists for status in found) else exits.NOT_THERE


def _upload(options: argparse.Namespace) -> int:
    client = connecting.clients_of(options)[0]
    upload = client.upload(Path(options.file), options.name, overwrite=options.overwrite)
    bar = output.bar(quiet=options.json, unit_bytes=True)
    try:
        sent = upload.run(lambda phase, done, total: bar.show(done, total, phase.value))
    except KeyboardInterrupt:
        upload.cancel()
        raise
    finally:
        bar.close()
    digest = sent.sha256.hex()
    if options.json:
        output.as_json({"file": sent.name, "size_bytes": sent.size, "sha256": digest})
    else:
        output.line(f"{sent.name} is on {client.profile.address}: {sent.size:,} bytes, {digest}")
    return exits.DONE
