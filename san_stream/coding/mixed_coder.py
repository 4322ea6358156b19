"""Presets `lean` and `max`: one lead's samples, one after the other (docs/format-coding.md).

Predict, code the residual, learn. With a bound e > 0 residuals are quantised in steps of
2e + 1 and prediction goes on from what the decoder has (closed loop).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.beat_phase import advance_phase, restart_phase
from san_stream.coding.mixed_residual import (
    LEVELS,
    code_residual_mixed,
    set_contexts,
    set_laws,
)
from san_stream.coding.mixing import clip, log8
from san_stream.coding.numbers import code_signed
from san_stream.coding.other_leads import TAIL
from san_stream.coding.predictors import (
    ACTIVITY,
    ANCHOR,
    COUNT,
    DETECTOR,
    DIFFERENCE_LIMIT,
    FRESH,
    HIGHEST,
    LAST,
    LOWEST,
    MEAN,
    PHASE,
    POSITION,
    SCALES,
    learn,
    learn_scales,
    predict,
)
from san_stream.coding.range_coder import DECODING
from san_stream.coding.vectors import copy

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

STEPS_PER_SCALE: Final = 3
FLOOR: Final = 1200  # of a deviation, in 1/4096 quantiser steps
TEMPLATE_MEMORY: Final = 14  # beats
LOW_LIMIT: Final = -(2**31)
HIGH_LIMIT: Final = 2**31 - 1
ACTIVITY_START: Final = 65536

# Places of the settings of a call.
BOUND: Final = 0
PREDICTORS: Final = 1
REFRACTORY: Final = 2
ROW_START: Final = 3  # where this lead's samples of the block begin among the recent ones
REGRESSED: Final = 4  # differences of other leads
SETTINGS: Final = 5


def restart_mixed(memory: Integers, value: int) -> None:
    """A run begins: forget the signal; `value` stands for the past."""
    restart_phase(memory, DETECTOR)
    memory[LAST] = value
    memory[FRESH] = 1


def begin_run(memory: Integers, history: Integers, value: int) -> None:
    """The first sample of a run is known: all before it is taken to have been like it."""
    memory[LAST] = value
    memory[LOWEST] = value
    memory[HIGHEST] = value
    memory[MEAN] = value << 10
    memory[ANCHOR] = value
    memory[ACTIVITY] = ACTIVITY_START
    memory[POSITION] = len(history) // 3 * 2
    for i in range(len(history)):
        history[i] = 0
    memory[FRESH] = 0


def push_difference(memory: Integers, history: Integers, difference: int) -> None:
    """Into the history, newest first; it is kept thrice its length so that it seldom moves."""
    length = len(history) // 3
    position = memory[POSITION] - 1
    if position < 0:
        copy(history, 2 * length, history, 0, length)
        position = 2 * length - 1
    history[position] = difference
    memory[POSITION] = position


def differences_of_others(
    chosen: Integers, recent: Integers, t: int, others: Integers, count: int
) -> None:
    """The chosen leads' differences around sample t of the block."""
    for j in range(count):
        at = chosen[j] + t
        difference = recent[at] - recent[at - 1]
        others[j] = clip(difference, -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT)


def expected_error(template_error: Integers, phase: int, otherwise: int) -> int:
    """|error| at this place of the beat, smoothed over three samples."""
    if phase >= len(template_error):
        return otherwise
    if phase == len(template_error) - 1:
        return template_error[phase]
    around = template_error[phase - 1] + template_error[phase + 1]
    return (template_error[phase] * 2 + around) >> 2


def deviation_class(scale: int, width_log: int) -> int:
    """Class 0 to 11 of a deviation relative to the quantiser's step."""
    return clip(((log8(scale) - width_log - 72) * 195) >> 10, 0, LEVELS - 1)


def learn_template(
    memory: Integers,
    history: Integers,
    phase: int,
    error: int,
    value: int,
    refractory: int,
    template: Integers,
    seen: Integers,
    template_error: Integers,
) -> None:
    """The beat's template and expected error move; the detector takes the last differences."""
    if phase < len(template):
        template_error[phase] += ((error - template_error[phase]) * 38) >> 8
        beats = min(seen[phase], TEMPLATE_MEMORY)
        offset = clip(value - memory[ANCHOR], -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT)
        template[phase] += ((offset << 4) - template[phase]) // (beats + 1)
        seen[phase] = beats + 1
    slope = 0
    for j in range(5):
        slope += history[memory[POSITION] + j]
    if advance_phase(memory, DETECTOR, slope, phase, refractory) == 0:
        memory[ANCHOR] = value


def code_mixed(
    state: Integers,
    buffer: Octets,
    samples: Integers,
    valid: Integers,
    settings: Integers,
    plan: Integers,
    laws: Integers,
    memory: Integers,
    history: Integers,
    regressors: Integers,
    matrices: Integers,
    right: Integers,
    weights: Integers,
    energies: Integers,
    scales: Integers,
    template: Integers,
    seen: Integers,
    template_error: Integers,
    slots: Integers,
    mixing: Integers,
    maps: Integers,
    first_probability: Integers,
    first_count: Integers,
    recent: Integers,
    chosen: Integers,
    predictions: Integers,
    others: Integers,
    scaled: Integers,
    factor: Integers,
    half: Integers,
    places: Integers,
    widths: Integers,
    contexts: Integers,
    used: Integers,
    inputs: Integers,
) -> None:
    """Code one lead's samples of a block; on return `samples` are those of the decoder."""
    bound = settings[BOUND]
    width = 2 * bound + 1
    predictors = settings[PREDICTORS]
    row = settings[ROW_START]
    decoding = state[DECODING]
    width_log = log8(width * 4096) - 96
    last_at = predictors * SCALES
    for t in range(len(samples)):
        if valid[t] == 0:
            value = memory[LAST]
            samples[t] = value
            recent[row + t] = value
            if memory[FRESH] == 0:
                push_difference(memory, history, 0)
            continue
        if memory[FRESH] == 1:
            first = code_signed(
                state, buffer, first_probability, first_count, 0, samples[t] - memory[LAST]
            )
            value = clip(memory[LAST] + first, LOW_LIMIT, HIGH_LIMIT)
            begin_run(memory, history, value)
            for j in range(TAIL + t):
                recent[row + t - 1 - j] = value
            samples[t] = value
            recent[row + t] = value
            continue
        last = memory[LAST]
        phase = memory[PHASE] + 1
        memory[COUNT] = (memory[COUNT] + 1) & 0xFFFFF
        by_phase = expected_error(template_error, phase, scales[last_at + 1])
        differences_of_others(chosen, recent, t, others, settings[REGRESSED])
        predict(
            plan, predictors, memory, history, regressors, weights, template, phase, others,
            settings[REGRESSED], predictions,
        )  # fmt: skip
        combined = predictions[predictors]
        centre = (combined + 32) >> 6
        fast = scales[last_at]
        middle = scales[last_at + 1]
        expected = max((fast + middle) >> 1, by_phase >> 1, FLOOR * width)
        fast_scale = log8(expected)
        slow_scale = log8(max(scales[last_at + 3], FLOOR * width))
        level = deviation_class((fast * 5 + middle * 3 + 8) >> 3, width_log)
        phase_level = deviation_class(by_phase + 1, width_log)
        shift = 0
        while (fast + middle) >> (shift + 1) > STEPS_PER_SCALE * width * 4096:
            shift += 1
        last_class = set_contexts(
            memory, history, phase, predictions[0], combined, centre, width, level, contexts
        )
        set_laws(
            laws, predictions, scales, (centre << 6) - 32 * width, (64 * width) << shift,
            by_phase, width, places, widths,
        )  # fmt: skip
        residual = 0
        if decoding == 0:
            error = samples[t] - centre
            residual = (error + bound) // width if error >= 0 else -((bound - error) // width)
        residual = code_residual_mixed(
            state, buffer, residual, len(laws) // 2, places, widths, shift, centre, width, level,
            phase_level, last_class, slots, mixing, maps, contexts, used, inputs,
        )  # fmt: skip
        value = clip(centre + residual * width, LOW_LIMIT, HIGH_LIMIT)
        samples[t] = value
        recent[row + t] = value
        error = 0
        for k in range(predictors + 1):
            error = abs((value << 6) - predictions[k]) << 6
            learn_scales(scales, k * SCALES, error)
        learn(
            plan, predictors, memory, regressors, matrices, right, weights, energies, predictions,
            value, fast_scale, slow_scale, scales[last_at], scaled, factor, half,
        )  # fmt: skip
        difference = clip(value - last, -DIFFERENCE_LIMIT, DIFFERENCE_LIMIT)
        push_difference(memory, history, difference)
        memory[LAST] = value
        memory[ACTIVITY] += ((abs(difference) << 12) - memory[ACTIVITY]) >> 4
        memory[LOWEST] = min(memory[LOWEST], value)
        memory[HIGHEST] = max(memory[HIGHEST], value)
        memory[MEAN] += ((value << 10) - memory[MEAN]) >> 9
        learn_template(
            memory, history, phase, error, value, settings[REFRACTORY], template, seen,
            template_error,
        )  # fmt: skip
