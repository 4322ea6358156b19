"""Steps steered so that a stream takes the bits per sample aimed at, all leads together.

Bits are those of the whole stream: frames, headers, statistics and END count like the signal's.
The usual step would pay over the next sixteen blocks what the last minute took too much, if the
signal goes on as it was; of the debt of the stream so far, by 6 % of the aim at most. Where the
bits of the last minute would leave a narrow band around the aim with the next block, that block's
step is moved towards the one that keeps it inside, by an octave at most.

The first blocks behind a reset cost up to three times as much, since the models begin anew; their
steps are coarser, so that they take less than that of the minute. At low rates they still stand
out of it: at 0.25 bits per sample a minute with a reset is up to 17 % above the aim.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from san_runtime.foresight import PLACES, Foresight, clip_index, place_of, scaled
from san_stream.coding.steps import MAX_STEP_INDEX, UNIT_STEP
from san_stream.loss import STEPS, log_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from san_runtime.rate_control import Outcome
    from san_stream.coding.core import Core
    from san_stream.types import Lead

SCALE: Final = 1000  # of the aim in bits per sample
FINE: Final = 1 << 16
WINDOW_SECONDS: Final = 60
HORIZON_SHARE: Final = 4  # the stream's debt is paid over a minute and this part of the past
BAND: Final = 15
"""Thousandths of the aim by which the last minute may differ; 3 % less what is foretold wrong."""
MOST_OFF: Final = 60
"""Thousandths of the aim by which a debt of the whole stream changes it."""
DAMPING: Final = 16
"""Blocks over which the minute's debt is paid; fewer make the steps swing."""
MOST_APART: Final = 2  # times the aim, or one over it, that a usual block takes
END_BITS: Final = 8 * 64
"""About what END takes; it is saved up for, since nobody tells when the stream ends."""
SHARE: Final = (2, 3)  # of that way is gone, since bits far away are foretold worse
FAST_BLOCKS: Final = 12
FAST_MOVE: Final = STEPS
MOVE: Final = STEPS // 8
MOST_MOVED: Final = STEPS
LEAST_MEMORY: Final = 6
STEEPER: Final = (2, 3)
"""Bits fall by two thirds of an octave an octave faster than foreseen."""
FRESH: Final = (28, 14, 6)
"""Sixteenths of an octave by which the first blocks behind a reset are dearer, until known."""
FRESH_SHARE: Final = (5, 4)
"""Of the aim such a block should take at most: its step is coarser."""
FRESH_MOVE: Final = 2 * STEPS
FIRST_RATIO: Final = 64
"""Of real bits to those foreseen, before any block has come out, in sixteenths of an octave."""


def _step_for(bits: Sequence[int], value: int) -> int:
    """Step index at which falling bits, known at `PLACES`, are `value`."""
    return MAX_STEP_INDEX - place_of(bits[::-1], value)


class RateControl:
    """Steers the bits of all leads together; steps are equal in physical units.

    Args:
        bps: aim in bits per sample of a lead. leads: of the stream. rate: Hz.
        core: of the foresight.
    """

    def __init__(self, bps: float, leads: Sequence[Lead], rate: Fraction, core: Core) -> None:
        gains = [abs(lead.gain) for lead in leads]
        self._offsets = [log_ratio(*(g / gains[0]).as_integer_ratio()) for g in gains]
        self._aim = round(bps * SCALE)  # thousandths of a bit
        self._core = core
        self._window = max(round(WINDOW_SECONDS * rate), 1) * len(leads)
        self._usual = [0 for _ in PLACES]  # half bits a value at each place, 1/65536
        self._step: int | None = None
        self._foretold: int | None = None
        self._recent: deque[tuple[int, int, int]] = deque()  # values, bits, half bits foretold
        self._values = self._bits = self._blocks = 0
        self._mean = self._mean_foretold = 0
        self._age = 0  # blocks since a reset
        self._extra = list(FRESH)

    def steps(self, ahead: NDArray[np.int64], count: int, *, fresh: bool = False) -> list[int]:
        """Step indices for the next block."""
        self._age = 0 if fresh or self._step is None else self._age + 1
        block = ahead[:count]
        if not block.size:
            step = UNIT_STEP if self._step is None else self._step
            return [clip_index(step + offset) for offset in self._offsets]
        foreseen = [Foresight(np.ascontiguousarray(row), self._core) for row in block.T]
        bits = self._expected(foreseen, PLACES)
        self._learn_usual([number // block.size for number in bits])
        ratio = self._ratio()
        self._drop_old(block.size)
        self._step = self._usual_step(ratio, block.size)
        index = self._limited(self._step, [scaled(b, ratio) // FINE for b in bits], block.size)
        self._foretold = self._expected(foreseen, [index])[0]
        return [clip_index(index + offset) for offset in self._offsets]

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""
        values, bits = outcome.samples.size, outcome.bits
        if self._foretold is None or not values:
            return
        self._values += values
        self._bits += bits
        self._recent.append((values, bits, self._foretold))
        if self._age < len(FRESH):
            usual = scaled(self._foretold, self._ratio())
            if bits > 0 and usual > 0 and self._mean > 0:  # else the ratio is not known
                more = log_ratio(FINE * bits, usual) - self._extra[self._age]
                self._extra[self._age] += more // 2
        else:
            memory = min(self._blocks, LEAST_MEMORY + self._blocks // 2)
            self._mean += (FINE * FINE * bits // values - self._mean) // memory
            self._mean_foretold += (FINE * self._foretold // values - self._mean_foretold) // memory

    def _expected(self, foreseen: list[Foresight], indices: Sequence[int]) -> list[int]:
        """Bits of all leads at the first one's step indices, up to a factor, in 1/65536."""
        each = [
            block.bits([index + offset for index in indices])
            for block, offset in zip(foreseen, self._offsets, strict=True)
        ]
        return [
            scaled(FINE * sum(column), -index * STEEPER[0] // STEEPER[1])
            for index, column in zip(indices, zip(*each, strict=True), strict=True)
        ]

    def _learn_usual(self, bits: list[int]) -> None:
        """The usual block is a mean over some blocks and half of all before."""
        self._blocks += 1
        memory = min(self._blocks, LEAST_MEMORY + self._blocks // 2)
        for i, number in enumerate(bits):
            self._usual[i] += (number - self._usual[i]) // memory

    def _ratio(self) -> int:
        """Of real bits to foreseen half bits in the last minute, in sixteenths of an octave."""
        if self._mean <= 0 or self._mean_foretold <= 0:
            return FIRST_RATIO
        return log_ratio(self._mean, self._mean_foretold)

    def _drop_old(self, size: int) -> None:
        """Keep the blocks that make up a minute with the next."""
        values = sum(number for number, _, _ in self._recent)
        while self._recent and values + size > self._window:
            values -= self._recent.popleft()[0]

    def _usual_step(self, ratio: int, size: int) -> int:
        """The step that would pay the last minute's debt over the next blocks."""
        wanted = self._wanted()
        values = sum(number for number, _, _ in self._recent)
        saved = wanted * values - SCALE * sum(number for _, number, _ in self._recent)
        bits = wanted + saved // (DAMPING * size)
        bits = min(max(bits, wanted // MOST_APART), wanted * MOST_APART)
        index = _step_for([scaled(b, ratio) for b in self._usual], FINE * bits // SCALE)
        if self._step is None:
            return index
        most = FAST_MOVE if self._blocks <= FAST_BLOCKS else MOVE
        return min(max(index, self._step - most), self._step + most)

    def _wanted(self) -> int:
        """Thousandths of a bit a value: the aim, a little less or more for the stream's debt."""
        debt = SCALE * (self._bits + END_BITS) - self._aim * self._values
        little = max(self._aim * MOST_OFF // SCALE, 1)
        horizon = self._window + self._values // HORIZON_SHARE
        return self._aim - min(max(debt // horizon, -little), little)

    def _limited(self, usual: int, bits: list[int], size: int) -> int:
        """The usual step, unless the last minute's bits would leave the band around the aim."""
        if self._age < len(FRESH):
            costs = [scaled(b, self._extra[self._age]) for b in bits]
            share = self._aim * size * FRESH_SHARE[0] // (SCALE * FRESH_SHARE[1])
            return clip_index(min(max(_step_for(costs, share), usual), usual + FRESH_MOVE))
        if self._values < self._window:
            return clip_index(usual)
        spent = sum(number for _, number, _ in self._recent)
        values = sum(number for number, _, _ in self._recent) + size
        aim = self._wanted() * values // SCALE
        most = aim * (SCALE + BAND) // SCALE - spent
        least = aim * (SCALE - BAND) // SCALE - spent
        index = usual
        if most <= 0 or _step_for(bits, most) > usual:
            target = _step_for(bits, most) if most > 0 else MAX_STEP_INDEX
            index += min((target - usual) * SHARE[0] // SHARE[1], MOST_MOVED)
        elif least > 0 and _step_for(bits, least) < usual:
            index -= min((usual - _step_for(bits, least)) * SHARE[0] // SHARE[1], MOST_MOVED)
        return clip_index(index)
