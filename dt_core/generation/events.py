"""What happens during one generation, as values, in the order in which it happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TensorError
from ..pictures.pixels import WirePicture
from ..request.resolved import Resolved
from ..text import Template, Text
from ..wire.tensor import lend, read_header

PREVIEW_LIMIT = 128 << 20  # bytes, decoded; of a film in 4K a fifth of it
_PREVIEW_TOO_LARGE = Template(
    "preview_too_large", "A preview of {size_mib} MiB is larger than any model's."
)


class Stage(Enum):
    """A signpost of the server (docs/protocol.md 5.2), by its name on the wire."""

    TEXT_ENCODED = "textEncoded"
    IMAGE_ENCODED = "imageEncoded"
    SAMPLING = "sampling"
    IMAGE_DECODED = "imageDecoded"
    SECOND_PASS_IMAGE_ENCODED = "secondPassImageEncoded"  # noqa: S105 - a pass of the sampler
    SECOND_PASS_SAMPLING = "secondPassSampling"  # noqa: S105
    SECOND_PASS_IMAGE_DECODED = "secondPassImageDecoded"  # noqa: S105
    FACE_RESTORED = "faceRestored"
    IMAGE_UPSCALED = "imageUpscaled"


@dataclass(frozen=True, slots=True)
class Started:
    """The request passed all checks and is sent now; `warnings` are sentences for the user.

    `warning_texts` are the same with their templates and values.
    """

    resolved: Resolved
    warnings: tuple[str, ...]
    warning_texts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """The server reached `stage`. While sampling, `step` of `steps`; else both are 0.

    `done` of `total` counts the whole run: every sampling step and every other stage
    of the server's own plan is one.
    """

    stage: Stage
    step: int
    steps: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview, still serialized: decode it only if it will be shown."""

    data: bytes

    def latent(self) -> NDArray[Any]:
        """The latent, [N, h, w, channels]; N is the batch or the latent frames.

        float16, or float32 where it was compressed. Raises TensorError.
        """
        size_bytes = read_header(self.data).size_bytes
        if size_bytes > PREVIEW_LIMIT:
            raise TensorError(_PREVIEW_TOO_LARGE(size_mib=size_bytes >> 20))
        return lend(self.data, np.array)


@dataclass(frozen=True, slots=True)
class DownloadSize:
    """The pictures follow now; together they are `size_bytes` long."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class RemoteDownload:
    """The server fetches a file that it lacks: file `item` of `items`."""

    received_bytes: int
    expected_bytes: int
    item: int
    items: int


@dataclass(frozen=True, slots=True)
class ImageReceived:
    """A picture, whole. `scale_factor` is what the server's upscaler did: 1, 2 or 4."""

    index: int
    picture: WirePicture
    scale_factor: int


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """Sound, float32 [channels, samples]; the family knows the sample rate.

    `nonfinite` counts the NaN and infinite values among what was sent; they became 0.
    """

    samples: NDArray[Any]
    nonfinite: int = 0


@dataclass(frozen=True, slots=True)
class Noticed:
    """The answer is odd in a way that costs no picture: a sentence for the user."""

    text: Text


Event = (
    Started
    | Progress
    | Preview
    | DownloadSize
    | RemoteDownload
    | ImageReceived
    | AudioReceived
    | Noticed
)


@dataclass(frozen=True, slots=True)
class Lost:
    """In place of a picture that arrived damaged; those after it still count. Jobs keep this
    to themselves and raise the error at the end."""

    error: TensorError


Arrival = Event | Lost


def optional_bytes(event: Event) -> int:
    """The bytes of an event that may be left out where nobody looks: of a preview. Else 0."""
    return len(event.data) if isinstance(event, Preview) else 0
