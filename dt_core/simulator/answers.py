"""One generation as the messages that the server sends for it, in order (docs/protocol.md 5).

Draws what `plan` says; knows nothing of queues, secrets and sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..settings.choices import Sampler
from ..wire import protobuf, tensor
from .drawing import Drawing
from .intake import Asked
from .latents import Previewer
from .plan import CASCADE, Plan
from .sound import tone

CHUNK_BYTES = 4 << 20
_FPS_OF_OTHERS = 30.0
_MOST_FPS = 1000.0

_Signpost = protobuf.ImageGenerationSignpostProto
FloatArray = NDArray[np.float32]


def messages(
    asked: Asked, plan: Plan, compressed: bool
) -> Iterator[protobuf.ImageGenerationResponse]:
    """Every ImageGenerationResponse of the run."""
    run = _Run(asked, plan, compressed)
    yield from run.progress()
    if plan.empty:
        yield protobuf.ImageGenerationResponse(scaleFactor=1)
        return
    yield from run.results()


class _Run:
    def __init__(self, asked: Asked, plan: Plan, compressed: bool) -> None:
        self.asked, self.plan, self.compressed = asked, plan, compressed
        self.family = plan.chosen.family
        self.seed = int(asked.configuration["seed"])
        self.signposts = _signposts(plan)
        draws = not plan.empty and plan.path != "unchanged"
        self.drawing = Drawing(asked, plan) if draws else None

    def progress(self) -> Iterator[protobuf.ImageGenerationResponse]:
        plan = self.plan
        yield self._event(textEncoded={})
        if plan.path == "unchanged":
            return
        # "Controls generated" has no signpost of its own and travels as imageEncoded.
        if plan.path != "text" or plan.encodes_image:
            yield self._event(imageEncoded={})
        yield self._event(imageEncoded={})
        yield from self._sampling()
        yield self._event(imageDecoded={})
        if plan.second is not None:
            yield from self._second_pass()
        if plan.chosen.restores_faces:
            yield self._event(faceRestored={})
        if plan.chosen.upscale > 1:
            yield self._event(imageUpscaled={})

    def _sampling(self) -> Iterator[protobuf.ImageGenerationResponse]:
        plan = self.plan
        size = plan.first_pass or (plan.width, plan.height)
        previewer = self._previewer(size, second=False)
        if plan.two_phases and plan.start > 0:
            yield from self._steps("sampling", previewer, 0, plan.start, plan.steps, 0)
            yield from self._steps(
                "sampling", previewer, plan.start, plan.steps, plan.steps, plan.start
            )
        else:
            yield from self._steps("sampling", previewer, plan.start, plan.steps, plan.steps, 0)

    def _second_pass(self) -> Iterator[protobuf.ImageGenerationResponse]:
        second = self.plan.second
        assert second is not None  # noqa: S101
        yield self._event(secondPassImageEncoded={})
        if self.family.version != CASCADE:
            yield self._event(imageEncoded={})
        previewer = self._previewer((self.plan.width, self.plan.height), second=True)
        yield from self._steps(
            "secondPassSampling", previewer, second.start, second.steps, second.steps, 0
        )
        yield self._event(secondPassImageDecoded={})

    def _steps(
        self,
        arm: str,
        previewer: Previewer | None,
        start: int,
        end: int,
        total: int,
        first_number: int,
    ) -> Iterator[protobuf.ImageGenerationResponse]:
        """Steps `start` to `end` of a schedule of `total`, numbered from `first_number`."""
        early = self.asked.configuration["sampler"] == Sampler.PLMS
        for index in range(start, end + 1):
            preview = None
            due = index % 2 == 1 or index > max(start, total // 2)
            if previewer is not None and due and index < end and (index > start or early):
                preview = self._encode(previewer.at(index / total))
            yield self._event(preview, **{arm: {"step": first_number + index - start}})

    def _previewer(self, size: tuple[int, int], second: bool) -> Previewer | None:
        drawing = self.drawing
        if drawing is None:
            return None
        stride = self.family.temporal_scale if self.plan.frames else 1
        shown = (drawing.picture(index) for index in range(0, drawing.count, stride))
        return Previewer(self.family, shown, size, self.seed, second)

    def _event(
        self, preview: bytes | None = None, **current: Any
    ) -> protobuf.ImageGenerationResponse:
        response = protobuf.ImageGenerationResponse(
            currentSignpost=_Signpost(**current), signposts=self.signposts
        )
        if preview is not None:
            response.previewImage = preview
        return response

    def results(self) -> Iterator[protobuf.ImageGenerationResponse]:
        plan = self.plan
        encoded = [self._encode(_as_wire(picture)) for picture in self._pictures()]
        total = sum(map(len, encoded))
        chunked = self.asked.message.chunked and total > CHUNK_BYTES
        yield protobuf.ImageGenerationResponse(downloadSize=total)
        for data in encoded:
            for piece, state in _pieces(data, chunked):
                yield protobuf.ImageGenerationResponse(
                    generatedImages=[piece], scaleFactor=plan.chosen.upscale, chunkState=state
                )
        if self.family.audio == "output" and plan.path != "unchanged":
            for piece, state in _pieces(self._sound(), chunked):
                yield protobuf.ImageGenerationResponse(generatedAudio=[piece], chunkState=state)

    def _pictures(self) -> Iterator[FloatArray]:
        if self.drawing is None:
            yield self._returned()
            return
        for index in range(self.drawing.count):
            yield _signed(_enlarged(self.drawing.picture(index), self.plan.chosen.upscale))

    def _returned(self) -> FloatArray:
        """Strength 0: the image itself, at most reduced by the request and enlarged."""
        image = self.asked.image
        assert image is not None  # noqa: S101
        picture = np.asarray(image[0], np.float32)
        scale = max(1, self.asked.message.scaleFactor)
        if scale > 1:
            height, width, channels = picture.shape
            cells = picture.reshape(height // scale, scale, width // scale, scale, channels)
            picture = cells.mean(axis=(1, 3))
        if self.plan.chosen.upscale == 1:
            return picture
        return _signed(_enlarged((picture + 1) * np.float32(0.5), self.plan.chosen.upscale))

    def _sound(self) -> bytes:
        given = self.plan.chosen.model.get("frames_per_second")
        fps = min(_MOST_FPS, max(1.0, float(given or self.family.fps or _FPS_OF_OTHERS)))
        rate = self.family.audio_sample_rate or 24_000
        return self._encode(tone(self.seed, self.plan.frames, fps, rate), tensor.Layout.NCHW)

    def _encode(self, array: NDArray[Any], layout: tensor.Layout = tensor.Layout.NHWC) -> bytes:
        return tensor.encode(array, "fpzip" if self.compressed else "raw", layout=layout)


def _signposts(plan: Plan) -> list[protobuf.ImageGenerationSignpostProto]:
    listed: list[protobuf.ImageGenerationSignpostProto] = [_Signpost(textEncoded={})]
    if plan.path != "text" or plan.encodes_image:
        listed.append(_Signpost(imageEncoded={}))
    total = plan.steps if plan.two_phases else plan.runs
    listed.append(_Signpost(sampling={"step": total}))
    listed.append(_Signpost(imageDecoded={}))
    if plan.second is not None:
        left = plan.second.steps - plan.second.start
        listed.append(_Signpost(secondPassImageEncoded={}))
        listed.append(_Signpost(secondPassSampling={"step": left}))
        if plan.second.listed_decode:
            listed.append(_Signpost(secondPassImageDecoded={}))
    if plan.chosen.restores_faces:
        listed.append(_Signpost(faceRestored={}))
    if plan.chosen.upscale > 1:
        listed.append(_Signpost(imageUpscaled={}))
    return listed


def _pieces(data: bytes, chunked: bool) -> Iterator[tuple[bytes, int]]:
    if not chunked or len(data) <= CHUNK_BYTES:
        yield data, protobuf.LAST_CHUNK
        return
    for offset in range(0, len(data), CHUNK_BYTES):
        last = offset + CHUNK_BYTES >= len(data)
        state = protobuf.LAST_CHUNK if last else protobuf.MORE_CHUNKS
        yield data[offset : offset + CHUNK_BYTES], state


def _signed(picture: FloatArray) -> FloatArray:
    """Colours 0..1 to -1..1; alpha, which comes first, stays."""
    result: FloatArray = picture.copy()
    result[..., -3:] = picture[..., -3:] * 2 - 1
    return result


def _as_wire(picture: FloatArray) -> NDArray[np.float16]:
    result: NDArray[np.float16] = picture.astype(np.float16)[None]
    return result


def _enlarged(picture: FloatArray, factor: int) -> FloatArray:
    if factor == 1:
        return picture
    height, width, channels = picture.shape
    size = (width * factor, height * factor)
    layers = [
        np.asarray(
            Image.fromarray((np.clip(picture[..., c], 0, 1) * 255 + 0.5).astype(np.uint8)).resize(
                size, Image.Resampling.BICUBIC
            ),
            np.float32,
        )
        / 255
        for c in range(channels)
    ]
    return np.stack(layers, axis=2)
