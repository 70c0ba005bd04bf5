"""Where a secret's name becomes the secret.

Workflows and profiles carry names only. A secret comes from the environment or from a
file that only its owner can read; it goes into requests and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from pathlib import Path

from ..errors import SecretRejected

VARIABLE = "DRAWTHINGS_SECRET"

_lock = threading.Lock()  # a store is made anew for every use, so it is the module's


class SecretStore:
    """Secrets by name: DRAWTHINGS_SECRET_<NAME> in the environment, else a JSON file.

    The file holds one object, {"name": "secret"}, mode 0600. The empty name stands for
    DRAWTHINGS_SECRET, or for no secret where that is not set. A file that others may read is
    closed to them when it is used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

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
        with _lock:
            self._write({**self._read(), name: secret})

    def remove(self, name: str) -> None:
        """Forget the secret of that name, if the file has one."""
        with _lock:
            secrets = self._read()
            if secrets.pop(name, None) is not None:
                self._write(secrets)

    def _write(self, secrets: dict[str, str]) -> None:
        if self._path is None:
            raise SecretRejected("This secret store has no file: use the environment.")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(secrets, file, indent=1)
        draft.replace(self._path)

    def _read(self) -> dict[str, str]:
        if self._path is None or not self._path.exists():
            return {}
        _close_to_others(self._path)
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SecretRejected(
                f"The secrets file {self._path.name} cannot be read ({type(error).__name__}): "
                'it must hold one JSON object, {"name": "secret"}.'
            ) from None
        if not isinstance(data, dict):
            raise SecretRejected(f"The secrets file {self._path.name} must hold one JSON object.")
        return {str(key): value for key, value in data.items() if isinstance(value, str)}


def _close_to_others(path: Path) -> None:
    """A file that was written by hand may be open to all."""
    with contextlib.suppress(OSError):
        if os.name == "posix" and path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _variable(name: str) -> str:
    return f"{VARIABLE}_{re.sub('[^A-Za-z0-9]', '_', name).upper()}" if name else VARIABLE
