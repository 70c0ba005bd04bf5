"""What runs in drawthings-py's environment: `peer_process.py FOLDER SIDE`.

Imports nothing of ours. Reads [operation, best of] as a line, answers {"seconds"}.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drawthings_py import ImageBuffer
from drawthings_py.image._preview_decoders import decode_preview


def operations(folder: Path, side: int) -> dict[str, Callable[[], Any]]:
    """Each on its bytes; pictures are 8 bits there."""
    given = {path.name: path.read_bytes() for path in folder.iterdir()}
    possible: dict[str, Callable[[], Any]] = {
        "request": lambda: ImageBuffer(given["request"], side, side, 3).to_tensor(),
        "mask": lambda: ImageBuffer(given["mask"], side, side, 1).to_binary_mask(),
        "answer": lambda: ImageBuffer.from_tensor(given["answer"]),
        "fpzip": lambda: ImageBuffer.from_tensor(given["fpzip"]),
        "preview": lambda: decode_preview(given["preview"], "flux1"),
    }
    return {name: work for name, work in possible.items() if name in given}


def main() -> None:
    works = operations(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"version": importlib.metadata.version("drawthings-py")}), flush=True)
    for line in sys.stdin:
        name, best_of = json.loads(line)
        best = float("inf")
        for _ in range(best_of):
            began = time.perf_counter()
            works[name]()
            best = min(best, time.perf_counter() - began)
        print(json.dumps({"seconds": best}), flush=True)


if __name__ == "__main__":
    main()
