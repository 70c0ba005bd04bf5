"""The runs that are measured: what the server answers, and what DT Sampler is given.

Every picture is a soft slope with some noise, which fpzip packs about as well as a photograph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...dt_core.simulator.inventory import Catalog
from ...dt_core.wire import protobuf, tensor
from ...nodes.options import DTHiresFixOptions, DTVideoOptions
from ...nodes.reference import DTKontextReference
from .instant import Answer

SIDE = 1024
STEPS = 20
CHUNK_BYTES = 4 << 20  # what servers cut large answers into
LATENT_CHANNELS = 16
PICTURES = "flux_1_dev_q5p.ckpt"
EDITS = "flux_2_dev_q6p.ckpt"
FILMS = "wan_v2.1_14b_720p_q6p_svd.ckpt"

_Signpost = protobuf.ImageGenerationSignpostProto


@dataclass(frozen=True, slots=True)
class Scene:
    """One run: `answers` of the server, and `inputs` of DT Sampler for the file `model`."""

    answers: tuple[Answer, ...]
    model: str = PICTURES
    inputs: Mapping[str, Any] = field(default_factory=dict)


def echo_reply() -> bytes:
    """What the simulator says that it has."""
    catalog = Catalog.load()
    files = sorted(name for name in catalog.files if name.endswith(".ckpt"))
    reply = protobuf.EchoReply(message="HELLO", files=files, override=catalog.to_override())
    data: bytes = reply.SerializeToString()
    return data


def picture(width: int, height: int, seed: int = 0) -> NDArray[np.float32]:
    """float32 [height, width, 3], 0 to 1."""
    random = np.random.default_rng(seed)
    result = random.random((height, width, 3), dtype=np.float32)
    result *= np.float32(0.05)
    result += np.linspace(0, 0.9, width, dtype=np.float32)[None, :, None]
    result *= np.linspace(1, 0.5, height, dtype=np.float32)[:, None, None]
    return result


def answer_tensor(width: int, height: int, codec: tensor.Codec = "raw", seed: int = 0) -> bytes:
    """A picture as servers send it: half floats, -1 to 1."""
    return tensor.encode((picture(width, height, seed) * 2 - 1).astype(np.float16)[None], codec)


def latent_tensor(side: int = SIDE // 8) -> bytes:
    """A preview: half floats [1, side, side, 16]."""
    random = np.random.default_rng(1)
    latent = random.standard_normal((1, side, side, LATENT_CHANNELS), dtype=np.float32)
    return tensor.encode(latent.astype(np.float16))


def answers(
    width: int = SIDE,
    height: int = SIDE,
    count: int = 1,
    *,
    codec: tensor.Codec = "raw",
    preview: bytes | None = None,
    step_s: float = 0.0,
    picture_s: float = 0.0,
) -> tuple[Answer, ...]:
    """The messages of a generation, in the order of docs/protocol.md 5.

    With a `preview` in each of the steps. The server waits `step_s` before every step and
    `picture_s` before every picture.
    """
    data = [answer_tensor(width, height, codec, seed) for seed in range(min(count, 4))]
    pictures = [data[number % len(data)] for number in range(count)]
    return (
        *_progress(preview, step_s),
        _answer(0.0, downloadSize=sum(map(len, pictures))),
        *(piece for one in pictures for piece in _pieces(one, picture_s)),
    )


def _progress(preview: bytes | None, step_s: float) -> Iterator[Answer]:
    plan = [
        _Signpost(textEncoded={}),
        _Signpost(sampling={"step": STEPS}),
        _Signpost(imageDecoded={}),
    ]
    yield _answer(0.0, currentSignpost=plan[0], signposts=plan)
    for step in range(1, STEPS + 1):
        shown = {} if preview is None else {"previewImage": preview}
        current = _Signpost(sampling={"step": step})
        yield _answer(step_s, currentSignpost=current, signposts=plan, **shown)
    yield _answer(0.0, currentSignpost=plan[-1], signposts=plan)


def _pieces(data: bytes, pause_s: float) -> Iterator[Answer]:
    for offset in range(0, len(data), CHUNK_BYTES):
        last = offset + CHUNK_BYTES >= len(data)
        yield _answer(
            0.0 if offset else pause_s,
            generatedImages=[data[offset : offset + CHUNK_BYTES]],
            scaleFactor=1,
            chunkState=protobuf.LAST_CHUNK if last else protobuf.MORE_CHUNKS,
        )


def _answer(pause_s: float, **fields: Any) -> Answer:
    return Answer(protobuf.ImageGenerationResponse(**fields).SerializeToString(), pause_s)


def image(width: int = SIDE, height: int = SIDE, count: int = 1) -> torch.Tensor:
    """An IMAGE of `count` pictures."""
    return torch.from_numpy(np.stack([picture(width, height, seed) for seed in range(count)]))


def mask(side: int = SIDE) -> torch.Tensor:
    """A MASK of soft edges."""
    return torch.from_numpy(picture(side, side)[None, :, :, 0].copy())


def text() -> Scene:
    return Scene(answers())


def previews(step_s: float = 0.0) -> Scene:
    return Scene(answers(preview=latent_tensor(), step_s=step_s))


def inpainting() -> Scene:
    return Scene(answers(), inputs={"image": image(), "mask": mask(), "strength": 0.7})


def references(side: int = SIDE) -> Scene:
    """Three references and hires fix."""
    (three,) = DTKontextReference.execute(image(side, side, 3), weight=1.0, on=True).args[:1]
    (options,) = DTHiresFixOptions.execute(hires_fix=True).args
    return Scene(answers(), EDITS, {"reference": three, "options": options})


def film(frames: int, width: int = SIDE, height: int = SIDE) -> Scene:
    (options,) = DTVideoOptions.execute(num_frames=frames).args
    # Servers count in 64 px; what arrives may have any size all the same.
    sizes = {"width": width // 64 * 64, "height": height // 64 * 64}
    inputs = {"options": options, "sampler": "UniPC Trailing", **sizes}
    return Scene(answers(width, height, frames), FILMS, inputs)


def batch(picture_s: float = 0.0) -> Scene:
    """Four fpzip pictures."""
    made = answers(count=4, codec="fpzip", picture_s=picture_s)
    return Scene(made, inputs={"batch_size": 4})
