"""Exponentially weighted least squares in integers: statistics, and weights solved from them.

R += v vᵀ and b += v t grow with each sample and decay in blocks; every so often
(R + regularisation) w = b is solved by a Cholesky factorisation. Nothing is inverted
recursively, so nothing drifts. |v|, |t| <= 32767 and a window of at most 2^13 samples keep
R and b below 2^44; R is scaled so that its largest diagonal entry lies in [2^43, 2^44), so
that the factor's entries stay below 2^22 (clamped at 2^23) and sums of up to 64 of their
products below 2^52. Weights are in 1/65536, clamped at ±16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip
from san_stream.coding.vectors import dot

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

WEIGHT_LIMIT: Final = 1 << 20
ENTRY_LIMIT: Final = 1 << 23
SMALLEST_PIVOT: Final = 1 << 24
SCALED: Final = 1 << 43
SILENCE: Final = 64


def square_root(value: int) -> int:
    """floor(√value) of an integer 0 to 2^53, by Newton's method from above."""
    if value < 2:
        return value
    root = 1
    rest = value
    while rest > 0:
        rest >>= 2
        root <<= 1
    while True:
        better = (root + value // root) >> 1
        if better >= root:
            return root
        root = better


def solve_weights(
    matrix: Integers,
    at: int,
    right: Integers,
    weights: Integers,
    place: int,
    size: int,
    energy: int,
    regularisation: int,
    factor: Integers,
    half: Integers,
) -> None:
    """Weights at `place` from the lower triangle at `at` and the right side at `place`.

    Args:
        energy: decayed Σ t², which takes part in the scale.
        regularisation: 2^-this of the largest diagonal entry is added to each.
        factor, half: room for size² and size integers.
    """
    largest = energy
    for i in range(size):
        largest = max(largest, matrix[at + i * size + i])
    if largest < SILENCE:
        return
    shift = 0
    while largest << shift < SCALED:
        shift += 1
    extra = (largest << shift) >> regularisation
    for i in range(size):
        row = i * size
        for j in range(i):
            column = j * size
            total = (matrix[at + row + j] << shift) - dot(factor, row, factor, column, j)
            factor[row + j] = clip(total // factor[column + j], -ENTRY_LIMIT, ENTRY_LIMIT)
        total = (matrix[at + row + i] << shift) + extra - dot(factor, row, factor, row, i)
        factor[row + i] = square_root(max(total, SMALLEST_PIVOT))
        total = (right[place + i] << shift) - dot(factor, row, half, 0, i)
        half[i] = clip(total // factor[row + i], -ENTRY_LIMIT, ENTRY_LIMIT)
    for i in range(size - 1, -1, -1):
        total = half[i] << 16
        for k in range(i + 1, size):
            total -= factor[k * size + i] * weights[place + k]
        weights[place + i] = clip(total // factor[i * size + i], -WEIGHT_LIMIT, WEIGHT_LIMIT)
