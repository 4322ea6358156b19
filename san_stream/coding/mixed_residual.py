"""How presets `lean` and `max` code a residual: decisions mixed from laws and contexts.

A residual is coded as its sign, then in unary steps of 2^k, doubling after some, then its
low bits. Each decision sums, in the logit domain, what logistic laws around the predictions
say and what adaptive contexts have seen. For a logistic law of scale s each is one look-up:
logit P(x >= b) = -z(b), and logit P(x >= b + w | x >= b) = softplus(-z) - ln(e^(w/s) - 1).
Docs: docs/format-coding.md, "Mixed residual".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import (
    COUNT_MASK,
    LOGIT_LIMIT,
    MAP_POINTS,
    clip,
    log8,
    map_probability,
    slot_logit,
    update_map,
    update_slot,
)
from san_stream.coding.predictors import POSITION, SCALES
from san_stream.coding.range_coder import code_bit
from san_stream.coding.tables import LOG_EXPM1, MANTISSA, SOFTPLUS, SQUASH
from san_stream.coding.vectors import dot_sets, move_sets

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

CONTEXTS: Final = 5
DECISIONS: Final = 24  # the last one stands for all later ones
LEVELS: Final = 12  # of the expected deviation
SLOT_ROW: Final = 32  # slots of a context, one a decision and sign
DIFFERENCES: Final = 21  # a clipped difference, -10 to 10
# Contexts of the slots, in rows: last two differences; beat phase; sum of three differences
# and fraction; disagreement and deviation; then slots by absolute value.
PHASE_ROW: Final = DIFFERENCES * DIFFERENCES
SUM_ROW: Final = PHASE_ROW + 256
SPREAD_ROW: Final = SUM_ROW + 61 * 8
VALUE_SLOT: Final = (SPREAD_ROW + 11 * 12) * SLOT_ROW
SIGN_SLOT: Final = VALUE_SLOT + 2048 * 8
MIXED_SLOTS: Final = SIGN_SLOT + 2048
SLOT_LIMIT: Final = 250
TRUSTED: Final = 30  # a context seen so often lends its voice to one more input

# Weight sets: decision x deviation, decision x deviation at this phase, decision x last
# difference; the weights used are their sum.
SECOND_SET: Final = DECISIONS * LEVELS
THIRD_SET: Final = 2 * SECOND_SET
THIRD_DECISIONS: Final = 9
MIXING_SETS: Final = THIRD_SET + THIRD_DECISIONS * DIFFERENCES
MIXED_MAPS: Final = SECOND_SET * MAP_POINTS
LEARNING: Final = 2
MAP_SHARE: Final = 90  # of 256, the final map's part in the probability
LEAST: Final = 24  # probability used, of 65536
STEPS_PER_SCALE: Final = 3
ESCAPE: Final = 20  # unary steps double from here on
ZERO_REACH: Final = 4000  # of z, in 1/256
BIAS: Final = 64
LAW_FLOOR: Final = 600

# Scales of a law.
MIDDLE: Final = 0  # fast and middle
SLOW_PHASE: Final = 1  # slow and by phase
FAST: Final = 2
BY_PHASE: Final = 3


def quotient(value: int, width: int) -> int:
    """value / width towards zero, clipped to ±10."""
    part = value // width if value >= 0 else -(-value // width)
    return clip(part, -10, 10)


def set_laws(
    laws: Integers,
    predictions: Integers,
    scales: Integers,
    edge: int,
    wide: int,
    by_phase: int,
    width: int,
    places: Integers,
    widths: Integers,
) -> None:
    """Where each law sees the first edge, and how wide a step is in its scale, in 1/256."""
    for j in range(len(laws) // 2):
        k = laws[2 * j]
        kind = laws[2 * j + 1]
        at = k * SCALES
        if kind == MIDDLE:
            scale = (scales[at] + scales[at + 1]) >> 1
        elif kind == SLOW_PHASE:
            scale = (scales[at + 2] + by_phase) >> 1
        elif kind == FAST:
            scale = scales[at]
        elif kind == BY_PHASE:
            scale = by_phase
        else:
            scale = scales[at + 2]
        exponent = log8(scale + LAW_FLOOR * width)
        factor = MANTISSA[exponent & 7]
        shift = exponent >> 3
        reach = clip(edge - predictions[k], -(1 << 36), 1 << 36)
        places[j] = clip((reach * factor) >> shift, -ZERO_REACH, ZERO_REACH)
        widths[j] = clip((wide * factor) >> shift, 1, ZERO_REACH)


def set_contexts(
    memory: Integers,
    history: Integers,
    phase: int,
    first: int,
    combined: int,
    centre: int,
    width: int,
    level: int,
    contexts: Integers,
) -> int:
    """First slot of each of the four contexts by row; returns the last difference's class."""
    position = memory[POSITION]
    last = quotient(history[position], width)
    before = quotient(history[position + 1], width)
    third = quotient(history[position + 2], width)
    contexts[0] = ((last + 10) * DIFFERENCES + before + 10) * SLOT_ROW
    contexts[1] = (PHASE_ROW + (min(phase, 511) >> 1)) * SLOT_ROW
    fraction = ((combined - (centre << 6)) + 32) >> 3
    contexts[2] = (SUM_ROW + (last + before + third + 30) * 8 + fraction) * SLOT_ROW
    spread = clip(((first - combined) * 2 + 32 * width) // (64 * width), -5, 5)
    contexts[3] = (SPREAD_ROW + (spread + 5) * 12 + level) * SLOT_ROW
    return last + 10


def code_decision(
    state: Integers,
    buffer: Octets,
    bit: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    contexts: Integers,
    used: Integers,
    inputs: Integers,
    laws: int,
    column: int,
    value_slot: int,
    first_set: int,
    second_set: int,
    third_set: int,
) -> int:
    """One decision: the laws' logits stand in `inputs`, the contexts' are added here."""
    for k in range(CONTEXTS - 1):
        used[k] = contexts[k] + column
    used[CONTEXTS - 1] = value_slot
    for k in range(CONTEXTS):
        inputs[laws + k] = slot_logit(slots[used[k]])
    inputs[laws + CONTEXTS] = BIAS
    seen = slots[used[0]] & COUNT_MASK
    inputs[laws + CONTEXTS + 1] = inputs[laws] if seen > TRUSTED else 0
    size = laws + CONTEXTS + 2
    first, second, third = first_set * size, second_set * size, third_set * size
    logit = dot_sets(weights, first, second, third, inputs, size)
    logit = clip(logit >> 16, -LOGIT_LIMIT, LOGIT_LIMIT)
    mixed = SQUASH[logit + 2048]
    mapped = map_probability(maps, first_set * MAP_POINTS, logit)
    probability = (mixed * (256 - MAP_SHARE) + mapped * MAP_SHARE) >> 8
    bit = code_bit(state, buffer, clip(probability, LEAST, 65536 - LEAST), bit)
    error = ((bit << 16) - mixed) * LEARNING
    move_sets(weights, first, second, third, inputs, size, error)
    update_map(maps, first_set * MAP_POINTS, logit, bit)
    for k in range(CONTEXTS):
        update_slot(slots, used[k], bit, SLOT_LIMIT)
    return bit


def code_low_bits(
    state: Integers, buffer: Octets, place: int, wide: int, shift: int, value: int, found: int
) -> int:
    """The low bits of a magnitude inside its unary step, by the first law alone."""
    while shift > 0:
        shift -= 1
        middle = clip(place + wide, -ZERO_REACH, ZERO_REACH)
        wide >>= 1
        logit = wide + SOFTPLUS[4096 - place] - SOFTPLUS[4096 - middle]
        probability = clip(SQUASH[clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT) + 2048], 2000, 63536)
        if code_bit(state, buffer, probability, 1 if value >= found + (1 << shift) else 0) == 1:
            found += 1 << shift
            place = clip(place + wide, -ZERO_REACH, ZERO_REACH)
    return found


def code_residual_mixed(
    state: Integers,
    buffer: Octets,
    residual: int,
    laws: int,
    places: Integers,
    widths: Integers,
    shift: int,
    centre: int,
    width: int,
    level: int,
    phase_level: int,
    last_class: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    contexts: Integers,
    used: Integers,
    inputs: Integers,
) -> int:
    """The residual in quantiser steps: sign, unary steps of 2^shift, low bits."""
    for k in range(laws):
        inputs[k] = clip(places[k], -LOGIT_LIMIT, LOGIT_LIMIT)
    negative = code_decision(
        state, buffer, 1 if residual < 0 else 0, slots, weights, maps, contexts, used, inputs,
        laws, 0, SIGN_SLOT + (centre & 2047), level, SECOND_SET + phase_level,
        THIRD_SET + last_class,
    )  # fmt: skip
    if negative == 1:
        for k in range(laws):
            places[k] = -places[k]
    magnitude = -1 - residual if negative == 1 else residual
    found = 0
    decision = 1
    while shift < 40:
        number = min(decision, DECISIONS - 1)
        column = (number * 2 - 1 if number < 16 else 29) + negative
        for k in range(laws):
            logit = SOFTPLUS[places[k] + 4096] - LOG_EXPM1[widths[k]]
            inputs[k] = clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT)
        reached = centre - (1 + found) * width if negative == 1 else centre + found * width
        slot = VALUE_SLOT + ((reached & 2047) * 4 + level // 3) * 2 + negative
        more = code_decision(
            state, buffer, 1 if magnitude >= found + (1 << shift) else 0, slots, weights, maps,
            contexts, used, inputs, laws, column, slot, number * LEVELS + level,
            SECOND_SET + number * LEVELS + phase_level,
            THIRD_SET + min(number, THIRD_DECISIONS - 1) * DIFFERENCES + last_class,
        )  # fmt: skip
        if more == 0:
            break
        found += 1 << shift
        for k in range(laws):
            places[k] = clip(places[k] + widths[k], -ZERO_REACH, ZERO_REACH)
        if decision >= ESCAPE:
            shift += 1
            for k in range(laws):
                widths[k] = min(widths[k] << 1, ZERO_REACH)
        decision += 1
    found = code_low_bits(state, buffer, places[0], widths[0], shift, magnitude, found)
    return -1 - found if negative == 1 else found
