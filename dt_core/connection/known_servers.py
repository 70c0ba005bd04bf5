"""Trust on first use: which certificate each server presented when it was first seen.

A JSON file, {"host:port": {"fingerprint": SHA-256 in hex, "since": date}}. It holds nothing
secret, but whoever can write it decides whom we trust, so it is its owner's only.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from pathlib import Path
from typing import Any

from .. import folders
from ..errors import TrustError
from ..files import JsonFile, say_once
from ..text import Template

FILE_NAME = "known_servers.json"

_WHAT = Template("known_servers_file", "The list of known servers")
_NOT_KEPT = Template(
    "certificates_not_kept",
    "{why} Certificates of servers are remembered until this program ends.",
)

# What could not be written, by file: a server that changes meanwhile is noticed all the same.
_unwritten: dict[Path, dict[str, str]] = {}
# First meetings under way, by file and address: nobody knows yet whether that is our server.
_met: dict[tuple[Path, str], str] = {}
_lock = threading.Lock()


class KnownServers:
    """The certificates that servers presented, by address ("host:port"), in one file."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is the file, by default known_servers.json in `folders.user_folder()`."""
        self.path = path if path is not None else folders.user_folder() / FILE_NAME
        self._file = JsonFile(self.path, _WHAT(), TrustError)

    def fingerprint(self, address: str) -> str | None:
        """The SHA-256 (64 hexadecimal digits) that is remembered for an address.

        Raises TrustError if the file is damaged: a file that cannot be read must not
        look like one that knows nobody.
        """
        return self.all().get(address)

    def meet(self, address: str, fingerprint: str) -> str | None:
        """The SHA-256 that counts for an address where one with `fingerprint` shows itself.

        None at a first meeting, which is in mind until `believe` or `part`: another
        certificate of that name is no first one meanwhile.
        """
        known = self.fingerprint(address)
        if known is not None:
            return known
        with _lock:
            first = _met.setdefault((self.path, address), fingerprint)
        return None if first == fingerprint else first

    def is_met(self, address: str) -> bool:
        """Whether that address has shown a certificate before."""
        return (self.path, address) in _met or self.fingerprint(address) is not None

    def believe(self, address: str, fingerprint: str) -> str:
        """Remember it after a first meeting; the SHA-256 that counts, another process's too."""
        with _lock:
            is_first = _met.get((self.path, address)) == fingerprint
        if not is_first:
            return self.fingerprint(address) or fingerprint
        counts = self._remember(address, fingerprint, over=False)
        self.part(address, fingerprint)
        return counts

    def part(self, address: str, fingerprint: str) -> None:
        """The first meeting with that certificate came to nothing."""
        with _lock:
            if _met.get((self.path, address)) == fingerprint:
                del _met[self.path, address]

    def remember(self, address: str, fingerprint: str) -> None:
        """From now on that address has that certificate.

        Where it cannot be written, until this process ends; the log says so once.
        """
        self._remember(address, fingerprint, over=True)
        with _lock:
            _met.pop((self.path, address), None)

    def _remember(self, address: str, fingerprint: str, *, over: bool) -> str:
        self._checked(self._file.read())
        since = dt.datetime.now(dt.timezone.utc).date().isoformat()
        unwritten = _unwritten.setdefault(self.path, {})
        try:
            with self._file.changing() as known:
                before = self._checked(known).get(address)
                if before is not None and not over:
                    return before
                if before != fingerprint:
                    known[address] = {"fingerprint": fingerprint, "since": since}
        except TrustError as error:
            say_once(_NOT_KEPT(why=error.told()))
            unwritten[address] = fingerprint
        else:
            unwritten.pop(address, None)
        return fingerprint

    def forget(self, address: str) -> None:
        """The next certificate of that address counts as its first."""
        with _lock:
            _met.pop((self.path, address), None)
        _unwritten.get(self.path, {}).pop(address, None)
        if address in self._checked(self._file.read()):
            with self._file.changing() as known:
                known.pop(address, None)

    def all(self) -> dict[str, str]:
        """Every remembered fingerprint by address."""
        return {**self._checked(self._file.read()), **_unwritten.get(self.path, {})}

    def _checked(self, known: dict[str, Any]) -> dict[str, str]:
        """The fingerprints. Raises TrustError if anything else is there."""
        if not all(map(_is_entry, known.values())):
            raise self._file.damaged()
        return {address: entry["fingerprint"] for address, entry in known.items()}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(
        re.fullmatch("[0-9a-f]{64}", str(entry.get("fingerprint")))
    )
