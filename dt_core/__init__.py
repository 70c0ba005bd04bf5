"""A client for Draw Things servers: pictures, films and sound from Python, without ComfyUI.

from dt_core import DrawThingsClient, ImageGenerationConfig

with DrawThingsClient("my-mac.local") as client:
    images = client.generate_image(
        "a lighthouse", ImageGenerationConfig("z_image_turbo_1.0_q6p.ckpt", steps=8)
    )
    client.save_images(images)

Beside that small surface stands the whole library: `Client`, `GenerationRequest`, typed
events. docs/python.md shows both. All is loaded when a first name is
used.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import *  # noqa: F403 - the public names stand there
else:

    def __getattr__(name: str) -> Any:
        # Python asks here for a module, too, before it imports that.
        dunder = name.startswith("__") and name != "__all__"
        if not dunder and importlib.util.find_spec(f"{__name__}.{name}") is None:
            found = _public()
            globals().update(found, __all__=sorted(found))
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"


def __dir__() -> list[str]:
    return sorted({*globals(), *_public()})


def _public() -> dict[str, Any]:
    """Those take 190 ms to import, this module 8 ms."""
    here = vars(importlib.import_module(".api", __name__))
    return {
        name: value
        for name, value in here.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
