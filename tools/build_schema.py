"""Compile proto/imageService.proto into what dt_core loads, and say the types of that.

Writes `schema.binpb`, the descriptor set, and `schema.pyi`, the classes and numbers that
`schema.py` makes of it, for type checkers. Needs grpcio-tools (a development requirement). Run
it after every change of the proto file; a test rebuilds both and compares.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "dt_core" / "wire" / "schema.binpb"
TYPES = TARGET.with_suffix(".pyi")

_SCALARS = {
    FieldDescriptorProto.TYPE_DOUBLE: "float",
    FieldDescriptorProto.TYPE_FLOAT: "float",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "str",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_INT64: "int",
    FieldDescriptorProto.TYPE_UINT64: "int",
    FieldDescriptorProto.TYPE_ENUM: "int",
}
_HEAD = '''"""The messages of the service and their numbers, as `schema.py` makes them.

Written by tools/build_schema.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.internal.containers import (
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message

DESCRIPTORS: FileDescriptorSet
'''


def compile_schema() -> bytes:
    """Return the serialized FileDescriptorSet of proto/imageService.proto."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "schema.binpb"
        status = protoc.main(
            [
                "protoc",
                f"--proto_path={ROOT / 'proto'}",
                f"--descriptor_set_out={output}",
                "imageService.proto",
            ]
        )
        if status != 0:
            sys.exit("protoc could not compile proto/imageService.proto")
        return output.read_bytes()


def types_of(schema: bytes) -> str:
    """Return the stub of a serialized FileDescriptorSet."""
    (file,) = FileDescriptorSet.FromString(schema).file
    lines = [f"{value.name}: int" for enum in file.enum_type for value in enum.value]
    for message in sorted(file.message_type, key=lambda message: message.name):
        lines += ["", *_class(message)]
    return _HEAD + "\n".join(lines) + "\n"


def _class(message: DescriptorProto) -> Iterator[str]:
    body = [line for nested in message.nested_type for line in _class(nested)]
    body += [f"{field.name}: {_kept(field)}" for field in message.field]
    arguments = [f"{field.name}: {_given(field)} = ..." for field in message.field]
    if arguments:
        body += ["def __init__(", "    self,", *(f"    {one}," for one in arguments)]
        body += [") -> None: ..."]
    # Only fields of a message, of a oneof or marked optional know whether they are set.
    present = [field.name for field in message.field if _has_presence(field)]
    if present:
        body += [
            "def HasField(  # type: ignore[override]",
            f"    self, field_name: Literal{_quoted(present)}",
            ") -> bool: ...",
        ]
    for index, group in enumerate(message.oneof_decl):
        arms = [f.name for f in message.field if _in_oneof(f) and f.oneof_index == index]
        if arms:
            body += [
                "def WhichOneof(  # type: ignore[override]",
                f'    self, oneof_group: Literal["{group.name}"]',
                f") -> Literal{_quoted(arms)} | None: ...",
            ]
    yield f"class {message.name}(Message):" + ("" if body else " ...")
    yield from (f"    {line}" for line in body)


def _name(field: FieldDescriptorProto) -> str:
    return field.type_name.removeprefix(".") or _SCALARS[field.type]


def _kept(field: FieldDescriptorProto) -> str:
    if field.type == FieldDescriptorProto.TYPE_ENUM:
        return "int"
    if field.label != FieldDescriptorProto.LABEL_REPEATED:
        return _name(field)
    kind = "Composite" if field.type == FieldDescriptorProto.TYPE_MESSAGE else "Scalar"
    return f"Repeated{kind}FieldContainer[{_name(field)}]"


def _given(field: FieldDescriptorProto) -> str:
    one = "int" if field.type == FieldDescriptorProto.TYPE_ENUM else _name(field)
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        one += " | Mapping[str, Any]"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        one = f"Iterable[{one}]"
    return f"{one} | None"


def _has_presence(field: FieldDescriptorProto) -> bool:
    alone = field.label != FieldDescriptorProto.LABEL_REPEATED
    is_message = field.type == FieldDescriptorProto.TYPE_MESSAGE
    return alone and (is_message or field.HasField("oneof_index"))


def _in_oneof(field: FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _quoted(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def formatted(stub: str) -> str:
    """As ruff leaves it, which checks this file too."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TYPES), "-"],
        cwd=ROOT, input=stub, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    TARGET.write_bytes(compile_schema())
    TYPES.write_text(formatted(types_of(TARGET.read_bytes())), encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n{TYPES.relative_to(ROOT)}\n")
