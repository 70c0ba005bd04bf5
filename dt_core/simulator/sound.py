"""The sound of a simulated video: a quiet tone that the seed picks (docs/protocol.md 5.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PENTATONIC = (0, 2, 4, 7, 9)  # semitones
_LOUDNESS = 0.25
_FADE_S = 0.05


def tone(seed: int, frames: int, fps: float, rate_hz: int) -> NDArray[np.float32]:
    """Two channels [2, samples] as long as `frames` last at `fps`: three soft partials."""
    count = max(1, round(frames / fps * rate_hz))
    time = np.arange(count, dtype=np.float64) / rate_hz
    step = _PENTATONIC[seed % 5] + 12 * (seed // 5 % 2)
    pitch_hz = 220.0 * 2 ** (step / 12)
    channels = []
    for detune in (0.999, 1.001):
        wave = sum(
            np.sin(2 * np.pi * pitch_hz * detune * partial * time) / partial**2
            for partial in (1, 2, 3)
        )
        channels.append(wave)
    fade = np.clip(np.minimum(time, time[::-1]) / _FADE_S, 0, 1)
    swell = 0.75 + 0.25 * np.sin(2 * np.pi * 0.5 * time)
    return (np.stack(channels) * fade * swell * _LOUDNESS / 1.4).astype(np.float32)
