"""Layer 3, residual: exact samples from their second difference (docs/format.md).

e[t] = x[t] - 2 x[t-1] + x[t-2], coded as sign and magnitude in a context of how large
the last differences were. Invalid samples are not coded; they repeat the last value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.numbers import (
    NUMBER_SIZE,
    bit_length,
    code_adaptive,
    code_plain,
    code_unsigned,
)
from san_stream.coding.range_coder import ERROR

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

CONTEXTS: Final = 24
SIGNS: Final = 9
RAW_FLAG: Final = 0
SIGN_BASE: Final = 1
NUMBER_BASE: Final = SIGN_BASE + SIGNS
RESIDUAL_SIZE: Final = NUMBER_BASE + CONTEXTS * NUMBER_SIZE  # model entries a lead

# Places in the memory of a lead.
LAST: Final = 0  # x[t-1]
BEFORE: Final = 1  # x[t-2]
FAST: Final = 2  # recent |e|, 1/16 units
SLOW: Final = 3  # the same over a longer time
ERROR_1: Final = 4  # e[t-1]
ERROR_2: Final = 5  # e[t-2]
RESIDUAL_MEMORY: Final = 6

LOW_LIMIT: Final = -(2**31)
HIGH_LIMIT: Final = 2**31 - 1


def restart_residual(memory: Integers, value: int) -> None:
    """Forget the signal (not what was learned): a run begins, `value` stands for the past."""
    memory[LAST] = value
    memory[BEFORE] = value
    memory[FAST] = 64
    memory[SLOW] = 64
    memory[ERROR_1] = 0
    memory[ERROR_2] = 0


def code_residual(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    memory: Integers,
    samples: Integers,
    valid: Integers,
) -> None:
    """Code `samples` of one lead (filled in when decoding); `valid` holds 0 or 1."""
    last = memory[LAST]
    before = memory[BEFORE]
    fast = memory[FAST]
    slow = memory[SLOW]
    error_1 = memory[ERROR_1]
    error_2 = memory[ERROR_2]
    for t in range(len(samples)):
        if valid[t] == 0:
            samples[t] = last
            before = last
            continue
        prediction = 2 * last - before
        error = samples[t] - prediction
        level = 2 * fast + slow + 16 * abs(error_1)
        size = bit_length(level)
        context = 2 * size + ((level >> (size - 2)) & 1 if size > 1 else 0) - 8
        context = min(max(context, 0), CONTEXTS - 1)
        sign_1 = 0 if error_1 == 0 else (1 if error_1 > 0 else 2)
        sign_2 = 0 if error_2 == 0 else (1 if error_2 > 0 else 2)
        place = base + NUMBER_BASE + context * NUMBER_SIZE
        size = code_unsigned(state, buffer, probability, count, place, abs(error))
        if size > 0:
            index = base + SIGN_BASE + 3 * sign_1 + sign_2
            if code_adaptive(state, buffer, probability, count, index, 1 if error < 0 else 0):
                size = -size
        error = size
        value = prediction + error
        if value < LOW_LIMIT or value > HIGH_LIMIT:
            state[ERROR] = 1
            value = last
        samples[t] = value
        before = last
        last = value
        fast += (16 * abs(error) - fast) >> 2
        slow += (16 * abs(error) - slow) >> 4
        error_2 = error_1
        error_1 = error
    memory[LAST] = last
    memory[BEFORE] = before
    memory[FAST] = fast
    memory[SLOW] = slow
    memory[ERROR_1] = error_1
    memory[ERROR_2] = error_2


def raw_width(samples: Integers, valid: Integers) -> tuple[int, int]:
    """Bits of two's complement that hold every valid sample (at least 1), and their number."""
    reach = 0
    number = 0
    for t in range(len(samples)):
        if valid[t] == 1:
            number += 1
            reach = max(reach, samples[t] if samples[t] >= 0 else -1 - samples[t])
    return bit_length(reach) + 1, number


def code_raw(
    state: Integers,
    buffer: Octets,
    memory: Integers,
    samples: Integers,
    valid: Integers,
    width: int,
) -> None:
    """Code `samples` as they are, `width` bits each, two's complement; for pure noise."""
    half = 1 << (width - 1)
    for t in range(len(samples)):
        if valid[t] == 0:
            samples[t] = memory[LAST]
            memory[BEFORE] = memory[LAST]
            continue
        samples[t] = code_plain(state, buffer, samples[t] + half, width) - half
        memory[BEFORE] = memory[LAST]
        memory[LAST] = samples[t]
