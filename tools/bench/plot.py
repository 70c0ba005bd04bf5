"""The growth of time and memory as a picture: `plot FOUND TARGET`, in an environment with
matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from .rows import Growth, read

mpl.use("Agg")
import matplotlib.pyplot as plt

INK, QUIET, LINE, DOTS = "#1f2430", "#6b7280", "#94a3b8", "#2563eb"
MIB = 1 << 20


def draw(growths: list[Growth], target: Path) -> None:
    """One row for time, one for memory, a column for each kind of amount."""
    plt.rcParams.update({"font.size": 10, "text.color": INK, "axes.labelcolor": QUIET})
    plt.rcParams.update({"xtick.color": QUIET, "ytick.color": QUIET, "axes.edgecolor": LINE})
    figure, axes = plt.subplots(
        2, len(growths), figsize=(10, 6.4), squeeze=False, sharex="col", layout="constrained"
    )
    for column, growth in enumerate(growths):
        times = [seconds * 1000 for seconds in growth.time_s]
        _panel(axes[0][column], growth.amounts, times, "whole node, ms")
        if growth.memory_bytes:
            memory = [size / MIB for size in growth.memory_bytes]
            _panel(axes[1][column], growth.amounts, memory, "peak memory, MiB")
        axes[0][column].set_title(f"Over {growth.what}", loc="left", fontweight="bold")
        axes[1][column].set_xlabel(growth.what)
    figure.savefig(target, dpi=120, facecolor="white", metadata={"Software": None})


def _panel(axis: Any, amounts: tuple[float, ...], values: list[float], label: str) -> None:
    slope, start = np.polyfit(amounts, values, 1)
    ends = np.array([0, max(amounts)])
    axis.plot(ends, start + slope * ends, color=LINE, linewidth=1.5, zorder=1)
    axis.scatter(amounts, values, color=DOTS, s=28, zorder=2)
    axis.set_ylabel(label)
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.spines[["top", "right"]].set_visible(False)
    fit = np.corrcoef(amounts, values)[0, 1] ** 2
    words = f"{slope:.3g} each, {start:+.3g}; R² {fit:.4f}"
    axis.text(0.03, 0.93, words, transform=axis.transAxes, color=QUIET, va="top")


if __name__ == "__main__":
    found = read(Path(sys.argv[1]))
    draw([one for one in found if isinstance(one, Growth)], Path(sys.argv[2]))
