"""One block of one lead: what the spikes left, through the wavelet and back.

Signals are in 1/16 ADC units. Contexts of a coefficient come from levels already coded, so
that the decoder finds the same ones. See docs/format-transform.md.
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
    PHASES,
    POINT,
    PREVIOUS,
    REST_GROUPS,
    SECOND_SETS,
    SIGN_BOUND,
    SIGN_CONTEXTS,
    SIGNED,
    choose_level,
    code_decision_at,
    code_sign,
    decision_logit,
    expected_mean,
    learn_means,
    mean_class,
    neighbour_class,
    predicted_class,
    rescale_means,
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import NUMBER_SIZE, code_unsigned
from san_stream.coding.range_coder import DECODING, ERROR
from san_stream.coding.wavelet import (
    COEFFICIENT_REACH,
    MOST_BANDS,
    band_step,
    find_bands,
    restore,
    transform,
)

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

FOUND_SIZE: Final = CONTEXTS
SIGNAL_REACH: Final = 1 << 35  # of a target or prediction: samples of 32 bits in 1/16
CLASSES: Final = 8  # of a predicted coefficient over the step


def sign_class(value: int) -> int:
    """0 for 0, 1 above, 2 below."""
    return 0 if value == 0 else (1 if value > 0 else 2)


def load_signal(values: Integers, signal: Integers, length: int) -> int:
    """Copy a signal into its room, inside the transform's reach; 0 if all of it is 0."""
    seen = 0
    for i in range(length):
        value = clip(signal[i], -SIGNAL_REACH, SIGNAL_REACH)
        values[i] = value
        if value != 0:
            seen = 1
    return seen


def class_predictions(
    predicted: Integers, classes: Integers, begin: int, count: int, width: int
) -> None:
    """How large predicted coefficients are in steps: around each place and at it, as one class."""
    left = 0
    here = (abs(predicted[begin]) << 8) // width
    for i in range(begin, begin + count):
        right = (abs(predicted[i + 1]) << 8) // width if i + 1 < begin + count else 0
        smooth = predicted_class((2 * here + left + right) >> 2)
        classes[i] = smooth * CLASSES + predicted_class(here)
        left = here
        here = right


def ancestors(
    levels: Integers, i: int, band: int, at: int, count: int, above: int, above_count: int
) -> tuple[int, int, int]:
    """In coarser bands: the level at the same place, magnitudes around it, and one above.

    Args:
        at, count: of the next coarser band. above, above_count: of the one before it.
    """
    j = min(i if band == 1 else i >> 1, count - 1)
    parent = levels[at + j]
    around = abs(levels[at + j + 1]) if j + 1 < count else 0
    if j > 0:
        around += abs(levels[at + j - 1])
    if band == 1:
        return parent, around, 0
    j = min(j if band == 2 else j >> 1, above_count - 1)
    return parent, around, abs(levels[above + j])


def set_coefficient_contexts(
    found: Integers,
    b: int,
    phase: int,
    left: int,
    before: int,
    parent: int,
    around: int,
    above: int,
    mean: int,
    active: int,
    predicted: int,
    neighbours: int,
) -> None:
    """Slots of "> 0"; those of the later decisions lie `CONTEXT_SLOTS` further."""
    smooth = predicted >> 3
    near = min(left + parent, 3)
    found[0] = CONTEXT_STARTS[0] + b * 16 + neighbours
    found[1] = CONTEXT_STARTS[1] + b * PHASES + phase
    third = ((b * 4 + min(left, 3)) * 4 + min(parent, 3)) * 4 + min(before + around, 3)
    found[2] = CONTEXT_STARTS[2] + third
    found[3] = CONTEXT_STARTS[3] + (b * 10 + mean) * 4 + near
    fifth = (min(parent + around, 5) * 6 + min(left + before, 5)) * 10 + mean
    found[4] = CONTEXT_STARTS[4] + fifth
    found[5] = CONTEXT_STARTS[5] + b * 64 + predicted
    found[6] = CONTEXT_STARTS[6] + (smooth * 10 + mean) * 4 + near
    found[7] = CONTEXT_STARTS[7] + (b * 10 + active) * 4 + near
    last = ((min(above, 2) * 4 + min(parent, 3)) * 8 + smooth) * 10 + active
    found[8] = CONTEXT_STARTS[8] + last


def sign_contexts(
    identity: int, left: int, parent: int, predicted: int, classes: int, agreeing: int, mean: int
) -> tuple[int, int]:
    """The two slots of a sign; `mean` is that of signed levels at this phase."""
    expected = 0 if classes & 7 < 2 else sign_class(predicted)
    usual = 1 if mean > SIGN_BOUND else (2 if mean < -SIGN_BOUND else 0)
    one = (expected * 3 + usual) * 3 + agreeing
    two = SIGN_CONTEXTS + (sign_class(left) * 3 + sign_class(parent)) * MOST_BANDS + identity
    return one, two


def code_level_size(
    state: Integers,
    buffer: Octets,
    size: int,
    identity: int,
    second: int,
    active: int,
    neighbours: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    rest: Integers,
    rest_count: Integers,
    found: Integers,
    inputs: Integers,
) -> int:
    """The magnitude of a level that is not 0."""
    for reached in range(1, 3):
        for k in range(CONTEXTS):
            found[k] += CONTEXT_SLOTS
        second += 30
        more = code_decision_at(
            state, buffer, 1 if size > reached else 0, slots, weights, maps, found, inputs,
            reached * MOST_BANDS + identity, second, reached * ACTIVITIES + active,
        )  # fmt: skip
        if more == 0:
            return reached
    group = clip(neighbours - 4, 0, REST_GROUPS - 1) * NUMBER_SIZE
    return 3 + code_unsigned(state, buffer, rest, rest_count, group, size - 3)


def reconstruct(level: int, width: int) -> int:
    """Where a level stands for its coefficient, a little nearer to zero than the middle."""
    if level == 0:
        return 0
    value = (((abs(level) << 8) - POINT) * width) >> 8
    return value if level > 0 else -value


def code_band(
    state: Integers,
    buffer: Octets,
    b: int,
    bands: int,
    step: int,
    strength: int,
    given: Integers,
    predicted: Integers,
    classes: Integers,
    phases: Integers,
    levels: Integers,
    work: Integers,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    means: Integers,
    rest: Integers,
    rest_count: Integers,
    band: Integers,
    offsets: Integers,
    lengths: Integers,
    found: Integers,
    inputs: Integers,
    scaled: Integers,
    factor: Integers,
    half: Integers,
) -> int:
    """Code one band; arguments and result as those of `code_block`."""
    encoding = state[DECODING] == 0
    identity = 0 if b == 0 else MOST_BANDS - bands + b
    width = band_step(step, b, bands)
    most = min(LARGEST, COEFFICIENT_REACH // width)
    begin = offsets[b]
    above = offsets[max(b - 2, 0)]
    last = offsets[bands - 1] + lengths[bands - 1] - 1  # place in the block
    spacing = bands - max(b, 1)  # log2 of the samples a coefficient stands for
    left = means[PREVIOUS + 2 * identity]
    before = means[PREVIOUS + 2 * identity + 1]
    agreeing = 0
    base = 0
    parent = 0
    around = 0
    grand = 0
    distortion = 0
    for place in range(begin, begin + lengths[b]):
        i = place - begin
        phase = phases[min(((2 * i + 1) << spacing) >> 1, last)]
        if b > 0:
            parent, around, grand = ancestors(
                levels, i, b, offsets[b - 1], lengths[b - 1], above, lengths[max(b - 2, 0)]
            )
        else:
            base = predict_band(band)
        size = abs(parent)
        mean = mean_class(expected_mean(means, identity, phase))
        active = mean_class(means[ACTIVITY + identity])
        neighbours = neighbour_class(4 * abs(left) + 2 * abs(before) + 2 * size + around)
        set_coefficient_contexts(
            found, identity, phase, abs(left), abs(before), size, around, grand, mean, active,
            classes[place], neighbours,
        )  # fmt: skip
        second = SECOND_SETS + 10 * min(abs(left) + size, 2) + mean
        wanted = 0
        level = 0
        if encoding:
            wanted = given[place] - base
            size = min((abs(wanted) << 8) // width, most << 8)
            if size >= 128:
                logit = decision_logit(slots, weights, found, inputs, identity, second)
                level = choose_level(size, logit, strength)
            distortion += (size - (level << 8)) * (size - (level << 8))
        more = code_decision_at(
            state, buffer, 1 if level > 0 else 0, slots, weights, maps, found, inputs, identity,
            second, active,
        )  # fmt: skip
        if more == 1:
            one, two = sign_contexts(
                identity, left, parent, predicted[place], classes[place], agreeing,
                means[SIGNED + identity * PHASES + phase],
            )  # fmt: skip
            negative = code_sign(state, buffer, 1 if wanted < 0 else 0, signs, one, two)
            level = code_level_size(
                state, buffer, level, identity, second, active, neighbours, slots, weights, maps,
                rest, rest_count, found, inputs,
            )  # fmt: skip
            if level > most:
                state[ERROR] = 1
                level = most
            level = -level if negative == 1 else level
            if classes[place] & 7 >= 2:
                agreeing = 1 if (level > 0) == (predicted[place] > 0) else 2
        else:
            level = 0
        levels[place] = level
        work[place] = base + reconstruct(level, width)
        if b == 0:
            learn_band(band, work[place], scaled, factor, half)
        learn_means(means, identity, phase, level)
        before = left
        left = level
    means[PREVIOUS + 2 * identity] = left
    means[PREVIOUS + 2 * identity + 1] = before
    return distortion


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
        prediction: what the spikes predict. phases: bins 0 to 62 of the place in the beat;
            both may be longer.
        step: of the quantiser, 1/16 ADC units. strength: λ in steps² a bit, 1/65536.
        output: what the decoder has for `target`, ``[n]``.
        slots ... band: models and memory of the lead. levels ... half: room for n values, or
            as `transform_work` makes it.

    Returns:
        Σ of (coefficient - its reconstruction)² in steps² / 65536; 0 when decoding.
    """
    length = len(target)
    bands = find_bands(length, offsets, lengths)
    if band[LEVELS] != bands - 1:
        restart_band(band, bands - 1)
    rescale_means(means, step)
    if load_signal(predicted, prediction, length) != 0:
        transform(predicted, length, work)
        for b in range(bands):
            class_predictions(predicted, sizes, offsets[b], lengths[b], band_step(step, b, bands))
    else:
        for i in range(length):
            sizes[i] = 0
    if state[DECODING] == 0:
        load_signal(given, target, length)
        transform(given, length, work)
    distortion = 0
    for b in range(bands):
        distortion += code_band(
            state, buffer, b, bands, step, strength, given, predicted, sizes, phases, levels,
            output, slots, weights, maps, signs, means, rest, rest_count, band, offsets, lengths,
            found, inputs, scaled, factor, half,
        )  # fmt: skip
    restore(output, length, work)
    return distortion
