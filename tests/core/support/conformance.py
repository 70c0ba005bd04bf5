"""Recorded calls of the real service (tests/data/conformance), made again and compared.

Compared are status, order of messages, their fields on the wire, number and headers of pictures
and sounds, and pieces. Not compared is what only a generator decides: signposts, previews but for
their form, bytes of pictures. What a case names in `loosely` is compared by a rule:

    picture sizes       compressed: downloadSize is the sum; fpzip, or raw where that is no gain
    chunked             pieces of 4 MiB and a rest, of pictures above that if all are above that
    previews            there are some, of the type, format and rank recorded
    details             the code alone: the sentence belongs to the network library
    stock descriptions  of what the real server's own tables describe, only the file
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
from drawthings.dt_core.simulator.record import Record
from drawthings.dt_core.wire import protobuf
from simulator_wire import OPTIONS, ROOT

CORPUS: dict[str, Any] = json.loads(
    (ROOT / "tests/data/conformance/cases.json").read_text(encoding="utf-8")
)
PIECE_BYTES = 4 << 20
_ENCODINGS = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
_CODECS = {"0xf7217", "0x0"}
_HEADER = struct.Struct("<I4i12i")
_LISTS = ("models", "loras", "controlNets", "textualInversions", "upscalers")

Row = dict[str, Any]


def cases(setup: str) -> list[Row]:
    return [case for case in CORPUS["cases"] if case["setup"] == setup]


def write_catalogue(path: Path, empty: bool) -> Path:
    """The recorded folder in the simulator's form; one described file is not in it."""
    folder = CORPUS["folder"]
    described = {kind: [] if empty else rows for kind, rows in folder["descriptions"].items()}
    absent = [r["file"] for rows in described.values() for r in rows if r["file"] in folder["own"]]
    sizes = {} if empty else {**dict.fromkeys(absent), **folder["files"]}
    path.write_text(json.dumps({**described, "files": sizes}), encoding="utf-8")
    return path


# --- calls


def start(opened: grpc.Channel, case: Row) -> Any:
    """The running call, which gives bytes."""
    call = opened.stream_stream(case["method"], None, None)
    messages = [base64.b64decode(data) for data in case["messages"]]
    return call(
        iter(messages),
        timeout=60,
        metadata=[tuple(pair) for pair in case.get("metadata", ())],
        compression=_ENCODINGS.get(case.get("compression", "")),
    )


def finish(call: Any, case: Row, before: Iterable[bytes] = ()) -> Row:
    """The whole answer in the form of the corpus."""
    messages = list(before)
    with contextlib.suppress(grpc.RpcError):
        messages.extend(call)
    read = _READERS.get(case["method"].rpartition("/")[2], _bare)
    rows = [read(message) for message in messages]
    return {"code": call.code().name, "details": call.details(), "messages": rows}


def connect(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=OPTIONS)


# --- messages in the form of the corpus


def _echo(data: bytes) -> Row:
    reply = protobuf.EchoReply.FromString(data)
    row = {
        "message": reply.message,
        "identifier": reply.serverIdentifier != 0,
        "sharedSecretMissing": reply.sharedSecretMissing,
        "files": sorted(reply.files),
        "fields": _fields(reply),
    }
    if reply.HasField("override"):
        lists = {kind: json.loads(getattr(reply.override, kind)) for kind in _LISTS}
        row["override"] = {kind: {r["file"]: r for r in rows} for kind, rows in lists.items()}
    return row


def _files(data: bytes) -> Row:
    reply = protobuf.FileExistenceResponse.FromString(data)
    hashes = [value.hex() for value in reply.hashes]
    return {"files": list(reply.files), "existences": list(reply.existences), "hashes": hashes}


def _upload(data: bytes) -> Row:
    reply = protobuf.UploadResponse.FromString(data)
    return {
        name: getattr(reply, name) for name in protobuf.UploadResponse.DESCRIPTOR.fields_by_name
    }


def _bare(data: bytes) -> Row:
    return {"fields": list(data)}  # nothing but an empty message is recorded


def _generation(data: bytes) -> Row:
    reply = protobuf.ImageGenerationResponse.FromString(data)
    row: Row = {"fields": _fields(reply)}
    pieces = [("image", piece) for piece in reply.generatedImages]
    pieces += [("sound", piece) for piece in reply.generatedAudio]
    if reply.HasField("currentSignpost"):
        row |= {"kind": "progress", "current": reply.currentSignpost.WhichOneof("signpost")}
        row["all"] = [signpost.WhichOneof("signpost") for signpost in reply.signposts]
        if reply.HasField("previewImage"):
            row["preview"] = {"head": _head(reply.previewImage)}
    elif pieces:
        row |= {"kind": pieces[0][0], "scaleFactor": _optional(reply, "scaleFactor")}
        row["state"] = "more" if reply.chunkState == protobuf.MORE_CHUNKS else "last"
        row["pieces"] = [{"bytes": len(data), "head": _head(data)} for _, data in pieces]
    elif reply.HasField("downloadSize"):
        row |= {"kind": "downloadSize", "bytes": reply.downloadSize}
    else:
        row |= {"kind": "end", "scaleFactor": _optional(reply, "scaleFactor")}
    return row


_READERS = {
    "Echo": _echo,
    "FilesExist": _files,
    "UploadFile": _upload,
    "GenerateImage": _generation,
}


def _fields(message: Any) -> list[int]:
    return sorted(descriptor.number for descriptor, _ in message.ListFields())


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _head(data: bytes) -> Row | None:
    if len(data) < _HEADER.size:
        return None
    codec, memory, form, datatype, _, *dims = _HEADER.unpack_from(data)
    dims = dims[: dims.index(0)] if 0 in dims else dims
    row = {"codec": hex(codec), "memory": memory, "format": form, "datatype": hex(datatype)}
    return {**row, "dims": dims}


# --- what is compared of an answer


def facts(case: Row, answer: Row) -> Row:
    """What must be equal of the recorded answer and of another to the same call."""
    loosely = set(case.get("loosely", ()))
    row: Row = {"code": answer["code"], "details": answer["details"]}
    if "details" in loosely:
        del row["details"]
    rows = answer["messages"]
    if case["method"].endswith("/GenerateImage"):
        row |= _outline(rows, loosely)
    elif "stock descriptions" in loosely:
        row["messages"] = [_without_stock(message, case["own descriptions"]) for message in rows]
    else:
        row["messages"] = rows
    return row


def kinds(answer: Row) -> list[str]:
    return [kind for kind, _ in groupby(row["kind"] for row in answer["messages"])]


def _without_stock(message: Row, own: list[str]) -> Row:
    lists = message["override"]
    return {
        **message,
        "override": {
            kind: {file: row if file in own else None for file, row in (rows or {}).items()}
            for kind, rows in lists.items()
        },
    }


@dataclass
class _Tensor:
    """A picture or sound put together: sizes of its pieces, header, whether each has a state."""

    head: Row | None
    factors: set[int | None] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)
    whole: bool = False


def _tensors(rows: list[Row], kind: str) -> list[_Tensor]:
    found: list[_Tensor] = []
    for row in rows:
        if row["kind"] != kind:
            continue
        for piece in row["pieces"]:
            if not found or found[-1].whole:
                found.append(_Tensor(piece["head"]))
            found[-1].sizes.append(piece["bytes"])
            found[-1].factors.add(row["scaleFactor"])
            found[-1].whole = row["state"] == "last"
    return found


def _outline(rows: list[Row], loosely: set[str]) -> Row:
    progress = [row for row in rows if row["kind"] == "progress"]
    previews = [row["preview"]["head"] for row in progress if "preview" in row]
    pictures, sounds = _tensors(rows, "image"), _tensors(rows, "sound")
    total = sum(sum(picture.sizes) for picture in pictures)
    announced = [row["bytes"] for row in rows if row["kind"] == "downloadSize"]
    exact = "picture sizes" not in loosely
    return {
        "order": [kind for kind, _ in groupby(row["kind"] for row in rows)],
        "fields": _fields_by_kind(rows),
        "signposts": all(row["current"] and row["all"] for row in progress),
        "previews": [_form(head) for head in previews[:1]] if "previews" in loosely else None,
        "announced": announced if exact else [size == total for size in announced],
        "pictures": [
            {
                "head": picture.head if exact else _any_codec(picture.head),
                "scaleFactor": picture.factors,
                "pieces": picture.sizes if exact else _obeys(picture, total, loosely),
                "whole": picture.whole,
            }
            for picture in pictures
        ],
        "sounds": [(_form(sound.head), sound.factors, sound.whole) for sound in sounds],
        "one piece in a message": all(len(row.get("pieces", "1")) == 1 for row in rows),
        "end": [row["scaleFactor"] for row in rows if row["kind"] == "end"],
    }


def _fields_by_kind(rows: list[Row]) -> dict[str, set[int]]:
    """But for previews (4) and the state of a piece (8), which is written where it is not 0."""
    found: dict[str, set[int]] = {}
    for row in rows:
        found.setdefault(row["kind"], set()).update(set(row["fields"]) - {4, 8})
    return found


def _obeys(picture: _Tensor, total: int, loosely: set[str]) -> bool:
    size = sum(picture.sizes)
    if "chunked" not in loosely or total <= PIECE_BYTES or size <= PIECE_BYTES:
        return len(picture.sizes) == 1
    *full, rest = picture.sizes
    return set(full) == {PIECE_BYTES} and 0 < rest <= PIECE_BYTES


def _any_codec(head: Row | None) -> Row | None:
    return head and {**head, "codec": head["codec"] in _CODECS}


def _form(head: Row | None) -> Row | None:
    return head and {**_any_codec(head), "dims": len(head["dims"])}  # type: ignore[dict-item]


# --- what the service handed to its generator


def handed(record: Record) -> Row:
    """Of one request to the simulator, in the form of the corpus."""
    return {
        "image": _shape(record.image),
        "mask": _shape(record.mask),
        "hints": [
            {
                "kind": hint.kind,
                "tensors": [
                    {"shape": _shape(array), "weight": weight} for array, weight in hint.tensors
                ],
            }
            for hint in record.hints
        ],
        "keywords": list(record.message.keywords),
    }


def _shape(array: Any) -> list[int] | None:
    return None if array is None else list(array.shape)


def differences(expected: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[str]:
    """One line for each fact that is not equal."""
    for name in expected.keys() | got.keys():
        if expected.get(name) != got.get(name):
            yield f"{name}: recorded {expected.get(name)!r}, here {got.get(name)!r}"
