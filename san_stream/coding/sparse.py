"""Layers 1 and 2 of the spikes profile: block baselines and spikes of trained kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR
from san_stream.coding.side import TREND_MEMORY, TREND_SIZE, restart_trend
from san_stream.coding.spikes import SPIKES_MEMORY, SPIKES_SIZE, restart_spikes
from san_stream.kernels import footprint_offset
from san_stream.payloads import BASELINE, SPIKES
from san_stream.types import INT32_MAX, INT32_MIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_stream.coding.core import Core
    from san_stream.coding.layers import Block, Wire
    from san_stream.kernels import KernelSet, Tie
    from san_stream.types import Lead

_Model = tuple[Any, Any]


class SparseCoder:
    """Baselines and spikes of all leads.

    Args:
        leads: of the stream. sets: the kernels of each lead. tie: how they are placed.
        core: the coding functions.

    Attributes:
        offsets: from footprint start to spike position, a lead and kernel.
    """

    layers = frozenset((BASELINE, SPIKES))

    def __init__(
        self, leads: Sequence[Lead], sets: tuple[KernelSet, ...], tie: Tie, core: Core
    ) -> None:
        self.sets = sets
        self.offsets = [[footprint_offset(kernel, tie) for kernel in s.kernels] for s in sets]
        self._leads = leads
        self._core = core
        self.release()

    @staticmethod
    def memory(sets: Sequence[KernelSet]) -> int:
        """About how many bytes the models take."""
        return 16 * sum(TREND_SIZE + SPIKES_SIZE * len(s.kernels) for s in sets)

    def release(self) -> None:
        """Free all stores."""
        self._baseline: list[_Model] = []
        self._spikes: list[list[_Model]] = []
        self._baseline_memory: list[Any] = []
        self._spikes_memory: list[list[Any]] = []

    def reset(self) -> None:
        """Return to the initial tables."""
        make = self._core.integers
        self._baseline = [self._model(TREND_SIZE) for _ in self.sets]
        self._spikes = [[self._model(SPIKES_SIZE) for _ in s.kernels] for s in self.sets]
        self._baseline_memory = [make(TREND_MEMORY, 0) for _ in self.sets]
        self._spikes_memory = [[make(SPIKES_MEMORY, 0) for _ in s.kernels] for s in self.sets]

    def restart(self) -> None:
        """A run begins."""
        for lead, memory in zip(self._leads, self._baseline_memory, strict=False):
            restart_trend(memory, lead.baseline)
        for memories in self._spikes_memory:
            for memory in memories:
                restart_spikes(memory)

    def stretch(self, lead: int, kernel: int, block: Block, *, begins: bool) -> tuple[int, int]:
        """First sample and length of the stretch in which footprints of `block` start."""
        reach = self.offsets[lead][kernel] if begins else 0
        return block.first - reach, block.count + reach

    def code(self, block: Block, wire: Wire) -> None:
        """Write a block, or read it and fill it in."""
        cost = wire.cost()
        for lead, group in enumerate(self.sets):
            if group.baseline is None:
                self._code_baseline(block, lead, wire)
            elif wire.decoding:
                block.baselines.append([])
            cost = wire.note(BASELINE, cost)
            self._code_spikes(block, lead, wire)
            cost = wire.note(SPIKES, cost)

    # -- parts -------------------------------------------------------------------------

    def _model(self, size: int) -> _Model:
        return self._core.integers(size, EVEN), self._core.integers(size, 0)

    def _code_baseline(self, block: Block, lead: int, wire: Wire) -> None:
        model, memory = self._baseline[lead], self._baseline_memory[lead]
        if wire.decoding:
            block.baselines.append([0] * (3 if wire.fresh else 1))
        for i, value in enumerate(block.baselines[lead]):
            block.baselines[lead][i] = int(
                self._core.code_trend(wire.state, wire.buffer, *model, 0, memory, value)
            )
            if not INT32_MIN <= block.baselines[lead][i] <= INT32_MAX:
                wire.state[ERROR] = 1

    def _code_spikes(self, block: Block, lead: int, wire: Wire) -> None:
        if wire.decoding:
            block.spikes.append([])
        for i, kernel in enumerate(self.sets[lead].kernels):
            _, length = self.stretch(lead, i, block, begins=wire.run_begins)
            number = 0
            if wire.decoding:
                room = length // (kernel.med + 1) + 2
                starts, amplitudes = self._core.integers(room, 0), self._core.integers(room, 0)
            else:
                starts, amplitudes = block.spikes[lead][i]
                number = len(starts)
            found = self._core.code_spikes(
                wire.state,
                wire.buffer,
                *self._spikes[lead][i],
                0,
                self._spikes_memory[lead][i],
                kernel.med,
                length,
                starts,
                amplitudes,
                number,
            )
            if wire.decoding:
                block.spikes[lead].append((starts[:found], amplitudes[:found]))
