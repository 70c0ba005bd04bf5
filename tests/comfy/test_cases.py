"""Prompts as other programs send them: each is valid, and none may fail or tell too much."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.settings.configuration import Configuration
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui_client import Client, Result
from PIL import Image

CASES = Path(__file__).resolve().parents[1] / "data" / "cases"
PRIVATE = re.compile(r"127\.0\.0\.1|localhost|[0-9a-f]{64}|secret|\.pem", re.IGNORECASE)


def case(name: str) -> dict[str, Any]:
    prompt: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return prompt


def notes(result: Result) -> list[str]:
    return [
        note
        for event in result.of_kind("executed")
        for note in (event.data.get("output") or {}).get("drawthings_notes") or ()
    ]


def asked(simulator: Simulator) -> Configuration:
    """The settings of the last request."""
    settings = simulator.requests[-1].configuration
    assert settings is not None
    return settings


def texts(data: bytes) -> dict[str, str]:
    return dict(Image.open(io.BytesIO(data)).text)  # type: ignore[attr-defined]


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("api_seed_33_bit", 0),
        ("api_seed_by_link", 366577907829128 % 2**32),
        ("api_height_1080_by_link", 1088),
    ],
)
def test_a_number_beyond_what_servers_take_is_brought_into_range_and_said(
    client: Client, simulator: Simulator, name: str, made: int
) -> None:
    result = client.run(case(name))

    assert any(str(made) in note for note in notes(result))
    settings = asked(simulator)
    assert made in (settings["seed"], settings["start_height"])


@pytest.mark.parametrize("seed", [-2, 2**64 - 1, 2**50, -(2**63)])
def test_any_64_bit_seed_is_taken(client: Client, simulator: Simulator, seed: int) -> None:
    prompt = case("api_seed_33_bit")
    prompt["3"]["inputs"]["seed"] = seed

    client.run(prompt)

    assert asked(simulator)["seed"] == seed % 2**32


@pytest.mark.parametrize("name", ["api_default_server", "api_seed_minus_one"])
def test_a_saved_picture_is_strict_json_and_says_nothing_of_a_server(
    client: Client, name: str
) -> None:
    result = client.run(case(name))
    saved = client.view(result.files("4")[0])

    found = texts(saved)
    assert {"prompt", "parameters"} & found.keys()
    for key, text in found.items():
        if text.startswith("{"):
            strict(text)
        assert not PRIVATE.search(text), key


def is_files(rows: Any) -> bool:
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict)


FILM = "ltx_2.3_22b_distilled_q8p.ckpt"


def test_core_savers_write_nothing_of_a_server_either(client: Client) -> None:
    prompt = case("api_seed_minus_one")
    prompt["1"]["inputs"]["model"] = FILM
    del prompt["4"]
    prompt["5"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["3", 0], "filename_prefix": "c"},
    }
    video = {"video": ["3", 2], "filename_prefix": "c", "format": "auto", "codec": "auto"}
    prompt["6"] = {"class_type": "SaveVideo", "inputs": video}
    prompt["7"] = {"class_type": "SaveAudio", "inputs": {"audio": ["3", 3], "filename_prefix": "c"}}
    result = client.run(prompt, timeout_s=120)

    assert result.outcome == "success", result.error
    for node in ("5", "6", "7"):
        (files,) = (rows for rows in result.history["outputs"][node].values() if is_files(rows))
        for file in files:
            data = client.view(file)
            for word in (b"127.0.0.1", b"localhost", b"ServerProfile"):
                assert word not in data, (file, word)
