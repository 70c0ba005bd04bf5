"""`Options`: settings that chain, a later one overriding an earlier one and saying so."""

from __future__ import annotations

from dataclasses import dataclass, field

from .configuration import Configuration
from .settings import setting


@dataclass(frozen=True, slots=True)
class Options:
    """Settings beside the sampler's own, and sentences about what overrode what."""

    settings: Configuration = field(default_factory=Configuration)
    notes: tuple[str, ...] = ()

    def then(self, later: Configuration, source: str) -> Options:
        """These options with `later` on top; `source` names where it comes from."""
        before = self.settings.explicit
        replaced = [
            setting(name).label
            for name, value in later.explicit.items()
            if name in before and before[name] != value
        ]
        notes = self.notes
        if replaced:
            notes += (f"{source} overrides: {', '.join(replaced)}.",)
        return Options(self.settings.merged(later), notes)
