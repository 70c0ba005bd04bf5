"""Compile proto/imageService.proto into the descriptor set that dt_core loads.

Needs grpcio-tools (a development requirement). Run it after every change of the
proto file; a test rebuilds the set and compares.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "dt_core" / "wire" / "schema.binpb"


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


if __name__ == "__main__":
    TARGET.write_bytes(compile_schema())
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")
