"""Whether spikes are worth it: a second coder without them runs along and is compared.

Where it would be cheaper for long, spikes are switched off for a while, longer each time.
Nothing of this is sent: a block without spikes is a block without spikes. Kernels need time
to be learned, so that the shorter the trial, the larger the loss must be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.quality_state import (
    LeadState,
    learned_of_transform,
    transform_models,
    transform_work,
)
from san_stream.coding.range_coder import STATE_SIZE
from san_stream.coding.starts import COSINE, ECG, UNTRAINED, begin_transforming
from san_stream.coding.steps import STRENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.coding.quality import QualityCoder

NO_PHASE: Final = 62
MEMORY_SECONDS: Final = 160
TRIALS: Final = ((30, 120), (50, 108), (100, 101))
"""After so many seconds spikes may have cost so many percent of what their absence has."""
PAUSE_SECONDS: Final = 26
MOST_DOUBLINGS: Final = 4
BYTES_A_SAMPLE: Final = 8
LEAST_BYTES: Final = 4096


class Account:
    """What spikes and their absence have cost one lead, in λ-weighted squared steps / 65536."""

    def __init__(self) -> None:
        self.with_spikes = 0
        self.without = 0
        self.trial = 0  # samples since spikes were last switched on
        self.pause = 0  # samples for which they are still off
        self.pauses = 0

    def book(self, with_spikes: int, without: int, count: int, rate: int) -> None:
        """A block of `count` samples came out."""
        memory = MEMORY_SECONDS * rate
        self.with_spikes += with_spikes - self.with_spikes * count // (count + memory)
        self.without += without - self.without * count // (count + memory)
        if self.pause > 0:
            self.pause = max(self.pause - count, 0)
            if self.pause == 0:
                self.with_spikes = self.without = self.trial = 0
            return
        self.trial += count
        lost = any(
            self.trial >= seconds * rate and self.with_spikes * 100 > self.without * percent
            for seconds, percent in TRIALS
        )
        if lost:
            self.pause = (PAUSE_SECONDS * rate) << min(self.pauses, MOST_DOUBLINGS)
            self.pauses += 1


class Shadow:
    """Codes every block without spikes, for comparison.

    Args:
        coder: the one that is compared.
    """

    def __init__(self, coder: QualityCoder) -> None:
        core = coder.core
        self._coder = coder
        self._states: list[LeadState] | None = None
        self._models: list[tuple[Any, ...] | None] = []
        self._accounts: list[Account] = []
        self._state = core.integers(STATE_SIZE, 0)
        self._buffer = core.octets(BYTES_A_SAMPLE * coder.block + LEAST_BYTES)
        self._work = transform_work(coder.block, core)
        self._costs: list[int] = []
        self._count = 0

    def allows(self, lead: int) -> bool:
        """Whether spikes are on."""
        return self._accounts[lead].pause == 0

    def follow(self, block: NDArray[Any], steps: Sequence[int]) -> None:
        """Book the block before, and code this one without spikes.

        Args:
            block: int64 ``[count, leads]``. steps: a lead, 1/16 ADC unit.
        """
        states = self._coder.states
        if self._states is not states:  # the coder was reset
            self._states = states
            self._models = [None for _ in states]
            if not self._accounts:
                self._accounts = [Account() for _ in states]
            self._costs = []
        if self._costs:
            for own, account, cost in zip(states, self._accounts, self._costs, strict=True):
                if own.start != COSINE:
                    spent = own.distortion + STRENGTH * own.bits
                    account.book(spent, cost, self._count, self._coder.rate)
        self._count = len(block)
        self._costs = [self._cost(lead, block[:, lead], step) for lead, step in enumerate(steps)]

    def _cost(self, lead: int, samples: NDArray[Any], step: int) -> int:
        own, known = self._coder.states[lead], self._models[lead]
        if own.start == COSINE:  # it has no spikes
            return 0
        level = int(samples.sum()) // len(samples) if own.fresh else own.level
        target = (samples - level) * 16
        if known is not None:
            if own.fresh:
                self._coder.core.restart_band(known[-1], 0)
            return self._block_cost(known, target, step)
        found = []
        for start in (ECG, UNTRAINED) if self._coder.trained else (UNTRAINED,):
            models = transform_models(self._coder.core)
            begin_transforming(learned_of_transform(models), start, self._coder.core)
            found.append((self._block_cost(models, target, step), models))
        cost, self._models[lead] = min(found, key=lambda pair: pair[0])
        return cost

    def _block_cost(self, models: tuple[Any, ...], signal: NDArray[Any], step: int) -> int:
        core, count = self._coder.core, len(signal)
        target = core.listed(signal)
        core.start_encoder(self._state)
        before = core.spent_bits(self._state)
        distortion = core.code_block(
            self._state, self._buffer, target, core.integers(count, 0),
            core.integers(count, NO_PHASE), step, STRENGTH, core.integers(count, 0), *models,
            *self._work,
        )  # fmt: skip
        return int(distortion) + STRENGTH * int(core.spent_bits(self._state) - before)
