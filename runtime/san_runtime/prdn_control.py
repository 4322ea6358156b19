"""Steps steered so that a lead's PRDN, cumulative from its start, is the one aimed at.

PRDN so far is 100 · sqrt(Σ e² / Σ (x − mean)²) over the valid samples so far, in percent. What
may be made of error in all, the budget, grows with Σ (x − mean)² only. Three rules give a step:

- **The usual step** would use up the budget over a horizon of 30 s and half of what has passed,
  if the signal goes on as it usually was. It moves by a quarter of an octave a block at most,
  after the first ones. In a signal that stays what it was it settles, and a constant step costs
  the fewest bits. Blocks that add more than twice the usual to the budget (artefacts, jumps of
  the baseline) do not count as usual: a surplus can be spent later, a debt hardly paid.
- **The upper limit** holds: where a block would bring the PRDN more than 4 % above the aim, its
  step is finer, whatever that takes, but no finer than makes half of what the block adds to the
  budget its error: finer ones cost many bits and pay back little. In the first minute more is
  allowed, since a few blocks do not yet tell how large the signal is.
- **The lower limit** bends: a block that would bring the PRDN more than 4 % below the aim, since
  it raises Σ (x − mean)² a lot, gets a step coarser by half an octave at most; only what would
  bring it 20 % below is coarser yet. What is then left of the budget is spent over the horizon.

A band of 5 % on both sides and the bits of a constant step cannot both be had where the spread
changes: a constant step then strays from its final PRDN by 10 to 50 %, and tenfold by hundreds.
"""

from __future__ import annotations

from collections import deque
from statistics import median_low
from typing import TYPE_CHECKING, Final

from san_runtime.foresight import ONE, PLACES, Foresight, clip_index, place_of, scaled
from san_stream.coding.steps import UNIT_STEP
from san_stream.loss import STEPS, log_ratio

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from san_runtime.rate_control import Outcome
    from san_stream.coding.core import Core

SCALE: Final = 1000  # of the aim in percent
FINE: Final = 1 << 16
"""Errors are kept in 1/65536 of the foresight's unit."""
HORIZON_SECONDS: Final = 30
HORIZON_SHARE: Final = 2  # and this part of the samples so far
START_SECONDS: Final = 60
LOWER_FROM_SECONDS: Final = 30
BAND: Final = 40
"""Thousandths of the aim that the PRDN may lie above or below; 5 % less what is foretold wrong."""
START_BAND: Final = 200  # the more above at the start, nothing more after the first minute
FAST_BLOCKS: Final = 6
FAST_MOVE: Final = STEPS
MOVE: Final = STEPS // 4
PAID: Final = 2
"""One over the part of what a block adds to the budget that its error makes at least."""
COARSER: Final = STEPS // 2
FLOOR: Final = 200
"""Thousandths of the aim below which steps get coarser without a limit."""
EVENT: Final = 2
"""Times the median of what blocks add to the budget, above which a block is not usual."""
MEMORY: Final = 15  # blocks by which foresight is corrected
LEAST_MEMORY: Final = 6
"""The usual block is a mean over so many blocks and half of all before."""


class _Sums:
    """Sums over the valid samples so far, in Python's integers: they outgrow 64 bits."""

    def __init__(self) -> None:
        self.count = self.total = self.squares = 0

    def add(self, values: list[int]) -> None:
        self.count += len(values)
        self.total += sum(values)
        self.squares += sum(v * v for v in values)

    def with_more(self, values: list[int]) -> _Sums:
        """The same and these values."""
        out = _Sums()
        out.count, out.total, out.squares = self.count, self.total, self.squares
        out.add(values)
        return out

    def spread(self) -> int:
        """n · Σ (x − mean)²."""
        return self.count * self.squares - self.total**2


class PrdnLead:
    """Steers one lead.

    Args:
        prdn: aim in percent. rate: Hz. core: of the foresight.
    """

    def __init__(self, prdn: float, rate: Fraction, core: Core) -> None:
        self._aim = round(prdn * SCALE) ** 2
        self._core = core
        self._minute = max(round(START_SECONDS * rate), 1)
        self._lower_from = round(LOWER_FROM_SECONDS * rate)
        self._horizon = max(round(HORIZON_SECONDS * rate), 1)
        self._sums = _Sums()
        self._error = 0
        self._usual = [0 for _ in PLACES]  # error a sample at each place, 1/65536
        self._budget = self._growth = 0  # so far, and a usual sample's share
        self._grown: deque[int] = deque(maxlen=MEMORY)
        self._ratios: deque[int] = deque(maxlen=MEMORY)
        self._blocks = 0
        self._step: int | None = None
        self._foretold: tuple[Foresight, int] | None = None

    def step(self, samples: NDArray[np.int64]) -> int:
        """Step index of the next block, given its samples, ``[n]``."""
        values = samples.tolist()
        sums = self._sums.with_more(values)
        spread = sums.spread()
        self._foretold = None
        if not values or spread <= 0:
            return UNIT_STEP if self._step is None else self._step
        foresight = Foresight(samples, self._core)
        own = [FINE * error for error in foresight.errors()]
        ratio = median_low(self._ratios) if self._ratios else 0
        # (aim · spread) / n: the budget, in the unit of errors
        budget = self._aim * spread * ONE * FINE // (sums.count * (100 * SCALE) ** 2)
        grown = max(budget - self._budget, 0) // len(values)
        self._budget = budget
        self._grown.append(grown)
        if grown <= EVENT * median_low(self._grown):
            self._learn_usual(grown, [error // len(values) for error in own])
        self._step = self._usual_step(budget, sums.count, len(values), ratio)
        index = self._limited(own, budget, grown * len(values), sums.count, ratio)
        self._foretold = foresight, index
        return index

    def settle(self, samples: NDArray[np.int64], errors: NDArray[np.int64]) -> None:
        """The block's valid samples and their errors."""
        error = sum(int(e) * int(e) for e in errors.tolist())
        self._sums.add(samples.tolist())
        self._error += error * ONE * FINE
        if self._foretold is not None:
            foresight, index = self._foretold
            foretold = foresight.errors([index])[0]
            if error > 0 and foretold > 0:
                self._ratios.append(log_ratio(ONE * error, foretold))

    def _learn_usual(self, grown: int, errors: list[int]) -> None:
        """The usual block is a mean over some blocks and half of all before."""
        self._blocks += 1
        memory = min(self._blocks, LEAST_MEMORY + self._blocks // 2)
        self._growth += (grown - self._growth) // memory
        for i, error in enumerate(errors):
            self._usual[i] += (error - self._usual[i]) // memory

    def _usual_step(self, budget: int, count: int, block: int, ratio: int) -> int:
        """The step that uses up the budget by the end of the horizon."""
        horizon = self._horizon + count // HORIZON_SHARE
        wanted = (budget + self._growth * horizon - self._error) // (horizon + block)
        index = 0
        if wanted > 0:
            index = place_of([scaled(error, ratio) for error in self._usual], wanted)
        if self._step is None:
            return index
        most = FAST_MOVE if self._blocks < FAST_BLOCKS else MOVE
        return min(max(index, self._step - most), self._step + most)

    def _limited(self, own: list[int], budget: int, grown: int, count: int, ratio: int) -> int:
        """The usual step, unless the block with it would leave the band around the aim."""
        usual, block = self._step or 0, count - self._sums.count
        errors = [
            self._expected(error, block * mean, ratio)
            for error, mean in zip(own, self._usual, strict=True)
        ]
        index = usual
        if count > self._lower_from:
            least = budget * (SCALE - BAND) ** 2 // SCALE**2 - self._error
            index = max(index, min(place_of(errors, least), usual + COARSER))
            least = budget * (SCALE - FLOOR) ** 2 // SCALE**2 - self._error
            index = max(index, place_of(errors, least))
        start = max(START_BAND * (self._minute - count) // self._minute, 0)
        most = budget * (SCALE + BAND + start) ** 2 // SCALE**2 - self._error
        finest = min(usual, place_of(errors, grown // PAID))
        index = min(index, max(place_of(errors, most), finest))
        return clip_index(index)

    @staticmethod
    def _expected(error: int, usual: int, ratio: int) -> int:
        """Error of a block from that foreseen.

        The ratio found so far tells of beats that were predicted; what exceeds the usual block's
        error twice is no such beat.
        """
        common = min(error, 2 * usual)
        return scaled(common, ratio) + scaled(error - common, max(ratio, 0))


class PrdnControl:
    """Steers the cumulative PRDN of every lead by itself.

    Args:
        prdn: aim in percent. leads: how many. rate: Hz. core: of the foresight.
    """

    def __init__(self, prdn: float, leads: int, rate: Fraction, core: Core) -> None:
        self._leads = [PrdnLead(prdn, rate, core) for _ in range(leads)]

    def steps(self, ahead: NDArray[np.int64], count: int, *, fresh: bool = False) -> list[int]:
        """Step indices for the next block."""
        del fresh
        return [lead.step(ahead[:count, i]) for i, lead in enumerate(self._leads)]

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""
        for i, lead in enumerate(self._leads):
            ok = outcome.valid[:, i]
            lead.settle(outcome.samples[ok, i], outcome.errors[ok, i])
