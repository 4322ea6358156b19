"""From samples to blocks: what a profile has to say of each block, once it is certain.

A maker takes the samples of a run and makes `Draft`s: a block in the form in which it
is coded, with what the decoder will show for it. Which blocks come out depends on the
samples alone; how they were pushed decides only when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from san_runtime.held import HeldLead
from san_runtime.rate_control import Outcome
from san_runtime.run_buffer import RunBuffer
from san_stream.coding.layers import Block
from san_stream.profiles import is_exact
from san_stream.reconstruct import Reconstructor, block_spikes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from san_stream.coding.core import Core
    from san_stream.coding.stream import StreamCoder
    from san_stream.headers import Header
    from san_stream.protocols import Backend


def _nothing() -> NDArray[np.int64]:
    return np.zeros((0, 0), np.int64)


@dataclass(slots=True, eq=False)
class Draft:
    """A block ready to be coded.

    Attributes:
        block: its codes (losses are added by the encoder).
        valid: bool ``[count, leads]``.
        shown: int64 ``[count, leads]``, what the decoder will show.
        exact: it will show the very samples.
        errors, signals: int64 ``[count, leads]``: |x − x̂| and |x − b|; unused where exact.
        spikes: absolute spike positions a lead, int64 ``[k]``.
    """

    block: Block
    valid: NDArray[np.bool_]
    shown: NDArray[np.int64]
    exact: bool = False
    errors: NDArray[np.int64] = field(default_factory=_nothing)
    signals: NDArray[np.int64] = field(default_factory=_nothing)
    spikes: tuple[NDArray[np.int64], ...] = ()

    def settle(self, bits: int) -> None:
        """The block's samples are coded, in so many bits: fill in what follows from that."""


def codable_validity(valid: NDArray[np.bool_], core: Core) -> list[object] | None:
    """Validity as 0 and 1 a lead, or None where all is valid."""
    if valid.all():
        return None
    return [core.listed(column.astype(np.int64)) for column in valid.T]


def block_means(samples: NDArray[np.int64], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rounded mean of the valid samples of each lead, half up; 0 where there is none."""
    number = np.maximum(valid.sum(axis=0), 1)
    total = np.where(valid, samples, 0).sum(axis=0)
    means: NDArray[np.int64] = (2 * total + number) // (2 * number)
    return means


@dataclass(slots=True, eq=False)
class CodedDraft(Draft):
    """A block whose samples, as the decoder shows them, are known when it is coded.

    Attributes:
        original: int64 ``[count, leads]``, what the source gave.
        fill: shown where no value is known, int64 ``[leads]``.
        book: called with what became of the block.
    """

    original: NDArray[np.int64] = field(default_factory=_nothing)
    fill: NDArray[np.int64] = field(default_factory=_nothing)
    book: Callable[[Outcome], None] | None = None

    def settle(self, bits: int) -> None:
        """The samples are coded: what is shown, and how far it lies from the original."""
        coded = np.array(self.block.samples, np.int64).T
        self.shown = np.where(self.valid, coded, self.fill)
        self.errors = np.abs(self.original - coded)
        self.signals = np.abs(self.original - block_means(self.original, self.valid))
        if self.book is not None:
            corrections, rest = self.block.parts
            outcome = Outcome(self.original, self.errors, self.valid, bits, corrections, rest)
            self.book(outcome)


class ExactMaker:
    """Blocks of samples that are predicted; each is certain as soon as it is full."""

    def __init__(self, header: Header, coder: StreamCoder) -> None:
        self._block = header.block
        self._core = coder.core
        self._exact = is_exact(header.profile)
        self._fill = np.array([lead.invalid or 0 for lead in header.info.leads], np.int64)
        self._run = RunBuffer(len(header.info.leads))
        self._ended = False

    def start_run(self, first: int) -> None:
        """A run begins at this sample."""
        self._ended = False
        self._run.start(first)

    def push(self, samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Take samples of the run."""
        self._run.push(samples, valid)

    def end_run(self) -> None:
        """The run ends with what was pushed."""
        self._ended = True

    def ready(self) -> bool:
        """Whether a block is certain."""
        block_end = (self._run.first // self._block + 1) * self._block
        return self._run.end > self._run.first if self._ended else self._run.end >= block_end

    def draft(self) -> Draft:
        """The next block; only when `ready`."""
        first, end = self._run.block_bounds(self._block)
        samples, valid = self._run.look(first, end)
        exact = samples.astype(np.int64)
        block = Block(
            first,
            end - first,
            codable_validity(valid, self._core),
            samples=[self._core.listed(column) for column in exact.T],
        )
        self._run.drop(end)
        return CodedDraft(block, valid, exact, exact=self._exact, original=exact, fill=self._fill)


class SpikesMaker:
    """Blocks of baselines and spikes; certain when no later sample can change them."""

    def __init__(self, header: Header, coder: StreamCoder, backend: Backend | None) -> None:
        self._block = header.block
        self._coder = coder
        self._core = coder.core
        self._leads = header.info.leads
        self._fill = np.array([lead.invalid or 0 for lead in self._leads], np.int64)
        self._run = RunBuffer(len(self._leads))
        self._ended = False
        self._engines = [HeldLead(s, backend) for s in coder.sets]
        self._rebuild = Reconstructor(coder)
        self._means: list[int | None] = []

    def start_run(self, first: int) -> None:
        """A run begins at this sample."""
        self._ended = False
        self._run.start(first)
        for engine in self._engines:
            engine.start_run(first)
        self._rebuild.restart()
        self._means = [None for _ in self._leads]  # of the block before, in this run
        self._waiting: list[list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = [
            [(np.zeros(0, np.int64), np.zeros(0, np.int64)) for _ in s.kernels]
            for s in self._coder.sets
        ]

    def push(self, samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Take samples of the run."""
        self._run.push(samples, valid)
        for lead, engine in enumerate(self._engines):
            engine.push(samples[:, lead], valid[:, lead])

    def end_run(self) -> None:
        """The run ends with what was pushed."""
        self._ended = True
        for engine in self._engines:
            engine.finish_run()

    def ready(self) -> bool:
        """Whether a block is certain."""
        if self._ended:
            return self._run.end > self._run.first
        block_end = (self._run.first // self._block + 1) * self._block
        return block_end + self._block <= self._run.end and self._decided(block_end)

    def draft(self) -> Draft:
        """The next block; only when `ready`."""
        self._collect()
        first, end = self._run.block_bounds(self._block)
        draft = self._draft(first, end)
        self._run.drop(end)
        return draft

    def _collect(self) -> None:
        """Take the spikes that the engines have decided."""
        for lead, engine in enumerate(self._engines):
            for i, (positions, amplitudes) in enumerate(self._waiting[lead]):
                more = engine.take(i)
                self._waiting[lead][i] = (
                    np.concatenate((positions, more[0])),
                    np.concatenate((amplitudes, more[1])),
                )

    def _decided(self, end: int) -> bool:
        """Whether all spikes with footprints that start before `end` are decided."""
        return all(
            self._engines[lead].horizon(i) >= end + offset
            for lead, offsets in enumerate(self._coder.offsets)
            for i, offset in enumerate(offsets)
        )

    def _draft(self, first: int, end: int) -> Draft:
        samples, valid = self._run.look(first, end)
        block = Block(first, end - first, codable_validity(valid, self._core))
        stretches = []
        for lead, group in enumerate(self._coder.sets):
            block.baselines.append([] if group.baseline is not None else self._nodes(lead, end))
            stretches.append(
                [self._coder.stretch(lead, i, block) for i in range(len(group.kernels))]
            )
            block.spikes.append(
                [
                    self._take_spikes(lead, i, stretch, end)
                    for i, (stretch, _) in enumerate(stretches[lead])
                ]
            )
        rebuilt, base = self._rebuild.rebuild(block, stretches)
        exact = samples.astype(np.int64)
        return Draft(
            block,
            valid,
            np.where(valid, rebuilt, self._fill),
            errors=np.abs(exact - rebuilt),
            signals=np.abs(exact - base),
            spikes=tuple(
                block_spikes(self._coder, block, lead, stretches[lead])[:, 0]
                for lead in range(len(self._leads))
            ),
        )

    def _take_spikes(self, lead: int, kernel: int, stretch: int, end: int) -> tuple[object, object]:
        positions, amplitudes = self._waiting[lead][kernel]
        starts = positions - self._coder.offsets[lead][kernel]
        count = int(np.searchsorted(starts, end))
        self._waiting[lead][kernel] = (positions[count:], amplitudes[count:])
        listed = self._core.listed
        return listed(starts[:count] - stretch), listed(amplitudes[:count])

    def _nodes(self, lead: int, end: int) -> list[int]:
        """Numbers of layer 1: the next block's mean; with the two before it where fresh."""
        first = self._run.first
        length = self._block
        this = self._mean(lead, first, end)
        if this is None:
            this = self._means[lead]
        if this is None:
            this = self._leads[lead].baseline
        before = self._means[lead]
        after = self._mean(lead, end, min(end + length, self._run.end))
        self._means[lead] = this
        nodes = [this if after is None else after]
        if self._coder.fresh:
            nodes = [this if before is None else before, this, *nodes]
        return nodes

    def _mean(self, lead: int, first: int, end: int) -> int | None:
        """Rounded mean of the valid samples, half up; None where there is none."""
        samples, valid = self._run.look(first, end)
        used = samples[valid[:, lead], lead]
        if not len(used):
            return None
        total = int(used.sum(dtype=np.int64))
        return (2 * total + len(used)) // (2 * len(used))
