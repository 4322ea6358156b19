"""Dead-zone quantiser of the transform peers, and the classes of their contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from arithmetic import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZERO_BELOW: Final = 0.62
"""Coefficients below this part of a step become 0: what a rate-distortion choice would do."""
TOWARDS_ZERO: Final = 0.04
"""Of a step: small coefficients of an interval are more frequent than large ones."""


def quantise(x: NDArray[np.float64], step: float) -> NDArray[np.int64]:
    """Integers of the same shape."""
    size = np.abs(x) / step
    whole = np.where(size < ZERO_BELOW, 0, np.floor(size + (1 - ZERO_BELOW)))
    return np.asarray(np.sign(x) * whole, np.int64)


def restore(q: NDArray[np.int64], step: float) -> NDArray[np.float64]:
    """Values of the integers."""
    return np.asarray(np.sign(q) * (np.abs(q) - TOWARDS_ZERO * (q != 0)) * step)


@compiled
def magnitude_class(size: int) -> int:
    """One of ten classes of a weighted sum of neighbours' magnitudes."""
    if size < 3:
        return size
    if size <= 4:
        return 3
    if size <= 6:
        return 4
    if size <= 9:
        return 5
    if size <= 14:
        return 6
    if size <= 22:
        return 7
    if size <= 40:
        return 8
    return 9
