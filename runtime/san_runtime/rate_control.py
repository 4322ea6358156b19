"""Which quantiser step a block gets: fixed, or steered towards a PRDN or a bit rate.

All of it is integers, so that the choice is the same on every machine. Steps move on the
grid of `san_stream.coding.steps`, sixteen to an octave; logarithms are in the same unit.
A block's error is taken to grow as step^1.5 and its bits as step^-1.25: exponents seen on
ECG between 5 and 15 % PRDN, which only decide how fast the steering settles.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from san_stream.coding.steps import MAX_STEP_INDEX, UNIT_STEP
from san_stream.loss import GRID, STEPS, log_ratio
from san_stream.profiles import Bounded, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from san_stream.profiles import Profile
    from san_stream.types import Lead

ERROR_EXPONENT: Final = (3, 2)
BITS_EXPONENT: Final = (5, 4)
MEMORY: Final = 12  # blocks whose behaviour is remembered
FAST_BLOCKS: Final = 6  # at the start steps may move fast
FAST_MOVE: Final = 10
MOVE: Final = 3
PRDN_SCALE: Final = 1000
HORIZON_SECONDS: Final = 20
WINDOW_SECONDS: Final = 60
FIRST_BOUND_STEP: Final = (11, 10)
"""First step over 2e + 1 where a bound is held by corrections."""
BOUND_REACH: Final = (-6, 20)
"""How far steps may move from there, in sixteenths of an octave."""
LEAST_SHARE: Final = 26
MOST_SHARE: Final = 34
"""Percent of a lead's bits that corrections should take."""
FIRST_RATIO: Final = 4
"""First step over the RMS error aimed at; what was seen on ECG at 9 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How a block came out.

    Attributes:
        samples, errors: int64 ``[n, leads]``, x and |x − x̂|. valid: bool, the same shape.
        bits: spent since the block before, container included.
        corrections, rest: bits of each lead's corrections and of all else; empty without.
    """

    samples: NDArray[np.int64]
    errors: NDArray[np.int64]
    valid: NDArray[np.bool_]
    bits: int
    corrections: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()


class StepControl(Protocol):
    """Chooses the step index of each lead for each block."""

    def steps(self, ahead: NDArray[np.int64]) -> list[int]:
        """Step indices for the next block; `ahead` is what is known of it, ``[n, leads]``."""

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""


def _scaled(value: int, sixteenths: int) -> int:
    """value · 2^(sixteenths / 16), in 2^-30."""
    octave, place = divmod(sixteenths, STEPS)
    value *= GRID[place]
    return value << octave if octave >= 0 else value >> -octave


def _clip(index: int) -> int:
    return min(max(index, 0), MAX_STEP_INDEX)


class FixedStep:
    """The same step throughout."""

    def __init__(self, indices: Sequence[int]) -> None:
        self._indices = list(indices)

    def steps(self, ahead: NDArray[np.int64]) -> list[int]:
        """The step indices."""
        del ahead
        return self._indices

    def settle(self, outcome: Outcome) -> None:
        """Nothing changes."""


class _History:
    """What blocks cost at their steps, seen as if all had had the same one."""

    def __init__(self, exponent: tuple[int, int]) -> None:
        self._above, self._below = exponent
        self._blocks: deque[tuple[int, int, int]] = deque(maxlen=MEMORY)
        self.seen = 0

    def add(self, index: int, cost: int, samples: int) -> None:
        """A block of so many samples cost so much at this step."""
        self._blocks.append((index, cost, samples))
        self.seen += 1

    def expected(self, index: int, sign: int) -> tuple[int, int]:
        """Cost at `index`, in 2^-30, and samples of all remembered blocks."""
        cost = samples = 0
        for at, spent, count in self._blocks:
            cost += _scaled(spent, sign * (index - at) * self._above // self._below)
            samples += count
        return cost, samples

    def move(self, wanted: int, got: int) -> int:
        """Change of index for a change of cost from `got` to `wanted`, limited."""
        limit = FAST_MOVE if self.seen < FAST_BLOCKS else MOVE
        change = log_ratio(wanted, got) * self._below // self._above
        return min(max(change, -limit), limit)


class _PrdnLead:
    """Steers one lead's cumulative PRDN."""

    def __init__(self, prdn: float, horizon: int) -> None:
        self._aim = round(prdn * PRDN_SCALE) ** 2
        self._horizon = horizon
        self._history = _History(ERROR_EXPONENT)
        self._count = self._sum = self._squares = self._error = 0
        self._index: int | None = None

    def step(self, ahead: NDArray[np.int64]) -> int:
        if self._index is None:
            self._index = _clip(self._first(ahead))
        elif self._history.seen:
            self._index = _clip(self._index + self._change(self._index))
        return self._index

    def settle(self, samples: NDArray[np.int64], errors: NDArray[np.int64]) -> None:
        # Python integers: squares of int32 values overflow 64 bits in a long sum.
        error = sum(int(e) * int(e) for e in errors.tolist())
        values = samples.tolist()
        self._count += len(values)
        self._sum += sum(values)
        self._squares += sum(v * v for v in values)
        self._error += error
        if self._index is not None and values:
            self._history.add(self._index, error, len(values))

    def _first(self, ahead: NDArray[np.int64]) -> int:
        values = ahead.tolist()
        n = len(values)
        spread = n * sum(v * v for v in values) - sum(values) ** 2  # n^2 · variance
        if spread <= 0:
            return UNIT_STEP
        aimed = spread * self._aim * FIRST_RATIO**2
        return UNIT_STEP + log_ratio(aimed, (n * 100 * PRDN_SCALE) ** 2) // 2

    def _change(self, index: int) -> int:
        n, aim = self._count, self._aim
        spread = n * self._squares - self._sum**2  # n · Σ(x − mean)²
        horizon = self._horizon + n // 4
        scale = n * n * (100 * PRDN_SCALE) ** 2
        # Error that may be made over the horizon, if the signal goes on as it was.
        wanted = aim * spread * (n + horizon) - self._error * scale
        cost, samples = self._history.expected(index, 1)
        if spread <= 0 or cost <= 0:
            return 0
        if wanted <= 0:
            return self._history.move(1, 2**20)
        return self._history.move((wanted * samples) << 30, cost * scale * horizon)


class PrdnControl:
    """Steers the cumulative PRDN of every lead by itself."""

    def __init__(self, prdn: float, leads: int, rate: Fraction) -> None:
        horizon = max(round(HORIZON_SECONDS * rate), 1)
        self._leads = [_PrdnLead(prdn, horizon) for _ in range(leads)]

    def steps(self, ahead: NDArray[np.int64]) -> list[int]:
        """Step indices for the next block."""
        return [lead.step(ahead[:, i]) for i, lead in enumerate(self._leads)]

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""
        for i, lead in enumerate(self._leads):
            ok = outcome.valid[:, i]
            lead.settle(outcome.samples[ok, i], outcome.errors[ok, i])


class RateControl:
    """Steers the bits of all leads together; steps are equal in physical units."""

    def __init__(self, bps: float, leads: Sequence[Lead], rate: Fraction) -> None:
        gains = [abs(lead.gain) for lead in leads]
        self._offsets = [log_ratio(*(g / gains[0]).as_integer_ratio()) for g in gains]
        self._aim = round(bps * PRDN_SCALE)  # thousandths of a bit
        self._leads = len(leads)
        self._window = max(round(WINDOW_SECONDS * rate), 1)
        self._history = _History(BITS_EXPONENT)
        self._index: int | None = None
        self._recent: deque[tuple[int, int]] = deque()  # samples and bits of the window
        self._samples = self._bits = 0

    def steps(self, ahead: NDArray[np.int64]) -> list[int]:
        """Step indices for the next block."""
        if self._index is None:
            spread = np.abs(ahead - ahead.mean(axis=0).astype(np.int64)).sum(axis=0)
            typical = int(spread.max()) // max(len(ahead), 1) + 1
            self._index = _clip(UNIT_STEP + log_ratio(typical * PRDN_SCALE, 2 * self._aim))
        elif self._history.seen:
            self._index = _clip(self._index + self._change(self._index))
        return [_clip(self._index + offset) for offset in self._offsets]

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""
        values, bits = outcome.samples.size, outcome.bits
        if self._index is None or not values:
            return
        self._history.add(self._index, bits, values)
        self._recent.append((values, bits))
        self._samples += values
        self._bits += bits
        while self._samples > self._window * self._leads and len(self._recent) > 1:
            old = self._recent.popleft()
            self._samples -= old[0]
            self._bits -= old[1]

    def _change(self, index: int) -> int:
        cost, samples = self._history.expected(index, -1)
        if cost <= 0:
            return -self._history.move(2, 1)
        # What was spent above the aim within the window is saved over the next third of it.
        debt = PRDN_SCALE * self._bits - self._aim * self._samples
        wanted = max(self._aim - 3 * debt // max(self._samples, 1), self._aim // 4)
        return -self._history.move((wanted * samples) << 30, PRDN_SCALE * cost)


class BoundControl:
    """Steers the share of corrections in each lead's bits, which tells the cheapest step.

    Finer steps leave fewer samples to correct. On ECG, for bounds of 3 to 50 ADC units and
    steps of 0.9 to 2 times 2e + 1, bits are the fewest, or within 2 % of that, where a quarter
    to a third of them are corrections (benchmarks/README.md, "Bounds").
    """

    def __init__(self, bounds: Sequence[int]) -> None:
        above, below = FIRST_BOUND_STEP
        self._first = [
            _clip(UNIT_STEP + log_ratio((2 * bound + 1) * above, below)) for bound in bounds
        ]
        self._indices = list(self._first)
        self._corrections = [0] * len(bounds)
        self._rest = [0] * len(bounds)

    def steps(self, ahead: NDArray[np.int64]) -> list[int]:
        """The step indices."""
        del ahead
        return list(self._indices)

    def settle(self, outcome: Outcome) -> None:
        """Move each lead's step by one where its share is out of range."""
        for lead, (own, rest) in enumerate(zip(outcome.corrections, outcome.rest, strict=True)):
            # means over some sixteen blocks, in 1/256 bits
            self._corrections[lead] += (256 * own - self._corrections[lead]) >> 4
            self._rest[lead] += (256 * rest - self._rest[lead]) >> 4
            share, whole = 100 * self._corrections[lead], self._corrections[lead] + self._rest[lead]
            move = (share < LEAST_SHARE * whole) - (share > MOST_SHARE * whole)
            low, high = (_clip(self._first[lead] + reach) for reach in BOUND_REACH)
            self._indices[lead] = min(max(self._indices[lead] + move, low), high)


def make_control(profile: Profile, leads: Sequence[Lead], rate: Fraction) -> StepControl:
    """The control of a profile's aim, or of a bound."""
    if isinstance(profile, Bounded):
        return BoundControl(profile.errors(len(leads)))
    if not isinstance(profile, Quality):
        raise TypeError(f"profile {profile.name} has no quantiser")
    aim, value = profile.aim
    if aim == "prdn":
        return PrdnControl(value, len(leads), rate)
    if aim == "bps":
        return RateControl(value, leads, rate)
    index = _clip(UNIT_STEP + _nearest(value))
    return FixedStep([index] * len(leads))


def _nearest(step: float) -> int:
    """16 · log2(step) to the nearest integer."""
    above, below = step.as_integer_ratio()
    # floor(32 log2 v) = floor(16 log2 v²); half a step up, then down to whole ones
    return (log_ratio(above * above, below * below) + 1) // 2
