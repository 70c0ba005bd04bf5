"""How well words can be read on what lies behind them."""

from __future__ import annotations

from playwright.sync_api import Locator


def contrast(words: Locator) -> float:
    """Of a text and what lies behind it, 1 to 21 (WCAG)."""
    ratio: float = words.evaluate(
        """element => {
            const canvas = document.createElement('canvas').getContext('2d')
            const light = colour => {
                canvas.clearRect(0, 0, 1, 1)
                canvas.fillStyle = colour
                canvas.fillRect(0, 0, 1, 1)
                const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
                const part = v => (v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4)
                return a < 128 ? null : 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
            }
            let behind = null
            for (let at = element; at && behind === null; at = at.parentElement)
                behind = light(getComputedStyle(at).backgroundColor)
            const [low, high] = [light(getComputedStyle(element).color), behind ?? 1]
                .sort((a, b) => a - b)
            return (high + 0.05) / (low + 0.05)
        }"""
    )
    return ratio
