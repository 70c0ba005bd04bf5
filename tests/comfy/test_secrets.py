"""A secret that is in use is nowhere to be found: files, answers, events, errors, logs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui import ComfyUI
from drawthings.tools.comfyui_client import Client
from drawthings.tools.comfyui_setup import ROOT
from PIL import Image
from running_example import Example

STORED = "hush-7d1c-in-the-file"
IN_ENVIRONMENT = "hush-93ab-in-the-environment"
MODEL = "z_image_turbo_1.0_q6p.ckpt"
SAMPLER = Example("text_to_image").sampler
ROUTES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/servers", {}),
    ("/status", {"server": {"saved": "studio"}}),
    ("/catalog", {"server": {"saved": "studio"}}),
    ("/refresh", {}),
    ("/effects", {}),
    ("/recommended", {"server": {"saved": "studio"}, "model": MODEL}),
    ("/files/exist", {"server": {"saved": "studio"}, "files": [MODEL]}),
    ("/check/question", {"server": {"saved": "studio"}}),
    ("/check", {"server": {"saved": "studio"}, "generate": True, "id": "one"}),
    ("/servers/default", {"name": "studio"}),
    ("/servers/accept", {"server": {"saved": "studio"}, "fingerprint": "ab" * 32}),
    ("/upload/cancel", {"id": "none"}),
    ("/servers/discover", {"seconds": 0.2}),
    ("/servers/remove", {"name": "studio"}),
)
UPLOAD = "/upload?" + urllib.parse.urlencode(
    {"name": "new.ckpt", "server": json.dumps({"saved": "studio"})}
)
ALL_ROUTES = {
    path
    for file in (ROOT / "nodes" / "routes").glob("*.py")
    for path in re.findall(r'"(/[a-z/]+)": [a-z]', file.read_text(encoding="utf-8"))
}


@pytest.fixture(scope="module")
def place(comfyui: ComfyUI) -> Iterator[ComfyUI]:
    """Another ComfyUI, so that nothing of other tests is in its files."""
    env = {"DRAWTHINGS_SECRET_LAB": IN_ENVIRONMENT}
    with ComfyUI(comfyui.installation, env=env) as running:
        yield running


def post(comfyui: ComfyUI, path: str, body: Any) -> str:
    """What a route answers to JSON, or to bytes as they are."""
    raw = isinstance(body, bytes)
    kind = "application/octet-stream" if raw else "application/json"
    request = urllib.request.Request(
        f"{comfyui.address}/drawthingsnodes{path}",
        body if raw else json.dumps(body).encode(),
        {"X-Draw-Things-Nodes": "1", "Content-Type": kind},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode()
    return text


def graph(server: dict[str, Any]) -> dict[str, Any]:
    """Text to image on that server, saved by ComfyUI's node and by ours."""
    example = Example("text_to_image")
    example.inputs.update(steps=2, width=128, height=128)
    picture, generation = [example.sampler, 0], [example.sampler, 6]
    prompt = example.prompt
    prompt[example.loader]["inputs"].update(model=MODEL, server=["900", 0])
    prompt["900"] = {"class_type": "DTServer", "inputs": server}
    saved = {"images": picture, "generation": generation, "filename_prefix": "ours"}
    prompt["901"] = {"class_type": "DTSaveImage", "inputs": saved}
    return prompt


def disguises(secret: str) -> Iterator[bytes]:
    """The secret as it would stand in other encodings."""
    plain = secret.encode()
    yield from (plain, secret.encode("utf-16-le"), secret.encode("utf-16-be"), plain.hex().encode())
    for start in range(3):  # wherever in a longer text it begins
        yield base64.b64encode(bytes(start) + plain)[4:-4]
    yield plain[::-1]
    yield hashlib.sha256(plain).hexdigest().encode()


def texts_of(picture: Path) -> bytes:
    """What stands in a picture beside its pixels, unpacked."""
    with Image.open(picture) as opened:
        return repr({**opened.info, "exif": dict(opened.getexif())}).encode()


def everything_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file but those where the secret belongs."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "secrets.json":
            yield str(path.relative_to(folder)), path.read_bytes()
            if path.suffix == ".png":
                yield f"texts of {path.name}", texts_of(path)


def test_a_secret_is_in_no_file_answer_event_error_or_log(place: ComfyUI) -> None:
    seen: list[tuple[str, bytes]] = []
    with (
        Simulator(secret=STORED) as studio,
        Simulator(secret=IN_ENVIRONMENT, tls=True) as lab,
        place.client() as client,
    ):
        server = {"name": "studio", "address": studio.address, "secret": STORED}
        seen.append(("/servers/save", post(place, "/servers/save", server).encode()))
        by_name = {"address": "", "tls": "automatic", "saved_server": "studio"}
        by_variable = {"address": lab.address, "tls": "automatic", "secret_name": "lab"}
        results = [client.run(graph(by_name)), client.run(graph(by_variable))]
        assert [result.outcome for result in results] == ["success", "success"]

        studio.secret = lab.secret = "another one by now"
        results += [client.run(graph(by_name)), client.run(graph(by_variable))]
        lab.stop()
        results += [client.run(graph(by_variable))]
        assert [result.outcome for result in results[2:]] == ["error"] * 3
        assert all(result.error for result in results[2:])

        made = next((place.base / "output").rglob("*.png")).read_bytes()
        asked = [
            ("/export/configuration", {"prompt": graph(by_name), "node": SAMPLER}),
            ("/import/picture", made),
            ("/import/configuration", {"text": json.dumps(graph(by_name))}),
            ("/convert", {"workflow": graph(by_variable)}),
            (UPLOAD, b"a model"),
            *ROUTES,
        ]
        named = {path.partition("?")[0] for path, _ in asked} | {"/servers/save"}
        asked = [*((path, {}) for path in sorted(ALL_ROUTES - named)), *asked]
        seen += [(path, post(place, path, body).encode()) for path, body in asked]
        for result in results:
            seen.append(("events", repr(result).encode()))
            seen.append(("history", json.dumps(client.history(result.prompt_id)).encode()))
        for path in ("/object_info", "/history", "/queue", "/settings", "/internal/logs"):
            seen.append((path, _get(client, path)))
    seen += everything_in(place.base)
    seen.append(("the log", place.log.read_bytes()))

    pictures = [name for name, _ in seen if name.endswith(".png")]
    assert len(pictures) >= 4, "the pictures were looked at"
    assert b"studio" in dict(seen)["/servers"], "the routes answered"
    assert len(ALL_ROUTES) > 15
    for secret in (STORED, IN_ENVIRONMENT):
        for disguise in disguises(secret):
            assert not [where for where, content in seen if disguise in content]


def _get(client: Client, path: str) -> bytes:
    try:
        return client.get(path)
    except urllib.error.HTTPError:
        return b""
