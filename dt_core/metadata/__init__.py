"""What made a picture, written into the picture so that the Draw Things app reads it."""

from __future__ import annotations

from .generation import Generation
from .pictures import read
from .png import encode

__all__ = ["Generation", "encode", "read"]
