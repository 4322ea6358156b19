"""The CDF 9/7 wavelet of a block, in integers and exactly invertible (docs/format-transform.md).

Lifting steps with coefficients in 1/4096, rounded half up, whole-sample symmetric at the
ends (Cohen, Daubechies, Feauveau 1992; Daubechies and Sweldens 1998; the filter of JPEG
2000). The scaling between the steps is not applied to the data: it stands in the
quantiser's step of each band (`band_step`). A block of n samples becomes its bands, the
approximation first, then details from coarse to fine. With |x| <= 2^35, samples of 32 bits
in 1/16, coefficients stay below 2^38 and products below 2^52: largest L1 norms of the
responses are 6.9 and, times the factor, 2^16.7. Backwards, coefficients clipped at 2^38 keep
the products of a level below 2^38 · 4.7 · 6497 < 2^53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length
from san_stream.coding.vectors import copy

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

COEFFICIENT_REACH: Final = 1 << 38
MOST_LEVELS: Final = 7
MOST_BANDS: Final = MOST_LEVELS + 1
# 4096 c of the four lifting steps
FIRST: Final = -6496  # -1.586134342, rounded towards details that see no constant
SECOND: Final = -217  # -0.052980119
THIRD: Final = 3616  # 0.882911076
FOURTH: Final = 1817  # 0.443506852
# round(4096 / gain): how far the quantiser's step reaches in a band's unscaled coefficients.
# Details of level 1 to 7: gain 0.869865 · 1.149605^(level - 1).
DETAIL_STEPS: Final = [4709, 4096, 3563, 3099, 2696, 2345, 2040]
# Approximation behind 0 to 7 levels: gain 1.149605^levels.
APPROXIMATION_STEPS: Final = [4096, 3563, 3099, 2696, 2345, 2040, 1774, 1544]


def levels_of(length: int) -> int:
    """Levels of a block of this length: each halves it, down to some eight coefficients."""
    if length < 2:
        return 0
    return min(max(bit_length(length) - 4, 1), MOST_LEVELS)


def find_bands(length: int, offsets: Integers, lengths: Integers) -> int:
    """Where each band begins and how long it is; returns how many there are."""
    levels = levels_of(length)
    size = length
    for band in range(levels, 0, -1):
        low = (size + 1) >> 1
        offsets[band] = low
        lengths[band] = size - low
        size = low
    offsets[0] = 0
    lengths[0] = size
    return levels + 1


def band_step(step: int, band: int, bands: int) -> int:
    """The quantiser's step in a band's coefficients, at least 1."""
    factor = APPROXIMATION_STEPS[bands - 1] if band == 0 else DETAIL_STEPS[bands - 1 - band]
    return max((step * factor + 2048) >> 12, 1)


def lift(values: Integers, length: int, begin: int, factor: int, sign: int) -> None:
    """Add or take away factor · (left + right) at every second of two or more places."""
    if begin == 0:
        values[0] += sign * ((2 * values[1] * factor + 2048) >> 12)
    for i in range(2 - begin, length - 1, 2):
        values[i] += sign * (((values[i - 1] + values[i + 1]) * factor + 2048) >> 12)
    last = length - 1
    if (last - begin) % 2 == 0:
        values[last] += sign * ((2 * values[last - 1] * factor + 2048) >> 12)


def transform(values: Integers, length: int, work: Integers) -> None:
    """The block's samples become its bands; `work` has room for `length` values."""
    size = length
    for _ in range(levels_of(length)):
        lift(values, size, 1, FIRST, 1)
        lift(values, size, 0, SECOND, 1)
        lift(values, size, 1, THIRD, 1)
        lift(values, size, 0, FOURTH, 1)
        low = (size + 1) >> 1
        for i in range(low):
            work[i] = values[2 * i]
        for i in range(size - low):
            work[low + i] = values[2 * i + 1]
        copy(values, 0, work, 0, size)
        size = low


def restore(values: Integers, length: int, work: Integers) -> None:
    """The bands become the block's samples again; bands that no signal has are clipped."""
    levels = levels_of(length)
    for level in range(levels - 1, -1, -1):
        size = length
        for _ in range(level):
            size = (size + 1) >> 1
        low = (size + 1) >> 1
        for i in range(low):
            work[2 * i] = clip(values[i], -COEFFICIENT_REACH, COEFFICIENT_REACH)
        for i in range(size - low):
            work[2 * i + 1] = clip(values[low + i], -COEFFICIENT_REACH, COEFFICIENT_REACH)
        copy(values, 0, work, 0, size)
        lift(values, size, 0, FOURTH, -1)
        lift(values, size, 1, THIRD, -1)
        lift(values, size, 0, SECOND, -1)
        lift(values, size, 1, FIRST, -1)
