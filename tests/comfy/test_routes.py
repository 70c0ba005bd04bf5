"""The routes inside a real ComfyUI: its own checks, its limits, with and without /api."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from io import BytesIO
from typing import Any

import pytest
from drawthings.dt_core.simulator import Simulator
from drawthings.tools.comfyui import ComfyUI

OURS = {"X-Draw-Things-Nodes": "1"}
JSON = {**OURS, "Content-Type": "application/json"}
STREAM = {**OURS, "Content-Type": "application/octet-stream"}
MAX_UPLOAD_SIZE = 100 << 20  # bytes; ComfyUI's own limit for bodies, unless told otherwise


def post(comfyui: ComfyUI, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and body of the answer; `body` is JSON, or bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sized = {**headers, "Content-Length": str(len(data))}
    request = urllib.request.Request(comfyui.address + path, BytesIO(data), sized)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_the_default_server_is_connected(
    comfyui: ComfyUI, simulator: Simulator, prefix: str
) -> None:
    status, answer = post(comfyui, f"{prefix}/drawthingsnodes/status", {"server": None}, JSON)
    assert status == 200
    told = json.loads(answer)
    assert (told["code"], told["address"]) == ("connected", simulator.address)


def test_a_page_of_another_origin_is_kept_out(comfyui: ComfyUI) -> None:
    foreign = {**JSON, "Origin": "http://elsewhere.example"}
    assert post(comfyui, "/drawthingsnodes/servers", {}, foreign)[0] == 403
    own = {**JSON, "Origin": comfyui.address}
    assert post(comfyui, "/drawthingsnodes/servers", {}, own)[0] == 200
    simple = {"Content-Type": "text/plain"}  # what such a page may send unasked
    assert post(comfyui, "/drawthingsnodes/servers", {}, simple)[0] == 403


def test_a_page_whose_own_name_leads_here_changes_nothing(comfyui: ComfyUI) -> None:
    """ComfyUI itself answers it: by a name that is not loopback it compares nothing."""
    port = comfyui.address.rpartition(":")[2]
    rebound = {
        **JSON,
        "Host": f"rebound.example:{port}",
        "Origin": f"http://rebound.example:{port}",
    }
    new = {"name": "theirs", "address": "192.0.2.1"}
    status, answer = post(comfyui, "/drawthingsnodes/servers/save", new, rebound)
    assert (status, json.loads(answer)["code"]) == (403, "HostNotAllowed")
    listed = json.loads(post(comfyui, "/drawthingsnodes/servers", {}, JSON)[1])["servers"]
    assert "theirs" not in {row["name"] for row in listed}


def test_a_model_file_is_not_bound_by_comfyuis_limit_for_uploads(
    comfyui: ComfyUI, simulator: Simulator
) -> None:
    content = b"draw things " * (MAX_UPLOAD_SIZE // 12 + 100_000)
    assert len(content) > MAX_UPLOAD_SIZE
    query = urllib.parse.urlencode({"name": "large_lora_f16.ckpt", "server": "null"})
    status, answer = post(comfyui, f"/drawthingsnodes/upload?{query}", content, STREAM)
    assert status == 200, answer
    assert json.loads(answer)["sha256"] == hashlib.sha256(content).hexdigest()
    assert "large_lora_f16.ckpt" in simulator.files()
    assert not list((comfyui.base / "user" / "__drawthings" / "uploads").iterdir())


def test_what_is_stored_is_not_served(comfyui: ComfyUI) -> None:
    secret = "never to be seen again"
    server = {"name": "hidden", "address": "127.0.0.1:1", "secret": secret}
    _, answer = post(comfyui, "/drawthingsnodes/servers/save", server, JSON)
    assert secret.encode() not in answer
    _, removed = post(comfyui, "/drawthingsnodes/servers", {}, JSON)
    assert secret.encode() not in removed
    for name in ("secrets.json", "servers.json"):
        for path in (f"/userdata/../__drawthings/{name}", f"/userdata/__drawthings%2F{name}"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(comfyui.address + path, timeout=10)
            refused.value.close()
    assert secret not in comfyui.log.read_text(encoding="utf-8")
    post(comfyui, "/drawthingsnodes/servers/remove", {"name": "hidden"}, JSON)
