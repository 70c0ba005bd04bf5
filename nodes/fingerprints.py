"""What ComfyUI keeps to see whether a node must run again; it also writes that into every file.

So a fingerprint tells nothing: it is a digest with a key that only this process knows.
"""

from __future__ import annotations

import hashlib
import secrets

_KEY = secrets.token_bytes(32)


def of(value: object) -> str:
    """The same text for the same `repr` while ComfyUI runs, and another one in the next run."""
    return hashlib.blake2b(repr(value).encode(), key=_KEY, digest_size=16).hexdigest()


def changing() -> str:
    """Another one each time: the node always runs."""
    return secrets.token_hex(16)
