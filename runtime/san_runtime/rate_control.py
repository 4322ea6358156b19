"""Which quantiser step a block gets: fixed, or steered towards a PRDN or a bit rate.

All of it is integers, so that the choice is the same on every machine. Steps move on the
grid of `san_stream.coding.steps`, sixteen to an octave; logarithms are in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from san_runtime.bps_control import RateControl
from san_runtime.foresight import clip_index
from san_runtime.prdn_control import PrdnControl
from san_stream.coding.core import PLAIN
from san_stream.coding.steps import UNIT_STEP
from san_stream.loss import log_ratio
from san_stream.profiles import Bounded, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from san_stream.coding.core import Core
    from san_stream.profiles import Profile
    from san_stream.types import Lead

FIRST_BOUND_STEP: Final = (11, 10)
"""First step over 2e + 1 where a bound is held by corrections."""
BOUND_REACH: Final = (-6, 20)
"""How far steps may move from there, in sixteenths of an octave."""
LEAST_SHARE: Final = 26
MOST_SHARE: Final = 34
"""Percent of a lead's bits that corrections should take."""


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

    def steps(self, ahead: NDArray[np.int64], count: int, *, fresh: bool = False) -> list[int]:
        """Step indices for the next block.

        Args:
            ahead: what is known from its first sample on, ``[n, leads]``. count: its length.
            fresh: the coder's models are as at the start.
        """

    def settle(self, outcome: Outcome) -> None:
        """How the block came out."""


class FixedStep:
    """The same step throughout."""

    def __init__(self, indices: Sequence[int]) -> None:
        self._indices = list(indices)

    def steps(self, ahead: NDArray[np.int64], count: int, *, fresh: bool = False) -> list[int]:
        """The step indices."""
        del ahead, count, fresh
        return self._indices

    def settle(self, outcome: Outcome) -> None:
        """Nothing changes."""


class BoundControl:
    """Steers the share of corrections in each lead's bits, which tells the cheapest step.

    Finer steps leave fewer samples to correct. On ECG, for bounds of 3 to 50 ADC units and
    steps of 0.9 to 2 times 2e + 1, bits are the fewest, or within 2 % of that, where a quarter
    to a third of them are corrections (benchmarks/README.md, "Bounds").
    """

    def __init__(self, bounds: Sequence[int]) -> None:
        above, below = FIRST_BOUND_STEP
        self._first = [
            clip_index(UNIT_STEP + log_ratio((2 * bound + 1) * above, below)) for bound in bounds
        ]
        self._indices = list(self._first)
        self._corrections = [0] * len(bounds)
        self._rest = [0] * len(bounds)

    def steps(self, ahead: NDArray[np.int64], count: int, *, fresh: bool = False) -> list[int]:
        """The step indices."""
        del ahead, count, fresh
        return list(self._indices)

    def settle(self, outcome: Outcome) -> None:
        """Move each lead's step by one where its share is out of range."""
        for lead, (own, rest) in enumerate(zip(outcome.corrections, outcome.rest, strict=True)):
            # means over some sixteen blocks, in 1/256 bits
            self._corrections[lead] += (256 * own - self._corrections[lead]) >> 4
            self._rest[lead] += (256 * rest - self._rest[lead]) >> 4
            share, whole = 100 * self._corrections[lead], self._corrections[lead] + self._rest[lead]
            move = (share < LEAST_SHARE * whole) - (share > MOST_SHARE * whole)
            low, high = (clip_index(self._first[lead] + reach) for reach in BOUND_REACH)
            self._indices[lead] = min(max(self._indices[lead] + move, low), high)


def make_control(
    profile: Profile, leads: Sequence[Lead], rate: Fraction, core: Core = PLAIN
) -> StepControl:
    """The control of a profile's aim, or of a bound; `core` is that of the foresight."""
    if isinstance(profile, Bounded):
        return BoundControl(profile.errors(len(leads)))
    if not isinstance(profile, Quality):
        raise TypeError(f"profile {profile.name} has no quantiser")
    aim, value = profile.aim
    if aim == "prdn":
        return PrdnControl(value, len(leads), rate, core)
    if aim == "bps":
        return RateControl(value, leads, rate, core)
    index = clip_index(UNIT_STEP + _nearest(value))
    return FixedStep([index] * len(leads))


def _nearest(step: float) -> int:
    """16 · log2(step) to the nearest integer."""
    above, below = step.as_integer_ratio()
    # floor(32 log2 v) = floor(16 log2 v²); half a step up, then down to whole ones
    return (log_ratio(above * above, below * below) + 1) // 2
