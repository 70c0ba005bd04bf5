"""What made a picture, written into the picture so that the Draw Things app reads it."""

from __future__ import annotations

from .extraction import read
from .generation_data import Generation
from .png import encode

__all__ = ["Generation", "encode", "read"]
