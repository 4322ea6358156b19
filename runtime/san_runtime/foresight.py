"""What a block will cost at every step, seen from its samples before it is coded.

The coder's own wavelet is taken of the block, without any prediction from beats. Of its
coefficients those below the quantiser's dead zone count as error in full, each of the others
as the error of a uniform quantiser; bits are counted by how many octaves a coefficient stands
above the dead zone. Both are right up to a factor that changes slowly, with the signal and
with how well beats are predicted: the steering learns it from how blocks came out. On 16 leads
of MIT-BIH the error of a block is so foretold within 4 to 15 % at 5 % PRDN and 7 to 45 % at 15 %
(one deviation; one lead 63 %), by the mean of the twelve blocks before within 6 to 50 % and 8 to
80 %; bits within 4 to 40 % at 5 %, where that mean is within 8 to 70 %, and at 15 % no better.

All of it is integers, so that steps are the same on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from san_stream.coding.core import PLAIN
from san_stream.coding.steps import MAX_STEP_INDEX, step_of
from san_stream.coding.wavelet import MOST_BANDS, band_step, find_bands
from san_stream.loss import GRID, STEPS, log_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.coding.core import Core

SPACING: Final = 8
"""Costs are worked out at every half octave of steps."""
PLACES: Final = range(0, MAX_STEP_INDEX + 1, SPACING)
ONE: Final = 256
"""Errors are in 1/256 square ADC unit: coefficients are in 1/16."""
REACH_BITS: Final = 35  # of samples in 1/16 that the wavelet takes
COEFFICIENT_BITS: Final = 23  # kept: squares of 2^15 of them sum up below 2^62
DEAD_ZONE: Final = (5, 3)
"""5/8 of a step: where the coder, which weighs error against bits, begins to send."""
UNIFORM: Final = 11
"""Error of a sent coefficient in 1/11 square step; a little above 1/12 for rounding down."""
OCTAVES: Final = 24
FIRST_BITS: Final = 8
"""Half bits of a coefficient that is sent at all: place, sign and size; each octave adds two."""


def scaled(value: int, sixteenths: int) -> int:
    """value · 2^(sixteenths / 16), of two integers."""
    octave, place = divmod(sixteenths, STEPS)
    value *= GRID[place]
    return value << (octave - 30) if octave >= 30 else value >> (30 - octave)


def clip_index(index: int) -> int:
    """The nearest step index that there is."""
    return min(max(index, 0), MAX_STEP_INDEX)


def place_of(costs: Sequence[int], value: int) -> int:
    """Step index 0 to `MAX_STEP_INDEX` at which a growing cost, known at `PLACES`, is `value`.

    Above the largest cost: the first place that has it, since coarser steps change nothing.
    """
    if value <= 0:
        return 0
    at = next((i for i, cost in enumerate(costs) if cost > value), 0)
    if at == 0:
        return 0 if costs[0] > value else SPACING * list(costs).index(costs[-1])
    low, high = max(costs[at - 1], 1), costs[at]
    # fourth powers: logarithms in 1/64 of an octave
    span = log_ratio(high**4, low**4)
    inside = log_ratio(value**4, low**4) if value > low else 0
    return SPACING * (at - 1) + (SPACING * inside + span // 2) // max(span, 1)


class Foresight:
    """Costs of one lead's block.

    Args:
        samples: int64 ``[n]``, of 32 bits; n from 1 to 32768.
        core: its wavelet is used.
    """

    def __init__(self, samples: NDArray[np.int64], core: Core = PLAIN) -> None:
        length = len(samples)
        offsets, lengths = [0] * (MOST_BANDS + 1), [0] * (MOST_BANDS + 1)
        bands = find_bands(length, offsets, lengths)
        reach = 1 << REACH_BITS
        values = core.listed(np.clip(16 * (samples - samples[0]), -reach, reach))
        core.transform(values, length, core.integers(length, 0))
        found = np.array(values, np.int64)
        for band in range(bands):
            # the quantiser's step of a band is `factor` / 4096 of the block's
            factor = band_step(4096, band, bands)
            here = slice(offsets[band], offsets[band] + lengths[band])
            found[here] = np.abs(found[here]) * 4096 // factor
        self._shift = max(int(found.max()).bit_length() - COEFFICIENT_BITS, 0)
        self._sizes = np.sort(found >> self._shift)
        self._energy = np.concatenate(([0], np.cumsum(self._sizes * self._sizes)))

    def _steps(self, indices: Sequence[int]) -> NDArray[np.int64]:
        steps = np.array([step_of(clip_index(index)) for index in indices], np.int64)
        shifted: NDArray[np.int64] = np.minimum(steps >> self._shift, 1 << COEFFICIENT_BITS + 1)
        return shifted

    def errors(self, indices: Sequence[int] = PLACES) -> list[int]:
        """Σ e² of the block at each step index, in 1/256 square ADC unit; never falling."""
        steps = self._steps(indices)
        sent = np.searchsorted(self._sizes, steps * DEAD_ZONE[0] >> DEAD_ZONE[1])
        errors = self._energy[sent] + (len(self._sizes) - sent) * (steps * steps // UNIFORM)
        return [int(v) << 2 * self._shift for v in np.maximum.accumulate(errors)]

    def bits(self, indices: Sequence[int] = PLACES) -> list[int]:
        """Half bits that the block takes at each step index; never growing."""
        zones = self._steps(indices) * DEAD_ZONE[0] >> DEAD_ZONE[1]
        above = zones[:, None] << np.arange(OCTAVES)
        counts = len(self._sizes) - np.searchsorted(self._sizes, above)
        bits = FIRST_BITS * counts[:, 0] + 2 * counts[:, 1:].sum(axis=1)
        return [int(v) for v in np.minimum.accumulate(bits)]
