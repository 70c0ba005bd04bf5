"""What no page of ours sends: odd JSON for every route, odd values for inputs of nodes."""

from __future__ import annotations

import copy
import json
import random
import urllib.error
import urllib.request
from typing import Any

from ..comfyui_client import Client, PromptRefused

# All but the one that would change which server the soak itself uses.
ROUTES = (
    "/catalog", "/convert", "/effects", "/examples/pictures", "/export/configuration",
    "/files/exist", "/import/configuration", "/import/picture", "/recommended", "/servers",
    "/servers/accept", "/servers/remove", "/servers/save", "/status",
    "/upload", "/upload/cancel",
)  # fmt: skip
KEYS = (
    "server", "name", "was", "address", "tls", "fingerprint", "ca_file", "secret", "layers",
    "loras", "connected", "unknown", "model", "text", "prompt", "node", "workflow", "names",
    "files", "id", "saved", "nodes", "links", "class_type", "inputs", "configuration", "width",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    "", "x", "x" * 5000, "~nobody/x.pem", "a\x00b", "\ud800", "\u202e.ckpt", "127.0.0.1:1", "ssl",
    "[" * 500, "DTSampler", "DrawThingsSampler", -1, 0, 2**31, 2**70, 1e308, float("nan"),
    float("inf"), True, None, [], {}, [None], {"saved": "none"},
)  # fmt: skip


def value(chance: random.Random, depth: int = 3) -> Any:
    """Any JSON, and NaN, infinities and half characters, which are none."""
    kind = chance.randrange(4) if depth else 0
    if kind == 1:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 2:
        return {key: value(chance, depth - 1) for key in chance.sample(KEYS, chance.randrange(6))}
    return chance.choice(ODD)


def post(client: Client, route: str, body: object, kind: str = "json") -> bytes:
    """What one of our routes answers. Raises urllib.error.HTTPError for a refusal."""
    request = urllib.request.Request(
        f"{client.address}/drawthingsnodes{route}",
        json.dumps(body).encode(),
        {"Content-Type": f"application/{kind}", "X-Draw-Things-Nodes": "1"},
    )
    return client.send(request)


def ask(client: Client, chance: random.Random) -> str:
    """Send one odd request; what is wrong about the answer, "" if nothing is."""
    route = chance.choice(ROUTES)
    body = {key: value(chance) for key in chance.sample(KEYS, 8)}
    kind = "octet-stream" if route in {"/upload", "/import/picture"} else "json"
    try:
        answer = post(client, f"{route}?name=x", body, kind)
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            return f"{route} answers {error.code} to {body!r}"
        answer = error.read()
    try:
        json.loads(answer, parse_constant=_no_number)
    except ValueError as error:
        return f"{route}: {error} in the answer to {body!r}"
    return ""


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def queue(client: Client, prompt: dict[str, Any], chance: random.Random, timeout_s: float) -> str:
    """Run a graph with one odd value; what is wrong about its end, "" if nothing is.

    ComfyUI refuses most of them by itself; what passes has to end in pictures or one sentence.
    """
    odd = copy.deepcopy(prompt)
    node = chance.choice([n for n in odd.values() if n["class_type"].startswith("DT")])
    values = [name for name, given in node["inputs"].items() if not isinstance(given, list)]
    if not values:
        return ""
    name = chance.choice(values)
    node["inputs"][name] = value(chance, 1)
    said = f"{node['class_type']}.{name} = {node['inputs'][name]!r}"
    try:
        result = client.wait(client.queue(odd), timeout_s=timeout_s)
    except PromptRefused:
        return ""
    except urllib.error.HTTPError as error:
        return "" if error.code < 500 else f"{said}: ComfyUI answers {error.code}"
    lines = result.error.strip().splitlines() if result.outcome == "error" else ["one"]
    return "" if len(lines) == 1 else f"{said}: not one sentence but {result.error!r}"
