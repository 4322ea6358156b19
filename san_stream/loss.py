"""The normalised loss L̃ of a window as one small integer (docs/format.md, "Loss index").

L̃ = N / D with the integer sums N = Σ|x − x̂| and D = Σ|x − b|. The index is its place on
a logarithmic grid of 16 steps an octave, found with integers only, so that whoever has
x, x̂ and b finds the identical number.
"""

from __future__ import annotations

from math import ldexp
from typing import Final

STEPS: Final = 16
EXACT: Final = 0  # N = 0
ONE: Final = 224  # index of L̃ in [1, 2^(1/16))
HIGHEST: Final = 254
NO_SIGNAL: Final = 255  # D = 0 and N > 0, or no valid sample
# round(2^(k/16) · 2^30), k = 0 to 16
GRID: Final = (
    1073741824, 1121280436, 1170923762, 1222764986, 1276901417, 1333434672, 1392470869,
    1454120821, 1518500250, 1585730000, 1655936265, 1729250827, 1805811301, 1885761398,
    1969251188, 2056437387, 2147483648,
)  # fmt: skip


def loss_index(error: int, signal: int) -> int:
    """Index of L̃ = error / signal; both are sums of absolute integers.

    0: exact; 1 to 254: floor(16 · log2 L̃) + 224, clipped; 255: no signal.
    """
    if error == 0:
        return EXACT
    if signal == 0:
        return NO_SIGNAL
    return min(max(ONE + log_ratio(error, signal), 1), HIGHEST)


def log_ratio(above: int, below: int) -> int:
    """floor(16 · log2(above / below)) of two integers above 0, found with integers."""
    # octave: the largest e with above >= below · 2^e
    octave = above.bit_length() - below.bit_length()
    if (above << max(-octave, 0)) < (below << max(octave, 0)):
        octave -= 1
    left = above << (30 + max(-octave, 0))
    right = below << max(octave, 0)
    step = 0
    while step < STEPS - 1 and left >= right * GRID[step + 1]:
        step += 1
    return STEPS * octave + step


def loss_value(index: int) -> float | None:
    """L̃ in the middle of an index' step; None where the window has no signal."""
    if index == EXACT:
        return 0.0
    if index == NO_SIGNAL:
        return None
    octave, step = divmod(index - ONE, STEPS)
    middle = (GRID[step] + GRID[step + 1]) / 2**31
    return ldexp(middle, octave)
