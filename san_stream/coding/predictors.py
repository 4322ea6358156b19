"""Linear predictors of the next sample, and how they learn (docs/format-coding.md, "Predictors").

Each predicts the next difference from the last ones of the lead, from its level, from those
of other leads, and from a template of the beat; the last predictor combines the others. A
predictor learns by least squares, whose errors are weighted by none, by the deviation or by
the variance expected, or by the sign of its error. Samples are int32; differences are
clipped to ±2^23, regressors are below 2^24, weights (1/65536) at most ±2^20, and there are
at most 64 of them: every sum stays below 2^50. Predictions are in 1/64 ADC units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.least_squares import WEIGHT_LIMIT, solve_weights
from san_stream.coding.mixing import clip
from san_stream.coding.tables import GAIN
from san_stream.coding.vectors import (
    add_outer,
    add_scaled,
    copy,
    decay,
    dot,
    move_weights,
    scale,
)

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

# A predictor's row in the plan.
OWN: Final = 0  # last differences of the lead
BEAT: Final = 1  # 1: with the template's differences
OTHERS: Final = 2  # 1: with those of other leads
WINDOW: Final = 3  # log2 of the samples remembered; sign-error: the step is lowered by 2^-this
WEIGHTING: Final = 4  # 0 none, 1 by deviation, 2 by variance
PERIOD: Final = 5  # log2 of the samples from one solution to the next; -1: sign-error
SIZE: Final = 6  # regressors in all
PLACE: Final = 7  # of regressors, right side and weights in their stores
MATRIX: Final = 8  # of its matrix in the store of matrices
ROW: Final = 9

# Places in a lead's memory. Four of them are the beat detector's.
PHASE: Final = 0
DETECTOR: Final = 0
LAST: Final = 4  # the last sample
LOWEST: Final = 5
HIGHEST: Final = 6
MEAN: Final = 7  # slow mean of the samples, 1/1024
ANCHOR: Final = 8  # the sample at the last beat
COUNT: Final = 9  # samples since a reset, modulo 2^20
ACTIVITY: Final = 10  # mean |difference|, 1/4096
POSITION: Final = 11  # of the newest difference in the history
FRESH: Final = 12  # 1: a run begins, nothing is known of it
PREDICTION_MEMORY: Final = 13

# Four scales of a predictor's |error|, in 1/4096 ADC units: means over about 5, 20, 85 and
# 1024 samples.
SCALES: Final = 4
DIFFERENCE_LIMIT: Final = 1 << 23
LEVEL_SHIFT: Final = 3
TEMPLATE_SHIFT: Final = 4
REGULARISATION: Final = 12
COMBINER_REGULARISATION: Final = 22


def fill_regressors(
    plan: Integers,
    row: int,
    memory: Integers,
    history: Integers,
    regressors: Integers,
    template: Integers,
    phase: int,
    others: Integers,
    count: int,
) -> None:
    """Regressors of the predictor at `row` of the plan for the next sample.

    Args:
        phase: samples since the last beat, the coming one counted; the template has values
            where 1 < phase < its length - 3.
        others: differences of other leads, newest last decided by the caller; `count` of them.
    """
    place = plan[row + PLACE]
    own = plan[row + OWN]
    copy(regressors, place, history, memory[POSITION], own)
    last = memory[LAST]
    level = (last - (memory[MEAN] >> 10)) >> LEVEL_SHIFT
    place += own
    regressors[place] = clip(level, -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT)
    place += 1
    if plan[row + OTHERS] == 1:
        copy(regressors, place, others, 0, count)
        place += count
    if plan[row + BEAT] == 1:
        if 1 < phase < len(template) - 3:
            before = template[phase - 1]
            regressors[place] = (template[phase] - before) >> TEMPLATE_SHIFT
            regressors[place + 1] = (template[phase + 1] - template[phase]) >> TEMPLATE_SHIFT
            regressors[place + 2] = (template[phase + 2] - template[phase + 1]) >> TEMPLATE_SHIFT
            offset = (before >> TEMPLATE_SHIFT) - (last - memory[ANCHOR])
            offset = clip(offset, -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT)
            regressors[place + 3] = offset >> 2
        else:
            for j in range(4):
                regressors[place + j] = 0


def predict(
    plan: Integers,
    predictors: int,
    memory: Integers,
    history: Integers,
    regressors: Integers,
    weights: Integers,
    template: Integers,
    phase: int,
    others: Integers,
    count: int,
    predictions: Integers,
) -> None:
    """All predictions of the next sample, the combined one last."""
    last = memory[LAST] << 6
    low = (memory[LOWEST] - 8) << 6
    high = (memory[HIGHEST] + 8) << 6
    for k in range(predictors):
        row = k * ROW
        fill_regressors(plan, row, memory, history, regressors, template, phase, others, count)
        place = plan[row + PLACE]
        total = dot(weights, place, regressors, place, plan[row + SIZE])
        predictions[k] = clip(last + (total >> 10), low, high)
    place = plan[predictors * ROW + PLACE]
    regressors[place] = predictions[0] - last
    for k in range(1, predictors):
        regressors[place + k] = predictions[k] - predictions[0]
    # held to 2^29, with weights below 2^20, the sum over 7 predictors stays below 2^52
    for k in range(predictors):
        regressors[place + k] = clip(regressors[place + k], -(1 << 29), 1 << 29)
    total = dot(weights, place, regressors, place, predictors)
    predictions[predictors] = clip(last + (total >> 16), low, high)


def learn_scales(scales: Integers, at: int, error: int) -> None:
    """A predictor's error, in 1/4096 ADC units, moves its four scales."""
    scales[at] += ((error - scales[at]) * 7) >> 5
    scales[at + 1] += ((error - scales[at + 1]) * 13) >> 8
    scales[at + 2] += ((error - scales[at + 2]) * 3) >> 8
    scales[at + 3] += (error - scales[at + 3]) >> 10


def learn(
    plan: Integers,
    predictors: int,
    memory: Integers,
    regressors: Integers,
    matrices: Integers,
    right: Integers,
    weights: Integers,
    energies: Integers,
    predictions: Integers,
    value: int,
    fast_scale: int,
    slow_scale: int,
    error_scale: int,
    scaled: Integers,
    factor: Integers,
    half: Integers,
) -> None:
    """Every predictor learns from the sample's `value`.

    Args:
        fast_scale, slow_scale: 8 · log2 of the deviation expected of this sample and of the
            long-time one, 1/4096 ADC units. error_scale: the combined prediction's fast scale.
    """
    last = memory[LAST]
    counted = memory[COUNT]
    for k in range(predictors + 1):
        row = k * ROW
        place = plan[row + PLACE]
        size = plan[row + SIZE]
        period = plan[row + PERIOD]
        if period < 0:
            error = (value << 6) - predictions[k]
            if error != 0:
                total = (memory[ACTIVITY] + error_scale) >> 12
                shift = plan[row + WINDOW]
                while total > 0:
                    total >>= 1
                    shift += 1
                sign = 1 if error > 0 else -1
                move_weights(weights, place, regressors, place, size, sign, shift, WEIGHT_LIMIT)
            continue
        weighting = plan[row + WEIGHTING]
        exponent = (fast_scale * weighting + slow_scale * (2 - weighting)) >> 1
        combines = k == predictors
        shift = (exponent >> 3) - (0 if combines else 4)
        target = value - last
        if combines:
            target <<= 6
        factor_8 = GAIN[exponent & 7]  # deviations are at least 1200: the shift is positive
        scale(scaled, 0, regressors, place, size, factor_8, shift)
        target = clip((clip(target, -(1 << 30), 1 << 30) * factor_8) >> shift, -32767, 32767)
        add_outer(matrices, plan[row + MATRIX], scaled, 0, size)
        add_scaled(right, place, scaled, 0, size, target)
        energies[k] += target * target
        mask = (1 << period) - 1
        if counted & mask == (k * 5 + 1) & mask:
            solve_weights(
                matrices,
                plan[row + MATRIX],
                right,
                weights,
                place,
                size,
                energies[k],
                COMBINER_REGULARISATION if combines else REGULARISATION,
                factor,
                half,
            )
            fading = plan[row + WINDOW] - period
            decay(matrices, plan[row + MATRIX], size * size, fading)
            decay(right, place, size, fading)
            energies[k] -= energies[k] >> fading


def start_predictors(
    plan: Integers, predictors: int, matrices: Integers, right: Integers, weights: Integers
) -> None:
    """Initial weights, with statistics as if they had been seen already, faintly."""
    for k in range(predictors + 1):
        place = plan[k * ROW + PLACE]
        size = plan[k * ROW + SIZE]
        for j in range(size):
            if k == predictors:
                weight = 65536 if j == 0 else 65536 // predictors
            else:
                weight = FIRST_WEIGHT if j == 0 else 0
            weights[place + j] = weight
            matrices[plan[k * ROW + MATRIX] + j * size + j] = PRIOR
            right[place + j] = weight << 2


FIRST_WEIGHT: Final = 39000  # of the last difference: 0.6
PRIOR: Final = 1 << 18
