"""One block of one lead: what the spikes left, through the wavelet and back.

Signals are in 1/16 ADC units. See docs/format-transform.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.band_prediction import LEVELS, learn_band, predict_band, restart_band
from san_stream.coding.coefficients import (
    CONTEXTS,
    PREVIOUS,
    expected_mean,
    mean_class,
    predicted_class,
    rescale_means,
)
from san_stream.coding.levels import code_coefficient, reconstruct
from san_stream.coding.mixing import clip
from san_stream.coding.range_coder import DECODING
from san_stream.coding.wavelet import MOST_BANDS, band_step, find_bands, restore, transform

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

FOUND_SIZE: Final = CONTEXTS
SIGNAL_REACH: Final = 1 << 35  # of a target or prediction: samples of 32 bits in 1/16
CLASSES: Final = 8  # of a predicted coefficient over the step


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
    identity = 0 if b == 0 else MOST_BANDS - bands + b
    width = band_step(step, b, bands)
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
        level, error = code_coefficient(
            state, buffer, given[place] - base, width, strength, identity, phase, left, before,
            parent, around, grand, mean_class(expected_mean(means, identity, phase)),
            predicted[place], classes[place], agreeing, slots, weights, maps, signs, means,
            rest, rest_count, found, inputs,
        )  # fmt: skip
        distortion += error
        if level != 0 and classes[place] & 7 >= 2:
            agreeing = 1 if (level > 0) == (predicted[place] > 0) else 2
        levels[place] = level
        work[place] = base + reconstruct(level, width)
        if b == 0:
            learn_band(band, work[place], scaled, factor, half)
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
