"""Layer 3 of the lossless profile: exact samples, with a raw form for pure noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, PENDING, POSITION
from san_stream.coding.residual import (
    RAW_FLAG,
    RESIDUAL_MEMORY,
    RESIDUAL_SIZE,
    restart_residual,
)
from san_stream.payloads import RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from san_stream.coding.core import Core
    from san_stream.coding.layers import Block, Wire
    from san_stream.profiles import Profile
    from san_stream.types import Lead

RAW_MARGIN: Final = 2  # bytes that a modelled block may cost more than a raw one


class ExactLayer:
    """Samples of all leads from their second differences."""

    layers = frozenset((RESIDUAL,))

    def __init__(self, rate: Fraction, leads: Sequence[Lead], profile: Profile, core: Core) -> None:
        del rate, profile
        self._leads = leads
        self._core = core
        self.release()

    @staticmethod
    def memory(rate: Fraction, leads: Sequence[Lead], profile: Profile) -> int:
        """About how many bytes the models take."""
        del rate, profile
        return 16 * len(leads) * RESIDUAL_SIZE

    def release(self) -> None:
        """Free all stores."""
        self._models: list[tuple[Any, Any]] = []
        self._memory: list[Any] = []

    def reset(self) -> None:
        """Return to the initial tables."""
        make = self._core.integers
        self._models = [(make(RESIDUAL_SIZE, EVEN), make(RESIDUAL_SIZE, 0)) for _ in self._leads]
        self._memory = [make(RESIDUAL_MEMORY, 0) for _ in self._leads]

    def restart(self) -> None:
        """A run begins."""
        for lead, memory in zip(self._leads, self._memory, strict=False):
            restart_residual(memory, lead.baseline)

    def code(self, block: Block, wire: Wire) -> None:
        """Write a block, or read it and fill it in."""
        cost = wire.cost()
        for lead in range(len(self._leads)):
            self._code_lead(block, lead, wire)
        wire.note(RESIDUAL, cost)

    def _code_lead(self, block: Block, lead: int, wire: Wire) -> None:
        core, state, buffer = self._core, wire.state, wire.buffer
        model, memory = self._models[lead], self._memory[lead]
        valid = core.integers(block.count, 1) if block.valid is None else block.valid[lead]
        if wire.decoding:
            samples = core.integers(block.count, 0)
            block.samples.append(samples)
            if core.code_adaptive(state, buffer, *model, RAW_FLAG, 0):
                width = core.code_plain(state, buffer, 0, 6) + 1
                if width > 32:
                    state[ERROR] = 1
                    return
                core.code_raw(state, buffer, memory, samples, valid, width)
            else:
                core.code_residual(state, buffer, *model, 0, memory, samples, valid)
            return
        samples = block.samples[lead]
        saved = state[:], model[0][:], model[1][:], memory[:]
        if not isinstance(state, list):
            saved = tuple(part.copy() for part in saved)
        width, number = core.raw_width(samples, valid)
        core.code_adaptive(state, buffer, *model, RAW_FLAG, 0)
        core.code_residual(state, buffer, *model, 0, memory, samples, valid)
        limit = (width * number + 6) // 8 + RAW_MARGIN
        before = int(saved[0][POSITION] + saved[0][PENDING])
        if int(state[POSITION] + state[PENDING]) - before > limit or state[ERROR]:
            for part, old in zip((state, model[0], model[1], memory), saved, strict=True):
                part[:] = old
            core.code_adaptive(state, buffer, *model, RAW_FLAG, 1)
            core.code_plain(state, buffer, width - 1, 6)
            core.code_raw(state, buffer, memory, samples, valid, width)
