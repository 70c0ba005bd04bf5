"""Where a secret's name becomes the secret.

Workflows and profiles carry names only. A secret comes from the environment or from a
file that only its owner can read; it goes into requests and nowhere else.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from ..errors import Remedy, SecretRejected
from ..files import JsonFile
from ..text import Template

VARIABLE = "DRAWTHINGS_SECRET"

_WHAT = Template("secrets_file", "The file of secrets")
_NOT_STORED = Template("secret_not_stored", "No shared secret named '{name}' is stored.")
_NO_FILE = Template("secret_store_without_file", "This secret store has no file.")
_NO_TEXT = Template(
    "secret_is_no_text",
    "The shared secret in {place} is no text (UTF-8), so no server can have it.",
)


def folded(name: str) -> str:
    """The one spelling of a secret's name: `HoMe` and `home` are the same secret."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


class SecretStore:
    """Secrets by name: DRAWTHINGS_SECRET_<NAME> in the environment, else a JSON file.

    The file holds one object, {"name": "secret"}, mode 0600. The empty name stands for
    DRAWTHINGS_SECRET, or for no secret where that is not set. Capitals make no difference,
    neither in names nor in variables. A file that others may read is closed to them when it
    is used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file = JsonFile(path, _WHAT(), SecretRejected) if path else None

    def lookup(self, name: str) -> str | None:
        """The secret of that name; None only for the empty name.

        Raises SecretRejected if no secret of that name is stored, or if it is no text.
        """
        variable = self.variable(name)
        found, place = _in_environment(variable), variable
        if found is None and name.strip():
            found, place = self._read().get(folded(name)), self._path.name if self._path else ""
            if found is None and self._path:
                raise SecretRejected(
                    _NOT_STORED(name=name),
                    remedy=Remedy.STORE_SECRET,
                    variable=variable,
                    file=place,
                )
            if found is None:
                raise SecretRejected(
                    _NOT_STORED(name=name), remedy=Remedy.SET_VARIABLE, variable=variable
                )
        if found is not None and not found.isascii():
            try:
                found.encode()
            except UnicodeEncodeError:
                raise SecretRejected(_NO_TEXT(place=place)) from None
        return found

    def source(self, name: str) -> str | None:
        """Where the secret of that name is kept, the same for all names of one secret.

        None where there is no such secret.
        """
        variable = self.variable(name)
        if _in_environment(variable) is not None:
            return variable
        return f"file:{folded(name)}" if folded(name) in self._read() else None

    def is_in_environment(self, name: str) -> bool:
        """Whether a variable has that secret, which then comes before the file."""
        return _in_environment(self.variable(name)) is not None

    def names(self) -> tuple[str, ...]:
        """The names in the file as they are written, sorted."""
        data = self._file.read() if self._file else {}
        return tuple(sorted(name for name, value in data.items() if isinstance(value, str)))

    def variable(self, name: str) -> str:
        """The environment variable that comes before the file for that name."""
        name = name.strip()
        return f"{VARIABLE}_{re.sub('[^A-Za-z0-9]', '_', name).upper()}" if name else VARIABLE

    def save(self, name: str, secret: str) -> None:
        """Store a secret in the file, readable by its owner only."""
        if self._file is None:
            raise SecretRejected(
                _NO_FILE(), remedy=Remedy.SET_VARIABLE, variable=self.variable(name)
            )
        with self._file.changing() as secrets:
            _drop(secrets, name)
            secrets[name] = secret

    def remove(self, name: str) -> None:
        """Forget the secret of that name, if the file has one."""
        if self._file is not None and folded(name) in self._read():
            with self._file.changing() as secrets:
                _drop(secrets, name)

    def _read(self) -> dict[str, str]:
        """The file's secrets by folded name; of two that differ in capitals the first counts."""
        data = self._file.read() if self._file else {}
        rows = [(folded(name), value) for name, value in data.items() if isinstance(value, str)]
        return dict(reversed(rows))


def _drop(secrets: dict[str, object], name: str) -> None:
    for other in [other for other in secrets if folded(other) == folded(name)]:
        del secrets[other]


def _in_environment(variable: str) -> str | None:
    same = sorted(name for name in os.environ if name.upper() == variable and os.environ[name])
    return os.environ[variable if variable in same else same[0]] if same else None
