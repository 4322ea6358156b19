"""Layers 2, 3 and 4 of quality and bounded: beats, transform, corrections."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from san_stream.coding.corrections import (
    CORRECTIONS_MEMORY,
    CORRECTIONS_SIZE,
    restart_corrections,
)
from san_stream.coding.numbers import EVEN
from san_stream.coding.quality import QualityCoder
from san_stream.coding.range_coder import ERROR
from san_stream.coding.side import TREND_MEMORY, TREND_SIZE, restart_trend
from san_stream.coding.starts import begin_transforming
from san_stream.coding.steps import MAX_STEP_INDEX, UNIT_STEP, step_of
from san_stream.payloads import CORRECTIONS, RESIDUAL, SPIKES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from san_stream.coding.core import Core
    from san_stream.coding.layers import Block, Wire
    from san_stream.types import Lead


class TransformLayer:
    """Blocks of all leads by spikes of adapted kernels, a transform, and corrections.

    Args:
        rate: Hz. leads: of the stream. block, late: of the header.
        bounds: largest error of each lead; empty: none is promised.
        core: the coding functions. trained: whether leads may start from learned tables.

    Attributes:
        layers: numbers of the layers.
        quality: codes beats and transform.
        advice: what the encoder knows about kernels; None in a decoder.
        fresh: no block has been coded since the last reset.
    """

    def __init__(
        self,
        rate: Fraction,
        leads: Sequence[Lead],
        block: int,
        late: int,
        bounds: tuple[int, ...],
        core: Core,
        *,
        trained: bool = False,
    ) -> None:
        self.layers = frozenset((SPIKES, RESIDUAL, *((CORRECTIONS,) if bounds else ())))
        self.quality = QualityCoder(rate, tuple(leads), block, late, core, trained=trained)
        self.advice: Any = None
        self.fresh = True
        self._bounds = bounds
        self._leads = range(len(leads))
        self._core = core
        self.release()

    @staticmethod
    def memory(rate: Fraction, leads: Sequence[Lead], block: int) -> int:
        """About how many bytes the stores take."""
        own = 16 * (TREND_SIZE + CORRECTIONS_SIZE)
        return own * len(leads) + QualityCoder.memory(rate, len(leads), block)

    def release(self) -> None:
        """Free all stores."""
        self._steps: list[Any] = []
        self._step_memory: list[Any] = []
        self._corrections: list[Any] = []
        self._correction_memory: list[Any] = []
        self._starting = False
        self.quality.release()

    def reset(self) -> None:
        """Return to the initial tables."""
        self.fresh = True
        make = self._core.integers
        self._steps = [(make(TREND_SIZE, EVEN), make(TREND_SIZE, 0)) for _ in self._leads]
        self._step_memory = [make(TREND_MEMORY, 0) for _ in self._leads]
        for memory in self._step_memory:
            restart_trend(memory, UNIT_STEP)
        if self._bounds:
            self._corrections = [
                (make(CORRECTIONS_SIZE, EVEN), make(CORRECTIONS_SIZE, 0)) for _ in self._leads
            ]
            for probability, _ in self._corrections:
                self._core.start_corrections(probability)
            self._starting = self.quality.trained
            self._correction_memory = [make(CORRECTIONS_MEMORY, 0) for _ in self._leads]
        self.quality.reset()

    def restart(self) -> None:
        """A run begins."""
        for memory in self._correction_memory:
            restart_corrections(memory)
        self.quality.restart()

    def code(self, block: Block, wire: Wire) -> None:
        """Write a block, or read it and fill it in."""
        self.fresh = False
        cost = wire.cost()
        if wire.decoding:
            block.samples = [self._core.integers(block.count, 0) for _ in self._leads]
            block.steps = [0 for _ in self._leads]
        for lead in self._leads:
            model, memory = self._steps[lead], self._step_memory[lead]
            index = block.steps[lead]
            index = int(self._core.code_trend(wire.state, wire.buffer, *model, 0, memory, index))
            if not 0 <= index <= MAX_STEP_INDEX:
                wire.state[ERROR] = 1
                return
            block.steps[lead] = index
        exact = [self._core.listed(samples) for samples in block.samples]
        self.quality.code(
            wire.state,
            wire.buffer,
            block.count,
            [step_of(index) for index in block.steps],
            block.samples,
            block.beats or None,
            self.advice,
            decoding=wire.decoding,
        )
        if wire.decoding:
            block.beats = [own.spikes for own in self.quality.states]
        cost = wire.note(RESIDUAL, cost)
        if self._bounds:
            self._correct(block, wire, exact)
            wire.note(CORRECTIONS, cost)

    def _correct(self, block: Block, wire: Wire, exact: list[Any]) -> None:
        every = self._core.integers(block.count, 1)
        spent = [self._core.spent_bits(wire.state)]
        for lead in self._leads:
            if self._starting:
                own = {"fixes": self._corrections[lead]}
                begin_transforming(own, self.quality.states[lead].start, self._core)
            self._core.code_corrections(
                wire.state,
                wire.buffer,
                *self._corrections[lead],
                self._correction_memory[lead],
                self._bounds[lead],
                self.quality.states[lead].phases,
                every if block.valid is None else block.valid[lead],
                exact[lead],
                block.samples[lead],
            )
            spent.append(self._core.spent_bits(wire.state))
        self._starting = False
        rest = tuple(int(own.bits) for own in self.quality.states)
        block.parts = tuple(int(b - a) for a, b in pairwise(spent)), rest
