"""Trust on first use: which certificate each server presented when it was first seen.

A JSON file, {"host:port": {"fingerprint": SHA-256 in hex, "since": date}}. It holds nothing
secret, but whoever can write it decides whom we trust, so it is its owner's only.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

from .. import folders
from ..errors import TrustError

FILE_NAME = "known_servers.json"

_lock = threading.Lock()  # a store is made anew for every use, so it is the module's


class KnownServers:
    """The certificates that servers presented, by address ("host:port"), in one file."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is the file, by default known_servers.json in `places.user_folder()`."""
        self.path = path if path is not None else folders.user_folder() / FILE_NAME

    def fingerprint(self, address: str) -> str | None:
        """The SHA-256 (64 hexadecimal digits) that is remembered for an address.

        Raises TrustError if the file is damaged: a file that cannot be read must not
        look like one that knows nobody.
        """
        entry = self._read().get(address)
        return None if entry is None else str(entry["fingerprint"])

    def remember(self, address: str, fingerprint: str) -> None:
        """From now on that address has that certificate."""
        since = dt.datetime.now(dt.timezone.utc).date().isoformat()
        with _lock:
            known = self._read()
            if known.get(address, {}).get("fingerprint") != fingerprint:
                self._write({**known, address: {"fingerprint": fingerprint, "since": since}})

    def forget(self, address: str) -> None:
        """The next certificate of that address counts as its first."""
        with _lock:
            known = self._read()
            if known.pop(address, None) is not None:
                self._write(known)

    def all(self) -> dict[str, str]:
        """Every remembered fingerprint by address."""
        return {address: entry["fingerprint"] for address, entry in self._read().items()}

    def _write(self, known: dict[str, dict[str, str]]) -> None:
        draft = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(known, file, indent=1, sort_keys=True)
            draft.replace(self.path)
        except OSError as error:
            raise TrustError(
                f"The server's certificate cannot be remembered in {self.path.name} "
                f"({error.strerror}): make its folder writable, or pin the fingerprint."
            ) from None

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            data: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            data = None
        if not isinstance(data, dict) or not all(map(_is_entry, data.values())):
            raise TrustError(
                f"The list of known servers cannot be read: mend or remove {self.path.name}."
            )
        return data


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(
        re.fullmatch("[0-9a-f]{64}", str(entry.get("fingerprint")))
    )
