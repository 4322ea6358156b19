"""The approximation band, predicted from its last values across blocks (docs/format-transform.md).

The next coefficient less the last one is regressed, by least squares, on the last three
differences and on how far the last coefficient lies above a slow mean; an offset of the
signal thus costs nothing. Until there is evidence the last coefficient is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.least_squares import solve_weights
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length
from san_stream.coding.vectors import add_outer, add_scaled, decay, dot

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

TAPS: Final = 4
WINDOW: Final = 9  # log2 of the coefficients remembered
REGULARISATION: Final = 8
REACH: Final = 1 << 38  # of a coefficient
STATISTIC: Final = 32767  # of a lowered regressor: what is further out is clipped
MOST_LOWERED: Final = 15  # regressors below 2^30: their products with weights add up to 2^52
FINE: Final = 11  # bits of a usual change in the statistics
USUAL_RATE: Final = 4
USUAL_LEAST: Final = 256
MEAN_RATE: Final = 4  # log2 of the coefficients that the slow mean looks back

# Places in the store of a band's prediction.
HISTORY: Final = 0  # regressors of the next coefficient
WEIGHTS: Final = TAPS  # 1/65536
RIGHT: Final = 2 * TAPS
MATRIX: Final = 3 * TAPS
ENERGY: Final = MATRIX + TAPS * TAPS
LOWERED: Final = ENERGY + 1  # bits by which regressors are lowered in the statistics
USUAL: Final = LOWERED + 1  # mean |change|
LAST: Final = USUAL + 1  # the last coefficient
MEAN: Final = LAST + 1
LEVELS: Final = MEAN + 1  # of the transform that the history is of
FRESH: Final = LEVELS + 1  # 1: no coefficient of this run is known
BAND_MEMORY: Final = FRESH + 1
BAND_WORK: Final = RIGHT + 2 * TAPS
"""Room for lowered regressors, and for weights where the right side stands in the store."""
PRIOR: Final = 1 << 12  # on the diagonal at first


def start_band(memory: Integers) -> None:
    """Initial values: hold the last coefficient."""
    for i in range(BAND_MEMORY):
        memory[i] = 0
    for i in range(TAPS):
        memory[MATRIX + i * TAPS + i] = PRIOR
    memory[FRESH] = 1


def restart_band(memory: Integers, levels: int) -> None:
    """A run or another depth of the transform begins: the last coefficients are forgotten."""
    for i in range(TAPS):
        memory[HISTORY + i] = 0
    memory[LAST] = 0
    memory[MEAN] = 0
    memory[LEVELS] = levels
    memory[FRESH] = 1


def predict_band(memory: Integers) -> int:
    """The next coefficient."""
    total = dot(memory, WEIGHTS, memory, HISTORY, TAPS)
    return clip(memory[LAST] + (total >> 16), -REACH, REACH)


def fit_unit(memory: Integers, change: int) -> int:
    """How far regressors are lowered, so that a usual change has some eleven bits.

    The usual change is a mean that one far value moves little. Statistics stay as they are
    where the unit changes: each coefficient counts by the size of changes around it.
    """
    usual = memory[USUAL]
    usual += min(abs(change) - usual, 3 * usual + USUAL_LEAST) >> USUAL_RATE
    memory[USUAL] = usual
    lowered = memory[LOWERED]
    size = bit_length(usual >> lowered)
    if size > FINE + 1 and lowered < MOST_LOWERED:
        lowered += 1
    elif size < FINE and lowered > 0:
        lowered -= 1
    memory[LOWERED] = lowered
    return lowered


def learn_band(
    memory: Integers, value: int, work: Integers, factor: Integers, half: Integers
) -> None:
    """The coefficient that came."""
    value = clip(value, -REACH, REACH)
    if memory[FRESH] == 1:
        memory[FRESH] = 0
        memory[MEAN] = value
        memory[LAST] = value
        return
    change = value - memory[LAST]
    lowered = fit_unit(memory, change)
    reach = STATISTIC << lowered
    change = clip(change, -reach, reach)
    for k in range(TAPS):
        work[k] = clip(memory[HISTORY + k] >> lowered, -STATISTIC, STATISTIC)
        work[RIGHT + k] = 0
    target = change >> lowered
    decay(memory, RIGHT, TAPS + TAPS * TAPS, WINDOW)
    memory[ENERGY] -= memory[ENERGY] >> WINDOW
    add_outer(memory, MATRIX, work, 0, TAPS)
    add_scaled(memory, RIGHT, work, 0, TAPS, target)
    memory[ENERGY] += target * target
    solve_weights(
        memory, MATRIX, memory, work, RIGHT, TAPS, memory[ENERGY], REGULARISATION, factor, half,
    )  # fmt: skip
    for k in range(TAPS):
        memory[WEIGHTS + k] = work[RIGHT + k]
    for k in range(TAPS - 2, 0, -1):
        memory[HISTORY + k] = memory[HISTORY + k - 1]
    memory[HISTORY] = change
    memory[LAST] = value
    memory[MEAN] += (value - memory[MEAN]) >> MEAN_RATE
    memory[HISTORY + TAPS - 1] = clip(value - memory[MEAN], -reach, reach)
