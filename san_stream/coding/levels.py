"""One level of a coefficient, of either transform: contexts, decisions, sign and size.

Contexts come from levels already coded, so that the decoder finds the same ones (see
docs/format-transform.md, "Coefficient i of band b"). What a coarser band is to a level of the
wavelet, the frame before is to one of the cosine transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_stream.coding.coefficients import (
    ACTIVITIES,
    ACTIVITY,
    CONTEXT_SLOTS,
    CONTEXT_STARTS,
    CONTEXTS,
    LARGEST,
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
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import NUMBER_SIZE, code_unsigned
from san_stream.coding.range_coder import DECODING, ERROR
from san_stream.coding.wavelet import COEFFICIENT_REACH, MOST_BANDS

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets


def sign_class(value: int) -> int:
    """0 for 0, 1 above, 2 below."""
    return 0 if value == 0 else (1 if value > 0 else 2)


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


def code_coefficient(
    state: Integers,
    buffer: Octets,
    wanted: int,
    width: int,
    strength: int,
    identity: int,
    phase: int,
    left: int,
    before: int,
    parent: int,
    around: int,
    above: int,
    mean: int,
    predicted: int,
    classes: int,
    agreeing: int,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    means: Integers,
    rest: Integers,
    rest_count: Integers,
    found: Integers,
    inputs: Integers,
) -> tuple[int, int]:
    """Code a level, and learn from it.

    Args:
        wanted: the coefficient, read when encoding only. width: its step.
        strength: λ in steps² a bit, 1/65536.
        identity, phase: of its band or octave, and place in the beat or spectrum.
        left, before, parent: levels beside it. around, above: magnitudes.
        mean: class of the mean magnitude here. predicted: the coefficient that is expected;
            classes: how large that is, around and at the place. agreeing: of its last sign.
        slots ... rest_count: models of the lead. found, inputs: room for contexts.

    Returns:
        The level, and (coefficient - level)² in steps² / 65536, 0 when decoding.
    """
    most = min(LARGEST, COEFFICIENT_REACH // width)
    size = abs(parent)
    active = mean_class(means[ACTIVITY + identity])
    neighbours = neighbour_class(4 * abs(left) + 2 * abs(before) + 2 * size + around)
    set_coefficient_contexts(
        found, identity, phase, abs(left), abs(before), size, around, above, mean, active,
        classes, neighbours,
    )  # fmt: skip
    second = SECOND_SETS + 10 * min(abs(left) + size, 2) + mean
    level = 0
    error = 0
    if state[DECODING] == 0:
        amount = min((abs(wanted) << 8) // width, most << 8)
        if amount >= 128:
            logit = decision_logit(slots, weights, found, inputs, identity, second)
            level = choose_level(amount, logit, strength)
        error = (amount - (level << 8)) * (amount - (level << 8))
    more = code_decision_at(
        state, buffer, 1 if level > 0 else 0, slots, weights, maps, found, inputs, identity,
        second, active,
    )  # fmt: skip
    if more == 1:
        one, two = sign_contexts(
            identity, left, parent, predicted, classes, agreeing,
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
    else:
        level = 0
    learn_means(means, identity, phase, level)
    return level, error
