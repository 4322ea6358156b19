"""Wavelet coefficients of one block of one lead, context by context (docs/format-transform.md).

Each level is coded by the decisions "> 0", "> 1" and "> 2", its sign, and the rest as a
number. A decision mixes nine adaptive contexts by the sum of two weight sets; the contexts
are neighbours in the band and in coarser bands, the place in the beat, the band's activity,
and the coefficients of what the spikes predict: where the beat is steep, what is left is
large. The encoder chooses levels by squared error plus λ times bits, from the adaptive
probabilities themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import (
    COUNT_BITS,
    COUNT_MASK,
    LOGIT_LIMIT,
    MAP_POINTS,
    NATURAL,
    SLOT_ONE,
    clip,
    map_probability,
    slot_logit,
    update_map,
    update_slot,
)
from san_stream.coding.numbers import NUMBER_SIZE
from san_stream.coding.range_coder import code_bit
from san_stream.coding.tables import RATES, SQUASH, STRETCH
from san_stream.coding.wavelet import MOST_BANDS

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

CONTEXTS: Final = 9
PHASES: Final = 64  # 0 to 61 in a beat, 62 outside
OUTSIDE: Final = 62
# Where the slots of each context begin.
CONTEXT_STARTS: Final = [0, 128, 640, 1152, 1472, 1832, 2344, 2664, 2984]
CONTEXT_SLOTS: Final = 3944
DECISIONS: Final = 3
COEFFICIENT_SLOTS: Final = DECISIONS * CONTEXT_SLOTS
SECOND_SETS: Final = DECISIONS * MOST_BANDS
SETS: Final = SECOND_SETS + DECISIONS * 30
COEFFICIENT_WEIGHTS: Final = SETS * CONTEXTS
FIRST_WEIGHT: Final = 11651  # 1.6 / 9, of two sets averaged
ACTIVITIES: Final = 10
COEFFICIENT_MAPS: Final = DECISIONS * ACTIVITIES * MAP_POINTS
FIRST_CHANCE: Final = 157286 << 10  # 0.15 of 2^20, nothing seen
LATER_CHANCE: Final = 262144 << 10  # 0.25
SIGN_CONTEXTS: Final = 27
SIGN_SLOTS: Final = SIGN_CONTEXTS + 9 * MOST_BANDS
REST_GROUPS: Final = 6
REST_SIZE: Final = REST_GROUPS * NUMBER_SIZE
LIMIT: Final = 250
SIGN_LIMIT: Final = 200
LEARNING: Final = 4
LEAST: Final = 4  # probability used, of 65536
WEIGHT_REACH: Final = 1 << 22
LARGEST: Final = 1 << 26  # of a level
# round(65536 (n + 0.4) / (n + 2)): what a slot's logit is worth behind n bits
CONFIDENCE: Final = [(65536 * (10 * n + 4) + 5 * n + 10) // (10 * n + 20) for n in range(256)]

# Means of levels in 1/65536, a band's row of phases each: of magnitudes, of signed levels,
# how many were seen; then the activity of each band, its last two levels, and the step.
MAGNITUDES: Final = 0
SIGNED: Final = MOST_BANDS * PHASES
SEEN: Final = 2 * MOST_BANDS * PHASES
ACTIVITY: Final = 3 * MOST_BANDS * PHASES
PREVIOUS: Final = ACTIVITY + MOST_BANDS
STEP: Final = PREVIOUS + 2 * MOST_BANDS
MEANS_SIZE: Final = STEP + 1
LARGEST_MEAN: Final = 1 << 24
MEAN_BLOCKS: Final = 24
MEAN_CLIP: Final = 16
ACTIVITY_RATE: Final = 81  # of 1024
FIRST_ACTIVITY: Final = 6554
# Bounds of mean levels, in 1/65536: 0.01, 0.03, 0.07, 0.13, 0.22, 0.35, 0.6, 1, 2
MEAN_BOUNDS: Final = [655, 1966, 4588, 8520, 14418, 22938, 39322, 65536, 131072]
# Bounds of a predicted coefficient over the step, in 1/256: 0.15, 0.4, 1, 2, 4, 8, 16
PREDICTED_BOUNDS: Final = [38, 102, 256, 512, 1024, 2048, 4096]
NEIGHBOUR_CLASSES: Final = [0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6]
SIGN_BOUND: Final = 9830  # 0.15 of a level

# Rate-distortion: bits in 1/256, squared errors in steps² / 65536.
ZERO_BITS: Final = 333  # 1.3 bits: sign and what a nonzero level costs its neighbours
PAIR_BITS: Final = 717  # 2.8 bits, for levels of two and more
LOWER_BITS: Final = 205  # 0.8 bits saved by the next lower level
ROUND_UP: Final = 248  # reconstruction of level 1, in 1/256: the point below
POINT: Final = 8  # reconstruction lies 8/256 of a step nearer to zero


def start_coefficients(
    slots: Integers, weights: Integers, maps: Integers, signs: Integers, means: Integers
) -> None:
    """Initial values of the models of one lead."""
    for i in range(COEFFICIENT_SLOTS):
        slots[i] = FIRST_CHANCE if i < CONTEXT_SLOTS else LATER_CHANCE
    for i in range(COEFFICIENT_WEIGHTS):
        weights[i] = FIRST_WEIGHT
    for i in range(COEFFICIENT_MAPS // MAP_POINTS):
        for j in range(MAP_POINTS):
            maps[i * MAP_POINTS + j] = SQUASH[j * 128 if j < MAP_POINTS - 1 else 4095]
    for i in range(SIGN_SLOTS):
        signs[i] = 1 << 29
    for i in range(MEANS_SIZE):
        means[i] = FIRST_ACTIVITY if ACTIVITY <= i < PREVIOUS else 0


def mean_class(value: int) -> int:
    """Class 0 to 9 of a mean level."""
    found = 0
    while found < 9 and value >= MEAN_BOUNDS[found]:
        found += 1
    return found


def predicted_class(value: int) -> int:
    """Class 0 to 7 of a predicted coefficient over the step, in 1/256."""
    found = 0
    while found < 7 and value >= PREDICTED_BOUNDS[found]:
        found += 1
    return found


def neighbour_class(value: int) -> int:
    """Class 0 to 9 of a weighted sum of neighbouring magnitudes."""
    if value < 15:
        return NEIGHBOUR_CLASSES[value]
    return 7 if value <= 22 else (8 if value <= 40 else 9)


def decision_logit(
    slots: Integers,
    weights: Integers,
    contexts: Integers,
    inputs: Integers,
    first_set: int,
    second_set: int,
) -> int:
    """The mixed logit of a decision, in 1/256; its inputs stay for `learn_decision`."""
    first = first_set * CONTEXTS
    second = second_set * CONTEXTS
    total = 0
    for k in range(CONTEXTS):
        slot = slots[contexts[k]]
        value = (STRETCH[slot >> 18] * CONFIDENCE[slot & COUNT_MASK]) >> 16
        inputs[k] = value
        total += (weights[first + k] + weights[second + k]) * value
    return clip(total >> 17, -LOGIT_LIMIT, LOGIT_LIMIT)


def learn_decision(
    bit: int,
    error: int,
    slots: Integers,
    weights: Integers,
    contexts: Integers,
    inputs: Integers,
    first_set: int,
    second_set: int,
) -> None:
    """Weights and slots behind a decision; `error` is what the mix missed, times the rate."""
    first = first_set * CONTEXTS
    second = second_set * CONTEXTS
    target = SLOT_ONE - 1 if bit == 1 else 0
    for k in range(CONTEXTS):
        move = (error * inputs[k] + 65536) >> 17
        weights[first + k] = clip(weights[first + k] + move, -WEIGHT_REACH, WEIGHT_REACH)
        weights[second + k] = clip(weights[second + k] + move, -WEIGHT_REACH, WEIGHT_REACH)
        slot = slots[contexts[k]]
        seen = slot & COUNT_MASK
        chance = slot >> COUNT_BITS
        chance += ((target - chance) * RATES[seen]) >> 16
        slots[contexts[k]] = (chance << COUNT_BITS) + (seen + 1 if seen < LIMIT else seen)


def code_decision_at(
    state: Integers,
    buffer: Octets,
    bit: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    contexts: Integers,
    inputs: Integers,
    first_set: int,
    second_set: int,
    map_row: int,
) -> int:
    """Code a decision, and learn from it."""
    logit = decision_logit(slots, weights, contexts, inputs, first_set, second_set)
    mixed = SQUASH[logit + 2048]
    mapped = map_probability(maps, map_row * MAP_POINTS, logit)
    probability = clip((mixed + mapped) >> 1, LEAST, 65536 - LEAST)
    bit = code_bit(state, buffer, probability, bit)
    error = ((bit << 16) - mixed) * LEARNING
    learn_decision(bit, error, slots, weights, contexts, inputs, first_set, second_set)
    update_map(maps, map_row * MAP_POINTS, logit, bit)
    return bit


def code_sign(
    state: Integers, buffer: Octets, negative: int, signs: Integers, one: int, two: int
) -> int:
    """A sign at the sum of two contexts' logits."""
    logit = slot_logit(signs[one]) + slot_logit(signs[two])
    probability = clip(SQUASH[clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT) + 2048], 2000, 63536)
    negative = code_bit(state, buffer, probability, negative)
    update_slot(signs, one, negative, SIGN_LIMIT)
    update_slot(signs, two, negative, SIGN_LIMIT)
    return negative


def choose_level(size: int, logit: int, strength: int) -> int:
    """The level of a coefficient of `size` steps / 256, by error plus λ · bits.

    Args:
        logit: of "> 0", in 1/256. strength: λ in steps² a bit, 1/65536.
    """
    level = (size + 128) >> 8
    if level == 0:
        return 0
    bits = -((logit * NATURAL) >> 8)
    if level == 1:
        saved = size * size - (size - ROUND_UP) * (size - ROUND_UP)
        return 0 if saved < (strength * (bits + ZERO_BITS)) >> 8 else 1
    below = size - ((level - 1) << 8)
    here = size - (level << 8)
    if below * below - here * here < (strength * LOWER_BITS) >> 8:
        level -= 1
        here = below
    if level <= 2:
        saved = size * size - here * here
        if saved < (strength * (bits + PAIR_BITS)) >> 8:
            return 0
    return level


def learn_means(means: Integers, band: int, phase: int, level: int) -> None:
    """Means of the levels at this phase, and the band's activity."""
    place = band * PHASES + phase
    seen = means[SEEN + place] + 1
    means[SEEN + place] = seen
    rate = RATES[min(seen, MEAN_BLOCKS - 1)]
    size = min(abs(level), MEAN_CLIP) << 16
    signed = size if level > 0 else -size
    means[MAGNITUDES + place] += ((size - means[MAGNITUDES + place]) * rate) >> 16
    means[SIGNED + place] += ((signed - means[SIGNED + place]) * rate) >> 16
    means[ACTIVITY + band] += ((size - means[ACTIVITY + band]) * ACTIVITY_RATE) >> 10


def expected_mean(means: Integers, band: int, phase: int) -> int:
    """Mean magnitude of levels at a phase, smoothed over its neighbours in the beat."""
    place = MAGNITUDES + band * PHASES + phase
    if phase == OUTSIDE:
        return means[place]
    before = means[place - 1] if phase > 0 else means[place]
    behind = means[place + 1] if phase < OUTSIDE - 1 else means[place]
    return (2 * means[place] + before + behind) >> 2


def rescale_means(means: Integers, step: int) -> None:
    """Means count in steps: where the step changes they follow it."""
    before = means[STEP]
    means[STEP] = step
    if before in (0, step):
        return
    for i in range(SEEN):
        if means[i] != 0:
            means[i] = clip(means[i] * before // step, -LARGEST_MEAN, LARGEST_MEAN)
    for band in range(MOST_BANDS):
        value = means[ACTIVITY + band] * before // step
        means[ACTIVITY + band] = min(value, LARGEST_MEAN)
