"""Where a secret's name becomes the secret.

Workflows and profiles carry names only. A secret comes from the environment or from a
file that only its owner can read; it goes into requests and nowhere else.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import SecretRejected
from ..files import JsonFile
from ..text import Template

VARIABLE = "DRAWTHINGS_SECRET"

_WHAT = Template("secrets_file", "The file of secrets")


class SecretStore:
    """Secrets by name: DRAWTHINGS_SECRET_<NAME> in the environment, else a JSON file.

    The file holds one object, {"name": "secret"}, mode 0600. The empty name stands for
    DRAWTHINGS_SECRET, or for no secret where that is not set. A file that others may read is
    closed to them when it is used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file = JsonFile(path, _WHAT(), SecretRejected) if path else None

    def lookup(self, name: str) -> str | None:
        """The secret of that name; None only for the empty name.

        Raises SecretRejected if no secret of that name is stored.
        """
        variable = _variable(name)
        secret = os.environ.get(variable)
        if secret or not name:
            return secret or None
        stored = self._read().get(name)
        if stored is None:
            place = f" or add it to {self._path.name}" if self._path else ""
            raise SecretRejected(
                f"No shared secret named {name!r} is stored: "
                f"set the environment variable {variable}{place}."
            )
        return stored

    def names(self) -> tuple[str, ...]:
        """The names in the file, sorted."""
        return tuple(sorted(self._read()))

    def variable(self, name: str) -> str:
        """The environment variable that comes before the file for that name."""
        return _variable(name)

    def save(self, name: str, secret: str) -> None:
        """Store a secret in the file, readable by its owner only."""
        if self._file is None:
            raise SecretRejected("This secret store has no file: use the environment.")
        with self._file.changing() as secrets:
            secrets[name] = secret

    def remove(self, name: str) -> None:
        """Forget the secret of that name, if the file has one."""
        if self._file is not None and name in self._file.read():
            with self._file.changing() as secrets:
                secrets.pop(name, None)

    def _read(self) -> dict[str, str]:
        data = self._file.read() if self._file else {}
        return {name: value for name, value in data.items() if isinstance(value, str)}


def _variable(name: str) -> str:
    return f"{VARIABLE}_{re.sub('[^A-Za-z0-9]', '_', name).upper()}" if name else VARIABLE
