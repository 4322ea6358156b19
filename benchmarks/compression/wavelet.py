"""CDF 9/7 wavelet by lifting, orthonormal up to rounding, for signals of any length."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

import numpy as np
from arithmetic import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Daubechies and Sweldens 1998, table of the 9/7 factors.
PREDICT_1: Final = -1.586134342059924
UPDATE_1: Final = -0.052980118572961
PREDICT_2: Final = 0.882911075530934
UPDATE_2: Final = 0.443506852043971
SCALE: Final = 1.230174104914001 / 2**0.5

MOST_LEVELS: Final = 6


def levels_for(count: int) -> int:
    """Levels that a signal of so many samples bears: at least 8 in the coarsest band."""
    return min(MOST_LEVELS, max(1, int(log2(max(count, 2))) - 3))


def bands(count: int, levels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index and length of each band, coarse to fine."""
    sizes = [count]
    while len(sizes) <= levels and sizes[-1] >= 2:
        sizes.append((sizes[-1] + 1) // 2)
    finer = list(zip(sizes[:0:-1], sizes[-2::-1], strict=True))
    offsets = [0, *(half for half, _ in finer)]
    lengths = [sizes[-1], *(size - half for half, size in finer)]
    return np.array(offsets, np.int64), np.array(lengths, np.int64)


@compiled
def _lift(x: NDArray[np.float64], first: int, weight: float) -> None:
    """Add the weighted neighbours to every second sample; symmetric at the ends."""
    n = len(x)
    for i in range(first, n, 2):
        left = x[i - 1] if i > 0 else x[i + 1]
        right = x[i + 1] if i + 1 < n else x[i - 1]
        x[i] += weight * (left + right)


@compiled
def forward(x: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Coefficients of so many levels, coarse to fine."""
    y = x.copy()
    size = len(x)
    for _ in range(levels):
        if size < 2:
            break
        part = y[:size].copy()
        _lift(part, 1, PREDICT_1)
        _lift(part, 0, UPDATE_1)
        _lift(part, 1, PREDICT_2)
        _lift(part, 0, UPDATE_2)
        half = (size + 1) // 2
        for i in range(half):
            y[i] = part[2 * i] / SCALE
        for i in range(size - half):
            y[half + i] = part[2 * i + 1] * SCALE
        size = half
    return y


@compiled
def inverse(y: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """The signal of `forward`'s coefficients."""
    x = y.copy()
    sizes = np.zeros(levels + 1, np.int64)
    sizes[0] = len(y)
    used = 0
    while used < levels and sizes[used] >= 2:
        sizes[used + 1] = (sizes[used] + 1) // 2
        used += 1
    for level in range(used - 1, -1, -1):
        size, half = sizes[level], sizes[level + 1]
        part = np.empty(size)
        for i in range(half):
            part[2 * i] = x[i] * SCALE
        for i in range(size - half):
            part[2 * i + 1] = x[half + i] / SCALE
        _lift(part, 0, -UPDATE_2)
        _lift(part, 1, -PREDICT_2)
        _lift(part, 0, -UPDATE_1)
        _lift(part, 1, -PREDICT_1)
        x[:size] = part
    return x
