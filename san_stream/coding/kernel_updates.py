"""Corrections of adapted kernels, sent when a kernel has been used 4, 8, 16, ... times.

And kernels that are given behind a reset, so that they need not be learned again.

The kernel that both ends know is a mean of decoded beats, coarse where the step is coarse.
At these points a bit says whether a correction follows: the wavelet coefficients of what
the encoder's true mean beat has more, quantised the finer the more often the kernel will be
used (docs/format-transform.md, "Corrections of kernels").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.adaptive_kernels import (
    BEATS,
    KERNEL_LIMIT,
    MEMORY_BEATS,
    SENT,
    USES,
)
from san_stream.coding.beats import GROUP, code_magnitude
from san_stream.coding.least_squares import square_root
from san_stream.coding.mixing import NATURAL, clip, code_slot, slot_logit
from san_stream.coding.numbers import code_plain
from san_stream.coding.range_coder import DECODING, ERROR, code_bit
from san_stream.coding.wavelet import MOST_BANDS, band_step, find_bands, restore, transform

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

FIRST_USES: Final = 4
MOST_SENT: Final = 16
USES_FACTOR: Final = 3  # uses to come, guessed from those that were
MOST_USES: Final = 64
FINEST: Final = 128  # half an ADC unit, in 1/256
LARGEST_LEVEL: Final = 1 << 16
LARGEST_SIZE: Final = 1 << 16  # 256 levels, in 1/256: beyond, a level is not weighed
FIRST_CHANCE: Final = 1 << 28  # one quarter of 2^20, nothing seen
LIMIT: Final = 60
FLAG: Final = 9 * MOST_BANDS  # slot of "a correction follows"
CORRECTION_SLOTS: Final = FLAG + 1
GIVEN: Final = 1 << 14  # probability of "a kernel is given"
COARSEST: Final = 1 << 28  # of a given kernel: the largest level lies below 2^53 still
REST_GROUPS: Final = 4
CORRECTION_REST: Final = REST_GROUPS * GROUP
POINT: Final = 8  # reconstruction lies 8/256 of a step nearer to zero
SIGN_BITS: Final = 384  # 1.5 bits, in 1/256: a sign, and that the size is 1
LEVEL_BITS: Final = 384
REACH: Final = 1 << 38


def correction_due(notes: Integers, kernel: int) -> int:
    """1 if a correction of the kernel may follow now."""
    if notes[BEATS + kernel] == 0 or notes[SENT + kernel] >= MOST_SENT:
        return 0
    return 1 if notes[USES + kernel] >= FIRST_USES << notes[SENT + kernel] else 0


def correction_step(notes: Integers, kernel: int, step: int) -> int:
    """Step of a correction in 1/256 ADC unit: the signal's over the root of the uses to come.

    Args:
        step: of the signal's quantiser, 1/16 ADC unit, below 2^29.
    """
    uses = min(notes[USES + kernel] * USES_FACTOR, MOST_USES)
    return max((step << 12) // square_root(max(uses, 1) << 16), FINEST)


def choose_size(size: int, slot: int, weight: int, strength: int) -> int:
    """The level of a coefficient of `size` steps / 256, by weighted error plus λ · bits."""
    level = (size + 128) >> 8
    if level == 0 or size > LARGEST_SIZE:
        return min(level, LARGEST_LEVEL)
    bits = SIGN_BITS - ((slot_logit(slot) * NATURAL) >> 8)
    here = size - (level << 8)
    below = here + 256
    if level > 1 and (below * below - here * here) * weight < strength << 16:
        level -= 1
        here = below
    saved = ((size * size - here * here) * weight) >> 16
    return 0 if saved < (strength * (bits + LEVEL_BITS * (level - 1))) >> 8 else level


def given_step(step: int, fineness: int) -> int:
    """Step of a given kernel in 1/256 ADC unit: as if it had been used 4^fineness times.

    Args:
        step: of the signal's quantiser, 1/16 ADC unit, below 2^29.
    """
    return clip((step << 4) >> fineness, FINEST, COARSEST)


def code_shape(
    state: Integers,
    buffer: Octets,
    slots: Integers,
    rest: Integers,
    rest_count: Integers,
    kernels: Integers,
    kernel: int,
    length: int,
    fine: int,
    strength: int,
    wanted: Integers,
    weights: Integers,
    levels: Integers,
    values: Integers,
    work: Integers,
    offsets: Integers,
    lengths: Integers,
) -> None:
    """Wavelet coefficients of what is added to a kernel: code and add them.

    Args:
        fine: their step, 1/256 ADC unit, below 2^32. The others are those of `code_correction`.
    """
    encoding = state[DECODING] == 0
    bands = find_bands(length, offsets, lengths)
    for band in range(bands):
        identity = 0 if band == 0 else MOST_BANDS - bands + band
        width = band_step(fine, band, bands)
        begin = offsets[band]
        for i in range(lengths[band]):
            place = begin + i
            left = abs(levels[place - 1]) if i > 0 else 0
            before = abs(levels[place - 2]) if i > 1 else 0
            parent = 0
            if band > 0:
                at = min(i * lengths[band - 1] // lengths[band], lengths[band - 1] - 1)
                parent = abs(levels[offsets[band - 1] + at])
            index = identity * 9 + min(left + ((before + 1) >> 1), 2) * 3 + min(parent, 2)
            level = 0
            negative = 0
            if encoding:
                size = min((abs(wanted[place]) << 8) // width, LARGEST_LEVEL << 8)
                level = choose_size(size, slots[index], weights[place], strength)
                negative = 1 if wanted[place] < 0 else 0
            if code_slot(state, buffer, slots, index, 1 if level > 0 else 0, LIMIT) == 1:
                negative = code_bit(state, buffer, 32768, negative)
                group = min(left + parent, REST_GROUPS - 1) * GROUP
                level = 1 + code_magnitude(state, buffer, rest, rest_count, group, level - 1)
            else:
                level = 0
            if level > LARGEST_LEVEL:
                state[ERROR] = 1
                level = 0
            levels[place] = -level if negative == 1 else level
            value = clip((((level << 8) - POINT) * width) >> 8, 0, REACH) if level > 0 else 0
            values[place] = -value if negative == 1 else value
    restore(values, length, work)
    base = kernel * length
    for i in range(length):
        kernels[base + i] = clip(kernels[base + i] + values[i], -KERNEL_LIMIT, KERNEL_LIMIT)


def code_correction(
    state: Integers,
    buffer: Octets,
    slots: Integers,
    rest: Integers,
    rest_count: Integers,
    kernels: Integers,
    notes: Integers,
    kernel: int,
    length: int,
    step: int,
    strength: int,
    given: int,
    wanted: Integers,
    weights: Integers,
    levels: Integers,
    values: Integers,
    work: Integers,
    offsets: Integers,
    lengths: Integers,
) -> int:
    """A due correction: code it, or that there is none, and apply it; returns 1 if applied.

    Args:
        slots: `CORRECTION_SLOTS`. rest, rest_count: `CORRECTION_REST`, of large levels.
        step: of the signal's quantiser, 1/16 ADC unit. strength: λ in steps² a bit, 1/65536.
        given: 1 if the encoder gives one. wanted: its wavelet coefficients, 1/256 ADC unit.
        weights: what a squared error in steps of each is worth, 1/65536.
        levels, values, work, offsets, lengths: room.
    """
    fine = correction_step(notes, kernel, step)
    notes[SENT + kernel] += 1
    if code_slot(state, buffer, slots, FLAG, given, LIMIT) == 0:
        return 0
    code_shape(
        state, buffer, slots, rest, rest_count, kernels, kernel, length, fine, strength, wanted,
        weights, levels, values, work, offsets, lengths,
    )  # fmt: skip
    uses = min(notes[USES + kernel], MEMORY_BEATS - 1)
    notes[BEATS + kernel] = max(notes[BEATS + kernel], uses)
    return 1


def code_given(
    state: Integers,
    buffer: Octets,
    slots: Integers,
    rest: Integers,
    rest_count: Integers,
    kernels: Integers,
    notes: Integers,
    kernel: int,
    length: int,
    step: int,
    strength: int,
    fineness: int,
    wanted: Integers,
    weights: Integers,
    levels: Integers,
    values: Integers,
    work: Integers,
    offsets: Integers,
    lengths: Integers,
) -> int:
    """The next kernel that is given behind a reset, or that there is none; returns 1 for one.

    Args:
        fineness: 0 to 3 where the encoder gives one, else -1. The others are
            those of `code_correction`.
    """
    if code_bit(state, buffer, GIVEN, 1 if fineness >= 0 else 0) == 0:
        return 0
    fineness = code_plain(state, buffer, max(fineness, 0), 2)
    code_shape(
        state, buffer, slots, rest, rest_count, kernels, kernel, length,
        given_step(step, fineness), strength, wanted, weights, levels, values, work, offsets,
        lengths,
    )  # fmt: skip
    uses = 1 << (2 * fineness)
    notes[BEATS + kernel] = min(uses, MEMORY_BEATS - 1)
    notes[USES + kernel] = uses
    notes[SENT + kernel] = max(2 * fineness - 1, 0)
    return 1


def kernel_bands(
    values: Integers, length: int, work: Integers, offsets: Integers, lengths: Integers,
    gains: Integers,
) -> int:  # fmt: skip
    """Transform a beat or kernel in place; returns the bands, with 4096 over each one's gain."""
    transform(values, length, work)
    bands = find_bands(length, offsets, lengths)
    for band in range(bands):
        gains[band] = band_step(4096, band, bands)
    return bands
