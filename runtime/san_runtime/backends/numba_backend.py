"""Similarities compiled by numba: 32-bit sums where they cannot overflow, else 64-bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from san_runtime.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 1024
"""Outputs worked on at a time: their sums stay in the first-level cache."""


@jit
def reach(samples: NDArray[np.int64], taps: NDArray[np.int16]) -> int:
    """max |samples| · Σ |taps|, the largest that any partial sum can be."""
    low, high = np.int64(0), np.int64(0)
    for x in samples:
        low = min(low, x)
        high = max(high, x)
    weight = np.int64(0)
    for w in taps:
        weight += abs(np.int64(w))
    return int(max(-low, high) * weight)


@jit
def accumulate(samples: NDArray[Any], taps: NDArray[Any], total: NDArray[Any]) -> None:
    """total[i] += Σ_j taps[j] · samples[i + j], all of one integer type.

    Eight taps a pass. The inner loops count from 0 over slices: only then does the
    compiler know that no index is negative, and uses vectors.
    """
    m = len(taps)
    for start in range(0, len(total), TILE):
        stop = min(start + TILE, len(total))
        out = total[start:stop]
        for j in range(0, m - 7, 8):
            x = samples[start + j : stop + j + 7]
            a, b, c, d = taps[j], taps[j + 1], taps[j + 2], taps[j + 3]
            e, f, g, h = taps[j + 4], taps[j + 5], taps[j + 6], taps[j + 7]
            for i in range(len(out)):
                out[i] += (
                    (a * x[i] + b * x[i + 1])
                    + (c * x[i + 2] + d * x[i + 3])
                    + (e * x[i + 4] + f * x[i + 5])
                    + (g * x[i + 6] + h * x[i + 7])
                )
        for j in range(m - m % 8, m):
            x = samples[start + j : stop + j]
            w = taps[j]
            for i in range(len(out)):
                out[i] += w * x[i]


@jit
def similarity(samples: NDArray[np.int64], taps: NDArray[np.int16]) -> NDArray[np.int64]:
    """Exact in both forms; which one is taken depends on these samples, the result does not."""
    n = len(samples) - len(taps) + 1
    total = np.zeros(n, dtype=np.int64)
    if reach(samples, taps) < 2**31:
        narrow = np.zeros(n, dtype=np.int32)
        accumulate(samples.astype(np.int32), taps.astype(np.int32), narrow)
        for i in range(n):
            total[i] = narrow[i]
    else:
        accumulate(samples, taps.astype(np.int64), total)
    return total


class NumbaBackend:
    """Similarities on one core of the CPU."""

    name = "numba"

    def similarity(self, samples: NDArray[np.int64], taps: NDArray[np.int16]) -> NDArray[np.int64]:
        """s[i] = Σ_j taps[j] · samples[i + j]: int64 ``[n - m + 1]``, n >= m.

        Exact for samples of at most 33 bits and 1,024 taps: sums stay below 2^58.
        """
        result: NDArray[np.int64] = similarity(samples, taps)
        return result
