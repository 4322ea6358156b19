"""Which earlier leads help to predict a lead, told from decoded samples alone.

Up to eight of them, at lags from 0. Where there are more, those whose differences correlate
the most with the lead's over the first two seconds; until these are over, the nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip
from san_stream.coding.predictors import (
    MATRIX,
    OTHERS,
    OWN,
    PLACE,
    PRIOR,
    ROW,
    SIZE,
)

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

MOST_OTHERS: Final = 8
TAIL: Final = 4
"""Samples of the block before that are kept in front of a lead's row of recent samples."""
CLIPPED: Final = 32767
"""Limit of differences in correlations: sums over 2^15 samples stay below 2^45."""


def lags_of(lead: int) -> int:
    """At how many lags each of the chosen leads is used for this one."""
    return (0, 4, 4, 3, 2)[min(lead, 4)]


def regressor_count(lead: int) -> int:
    """Differences of other leads that predict this one."""
    return min(lead, MOST_OTHERS) * lags_of(lead)


def add_correlations(recent: Integers, stride: int, leads: int, count: int, sums: Integers) -> None:
    """Add Σ d_i d_j of a block's differences for each pair of leads j <= i."""
    for i in range(leads):
        for j in range(i + 1):
            total = 0
            for t in range(count):
                at = i * stride + TAIL + t
                one = clip(recent[at] - recent[at - 1], -CLIPPED, CLIPPED)
                at = j * stride + TAIL + t
                total += one * clip(recent[at] - recent[at - 1], -CLIPPED, CLIPPED)
            sums[i * leads + j] += total


def forget_others(
    plan: Integers,
    predictors: int,
    count: int,
    matrices: Integers,
    right: Integers,
    weights: Integers,
) -> None:
    """What was learned about other leads is of no use: others were chosen."""
    for k in range(predictors):
        row = k * ROW
        if plan[row + OTHERS] == 0:
            continue
        size = plan[row + SIZE]
        begin = plan[row + OWN] + 1
        end = begin + count
        for i in range(size):
            for j in range(i + 1):
                if begin <= i < end or begin <= j < end:
                    entry = PRIOR if i == j else 0
                    matrices[plan[row + MATRIX] + i * size + j] = entry
        for i in range(begin, end):
            right[plan[row + PLACE] + i] = 0
            weights[plan[row + PLACE] + i] = 0
