"""Where the figures come from: machine and versions, and nothing that names either."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("torch", "numpy", "grpcio", "protobuf", "fpzip", "rms-fpzip")
_ASK = """
import importlib.metadata as metadata, platform, sys
print("Python", platform.python_version())
for name in sys.argv[1:]:
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
"""


def facts(python: Path, comfyui: Path) -> dict[str, str]:
    """Of this machine, and of the Python that ComfyUI runs in."""
    asked = [str(python), "-c", _ASK, *PACKAGES]
    versions = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {
        "Date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": _memory(),
        "System": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Versions": ", ".join([*versions.splitlines(), f"ComfyUI {_comfyui(comfyui)}"]),
    }


def load() -> str:
    """How busy the machine is with other things: above a fraction of a core, times mislead."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    size_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size_bytes / (1 << 30):.0f} GiB"


def _comfyui(folder: Path) -> str:
    for line in (folder / "comfyui_version.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.partition("=")[2].strip(" \"'")
    return "of unknown version"
