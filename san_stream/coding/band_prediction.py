"""The approximation band, predicted from its last values across blocks (docs/format.md).

Least squares over the last four coefficients, or, until there are enough, the last one.
Coefficients are held below 2^40; they are lowered to some 14 bits for the statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.least_squares import solve_weights
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length
from san_stream.coding.vectors import add_outer, add_scaled, copy, decay

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

TAPS: Final = 4
WINDOW: Final = 9  # log2 of the coefficients remembered
REGULARISATION: Final = 10
REACH: Final = 1 << 40

# Places in the store of a band's prediction.
HISTORY: Final = 0  # last coefficients, newest first
WEIGHTS: Final = TAPS  # 1/65536
RIGHT: Final = 2 * TAPS
MATRIX: Final = 3 * TAPS
SIZE_MEAN: Final = MATRIX + TAPS * TAPS  # mean |coefficient|
ENERGY: Final = SIZE_MEAN + 1
LEVELS: Final = ENERGY + 1  # of the transform that the history is of
BAND_MEMORY: Final = LEVELS + 1
BAND_WORK: Final = RIGHT + 2 * TAPS
"""Room for lowered coefficients, and for weights where the right side stands in the store."""
PRIOR: Final = 1 << 24


def start_band(memory: Integers) -> None:
    """Initial values: hold the last coefficient."""
    for i in range(BAND_MEMORY):
        memory[i] = 0
    memory[WEIGHTS] = 65536
    for i in range(TAPS):
        memory[MATRIX + i * TAPS + i] = PRIOR
    memory[RIGHT] = PRIOR


def restart_band(memory: Integers, levels: int) -> None:
    """A run or another depth of the transform begins: the last coefficients are forgotten."""
    for i in range(TAPS):
        memory[HISTORY + i] = 0
    memory[LEVELS] = levels


def predict_band(memory: Integers) -> int:
    """The next coefficient."""
    total = 0
    for k in range(TAPS):
        # halves below 2^20 apart keep the products below 2^53 for any coefficient
        value = memory[HISTORY + k]
        weight = memory[WEIGHTS + k]
        total += (value >> 16) * weight + (((value & 65535) * weight) >> 16)
    return clip(total, -REACH, REACH)


def learn_band(
    memory: Integers, value: int, work: Integers, factor: Integers, half: Integers
) -> None:
    """The coefficient that came."""
    value = clip(value, -REACH, REACH)
    memory[SIZE_MEAN] += (abs(value) - memory[SIZE_MEAN]) >> 5
    copy(work, RIGHT, memory, WEIGHTS, TAPS)
    shift = max(bit_length(memory[SIZE_MEAN]) - 12, 0)
    for k in range(TAPS):
        work[k] = clip(memory[HISTORY + k] >> shift, -32767, 32767)
    target = clip(value >> shift, -32767, 32767)
    decay(memory, RIGHT, TAPS + TAPS * TAPS, WINDOW)
    memory[ENERGY] -= memory[ENERGY] >> WINDOW
    add_outer(memory, MATRIX, work, 0, TAPS)
    add_scaled(memory, RIGHT, work, 0, TAPS, target)
    memory[ENERGY] += target * target
    solve_weights(
        memory,
        MATRIX,
        memory,
        work,
        RIGHT,
        TAPS,
        memory[ENERGY],
        REGULARISATION,
        factor,
        half,
    )
    copy(memory, WEIGHTS, work, RIGHT, TAPS)
    for k in range(TAPS - 1, 0, -1):
        memory[HISTORY + k] = memory[HISTORY + k - 1]
    memory[HISTORY] = value
