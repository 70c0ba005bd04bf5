"""From events to what `generate_image` returns: callbacks on the way, PNG files at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .running import (
    GeneratedImage,
    GenerationEvent,
    GenerationNote,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
    ServerLeft,
)
from .telling import warn

ProgressCallback = Callable[[str, int], Any]
PreviewCallback = Callable[[bytes], Any]


class Collected:
    """The pictures of a generation, and what is called and warned of meanwhile."""

    def __init__(self, progress: ProgressCallback | None, preview: PreviewCallback | None) -> None:
        self._progress = progress
        self._preview = preview
        self._images: list[GeneratedImage] = []

    def take(self, event: GenerationEvent) -> None:
        if isinstance(event, GeneratedImage):
            self._images.append(event)
        elif isinstance(event, GenerationProgress) and self._progress is not None:
            self._progress(event.stage, event.step)
        elif isinstance(event, GenerationPreview) and self._preview is not None:
            if (png := event.png()) is not None:
                self._preview(png)
        elif isinstance(event, GenerationStarted):
            warn(*event.warnings)
        elif isinstance(event, GenerationNote):
            warn(event.sentence)
        elif isinstance(event, ServerLeft):
            warn(f"{event.why} Another server goes on.")

    def files(self) -> list[bytes]:
        """The PNG files in order; a tenth of a second for each megapixel."""
        return [image.png() for image in sorted(self._images, key=lambda image: image.index)]
