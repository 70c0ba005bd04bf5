"""What is fuzzed: a reader, the errors that it may raise, and valid inputs to start from.

Whatever else a reader raises is a finding. Both the tests (with hypothesis) and `make fuzz`
(with atheris) take their targets from here.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ...dt_core import preflight
from ...dt_core.connection.profile import ServerProfile
from ...dt_core.errors import ProtocolError, RequestError, SettingsError, TensorError
from ...dt_core.generation.allowance import Allowance
from ...dt_core.generation.delivery import Delivery
from ...dt_core.generation.events import Arrival, AudioReceived
from ...dt_core.generation.reading import Reader
from ...dt_core.metadata import Generation, encode, read
from ...dt_core.metadata.generation_data import to_json
from ...dt_core.models.catalog import Catalog
from ...dt_core.pictures.stack import Stack
from ...dt_core.pictures.values import Audio
from ...dt_core.request.message import build
from ...dt_core.request.parts import Lora
from ...dt_core.request.resolved import GenerationRequest, resolve
from ...dt_core.settings import app_json, flatbuffer
from ...dt_core.settings.configuration import Configuration, ControlSettings, LoraSettings
from ...dt_core.simulator.inventory import Catalog as ServerCatalog
from ...dt_core.wire import protobuf, tensor

MODEL = "z_image_turbo_1.0_q6p.ckpt"
_OVERRIDE = ("models", "loras", "controlNets", "textualInversions", "upscalers")
_PLAIN: tuple[tensor.Codec, ...] = ("raw", "zip")
_FILM = Configuration(
    model="ltx_2.3_22b_dev_q6p.ckpt", start_width=64, start_height=64, num_frames=9
)
_FULL = Configuration(
    model=MODEL,
    start_width=512,
    start_height=768,
    seed=7,
    steps=9,
    upscaler="u.ckpt",
    loras=[LoraSettings("l.ckpt", 0.5)],
    controls=[ControlSettings("c.ckpt", weight=0.5)],
)


@dataclass(frozen=True, slots=True)
class Target:
    """`read` may raise one of `errors` and nothing else."""

    read: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], list[bytes]]

    def try_out(self, data: bytes) -> None:
        with contextlib.suppress(*self.errors):
            self.read(data)


# --- tensors, as results and previews come in


def _read_tensor(data: bytes) -> object:
    """All but the decoding of fpzip: damage there harms the library, and so it is in a child."""
    if tensor.read_header(data).codec != "fpzip":
        return tensor.decode(data)
    view = memoryview(data)
    tensor._check_fpzip(view[tensor.HEADER_BYTES :], tensor.read_header(data))
    return None


def _tensor_seeds() -> list[bytes]:
    arrays: list[Any] = [
        np.linspace(-1, 1, 192, dtype=dtype).reshape(1, 8, 8, 3)
        for dtype in (np.float16, np.float32, np.float64)
    ]
    arrays += [np.arange(64, dtype=np.uint8), np.zeros((16, 16, 4), np.uint8)]
    codecs: tuple[tensor.Codec, ...] = ("raw", "zip", "fpzip")
    return [tensor.encode(array, codec) for array in arrays for codec in codecs]


# --- one message of an answer


def _read_answer(data: bytes) -> object:
    return _read_answer_to(_FULL, data)


def _read_film(data: bytes) -> object:
    """Of a film with sound, whose pieces are then put together."""
    events = _read_answer_to(_FILM, data)
    pieces = [event.samples for event in events if isinstance(event, AudioReceived)]
    return Audio.joined(pieces, 48_000) if pieces else None


def _read_answer_to(settings: Configuration, data: bytes) -> list[Arrival]:
    profile = ServerProfile()
    resolved = resolve(GenerationRequest(settings), Catalog())
    reader = Reader(profile, Stack(1), Allowance(resolved, profile.address))
    events: list[Arrival] = []
    delivery = Delivery(events.append, lambda: None, 1)
    reader.read(data, delivery)
    reader.finish()
    delivery.finish()
    return events


def _film_seeds() -> list[bytes]:
    answer = protobuf.ImageGenerationResponse
    halves = [np.zeros((channels, 64), np.float16) for channels in (1, 2, 3)]
    latents = [np.zeros(shape, np.float16) for shape in ((2, 8, 8, 128), (1, 90, 2, 128))]
    tensors = [tensor.encode(array) for array in halves]
    return [
        *(answer(generatedAudio=[data]).SerializeToString() for data in tensors),
        answer(generatedAudio=tensors).SerializeToString(),
        *(answer(previewImage=tensor.encode(each)).SerializeToString() for each in latents),
        *_answer_seeds(),
    ]


def _answer_seeds() -> list[bytes]:
    answer = protobuf.ImageGenerationResponse
    step = protobuf.ImageGenerationSignpostProto()
    step.sampling.step = 3
    tensors = [tensor.encode(np.zeros((1, 8, 8, 3), np.float16), codec) for codec in _PLAIN]
    messages = [
        answer(currentSignpost=step, signposts=[step], previewImage=tensors[0]),
        answer(downloadSize=4096, scaleFactor=2),
        answer(generatedAudio=[tensor.encode(np.zeros((2, 64), np.float32))]),
        *(answer(generatedImages=[data], scaleFactor=1) for data in tensors),
    ]
    return [message.SerializeToString() for message in messages]


# --- settings, as FlatBuffer and as the app's JSON


def _read_configuration(data: bytes) -> object:
    return flatbuffer.decode(data), flatbuffer.empty_texts(data)


def _configuration_seeds() -> list[bytes]:
    return [flatbuffer.encode(c) for c in (Configuration(), Configuration(seed=1), _FULL)]


def _read_app_json(data: bytes) -> object:
    settings = app_json.from_json(data)
    again = app_json.from_json(app_json.to_json(settings))
    assert again == settings  # noqa: S101 - a finding
    return flatbuffer.encode(settings)


def _app_json_seeds() -> list[bytes]:
    generation = to_json(Generation(_FULL, "a tower", "rain"))
    values = [app_json.to_json(c, complete=all_) for c in (_FULL,) for all_ in (False, True)]
    return [json.dumps(value).encode() for value in (*values, generation)]


# --- the catalogue, and a request made by it


def _read_catalog(data: bytes) -> object:
    reply = protobuf.EchoReply(files=[MODEL], serverIdentifier=1)
    for name in _OVERRIDE:
        setattr(reply.override, name, data)
    catalog = Catalog.from_reply(reply)
    kept = Catalog.from_json(json.loads(json.dumps(catalog.to_json())))
    assert kept == catalog  # noqa: S101 - a finding
    model = catalog.models[0].file if catalog.models else MODEL
    loras = tuple(Lora(entry.file, 0.5) for entry in catalog.loras[:1])
    settings = Configuration(model=model, start_width=64, start_height=64)
    resolved = resolve(GenerationRequest(settings, loras=loras), catalog)
    preflight.check(resolved)
    return build(resolved).SerializeToString()


def _catalog_seeds() -> list[bytes]:
    override = ServerCatalog.load().to_override()
    rows = {name: json.loads(getattr(override, name) or b"[]") for name in _OVERRIDE}
    return [json.dumps(entries[:2]).encode() for entries in rows.values()]


# --- pictures of others


def _picture_seeds() -> list[bytes]:
    pixels = np.zeros((4, 4, 3), np.uint8)
    png = encode(pixels, None, Generation(_FULL, "a tower", "rain"))
    packet = json.dumps(to_json(Generation(_FULL))).encode()
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    chunk = len(packed).to_bytes(4, "big") + b"iTXt" + packed + bytes(4)
    segment = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + packet + b"</x:xmpmeta>"
    jpeg = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + b"\xff\xda"
    return [png, png[:8] + chunk, jpeg, b"<x:xmpmeta>" + packet + b"</x:xmpmeta>"]


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "tensor": Target(_read_tensor, (TensorError,), _tensor_seeds),
        "answer": Target(_read_answer, (ProtocolError, TensorError), _answer_seeds),
        "film": Target(_read_film, (ProtocolError, TensorError), _film_seeds),
        "configuration": Target(_read_configuration, (SettingsError,), _configuration_seeds),
        "app_json": Target(_read_app_json, (SettingsError,), _app_json_seeds),
        "catalog": Target(_read_catalog, (RequestError,), _catalog_seeds),
        "picture": Target(read, (SettingsError,), _picture_seeds),
    }
)
