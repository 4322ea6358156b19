"""A lapped cosine transform of a block, in integers (docs/format-cosine.md).

Frames of one length, a power of two, and for what is left at the block's end frames of half
of it, a quarter, ... 1, overlap their neighbours by half of the shorter one on each side; the
ends of the block overlap nothing, so that no delay is added. Folding at the edges with a sine
window, then a cosine transform of the fourth kind, is the modified discrete cosine transform
(Princen and Bradley 1986; Malvar 1992). The last frame, which has no neighbour to be odd
towards, takes the second kind. All is orthonormal up to rounding: a step of the quantiser is
the same in every coefficient.

Values are lowered to 27 bits where a block has larger ones; folding makes them at most √2
larger, and sums of 256 of them by factors of 17 bits stay below 2^52.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.cosine_tables import (
    COSINES,
    FACTOR_BITS,
    FRAME_SCALES,
    LONGEST_FRAME,
    LONGEST_LOG,
    QUARTER,
    WAVE_MASK,
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length
from san_stream.coding.vectors import copy
from san_stream.coding.wavelet import COEFFICIENT_REACH

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

VALUE_BITS: Final = 27
FACTOR_HALF: Final = 1 << (FACTOR_BITS - 1)
EIGHTH: Final = QUARTER >> 1
"""Where `COSINES` has sqrt(1 / 2)."""


def frame_log(longest: int, left: int) -> int:
    """Log2 of the next frame's length, where `left` samples of the block remain."""
    return min(longest, bit_length(left) - 1)


def lower_values(values: Integers, length: int) -> int:
    """Clip values and shift them down to `VALUE_BITS`; returns by how many bits."""
    largest = 0
    for i in range(length):
        values[i] = clip(values[i], -COEFFICIENT_REACH, COEFFICIENT_REACH)
        largest = max(largest, abs(values[i]))
    shift = max(bit_length(largest) - VALUE_BITS, 0)
    if shift > 0:
        for i in range(length):
            values[i] = values[i] >> shift
    return shift


def raise_values(values: Integers, length: int, shift: int) -> None:
    """Undo the shift of `lower_values`."""
    for i in range(length):
        values[i] = clip(values[i] << shift, -COEFFICIENT_REACH, COEFFICIENT_REACH)


def fold_edges(values: Integers, length: int, longest: int, sign: int) -> None:
    """Turn each pair of samples around an edge of two frames; sign -1 turns it back."""
    edge = 1 << frame_log(longest, length)
    while edge < length:
        behind = frame_log(longest, length - edge)
        half = (1 << behind) >> 1
        spacing = LONGEST_LOG - behind
        for i in range(half):
            keep = COSINES[(2 * half - 2 * i - 1) << spacing]
            take = COSINES[(2 * half + 2 * i + 1) << spacing] * sign
            before = values[edge - 1 - i]
            after = values[edge + i]
            values[edge - 1 - i] = (keep * before - take * after + FACTOR_HALF) >> FACTOR_BITS
            values[edge + i] = (keep * after + take * before + FACTOR_HALF) >> FACTOR_BITS
        edge += 1 << behind


def scaled_sum(total: int, size: int) -> int:
    """A sum of products with `COSINES`, times sqrt(2 / 2^size)."""
    return (
        ((total + FACTOR_HALF) >> FACTOR_BITS) * FRAME_SCALES[size] + FACTOR_HALF
    ) >> FACTOR_BITS


def turning_sum(values: Integers, begin: int, count: int, angle: int, turn: int) -> int:
    """Σ COSINES[angle + i · turn] · values[begin + i]."""
    total = 0
    for i in range(begin, begin + count):
        total += COSINES[angle] * values[i]
        angle = (angle + turn) & WAVE_MASK
    return total


def fourth_kind(values: Integers, begin: int, size: int, work: Integers) -> None:
    """The cosine transform of the fourth kind of a frame of 2^size; it is its own inverse."""
    count = 1 << size
    unit = LONGEST_FRAME >> size
    for k in range(count):
        angle = (2 * k + 1) * unit
        work[k] = scaled_sum(turning_sum(values, begin, count, angle, 2 * angle), size)
    copy(values, begin, work, 0, count)


def second_kind(values: Integers, begin: int, size: int, work: Integers) -> None:
    """The cosine transform of the second kind of a frame of 2^size."""
    count = 1 << size
    unit = 2 * (LONGEST_FRAME >> size)
    work[0] = scaled_sum(turning_sum(values, begin, count, EIGHTH, 0), size)
    for k in range(1, count):
        angle = k * unit
        work[k] = scaled_sum(turning_sum(values, begin, count, angle, 2 * angle), size)
    copy(values, begin, work, 0, count)


def third_kind(values: Integers, begin: int, size: int, work: Integers) -> None:
    """The cosine transform of the third kind, which undoes the second."""
    count = 1 << size
    unit = 2 * (LONGEST_FRAME >> size)
    for n in range(count):
        turn = ((2 * n + 1) * unit) & WAVE_MASK
        total = COSINES[EIGHTH] * values[begin]
        total += turning_sum(values, begin + 1, count - 1, turn, turn)
        work[n] = scaled_sum(total, size)
    copy(values, begin, work, 0, count)


def transform_frames(
    values: Integers, length: int, longest: int, work: Integers, inverse: int
) -> None:
    """The cosine transform of each frame, or its inverse."""
    begin = 0
    while begin < length:
        size = frame_log(longest, length - begin)
        if begin + (1 << size) < length:
            fourth_kind(values, begin, size, work)
        elif inverse == 0:
            second_kind(values, begin, size, work)
        else:
            third_kind(values, begin, size, work)
        begin += 1 << size


def transform_cosine(values: Integers, length: int, longest: int, work: Integers) -> None:
    """The block's samples become its frames' coefficients.

    Args:
        values: |values| < 2^53. longest: log2 of a whole frame. work: room for a frame.
    """
    shift = lower_values(values, length)
    fold_edges(values, length, longest, 1)
    transform_frames(values, length, longest, work, 0)
    raise_values(values, length, shift)


def restore_cosine(values: Integers, length: int, longest: int, work: Integers) -> None:
    """The coefficients become the block's samples again, up to rounding."""
    shift = lower_values(values, length)
    transform_frames(values, length, longest, work, 1)
    fold_edges(values, length, longest, -1)
    raise_values(values, length, shift)
