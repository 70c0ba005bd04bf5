"""What a server would drop in silence, or look for in vain, is refused before it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawthings.dt_core.connection.profile import ServerProfile
from drawthings.dt_core.errors import RequestError
from drawthings.dt_core.generation.client import Client
from drawthings.dt_core.request.message import build, check_encoded
from drawthings.dt_core.request.resolved import GenerationRequest, resolve
from drawthings.dt_core.settings.configuration import (
    Configuration,
    ControlSettings,
    LoraSettings,
)
from drawthings.dt_core.simulator import Simulator
from drawthings.dt_core.wire import tensor

PICTURE = tensor.encode(np.zeros((1, 64, 64, 3), np.float16))


def test_a_picture_that_is_encoded_as_servers_take_it_passes() -> None:
    check_encoded(PICTURE, 4)
    check_encoded(tensor.encode(np.zeros((64, 64), np.uint8)), 2)


@pytest.mark.parametrize(
    ("data", "rank", "words"),
    [
        (PICTURE[:-1], 4, "bytes"),
        (PICTURE + b"x", 4, "bytes"),
        (PICTURE, 3, "4 dimensions"),
        (tensor.encode(np.zeros((1, 64, 64, 3), np.float16), "zip"), 4, "zip"),
        (PICTURE[:20], 4, "header"),
    ],
    ids=["too short", "too long", "another rank", "compressed", "no header"],
)
def test_an_encoding_that_a_server_would_drop_is_never_sent(
    data: bytes, rank: int, words: str
) -> None:
    with pytest.raises(RequestError, match="nothing was sent") as refused:
        check_encoded(data, rank)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        lambda name: {"model": name},
        lambda name: {"refiner_model": name},
        lambda name: {"upscaler": name},
        lambda name: {"face_restoration": name},
        lambda name: {"loras": (LoraSettings(name, 1.0),)},
        lambda name: {"controls": (ControlSettings(name),)},
    ],
    ids=["model", "refiner", "upscaler", "face restoration", "LoRA", "control"],
)
def test_a_name_with_nul_is_never_sent(settings: Any) -> None:
    wanted = Configuration(**{"model": "m.ckpt", **settings("a\x00b.ckpt")})
    with pytest.raises(RequestError, match="No file can be called"):
        build(resolve(GenerationRequest(wanted)))


@pytest.mark.parametrize(
    "rows", [{"loras": (LoraSettings("", 1.0),)}, {"controls": (ControlSettings(""),)}]
)
def test_an_empty_name_is_never_sent(rows: Any) -> None:
    with pytest.raises(RequestError, match="is empty"):
        build(resolve(GenerationRequest(Configuration(model="m.ckpt", **rows))))


def test_nobody_is_asked_for_files_without_a_name(server: Simulator) -> None:
    client = Client(ServerProfile(server.address))
    for name in ("", "a\x00b.ckpt"):
        with pytest.raises(RequestError):
            client.files_exist(["m.ckpt", name])
        with pytest.raises(RequestError):
            client.upload(Path(__file__), name)
