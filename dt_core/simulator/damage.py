"""What each fault of the script does to the answers of one call."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np

from ..wire import protobuf, tensor
from .faults import Fault
from .gate import UNKNOWN_ERROR
from .hands import Hands

PIECE_BYTES = 4 << 20

_GARBAGE = b"\xff" * 37
_LATER_FIELD = b"\x92\x4b\x03new"  # field 1202, three bytes: no version has it
_DIMS = struct.Struct("<12i")
_DIMS_AT = 20  # bytes into a tensor (docs/protocol.md 3.1)


class Ended(Exception):
    """The call ends with this status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


def answers(fault: Fault, messages: Iterator[Any], powers: Hands) -> Iterator[Any]:
    """The messages of a generation with the fault; bytes go out as they are.

    Raises Ended.
    """
    change = _PICTURES.get(fault.kind)
    if change is not None:
        yield from _with_pictures(fault, messages, change)
        return
    every = _EVERY.get(fault.kind)
    number = -1
    reached = False
    picture, begun = 0, False
    for number, message in enumerate(messages):
        has_picture = not isinstance(message, bytes) and bool(message.generatedImages)
        if fault.picture is None:
            due = number >= fault.at
        else:
            due = has_picture and not begun and picture >= fault.picture
        if has_picture:
            begun = message.chunkState == protobuf.MORE_CHUNKS
            picture += not begun
        if due and every is None and not reached:
            reached = True
            yield from _once(fault, message, powers)
            if fault.kind in _LAST:
                return
        changes = due and every is not None and not isinstance(message, bytes)
        yield every(fault, message) if changes and every else message
    if not reached and every is None:  # beyond the last message is before the status
        yield from _once(fault, protobuf.ImageGenerationResponse(), powers)


def _once(fault: Fault, message: Any, powers: Hands) -> Iterator[Any]:
    Response = protobuf.ImageGenerationResponse  # noqa: N806 - a class
    match fault.kind:
        case "drop":
            powers.drop()
            powers.wait(None)
        case "freeze":
            powers.freeze()
            powers.wait(None)
        case "drip":
            powers.drip(fault["bytes_per_s"])
        case "goaway":
            powers.go_away(fault["last_stream"], fault["code"], fault["reason"].encode())
        case "restart":
            powers.restart()
            powers.wait(None)
        case "stall" | "status":
            in_place(fault, powers)
        case "secret":
            powers.change_secret()
            raise Ended(grpc.StatusCode.INTERNAL, UNKNOWN_ERROR)
        case "empty":
            yield Response(scaleFactor=1)
        case "garbage":
            yield _GARBAGE
        case "heartbeats":
            yield from (Response() for _ in range(fault["count"]))
        case "endless":
            repeated = {
                "heartbeats": Response(),
                "progress": message,
                "pieces": Response(
                    generatedImages=[bytes(PIECE_BYTES)], chunkState=protobuf.MORE_CHUNKS
                ),
                "pictures": Response(generatedImages=[_small_picture()]),
                "previews": Response(previewImage=bytes(PIECE_BYTES)),
            }[fault["what"]]
            while True:
                yield repeated


_LAST = {"drop", "freeze", "restart", "empty", "end", "endless"}


def in_place(fault: Fault, powers: Hands) -> None:
    """A stall or a status, which any call can have. Raises Ended."""
    if fault.kind == "stall":
        powers.wait(fault["seconds"])
    elif fault.kind == "status":
        raise Ended(grpc.StatusCode[fault["code"]], fault["details"])


def _small_picture() -> bytes:
    return tensor.encode(np.zeros((1, 64, 64, 3), np.float16))


# --- faults of every message from their place on


def _unset(_: Fault, message: Any) -> Any:
    if message.HasField("currentSignpost"):
        message.currentSignpost.Clear()
        message.currentSignpost.SetInParent()
    message.signposts.add()
    return message


def _of_later_version(_: Fault, message: Any) -> bytes:
    if message.HasField("currentSignpost"):
        arm = message.currentSignpost.SerializeToString() if message.signposts else b""
        message.currentSignpost.ParseFromString(arm + _LATER_FIELD)
    message.signposts.add().ParseFromString(_LATER_FIELD)
    if message.chunkState == protobuf.LAST_CHUNK and message.generatedImages:
        message.chunkState = 77
    data: bytes = message.SerializeToString() + _LATER_FIELD
    return data


def _without_last(_: Fault, message: Any) -> Any:
    if message.generatedImages:
        message.chunkState = protobuf.MORE_CHUNKS
    return message


def _of_wrong_size(fault: Fault, message: Any) -> Any:
    if message.HasField("downloadSize"):
        message.downloadSize = fault["bytes"]
    return message


_EVERY: dict[str, Callable[[Fault, Any], Any]] = {
    "unset_signposts": _unset,
    "unknown_values": _of_later_version,
    "no_last": _without_last,
    "size": _of_wrong_size,
}


# --- faults of one picture, whole


def _with_pictures(
    fault: Fault, messages: Iterator[Any], change: Callable[[Fault, bytes], bytes]
) -> Iterator[Any]:
    whole, number = bytearray(), 0
    for message in messages:
        if isinstance(message, bytes) or not message.generatedImages:
            yield message
            continue
        whole += b"".join(message.generatedImages)
        if message.chunkState == protobuf.MORE_CHUNKS:
            continue
        damaged = number == (fault.picture or 0)
        data = change(fault, bytes(whole)) if damaged else bytes(whole)
        length = fault["piece_bytes"] if damaged and fault.kind == "order" else PIECE_BYTES
        pieces = [data[at : at + length] for at in range(0, max(len(data), 1), length)]
        if damaged and fault.kind == "order":
            pieces.insert(0, pieces.pop(1 if len(pieces) > 1 else 0))
        for piece in pieces[:-1]:
            yield _piece(message, piece, protobuf.MORE_CHUNKS)
        yield _piece(message, pieces[-1], protobuf.LAST_CHUNK)
        whole.clear()
        number += 1


def _piece(message: Any, data: bytes, state: int) -> Any:
    return protobuf.ImageGenerationResponse(
        generatedImages=[data], scaleFactor=message.scaleFactor, chunkState=state
    )


def _recoded(fault: Fault, data: bytes) -> bytes:
    return tensor.encode(tensor.decode(data), fault["codec"])


# Damaged fpzip data is wrong from its first bytes on: who reads that far refuses it. Damage
# farther on may end the process of a client that trusts its fpzip (docs/protocol.md 3.4).
_BEGINNING = tensor.HEADER_BYTES + 8


def _cut(fault: Fault, data: bytes) -> bytes:
    data = _recoded(fault, data)
    kept = int(len(data) * fault["keep"])
    if fault["codec"] == "fpzip":
        kept = min(kept, _BEGINNING)
    return data[:kept]


def _flip(fault: Fault, data: bytes) -> bytes:
    changed = bytearray(_recoded(fault, data))
    start = tensor.HEADER_BYTES
    if fault["codec"] != "fpzip":
        start += int((len(changed) - start) * fault["place"])
    for at in range(start, min(start + fault["count"], len(changed))):
        changed[at] ^= 0xFF
    return bytes(changed)


def _dims(fault: Fault, data: bytes) -> bytes:
    dims = [*fault["dims"], *[0] * 12][:12]
    return data[:_DIMS_AT] + _DIMS.pack(*dims) + data[_DIMS_AT + _DIMS.size :]


def _nan(fault: Fault, data: bytes) -> bytes:
    values = tensor.decode(data).copy()
    values.reshape(-1)[: int(values.size * fault["share"])] = np.nan
    return tensor.encode(values)


def _shrink(fault: Fault, data: bytes) -> bytes:
    values = tensor.decode(data)
    by = min(fault["by"], values.shape[1] - 1)
    return tensor.encode(np.ascontiguousarray(values[:, :-by]))


def _unchanged(_: Fault, data: bytes) -> bytes:
    return data


_PICTURES: dict[str, Callable[[Fault, bytes], bytes]] = {
    "cut": _cut,
    "flip": _flip,
    "dims": _dims,
    "nan": _nan,
    "shrink": _shrink,
    "order": _unchanged,
}


# --- faults of the catalogue

_OVERRIDE = ("models", "loras", "controlNets", "textualInversions", "upscalers")
_BAD = {
    "text": b"<html>not JSON</html>",
    "cut": b'[{"file": "a.ckpt", "name": "A", "ver',
    "deep": b"[" * 100_000,
    "numbers": b'[{"file": "a.ckpt", "default_scale": 1e999, "frames_per_second": NaN, '
    b'"scale_factor": Infinity, "length": -Infinity, "weight": {"value": 1e999}}, '
    b'{"file": "b.ckpt", "default_scale": ' + b"9" * 400 + b"}]",
    "types": b'[{"file": 3}, 7, null, [], {"file": ["x"]}, {"file": "c.ckpt", "name": {}, '
    b'"version": 4, "modifier": [], "weight": "heavy", "default_scale": "big"}]',
    "names": json.dumps(
        [
            {"file": name, "name": name, "version": name, "keyword": name, "modifier": name}
            for name in (
                "../../../etc/passwd.ckpt",
                "C:\\Windows\\x.ckpt",
                "<img src=x onerror=\"window.broken='in'\">.ckpt",
                "\x1b[31mred\x07.ckpt",
                "\u202egnp.ckpt\r\nSet-Cookie: x",
            )
        ]
    ).encode(),
}


def echo(fault: Fault, reply: Any) -> Any:
    """An Echo answer with the fault."""
    override = reply.override
    if fault.kind == "bad_catalog":
        for name in _OVERRIDE:
            setattr(override, name, _BAD[fault["what"]])
    elif fault.kind == "unknown_keys":
        for name in _OVERRIDE:
            rows = json.loads(getattr(override, name) or b"[]")
            later = {"colour_of_the_future": {"a": [1]}, "modifier": "from_tomorrow"}
            if rows:
                rows.append({**rows[0], **later, "file": f"later_{name}.ckpt", "version": "v99"})
            setattr(
                override, name, json.dumps([{**row, "tomorrow": True} for row in rows]).encode()
            )
    elif fault.kind == "many_entries":
        for name in ("models", "loras"):
            rows = json.loads(getattr(override, name))
            more = [
                {**rows[n % len(rows)], "file": f"{name}_{n}.ckpt", "name": f"{name} {n}"}
                for n in range(fault["count"])
            ]
            setattr(override, name, json.dumps(rows + more).encode())
            reply.files.extend(row["file"] for row in more)
    return reply
