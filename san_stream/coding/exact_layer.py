"""Layer 3 of lossless, and of bounded up to ±2: samples predicted one by one.

A block of a lead that prediction does not shorten is sent as it is; the model has run over
it on both sides all the same, so that it goes on as if nothing had been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from san_stream.coding.exact_leads import (
    ExactLead,
    MixedCoder,
    Recent,
    lead_maker,
    lead_memory,
)
from san_stream.coding.numbers import EVEN
from san_stream.coding.other_leads import MOST_OTHERS, TAIL
from san_stream.coding.range_coder import ERROR, PENDING, POSITION, STATE_SIZE
from san_stream.coding.raw import WIDEST, WIDTH_BITS
from san_stream.coding.starts import PREDICTED_STARTS, begin_predicting, code_start
from san_stream.payloads import RESIDUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from san_stream.coding.core import Core
    from san_stream.coding.layers import Block, Wire
    from san_stream.profiles import Preset
    from san_stream.types import Lead

RAW_MARGIN: Final = 2  # bytes that a modelled block may cost more than a raw one
CHOICE_SECONDS: Final = 2  # of signal by which other leads are chosen
SCRATCH: Final = 64  # bytes of a buffer that nobody reads
TRIAL_BYTES: Final = (8, 4096)  # of such a buffer that must not run full: a sample, in all


class ExactLayer:
    """Samples of all leads, exact or within a small bound.

    Args:
        rate: Hz. leads: of the stream. block: its largest length in samples.
        bounds: largest error of each lead, 0 for exact. preset: how much work is done.
        core: the coding functions. trained: whether leads may start from learned tables.
    """

    layers = frozenset((RESIDUAL,))

    def __init__(
        self,
        rate: Fraction,
        leads: Sequence[Lead],
        block: int,
        bounds: Sequence[int],
        preset: Preset,
        core: Core,
        *,
        trained: bool = False,
    ) -> None:
        self._trained = trained
        self._rate = rate
        self._leads = leads
        self._block = block
        self._bounds = bounds
        self._preset = preset
        self._core = core
        self.release()

    @staticmethod
    def memory(rate: Fraction, leads: int, block: int, preset: Preset) -> int:
        """About how many bytes the stores take."""
        recent = 8 * leads * (block + TAIL)
        return recent + sum(lead_memory(lead, rate, preset) for lead in range(leads))

    def release(self) -> None:
        """Free all stores."""
        self._coders: list[ExactLead] = []
        self._make: Callable[[int], ExactLead] | None = None
        self._starting = False
        self._recent: Recent | None = None
        self._sums: Any = None
        self._flags: list[tuple[Any, Any]] = []
        self._seen = 0

    def reset(self) -> None:
        """Return to the initial tables."""
        core, number = self._core, len(self._leads)
        mixed = self._preset in ("lean", "max")
        self._recent = Recent(number if mixed else 0, self._block, core)
        self._make = lead_maker(self._rate, self._bounds, self._preset, self._recent, core)
        self._coders = [self._make(lead) for lead in range(number)]
        self._starting = self._trained
        self._flags = [(core.integers(1, EVEN), core.integers(1, 0)) for _ in self._leads]
        self._scratch = core.integers(STATE_SIZE, 0), core.octets(SCRATCH)
        choosing = mixed and number > MOST_OTHERS + 1
        self._sums = core.integers(number * number, 0) if choosing else None
        self._seen = 0

    def restart(self) -> None:
        """A run begins."""
        for lead, coder in zip(self._leads, self._coders, strict=False):
            coder.restart(lead.baseline)
        if self._recent is not None and len(self._recent.store):
            self._recent.fill([lead.baseline for lead in self._leads])

    def code(self, block: Block, wire: Wire) -> None:
        """Write a block, or read it and fill it in."""
        cost = wire.cost()
        every = self._core.integers(block.count, 1)
        for lead in range(len(self._leads)):
            if wire.decoding:
                block.samples.append(self._core.integers(block.count, 0))
            valid = every if block.valid is None else block.valid[lead]
            if self._starting:
                self._start(lead, block.samples[lead], valid, wire)
            if wire.decoding:
                self._read(lead, block.samples[lead], valid, wire)
            else:
                self._write(lead, block.samples[lead], valid, wire)
        self._starting = False
        self._finish_block(block.count)
        wire.note(RESIDUAL, cost)

    def _start(self, lead: int, samples: Any, valid: Any, wire: Wire) -> None:
        """The lead's start, on the wire; its coder is still as new."""
        start = 0 if wire.decoding else self._cheapest_start(lead, samples, valid)
        start = code_start(wire.state, wire.buffer, start, PREDICTED_STARTS, self._core)
        stores = self._coders[lead].learned()
        begin_predicting(self._preset, self._bounds[lead], stores, start, self._core)

    def _cheapest_start(self, lead: int, samples: Any, valid: Any) -> int:
        """The start under which the block takes the fewest bits; nothing else changes."""
        core, make = self._core, self._make
        if make is None:
            return 0
        costs = []
        for start in PREDICTED_STARTS:
            coder = make(lead)
            coder.restart(self._leads[lead].baseline)
            begin_predicting(self._preset, self._bounds[lead], coder.learned(), start, core)
            state = core.integers(STATE_SIZE, 0)
            buffer = core.octets(TRIAL_BYTES[0] * len(samples) + TRIAL_BYTES[1])
            core.start_encoder(state)
            coder.code(state, buffer, core.listed(samples), valid)
            costs.append(core.spent_bits(state))
        return PREDICTED_STARTS[costs.index(min(costs))]

    def _write(self, lead: int, samples: Any, valid: Any, wire: Wire) -> None:
        core, state, buffer = self._core, wire.state, wire.buffer
        probability, count = self._flags[lead]
        saved = [int(value) for value in state], int(probability[0]), int(count[0])
        core.code_adaptive(state, buffer, probability, count, 0, 0)
        self._coders[lead].code(state, buffer, samples, valid)
        width, number = core.raw_width(samples, valid)
        limit = (width * number + WIDTH_BITS) // 8 + RAW_MARGIN
        before = saved[0][POSITION] + saved[0][PENDING]
        if int(state[POSITION] + state[PENDING]) - before > limit or state[ERROR]:
            state[:] = core.listed(saved[0])
            probability[0], count[0] = saved[1:]
            core.code_adaptive(state, buffer, probability, count, 0, 1)
            core.code_plain(state, buffer, width - 1, WIDTH_BITS)
            core.code_raw(state, buffer, samples, valid, width)

    def _read(self, lead: int, samples: Any, valid: Any, wire: Wire) -> None:
        core, state, buffer = self._core, wire.state, wire.buffer
        probability, count = self._flags[lead]
        if not core.code_adaptive(state, buffer, probability, count, 0, 0):
            self._coders[lead].code(state, buffer, samples, valid)
            return
        width = core.code_plain(state, buffer, 0, WIDTH_BITS) + 1
        if width > WIDEST:
            state[ERROR] = 1
            return
        core.code_raw(state, buffer, samples, valid, width)
        unread, nowhere = self._scratch
        core.start_encoder(unread)
        self._coders[lead].code(unread, nowhere, samples, valid)

    def _finish_block(self, count: int) -> None:
        """Keep the tails; choose other leads when enough of the signal is known."""
        recent, number = self._recent, len(self._leads)
        if recent is None or not len(recent.store):
            return
        if self._sums is not None:
            self._core.add_correlations(recent.store, recent.stride, number, count, self._sums)
            self._seen += count
            if self._seen >= CHOICE_SECONDS * self._rate:
                self._choose()
        recent.keep_tails(number, count)

    def _choose(self) -> None:
        number, sums = len(self._leads), [int(value) for value in self._sums]
        self._sums = None
        root = [int(self._core.square_root(max(sums[i * number + i], 1))) for i in range(number)]
        for lead, coder in enumerate(self._coders):
            if lead > MOST_OTHERS and isinstance(coder, MixedCoder):
                row = sums[lead * number : lead * number + lead]
                worth = [(abs(total) << 8) // root[i] for i, total in enumerate(row)]
                order = sorted(range(lead), key=lambda i: (-worth[i], i))
                coder.choose_again(order[:MOST_OTHERS])
