"""Where this user's files are kept, on each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "DRAWTHINGS_HOME"


def user_folder() -> Path:
    """What is to be kept: DRAWTHINGS_HOME, else the system's own place."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "drawthings"


def simulator_folder() -> Path:
    """The certificate that the simulator makes for itself."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "drawthings-simulator"
