"""Talk to a running ComfyUI as its front end does: HTTP for requests, a WebSocket for events."""

from __future__ import annotations

import io
import json
import struct
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import websocket

Prompt = Mapping[str, Any]

PREVIEW = 1  # binary events of ComfyUI: a picture,
PREVIEW_WITH_METADATA = 4  # and a picture with the node it belongs to
REQUEST_TIMEOUT_S = 30.0


class PromptRefused(Exception):
    """ComfyUI answered 400: `answer` has its error and `node_errors`."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(json.dumps(answer, indent=1)[:4000])
        self.answer = answer

    @property
    def messages(self) -> list[str]:
        """What each node said, message and details joined."""
        return [
            f"{error['message']} {error['details']}"
            for node in self.answer.get("node_errors", {}).values()
            for error in node["errors"]
        ]


@dataclass(frozen=True)
class Event:
    """One message of the WebSocket; a preview has its picture and its metadata, if sent."""

    kind: str
    data: dict[str, Any]
    image: bytes = b""
    at: float = 0.0


@dataclass
class Result:
    """What came back for one prompt."""

    prompt_id: str
    events: list[Event] = field(default_factory=list)
    history: dict[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    @property
    def previews(self) -> list[Event]:
        return self.of_kind("preview")

    @property
    def outcome(self) -> str:
        """`success`, `error` or `interrupted`."""
        for name in ("error", "interrupted"):
            if self.of_kind(f"execution_{name}"):
                return name
        return "success"

    @property
    def error(self) -> str:
        return "\n".join(e.data["exception_message"] for e in self.of_kind("execution_error"))

    def files(self, node_id: str) -> list[dict[str, str]]:
        """The pictures that an output node saved."""
        found: list[dict[str, str]] = self.history["outputs"][node_id]["images"]
        return found


class Http:
    """Requests to one server, past any proxy that the environment names."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> bytes:
        return self.send(urllib.request.Request(self.address + path))

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def post_json(self, path: str, value: object) -> Any:
        request = urllib.request.Request(
            self.address + path,
            data=json.dumps(value).encode(),
            headers={"Content-Type": "application/json"},
        )
        answer = self.send(request)
        return json.loads(answer) if answer else None

    def send(self, request: urllib.request.Request) -> bytes:
        """The body of the answer. Raises urllib.error.HTTPError for a refusal."""
        try:
            with self._opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as refusal:
            with refusal:  # it holds the connection, also where nobody reads its body
                kept = io.BytesIO(refusal.read())
            raise urllib.error.HTTPError(
                refusal.url, refusal.code, refusal.reason, refusal.headers, kept
            ) from None


class Client(Http):
    """One window onto ComfyUI: queues prompts and hears what happens to them."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.client_id = uuid.uuid4().hex
        self._socket: websocket.WebSocket | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt and return its id; PromptRefused if ComfyUI does not take it."""
        self._connect()  # before the prompt, or its first events are missed
        try:
            answer = self.post_json("/prompt", {"prompt": prompt, "client_id": self.client_id})
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            raise PromptRefused(json.loads(error.read())) from None
        prompt_id: str = answer["prompt_id"]
        return prompt_id

    def wait(
        self,
        prompt_id: str,
        *,
        timeout_s: float = 60.0,
        on_event: Callable[[Event], None] | None = None,
    ) -> Result:
        """Collect the events of a queued prompt until it is over."""
        result = Result(prompt_id)
        deadline = time.monotonic() + timeout_s
        while True:
            event = self._next_event(deadline)
            if event.kind != "preview" and event.data.get("prompt_id") not in {None, prompt_id}:
                continue
            result.events.append(event)
            if on_event is not None:
                on_event(event)
            if event.kind == "executing" and event.data.get("node") is None:
                break
        while prompt_id not in (history := self.history(prompt_id)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"prompt {prompt_id} never came into the history")
            time.sleep(0.02)
        result.history = history[prompt_id]
        return result

    def run(self, prompt: Prompt, *, timeout_s: float = 60.0) -> Result:
        return self.wait(self.queue(prompt), timeout_s=timeout_s)

    def interrupt(self, prompt_id: str | None = None) -> None:
        self.post_json("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def history(self, prompt_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get_json(f"/history/{prompt_id}")
        return found

    def view(self, file: Mapping[str, str]) -> bytes:
        """The bytes of a file that an output node saved."""
        return self.get("/view?" + urllib.parse.urlencode(file))

    def node_definition(self, node_id: str) -> dict[str, Any]:
        """What /object_info says of one node; empty if ComfyUI does not have it."""
        found: dict[str, Any] = self.get_json(f"/object_info/{node_id}").get(node_id, {})
        return found

    def _connect(self) -> websocket.WebSocket:
        if self._socket is None:
            address = self.address.replace("http://", "ws://")
            self._socket = websocket.create_connection(
                f"{address}/ws?clientId={self.client_id}", timeout=REQUEST_TIMEOUT_S
            )
            flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
            self._socket.send(json.dumps(flags))
        return self._socket

    def _next_event(self, deadline: float) -> Event:
        connection = self._connect()
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the prompt did not end in time")
        connection.settimeout(remaining)
        try:
            message = connection.recv()
        except websocket.WebSocketTimeoutException:
            raise TimeoutError("the prompt did not end in time") from None
        now = time.monotonic()
        if isinstance(message, str):
            text = json.loads(message)
            return Event(text["type"], text["data"], at=now)
        return _binary_event(message, now)


def _binary_event(message: bytes, now: float) -> Event:
    (kind,) = struct.unpack(">I", message[:4])
    if kind == PREVIEW_WITH_METADATA:
        (length,) = struct.unpack(">I", message[4:8])
        metadata = json.loads(message[8 : 8 + length])
        return Event("preview", metadata, message[8 + length :], now)
    if kind == PREVIEW:
        return Event("preview", {}, message[8:], now)
    return Event(f"binary {kind}", {}, message[4:], now)
