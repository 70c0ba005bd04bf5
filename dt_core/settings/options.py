"""`Options`: settings that chain, a later one overriding an earlier one and saying so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..text import Filling, Template, Text
from .configuration import Configuration
from .table import title

_REPLACED = Template("options_replaced", "{source} replaced earlier values of: {names}.")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings beside the sampler's own, and sentences about what overrode what."""

    settings: Configuration = field(default_factory=Configuration)
    notes: tuple[Text, ...] = ()

    def then(self, later: Configuration | Mapping[str, Any], source: Filling) -> Options:
        """These options with `later` on top; `source` names where it comes from.

        In a mapping an empty text takes back the file or text chosen before; a
        Configuration holds no empty texts.

        Raises SettingsError for a value that cannot be.
        """
        if not isinstance(later, Configuration):
            cleared = [name for name, value in later.items() if value == ""]
            later = Configuration.of(later)
        else:
            cleared = []
        before = self.settings.explicit
        replaced = [
            title(name)
            for name, value in {**dict.fromkeys(cleared), **later.explicit}.items()
            if name in before and before[name] != value
        ]
        notes = self.notes
        if replaced:
            notes += (_REPLACED(source=source, names=replaced),)
        return Options(self.settings.without(*cleared).merged(later), notes)
