"""How many steps of a schedule run at a strength below 1 (docs/protocol.md 4.2).

The server starts at the last point of its noise schedule that is not below the strength,
so the count depends on sampler and shift.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..settings.choices import Sampler

TRAILING = frozenset(
    {
        Sampler.EULER_A_TRAILING,
        Sampler.DPMPP_SDE_TRAILING,
        Sampler.DPMPP_2M_TRAILING,
        Sampler.DDIM_TRAILING,
        Sampler.UNIPC_TRAILING,
        Sampler.TCD_TRAILING,
    }
)
AYS = frozenset(
    {Sampler.DPMPP_2M_AYS, Sampler.EULER_A_AYS, Sampler.DPMPP_SDE_AYS, Sampler.UNIPC_AYS}
)
KARRAS = frozenset({Sampler.DPMPP_2M_KARRAS, Sampler.DPMPP_SDE_KARRAS})
_RANGE = 1000.0


def start_step(steps: int, strength: float, sampler: int, flow: bool, shift: float) -> int:
    """The first step of `steps` that runs at `strength`; `steps` if none does."""
    if steps <= 0 or strength >= 1:
        return 0
    if strength <= 0:
        return steps
    if sampler == Sampler.PLMS:
        return steps - math.floor(strength * steps)
    times = _times(steps, sampler, flow, shift)
    target = strength * _RANGE
    index = int(np.argmax(target >= times))
    if index == 0 or target <= times[index] + 0.001:
        return index
    return index - 1


def resolution_dependent_shift(width_px: int, height_px: int) -> float:
    units = (width_px // 64) * (height_px // 64)
    return math.exp((units * 16 - 256) * (1.15 - 0.5) / (4096 - 256) + 0.5)


def _times(steps: int, sampler: int, flow: bool, shift: float) -> NDArray[np.float64]:
    left = (steps - np.arange(steps + 1, dtype=np.float64)) / steps
    if flow:
        return _RANGE * shift * left / (1 + (shift - 1) * left)
    if sampler in KARRAS and steps > 1:
        return _karras(steps)
    return _RANGE * left


def _karras(steps: int) -> NDArray[np.float64]:
    betas = np.linspace(0.00085**0.5, 0.012**0.5, int(_RANGE)) ** 2
    kept = np.cumprod(1 - betas)
    sigmas = np.sqrt((1 - kept) / kept)
    ramp = np.linspace(0, 1, steps)
    low, high = sigmas[0] ** (1 / 7), sigmas[-1] ** (1 / 7)
    wanted = (high + ramp * (low - high)) ** 7
    times = np.interp(np.log(wanted), np.log(sigmas), np.arange(1, _RANGE + 1))
    return np.append(times, 0.0)
