"""The message classes: true to the proto file, alone in their pool, under any protobuf."""

from __future__ import annotations

# mypy: warn-unused-ignores
import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from drawthings.tools import build_schema
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "dt_core" / "wire" / "schema.binpb"

# Fills every field of every message of our module, and reads it back.
ROUND_TRIPS = """
import sys
import tests.conftest
from drawthings.dt_core.wire import messages as _wire

def fill(message, depth=0):
    for field in message.DESCRIPTOR.fields:
        many = getattr(field, "is_repeated", None)
        if many is None:
            many = field.label == field.LABEL_REPEATED
        if field.message_type is not None:
            if depth < 4:
                part = getattr(message, field.name)
                part = part.add() if many else part
                part.SetInParent()
                fill(part, depth + 1)
            continue
        value = {
            field.CPPTYPE_STRING: b"\\x00\\xff" if field.type == field.TYPE_BYTES else "d\\u00e9",
            field.CPPTYPE_BOOL: True,
            field.CPPTYPE_FLOAT: 1.5,
            field.CPPTYPE_DOUBLE: -2.5,
        }.get(field.cpp_type, 1)
        if many:
            getattr(message, field.name).extend([value, value])
        else:
            setattr(message, field.name, value)

def check():
    names = set()
    for name, kind in vars(_wire).items():
        if isinstance(kind, type) and getattr(kind, "DESCRIPTOR", None):
            message = kind()
            fill(message)
            data = message.SerializeToString()
            assert bool(data) == bool(kind.DESCRIPTOR.fields), name
            assert kind.FromString(data) == message, name
            names.add(kind.DESCRIPTOR.name)
    assert {m.name for m in _wire.DESCRIPTORS.file[0].message_type} <= names
    request = _wire.ImageGenerationRequest(prompt="p", scaleFactor=1)
    assert not request.HasField("image")
    assert _wire.GENERATE_IMAGE.parse_request(_wire.GENERATE_IMAGE.serialize(request)) == request
    return len(names)
"""

# A stranger's imageService.proto: our names, other fields.
STRANGER = """
syntax = "proto3";
service ImageGenerationService { rpc Echo(EchoRequest) returns (EchoReply); }
message EchoRequest { int64 somethingElse = 7; }
message EchoReply { repeated double message = 1; }
message ImageGenerationRequest { string image = 1; bool prompt = 5; }
message ImageGenerationResponse { EchoReply inner = 1; }
enum DeviceType { TOASTER = 0; FRIDGE = 1; }
"""


def _run(script: str, path: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, str(ROOT)]))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _compiled() -> descriptor_pb2.FileDescriptorSet:
    return descriptor_pb2.FileDescriptorSet.FromString(build_schema.compile_schema())


def test_the_stored_schema_is_what_the_proto_file_says() -> None:
    stored = descriptor_pb2.FileDescriptorSet.FromString(SCHEMA.read_bytes())
    compiled = _compiled()
    assert compiled.file[0].message_type
    assert stored == compiled, "run tools/build_schema.py"


def test_the_types_of_messages_are_those_of_the_schema() -> None:
    told = build_schema.formatted(build_schema.types_of(SCHEMA.read_bytes()))
    assert build_schema.TYPES.read_text("utf-8") == told, "run tools/build_schema.py"


def test_what_a_type_checker_is_told_of_is_there() -> None:
    """Classes, their fields and the methods that ask for them, and the numbers."""
    from drawthings.dt_core.wire import schema

    def names(rows: list[ast.stmt], holder: Any) -> set[str]:
        """Of the fields or numbers; what else is told of is looked up."""
        found = set()
        for row in rows:
            if isinstance(row, ast.ClassDef):
                kind = getattr(holder, row.name)
                assert names(row.body, kind) == set(kind.DESCRIPTOR.fields_by_name)
            elif isinstance(row, ast.FunctionDef):
                assert callable(getattr(holder, row.name))
            elif isinstance(row, ast.AnnAssign) and isinstance(row.target, ast.Name):
                found.add(row.target.id)
        return found

    stub = ast.parse(build_schema.TYPES.read_text("utf-8"))
    numbers = names(stub.body, schema)
    assert {"LAPTOP", "MORE_CHUNKS"} <= numbers <= set(vars(schema))
    told = {row.name for row in stub.body if isinstance(row, ast.ClassDef)}
    assert told == {message.name for message in schema.DESCRIPTORS.file[0].message_type}
    assert schema.ImageGenerationResponse(chunkState=schema.MORE_CHUNKS).chunkState == 1


if TYPE_CHECKING:  # what a type checker must say

    def _mistakes() -> None:
        from drawthings.dt_core.wire import protobuf

        protobuf.EchoRequest(nam="x")  # type: ignore[call-arg]
        reply = protobuf.ECHO.parse_reply(b"")
        reply.file  # type: ignore[attr-defined]  # noqa: B018
        reply.HasField("message")  # type: ignore[arg-type]
        protobuf.NONSENSE  # type: ignore[attr-defined]  # noqa: B018


def test_every_method_of_the_service_is_offered() -> None:
    from drawthings.dt_core.wire import messages as _wire

    (service,) = _compiled().file[0].service
    ours = {value for value in vars(_wire).values() if isinstance(value, _wire.Method)}
    assert {method.path for method in ours} == {
        f"/{service.name}/{method.name}" for method in service.method
    }


def test_every_message_survives_the_wire() -> None:
    assert int(_run(ROUND_TRIPS + "sys.stdout.write(str(check()))")) >= 20


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated module that claims our names in protobuf's default pool."""
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("stranger")
    (folder / "imageService.proto").write_text(STRANGER)
    status = protoc.main(
        ["protoc", f"--proto_path={folder}", f"--python_out={folder}", "imageService.proto"]
    )
    assert status == 0
    return folder


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_another_pack_may_register_the_same_names(stranger: Path, first: str) -> None:
    theirs = "import imageService_pb2\n"
    script = (theirs + ROUND_TRIPS) if first == "theirs" else (ROUND_TRIPS + theirs)
    script += """
from google.protobuf import descriptor_pool
default = descriptor_pool.Default()
assert default.FindMessageTypeByName("EchoRequest").fields[0].name == "somethingElse"
mine, other = _wire.EchoRequest(name="n"), imageService_pb2.EchoRequest(somethingElse=3)
assert _wire.EchoRequest.FromString(mine.SerializeToString()).name == "n"
assert imageService_pb2.EchoRequest.FromString(other.SerializeToString()).somethingElse == 3
assert not hasattr(mine, "somethingElse") and not hasattr(other, "name")
assert imageService_pb2.ImageGenerationRequest(prompt=True).prompt is True
assert imageService_pb2.DeviceType.Name(1) == "FRIDGE"
sys.stdout.write(str(check()))
"""
    assert int(_run(script, str(stranger))) >= 20


# Protobufs of that age warn on Python 3.12 and do not load on 3.14.
OLD_PROTOBUF = pytest.param(
    "4.25.*", marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="not for this Python")
)


@pytest.mark.parametrize("version", [OLD_PROTOBUF, "7.*"])
def test_the_oldest_and_newest_protobuf_work(version: str) -> None:
    target = ROOT / ".build" / f"protobuf-{version.rstrip('.*')}"
    if not (target / "google" / "protobuf" / "message.py").is_file():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(target), f"protobuf=={version}"], check=True, timeout=110)
    script = ROUND_TRIPS + (
        "import google.protobuf as p\n"
        f"assert p.__file__.startswith({str(target)!r}), p.__file__\n"
        f"assert p.__version__.startswith({version.rstrip('*')!r}), p.__version__\n"
        "check()"
    )
    _run(script, str(target))
