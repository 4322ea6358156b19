"""One block of one lead: what the spikes left, through the wavelet and back (docs/format.md).

Signals are in 1/16 ADC units. Contexts of a coefficient come from levels already coded, so
that the decoder finds the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.band_prediction import LEVELS, learn_band, predict_band, restart_band
from san_stream.coding.coefficients import (
    ACTIVITIES,
    ACTIVITY,
    CONTEXT_SLOTS,
    CONTEXT_STARTS,
    CONTEXTS,
    LARGEST,
    MAGNITUDES,
    PHASES,
    POINT,
    REST_GROUPS,
    SECOND_SETS,
    SIGN_BOUND,
    SIGN_CONTEXTS,
    SIGNED,
    choose_level,
    code_decision_at,
    code_sign,
    decision_logit,
    learn_means,
    mean_class,
    neighbour_class,
    predicted_class,
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import NUMBER_SIZE, code_unsigned
from san_stream.coding.range_coder import DECODING, ERROR
from san_stream.coding.vectors import copy
from san_stream.coding.wavelet import (
    MOST_BANDS,
    band_step,
    find_bands,
    levels_of,
    restore,
    transform,
)

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

# What `set_coefficient_contexts` leaves behind the contexts, for the decisions' other choices.
MEAN_CLASS: Final = CONTEXTS
ACTIVITY_CLASS: Final = CONTEXTS + 1
NEAR: Final = CONTEXTS + 2  # min(|left| + |parent|, 2)
REST_GROUP: Final = CONTEXTS + 3
AGREEING: Final = CONTEXTS + 4  # last nonzero level's sign against the prediction's: 0, 1, 2
FOUND_SIZE: Final = CONTEXTS + 5
REACH: Final = 1 << 39  # of a coefficient: keeps the inverse transform's products below 2^62


def sign_class(value: int) -> int:
    """0 for 0, 1 above, 2 below."""
    return 0 if value == 0 else (1 if value > 0 else 2)


def over_step(value: int, step: int) -> int:
    """|value| / step in 1/256, clipped."""
    return min((abs(value) << 8) // step, 1 << 40)


def set_coefficient_contexts(
    band: int,
    identity: int,
    i: int,
    offsets: Integers,
    lengths: Integers,
    levels: Integers,
    predicted: Integers,
    phase: int,
    means: Integers,
    found: Integers,
) -> int:
    """Contexts of "> 0" into `found`, with what else depends on them; returns the parent."""
    place = offsets[band] + i
    left = abs(levels[place - 1]) if i > 0 else 0
    before = abs(levels[place - 2]) if i > 1 else 0
    parent = 0
    around = 0
    above = 0
    signed_parent = 0
    if band > 0:
        length = lengths[band - 1]
        j = min(i * length // lengths[band], length - 1)
        at = offsets[band - 1] + j
        signed_parent = levels[at]
        parent = abs(signed_parent)
        if j + 1 < length:
            around += abs(levels[at + 1])
        if j > 0:
            around += abs(levels[at - 1])
        if band > 1:
            j = i * lengths[band - 2] // lengths[band]
            if j < lengths[band - 2]:
                above = abs(levels[offsets[band - 2] + j])
    neighbours = neighbour_class(4 * left + 2 * before + 2 * parent + around)
    mean = mean_class(means[MAGNITUDES + identity * PHASES + phase])
    active = mean_class(means[ACTIVITY + identity])
    own = predicted[place]
    wide = 2 * own
    wide += predicted[place - 1] if i > 0 else 0
    wide += predicted[place + 1] if i + 1 < lengths[band] else 0
    smooth = predicted_class(wide >> 2)
    sharp = predicted_class(own)
    near = min(left + parent, 3)
    b = identity
    found[0] = CONTEXT_STARTS[0] + b * 16 + neighbours
    found[1] = CONTEXT_STARTS[1] + b * PHASES + phase
    third = ((b * 4 + min(left, 3)) * 4 + min(parent, 3)) * 4 + min(before + around, 3)
    found[2] = CONTEXT_STARTS[2] + third
    found[3] = CONTEXT_STARTS[3] + (b * 10 + mean) * 4 + near
    fifth = (min(parent + around, 5) * 6 + min(left + before, 5)) * 10 + mean
    found[4] = CONTEXT_STARTS[4] + fifth
    found[5] = CONTEXT_STARTS[5] + (b * 8 + smooth) * 8 + sharp
    found[6] = CONTEXT_STARTS[6] + (smooth * 10 + mean) * 4 + near
    found[7] = CONTEXT_STARTS[7] + (b * 10 + active) * 4 + near
    last = ((min(above, 2) * 4 + min(parent, 3)) * 8 + smooth) * 10 + active
    found[8] = CONTEXT_STARTS[8] + last
    found[MEAN_CLASS] = mean
    found[ACTIVITY_CLASS] = active
    found[NEAR] = min(near, 2)
    found[REST_GROUP] = clip(neighbours - 4, 0, REST_GROUPS - 1)
    return signed_parent


def sign_contexts(
    identity: int, i: int, phase: int, previous: int, parent: int, predicted: int, sharp: int,
    means: Integers, agreeing: int,
) -> tuple[int, int]:  # fmt: skip
    """The two slots of a sign."""
    expected = 0 if sharp < 2 else sign_class(predicted)
    mean = means[SIGNED + identity * PHASES + phase]
    usual = 1 if mean > SIGN_BOUND else (2 if mean < -SIGN_BOUND else 0)
    one = (expected * 3 + usual) * 3 + agreeing
    before = sign_class(previous) if i > 0 else 0
    two = SIGN_CONTEXTS + (before * 3 + sign_class(parent)) * MOST_BANDS + identity
    return one, two


def code_coefficient(
    state: Integers,
    buffer: Octets,
    level: int,
    logit: int,
    identity: int,
    one: int,
    two: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    rest: Integers,
    rest_count: Integers,
    found: Integers,
    inputs: Integers,
) -> int:
    """A level whose contexts are found and whose first logit is known."""
    mean = found[MEAN_CLASS]
    active = found[ACTIVITY_CLASS]
    second = SECOND_SETS + 10 * found[NEAR] + mean
    more = code_decision_at(
        state, buffer, 1 if level != 0 else 0, logit, slots, weights, maps, found, inputs,
        identity, second, active,
    )  # fmt: skip
    if more == 0:
        return 0
    negative = code_sign(state, buffer, 1 if level < 0 else 0, signs, one, two)
    size = abs(level)
    reached = 1
    while reached < 3 and more == 1:
        for k in range(CONTEXTS):
            found[k] += CONTEXT_SLOTS
        first_set = reached * MOST_BANDS + identity
        second += 30
        logit = decision_logit(slots, weights, found, inputs, first_set, second)
        more = code_decision_at(
            state, buffer, 1 if size > reached else 0, logit, slots, weights, maps, found, inputs,
            first_set, second, reached * ACTIVITIES + active,
        )  # fmt: skip
        reached += more
    if reached == 3:
        group = found[REST_GROUP] * NUMBER_SIZE
        reached += code_unsigned(state, buffer, rest, rest_count, group, size - 3)
    return -reached if negative == 1 else reached


def code_block(
    state: Integers,
    buffer: Octets,
    target: Integers,
    prediction: Integers,
    phases: Integers,
    step: int,
    strength: int,
    output: Integers,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    means: Integers,
    rest: Integers,
    rest_count: Integers,
    band: Integers,
    levels: Integers,
    given: Integers,
    predicted: Integers,
    work: Integers,
    sizes: Integers,
    offsets: Integers,
    lengths: Integers,
    found: Integers,
    inputs: Integers,
    scaled: Integers,
    factor: Integers,
    half: Integers,
) -> int:
    """Code what the spikes leave of a block.

    Args:
        target: signal minus prediction, int ``[n]``; read when encoding only.
        prediction: what the spikes predict. phases: bins 0 to 62 of the place in the beat.
        step: of the quantiser, 1/16 ADC units. strength: λ in steps² a bit, 1/65536.
        output: what the decoder has for `target`, ``[n]``.
        slots ... band: models and memory of the lead. levels ... half: room for n values, or
            as `transform_work` makes it.

    Returns:
        Σ of (coefficient - its reconstruction)² in steps² / 65536; 0 when decoding.
    """
    length = len(target)
    encoding = state[DECODING] == 0
    bands = find_bands(length, offsets, lengths)
    depth = levels_of(length)
    if band[LEVELS] != depth:
        restart_band(band, depth)
    copy(predicted, 0, prediction, 0, length)
    transform(predicted, length, work)
    if encoding:
        copy(given, 0, target, 0, length)
        transform(given, length, work)
    distortion = 0
    for b in range(bands):
        identity = 0 if b == 0 else MOST_BANDS - bands + b
        width = band_step(step, b, bands)
        most = min(LARGEST, REACH // width)
        begin = offsets[b]
        for i in range(lengths[b]):
            sizes[begin + i] = over_step(predicted[begin + i], width)
        agreeing = 0
        for i in range(lengths[b]):
            place = begin + i
            phase = phases[min((2 * i + 1) * length // (2 * lengths[b]), length - 1)]
            parent = set_coefficient_contexts(
                b, identity, i, offsets, lengths, levels, sizes, phase, means, found
            )
            sharp = predicted_class(sizes[place])
            previous = levels[place - 1] if i > 0 else 0
            one, two = sign_contexts(
                identity, i, phase, previous, parent, predicted[place], sharp, means, agreeing
            )
            logit = decision_logit(
                slots, weights, found, inputs, identity, SECOND_SETS + 10 * found[NEAR]
                + found[MEAN_CLASS],
            )  # fmt: skip
            base = predict_band(band) if b == 0 else 0
            level = 0
            size = 0
            if encoding:
                rest_of = given[place] - base
                size = min(over_step(rest_of, width), most << 8)
                level = choose_level(size, logit, strength)
                if rest_of < 0:
                    level = -level
            level = code_coefficient(
                state, buffer, level, logit, identity, one, two, slots, weights, maps, signs,
                rest, rest_count, found, inputs,
            )  # fmt: skip
            if abs(level) > most:
                state[ERROR] = 1
                level = 0
            levels[place] = level
            if encoding:
                missed = size - (abs(level) << 8)
                distortion += min(missed * missed, 1 << 36)
            value = 0
            if level > 0:
                value = (((level << 8) - POINT) * width) >> 8
            elif level < 0:
                value = -((((-level << 8) - POINT) * width) >> 8)
            if level != 0 and sharp >= 2:
                agreeing = 1 if (level > 0) == (predicted[place] > 0) else 2
            work[place] = value + base
            if b == 0:
                learn_band(band, value + base, scaled, factor, half)
            learn_means(means, identity, phase, level)
        if state[ERROR] != 0:
            break
    copy(output, 0, work, 0, length)
    restore(output, length, work)
    return distortion
