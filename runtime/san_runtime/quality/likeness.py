"""Whether what the detector finds is one shape over and over, as beats are.

The detector finds something in every signal. Stretches around beats of an ECG correlate with
the most similar other one by 0.9 and more, those of an EEG by 0.3 to 0.6; kernels that are
learned from the latter cost more than they save, and the shadow coder needs half a minute to
see it.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE: Final = 1 << 16
LEAST: Final = 7 * ONE // 10
"""Below this mean likeness there are no beats."""
MEMORY: Final = 3
"""Log2 of the blocks that the mean looks back."""
BITS: Final = 15  # of a sample, so that sums of up to 2^10 products stay exact
FINE: Final = 8  # further ones of a stretch's norm, which has 20 at most


def likeness(signal: NDArray[Any], beats: NDArray[Any], before: int, length: int) -> int | None:
    """Median over beats of the correlation with the most similar other one, 0 to 2^16.

    None where there are not two.

    Args:
        signal: int64 ``[n]``, without baseline. beats: indices. before, length: samples of the
            stretch around a beat; beats whose stretch is not whole are left out.
    """
    starts = beats - before
    starts = starts[(starts >= 0) & (starts + length <= len(signal))]
    if len(starts) < 2:
        return None
    parts = np.asarray(signal, np.int64)[starts[:, None] + np.arange(length)]
    parts -= parts.sum(axis=1, keepdims=True) // length
    parts >>= max(int(np.abs(parts).max()).bit_length() - BITS, 0)
    products = parts @ parts.T
    norms = np.array([isqrt(int(e) << 2 * FINE) for e in products.diagonal()], np.int64)
    found = products * ONE // np.maximum(norms[:, None] * norms >> 2 * FINE, 1)
    np.fill_diagonal(found, 0)
    best = np.sort(found.max(axis=1))
    return int(min(best[(len(best) - 1) // 2], ONE))


class Likeness:
    """The mean likeness of the last blocks of one lead."""

    def __init__(self) -> None:
        self._mean: int | None = None

    def follow(self, value: int | None) -> bool:
        """Take the next block's; returns whether there may be beats."""
        if value is not None:
            mean = value if self._mean is None else self._mean
            self._mean = mean + ((value - mean) >> MEMORY)
        return self._mean is None or self._mean >= LEAST
