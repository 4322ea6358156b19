"""Preset `fast`: two sign-error predictors, and a mix of two laws and two contexts.

Everything as in `mixed_coder`, only less of it: the mean of two predictions, one set of
four weights for each decision and deviation, no final map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.beat_phase import PHASE_MEMORY, advance_phase, restart_phase
from san_stream.coding.mixed_residual import code_low_bits
from san_stream.coding.mixing import LOGIT_LIMIT, clip, log8, update_slot
from san_stream.coding.numbers import code_signed
from san_stream.coding.range_coder import DECODING, code_bit
from san_stream.coding.tables import LOG_EXPM1, MANTISSA, SOFTPLUS, SQUASH, STRETCH
from san_stream.coding.vectors import copy, dot, move_weights

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

SHORT: Final = 8
LONG: Final = 32
SHORT_STEP: Final = 1  # log2 of the step against the long predictor's shift of 2
LONG_STEP: Final = 2
FAST_WEIGHT_LIMIT: Final = 1 << 20
DEVIATIONS: Final = 24
SLOW_DEVIATIONS: Final = 16
TURNS: Final = 15  # clipped second difference, -7 to 7
COLUMNS: Final = 32
FAST_WEIGHTS: Final = DEVIATIONS * COLUMNS * 4
FAST_SLOTS: Final = DEVIATIONS * COLUMNS
TURN_SLOTS: Final = SLOW_DEVIATIONS * TURNS * COLUMNS
FAST_LEARNING: Final = 8
FAST_STEPS: Final = 2  # unary steps per scale
FAST_ESCAPE: Final = 16
FAST_SLOT_LIMIT: Final = 250
FAST_LAW_FLOOR: Final = 600
FAST_REACH: Final = 2000
FAST_ZERO_REACH: Final = 4000
MIXING_LIMIT: Final = 4194304
FAST_DIFFERENCE_LIMIT: Final = 1 << 23
FAST_LOW: Final = -(2**31)
FAST_HIGH: Final = 2**31 - 1

# Places in a lead's memory, behind the detector's.
FAST_LAST: Final = PHASE_MEMORY
FAST_POSITION: Final = FAST_LAST + 1
FAST_FRESH: Final = FAST_LAST + 2
QUICK: Final = FAST_LAST + 3  # means of |error|, 1/4096 ADC units, over 5, 20 and 128 samples
MEDIUM: Final = FAST_LAST + 4
SLOW: Final = FAST_LAST + 5
FAST_ACTIVITY: Final = FAST_LAST + 6  # mean |difference|, 1/4096
FAST_MEMORY: Final = FAST_LAST + 7


def start_fast(
    memory: Integers, short: Integers, long: Integers, mixing: Integers, width: int
) -> None:
    """Initial values."""
    short[0] = 32768
    long[0] = 39000
    for i in range(FAST_WEIGHTS // 4):
        mixing[4 * i] = 32768
        mixing[4 * i + 1] = 6000
        mixing[4 * i + 2] = 6000
        mixing[4 * i + 3] = 32768
    for i in range(4):
        memory[QUICK + i] = 12288 + 2048 * width


def restart_fast(memory: Integers, history: Integers, value: int) -> None:
    """A run begins; `value` stands for the past."""
    restart_phase(memory, 0)
    memory[FAST_LAST] = value
    memory[FAST_POSITION] = 2 * LONG
    memory[FAST_FRESH] = 1
    for i in range(len(history)):
        history[i] = 0


def code_fast_decision(
    state: Integers,
    buffer: Octets,
    bit: int,
    first: int,
    second: int,
    mixing: Integers,
    slots: Integers,
    turns: Integers,
    at: int,
    turn_at: int,
) -> int:
    """One decision from the logits of two laws and of two contexts."""
    third = STRETCH[slots[at] >> 18]
    fourth = STRETCH[turns[turn_at] >> 18]
    w = at * 4
    total = mixing[w] * first + mixing[w + 1] * third
    total += mixing[w + 2] * fourth + mixing[w + 3] * second
    mixed = SQUASH[clip(total >> 16, -LOGIT_LIMIT, LOGIT_LIMIT) + 2048]
    bit = code_bit(state, buffer, mixed, bit)
    error = ((bit << 16) - mixed) * FAST_LEARNING
    limit = MIXING_LIMIT
    mixing[w] = clip(mixing[w] + ((error * first + 65536) >> 17), -limit, limit)
    mixing[w + 1] = clip(mixing[w + 1] + ((error * third + 65536) >> 17), -limit, limit)
    mixing[w + 2] = clip(mixing[w + 2] + ((error * fourth + 65536) >> 17), -limit, limit)
    mixing[w + 3] = clip(mixing[w + 3] + ((error * second + 65536) >> 17), -limit, limit)
    update_slot(slots, at, bit, FAST_SLOT_LIMIT)
    update_slot(turns, turn_at, bit, FAST_SLOT_LIMIT)
    return bit


def code_fast_residual(
    state: Integers,
    buffer: Octets,
    residual: int,
    place: int,
    wide: int,
    second_place: int,
    second_wide: int,
    shift: int,
    mixing: Integers,
    slots: Integers,
    turns: Integers,
    at: int,
    turn_at: int,
) -> int:
    """The residual in quantiser steps: sign, unary steps of 2^shift, low bits."""
    negative = code_fast_decision(
        state, buffer, 1 if residual < 0 else 0, place, second_place, mixing, slots, turns, at,
        turn_at,
    )  # fmt: skip
    if negative == 1:
        place = -place
        second_place = -second_place
    magnitude = -1 - residual if negative == 1 else residual
    found = 0
    decision = 1
    while shift < 40:
        column = min(decision, COLUMNS - 1)
        first = SOFTPLUS[place + 4096] - LOG_EXPM1[wide]
        second = SOFTPLUS[second_place + 4096] - LOG_EXPM1[second_wide]
        more = code_fast_decision(
            state, buffer, 1 if magnitude >= found + (1 << shift) else 0,
            clip(first, -LOGIT_LIMIT, LOGIT_LIMIT), clip(second, -LOGIT_LIMIT, LOGIT_LIMIT),
            mixing, slots, turns, at + column, turn_at + column,
        )  # fmt: skip
        if more == 0:
            break
        found += 1 << shift
        place = clip(place + wide, -FAST_ZERO_REACH, FAST_ZERO_REACH)
        second_place = clip(second_place + second_wide, -FAST_ZERO_REACH, FAST_ZERO_REACH)
        if decision >= FAST_ESCAPE:
            shift += 1
            wide = min(wide << 1, FAST_ZERO_REACH)
            second_wide = min(second_wide << 1, FAST_ZERO_REACH)
        decision += 1
    found = code_low_bits(state, buffer, place, wide, shift, magnitude, found)
    return -1 - found if negative == 1 else found


def code_fast(
    state: Integers,
    buffer: Octets,
    samples: Integers,
    valid: Integers,
    bound: int,
    refractory: int,
    memory: Integers,
    history: Integers,
    short: Integers,
    long: Integers,
    template_error: Integers,
    mixing: Integers,
    slots: Integers,
    turns: Integers,
    first_probability: Integers,
    first_count: Integers,
) -> None:
    """Code one lead's samples of a block; on return `samples` are those of the decoder."""
    width = 2 * bound + 1
    width_log = log8(width * 4096) - 96
    decoding = state[DECODING]
    last = memory[FAST_LAST]
    position = memory[FAST_POSITION]
    since = memory[0]
    quick = memory[QUICK]
    medium = memory[MEDIUM]
    slow = memory[SLOW]
    activity = memory[FAST_ACTIVITY]
    for t in range(len(samples)):
        if valid[t] == 0:
            samples[t] = last
            continue
        if memory[FAST_FRESH] == 1:
            first = code_signed(state, buffer, first_probability, first_count, 0, samples[t] - last)
            last = clip(last + first, FAST_LOW, FAST_HIGH)
            samples[t] = last
            memory[FAST_FRESH] = 0
            continue
        since += 1
        by_phase = template_error[since] if since < len(template_error) else medium
        newest = history[position]
        reach = (2 * abs(newest) + (medium >> 6) + 64) << 6
        at = last << 6
        one = at + clip(dot(short, 0, history, position, SHORT) >> 10, -reach, reach)
        two = at + clip(dot(long, 0, history, position, LONG) >> 10, -reach, reach)
        combined = (one + two) >> 1
        centre = (combined + 32) >> 6
        scale = (quick + medium) >> 1
        first_log = log8(scale + FAST_LAW_FLOOR * width)
        second_log = log8(((slow + by_phase) >> 1) + FAST_LAW_FLOOR * width)
        row = clip(((first_log - width_log - 68) * 3) >> 3, 0, DEVIATIONS - 1)
        turn = newest - history[position + 1]
        turn = turn // width if turn >= 0 else -(-turn // width)
        turn_row = clip((second_log - width_log - 68) >> 2, 0, SLOW_DEVIATIONS - 1) * TURNS
        turn_row += clip(turn, -7, 7) + 7
        shift = 0
        while scale >> shift > FAST_STEPS * width * 4096:
            shift += 1
        edge = (centre << 6) - 32 * width - combined
        wide = (64 * width) << shift
        factor = MANTISSA[first_log & 7]
        first_log >>= 3
        place = clip((edge * factor) >> first_log, -FAST_REACH, FAST_REACH)
        first_wide = clip((wide * factor) >> first_log, 1, FAST_ZERO_REACH)
        factor = MANTISSA[second_log & 7]
        second_log >>= 3
        second_place = clip((edge * factor) >> second_log, -FAST_REACH, FAST_REACH)
        second_wide = clip((wide * factor) >> second_log, 1, FAST_ZERO_REACH)
        residual = 0
        if decoding == 0:
            error = samples[t] - centre
            residual = (error + bound) // width if error >= 0 else -((bound - error) // width)
        residual = code_fast_residual(
            state, buffer, residual, place, first_wide, second_place, second_wide, shift, mixing,
            slots, turns, row * COLUMNS, turn_row * COLUMNS,
        )  # fmt: skip
        value = clip(centre + residual * width, FAST_LOW, FAST_HIGH)
        samples[t] = value
        fine = value << 6
        total = (activity + quick) >> 12
        bits = 0
        while total > 0:
            total >>= 1
            bits += 1
        # steps of 128 and 16 a unit of difference, before they are lowered by the activity
        sign = 2 if fine > one else -2
        move_weights(short, 0, history, position, SHORT, sign, bits, FAST_WEIGHT_LIMIT)
        sign = 1 if fine > two else -1
        move_weights(long, 0, history, position, LONG, sign, bits + 2, FAST_WEIGHT_LIMIT)
        error = abs(fine - combined) << 6
        quick += ((error - quick) * 7) >> 5
        medium += ((error - medium) * 13) >> 8
        slow += (error - slow) >> 7
        if since < len(template_error):
            template_error[since] += ((error - template_error[since]) * 38) >> 8
        difference = clip(value - last, -FAST_DIFFERENCE_LIMIT, FAST_DIFFERENCE_LIMIT)
        position -= 1
        if position < 0:
            copy(history, 2 * LONG, history, 0, LONG)
            position = 2 * LONG - 1
        history[position] = difference
        last = value
        activity += ((abs(difference) << 12) - activity) >> 4
        slope = difference + newest + history[position + 2] + history[position + 3]
        since = advance_phase(memory, 0, slope, since, refractory)
    memory[FAST_LAST] = last
    memory[FAST_POSITION] = position
    memory[0] = since
    memory[QUICK] = quick
    memory[MEDIUM] = medium
    memory[SLOW] = slow
    memory[FAST_ACTIVITY] = activity
