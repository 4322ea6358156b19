"""The small layers: 5 validity, 1 baseline, 6 statistics (docs/format.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.numbers import NUMBER_SIZE, bit_length, code_adaptive, code_signed

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

VALIDITY_SIZE: Final = 3  # all valid? then sample by sample in the context of the last one
TREND_CONTEXTS: Final = 6
TREND_SIZE: Final = TREND_CONTEXTS * NUMBER_SIZE

# Places in the memory of a trend (a number that is coded as its change).
VALUE: Final = 0
CHANGE: Final = 1
TREND_MEMORY: Final = 2

LEVEL_SIZE: Final = NUMBER_SIZE
LEVEL_MEMORY: Final = 1  # smoothed value, 1/16 units


def code_validity(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    valid: Integers,
) -> None:
    """0 or 1 a sample of one lead in one block: one flag where all are valid."""
    whole = 1
    for t in range(len(valid)):
        if valid[t] == 0:
            whole = 0
            break
    whole = code_adaptive(state, buffer, probability, count, base, whole)
    last = 1
    for t in range(len(valid)):
        if whole == 1:
            valid[t] = 1
        else:
            last = code_adaptive(state, buffer, probability, count, base + 1 + last, valid[t])
            valid[t] = last


def restart_trend(memory: Integers, value: int) -> None:
    """Forget the last number; `value` stands for it."""
    memory[VALUE] = value
    memory[CHANGE] = 0


def code_trend(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    memory: Integers,
    value: int,
) -> int:
    """A slowly changing number: block baseline, tap of a kernel."""
    context = min((memory[CHANGE] + 1) >> 1, TREND_CONTEXTS - 1)
    change = code_signed(
        state, buffer, probability, count, base + context * NUMBER_SIZE, value - memory[VALUE]
    )
    memory[CHANGE] = bit_length(abs(change))
    memory[VALUE] += change
    return memory[VALUE]


def restart_level(memory: Integers, value: int) -> None:
    """Forget the numbers so far; `value` stands for them."""
    memory[VALUE] = value << 4


def code_level(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    memory: Integers,
    value: int,
) -> int:
    """A number that scatters about a slowly moving level: the loss index of a window."""
    expected = (memory[VALUE] + 8) >> 4
    change = code_signed(state, buffer, probability, count, base, value - expected)
    value = expected + change
    memory[VALUE] += ((value << 4) - memory[VALUE]) >> 2
    return value
