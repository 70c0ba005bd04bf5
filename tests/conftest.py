"""Make the pack importable as `drawthings`, whatever its folder is called.

The root `__init__.py` wants ComfyUI, so it is not executed: all code is imported
under one name from a synthetic package.
"""

from __future__ import annotations

import os
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

_pack = types.ModuleType("drawthings")
_pack.__path__ = [str(ROOT)]
sys.modules.setdefault("drawthings", _pack)

# Tests remember no server in the developer's own list, and none from run to run.
_home = tempfile.TemporaryDirectory(prefix="drawthings-tests-")
os.environ["DRAWTHINGS_HOME"] = _home.name


@pytest.fixture(autouse=True)
def _no_known_server() -> Iterator[None]:
    """Ports are given out again: a server is not the one that another test met there."""
    yield
    (Path(_home.name) / "known_servers.json").unlink(missing_ok=True)
