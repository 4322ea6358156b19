"""Preset `tiny`: for small controllers. One sign-error predictor, two averaged probabilities.

No division (but by the quantiser's step where there is one) and no mixing; for samples of up
to 16 bits all values stay within 32 bits, and the stores of a lead fit in 3 KB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length, code_signed
from san_stream.coding.range_coder import DECODING, code_bit
from san_stream.coding.vectors import copy, dot, nudge

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

TAPS: Final = 16
TINY_WEIGHT_LIMIT: Final = 16383
TINY_DIFFERENCE_LIMIT: Final = 8191
TINY_STEPS: Final = 48  # of |error|, 1/16 ADC units, that a unary step of one covers
TINY_ESCAPE: Final = 12
TINY_COLUMNS: Final = 16
TINY_CLASSES: Final = 16
TINY_SLOTS: Final = TINY_CLASSES * TINY_COLUMNS
TINY_PHASE_SLOTS: Final = 3 * TINY_CLASSES * TINY_COLUMNS
TINY_SHIFT: Final = 6
LONGEST_PHASE: Final = 30000
TINY_LOW: Final = -(2**31)
TINY_HIGH: Final = 2**31 - 1

# Places in a lead's memory.
TINY_LAST: Final = 0
TINY_PHASE: Final = 1
TINY_ENERGY: Final = 2
TINY_LEVEL: Final = 3
TINY_PEAK: Final = 4
TINY_QUICK: Final = 5  # means of |error|, 1/16 ADC units, over 4 and 32 samples
TINY_SLOW: Final = 6
TINY_ACTIVITY: Final = 7  # mean |difference|, 1/16
TINY_POSITION: Final = 8
TINY_FRESH: Final = 9
TINY_MEMORY: Final = 10

# round(2 log2 i) - 4, kept in 0 to 15: the value at which each class from 1 on begins
_CLASS_STARTS: Final = (5, 7, 10, 14, 20, 27, 39, 54, 77, 108, 153, 216, 305, 431, 609)
TINY_CLASS: Final = [sum(1 for start in _CLASS_STARTS if start <= i) for i in range(610)]
"""Class 0 to 15 of a mean |error|, two to an octave; the last place stands for all above."""


def start_tiny(memory: Integers, weights: Integers, width: int) -> None:
    """Initial values."""
    weights[0] = 2048
    memory[TINY_QUICK] = 48 * width
    memory[TINY_SLOW] = 48 * width
    memory[TINY_ACTIVITY] = 64


def restart_tiny(memory: Integers, history: Integers, value: int) -> None:
    """A run begins; `value` stands for the past."""
    memory[TINY_LAST] = value
    memory[TINY_PHASE] = LONGEST_PHASE
    memory[TINY_ENERGY] = 0
    memory[TINY_LEVEL] = 0
    memory[TINY_PEAK] = 0
    memory[TINY_POSITION] = 2 * TAPS
    memory[TINY_FRESH] = 1
    for i in range(len(history)):
        history[i] = 0


def tiny_phase(memory: Integers, slope: int, since: int, refractory: int) -> int:
    """As `advance_phase`, with absolute values for squares."""
    energy = memory[TINY_ENERGY]
    level = memory[TINY_LEVEL]
    peak = memory[TINY_PEAK]
    energy += (slope - energy) >> 2
    level -= level >> 10
    if energy > level:
        level += (energy - level) >> 3
    if since <= refractory:
        peak = 0
    elif energy * 3 > level * 2:
        if energy > peak:
            peak = energy
        elif peak > 0 and energy < peak - (peak >> 5):
            since = 0
            peak = 0
    memory[TINY_ENERGY] = energy
    memory[TINY_LEVEL] = level
    memory[TINY_PEAK] = peak
    return min(since, LONGEST_PHASE)


def code_tiny_bit(
    state: Integers,
    buffer: Octets,
    bit: int,
    slots: Integers,
    at: int,
    others: Integers,
    other_at: int,
) -> int:
    """A bit at the mean of two adaptive probabilities."""
    one = slots[at]
    two = others[other_at]
    bit = code_bit(state, buffer, clip((one + two) >> 1, 64, 65472), bit)
    target = 65535 if bit == 1 else 0
    slots[at] = one + ((target - one) >> TINY_SHIFT)
    others[other_at] = two + ((target - two) >> TINY_SHIFT)
    return bit


def code_tiny_residual(
    state: Integers,
    buffer: Octets,
    residual: int,
    shift: int,
    slots: Integers,
    at: int,
    others: Integers,
    other_at: int,
) -> int:
    """Sign, unary steps of 2^shift that double after some, plain low bits."""
    negative = code_tiny_bit(state, buffer, 1 if residual < 0 else 0, slots, at, others, other_at)
    magnitude = -1 - residual if negative == 1 else residual
    found = 0
    decision = 1
    while shift < 40:
        column = min(decision, TINY_COLUMNS - 1)
        more = code_tiny_bit(
            state, buffer, 1 if magnitude >= found + (1 << shift) else 0, slots, at + column,
            others, other_at + column,
        )  # fmt: skip
        if more == 0:
            break
        found += 1 << shift
        if decision >= TINY_ESCAPE:
            shift += 1
        decision += 1
    while shift > 0:
        shift -= 1
        if code_bit(state, buffer, 32768, 1 if magnitude >= found + (1 << shift) else 0) == 1:
            found += 1 << shift
    return -1 - found if negative == 1 else found


def code_tiny(
    state: Integers,
    buffer: Octets,
    samples: Integers,
    valid: Integers,
    bound: int,
    refractory: int,
    memory: Integers,
    history: Integers,
    weights: Integers,
    template_error: Integers,
    slots: Integers,
    others: Integers,
    first_probability: Integers,
    first_count: Integers,
) -> None:
    """Code one lead's samples of a block; on return `samples` are those of the decoder."""
    width = 2 * bound + 1
    decoding = state[DECODING]
    last = memory[TINY_LAST]
    since = memory[TINY_PHASE]
    quick = memory[TINY_QUICK]
    slow = memory[TINY_SLOW]
    activity = memory[TINY_ACTIVITY]
    position = memory[TINY_POSITION]
    for t in range(len(samples)):
        if valid[t] == 0:
            samples[t] = last
            continue
        if memory[TINY_FRESH] == 1:
            first = code_signed(state, buffer, first_probability, first_count, 0, samples[t] - last)
            last = clip(last + first, TINY_LOW, TINY_HIGH)
            samples[t] = last
            memory[TINY_FRESH] = 0
            continue
        since += 1
        newest = history[position]
        reach = 2 * abs(newest) + (slow >> 4) + 8
        total = (dot(weights, 0, history, position, TAPS) + 2048) >> 12
        centre = last + clip(total, -reach, reach)
        by_phase = template_error[since >> 1] if since >> 1 < len(template_error) else slow
        deviation = (quick * 3 + slow) >> 2
        phase_deviation = (slow + by_phase) >> 1
        if bound > 0:
            deviation //= width
            phase_deviation //= width
        shift = 0
        while deviation >> shift > TINY_STEPS:
            shift += 1
        direction = 1 if newest > 0 else (2 if newest < 0 else 0)
        at = TINY_CLASS[min(deviation, 609)] * TINY_COLUMNS
        other_at = (TINY_CLASS[min(phase_deviation, 609)] * 3 + direction) * TINY_COLUMNS
        residual = 0
        if decoding == 0:
            error = samples[t] - centre
            residual = (error + bound) // width if error >= 0 else -((bound - error) // width)
        residual = code_tiny_residual(state, buffer, residual, shift, slots, at, others, other_at)
        value = clip(centre + residual * width, TINY_LOW, TINY_HIGH)
        samples[t] = value
        error = value - centre
        if error != 0:
            bits = bit_length((activity + quick) >> 4)
            up = 1 if error > 0 else 0
            nudge(weights, 0, history, position, TAPS, up, bits, TINY_WEIGHT_LIMIT)
        error = abs(error) << 4
        quick += (error - quick) >> 2
        slow += (error - slow) >> 5
        if since >> 1 < len(template_error):
            template_error[since >> 1] += (error - template_error[since >> 1]) >> 3
        difference = clip(value - last, -TINY_DIFFERENCE_LIMIT, TINY_DIFFERENCE_LIMIT)
        position -= 1
        if position < 0:
            copy(history, 2 * TAPS, history, 0, TAPS)
            position = 2 * TAPS - 1
        history[position] = difference
        activity += ((abs(difference) << 4) - activity) >> 4
        last = value
        slope = difference + newest + history[position + 2] + history[position + 3]
        since = tiny_phase(memory, abs(slope) << 4, since, refractory)
    memory[TINY_LAST] = last
    memory[TINY_PHASE] = since
    memory[TINY_QUICK] = quick
    memory[TINY_SLOW] = slow
    memory[TINY_ACTIVITY] = activity
    memory[TINY_POSITION] = position
