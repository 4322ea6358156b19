"""Blocks of quality and bounded: beats chosen, steps steered, the outcome booked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from san_runtime.blocks import CodedDraft, Draft, codable_validity
from san_runtime.quality import BlockSearch
from san_runtime.run_buffer import RunBuffer
from san_stream.coding.layers import Block
from san_stream.coding.steps import index_of, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_runtime.latency import Latency
    from san_runtime.rate_control import StepControl
    from san_stream.coding.stream import StreamCoder
    from san_stream.coding.transform_layer import TransformLayer
    from san_stream.headers import Header
    from san_stream.kernels import Kernel

FINEST_SHIFT: Final = 18
"""Log2 of the largest swing of a signal over the step, in 1/16 ADC unit."""
HISTORY_SECONDS: Final = 6
"""Signal before a block by which beats in it are found."""


def held(samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Samples with each missing one replaced by the last before it, else the first behind."""
    out = samples.astype(np.int64)
    if valid.all():
        return out
    places = np.arange(len(samples))[:, None]
    last = np.maximum.accumulate(np.where(valid, places, -1), axis=0)
    first = np.where(valid.any(axis=0), valid.argmax(axis=0), 0)
    return np.take_along_axis(out, np.where(last >= 0, last, first), axis=0)


def least_steps(samples: NDArray[np.int64]) -> list[int]:
    """The finest step index a lead at which no coefficient outgrows the format's largest level.

    Levels reach 2^26; the approximation's coefficients 4.3 times the signal, at 0.38 of the step.
    """
    swing = samples.max(axis=0) - samples.min(axis=0)
    return [index_of(max(int(value) >> FINEST_SHIFT, 1)) for value in swing]


class TransformMaker:
    """Blocks that are certain when the signal behind them, as far as it matters, is there."""

    def __init__(
        self,
        header: Header,
        coder: StreamCoder,
        layer: TransformLayer,
        latency: Latency,
        control: StepControl,
        model: Sequence[Sequence[Kernel]] = (),
    ) -> None:
        self._latency = latency
        self._core = coder.core
        self._fill = np.array([lead.invalid or 0 for lead in header.info.leads], np.int64)
        self._run = RunBuffer(len(header.info.leads))
        self._history = round(HISTORY_SECONDS * header.info.rate)
        self._control = control
        self._search = BlockSearch(layer.quality, model)
        layer.advice = self._search
        self._layer = layer
        self._at = 0
        self._ended = False

    def start_run(self, first: int) -> None:
        """A run begins at this sample."""
        self._run.drop(self._run.end)
        self._run.start(first)
        self._at = first
        self._ended = False

    def push(self, samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Take samples of the run."""
        self._run.push(samples, valid)

    def end_run(self) -> None:
        """The run ends with what was pushed."""
        self._ended = True

    def _block_end(self) -> int:
        return (self._at // self._latency.block + 1) * self._latency.block

    def ready(self) -> bool:
        """Whether a block is certain."""
        if self._ended:
            return self._run.end > self._at
        return self._run.end >= self._block_end() + self._latency.ahead

    def draft(self) -> Draft:
        """The next block; only when `ready`."""
        first = self._at
        end = min(self._block_end(), self._run.end)
        known = min(end + self._latency.ahead, self._run.end)
        samples, valid = self._run.look(self._run.first, known)
        whole = held(samples, valid)
        here = slice(first - self._run.first, end - self._run.first)
        known_rows = whole[here.start :]
        chosen = self._control.steps(known_rows, end - first, fresh=self._layer.fresh)
        steps = [
            max(index, least) for index, least in zip(chosen, least_steps(known_rows), strict=True)
        ]
        block = Block(
            first,
            end - first,
            codable_validity(valid[here], self._core),
            samples=[self._core.listed(column) for column in whole[here].T],
            steps=steps,
        )
        block.beats = self._search.choose(
            whole, here.start, end - first, [step_of(index) for index in steps]
        )
        self._at = end
        self._run.drop(max(end - self._history, self._run.first))
        return CodedDraft(
            block,
            valid[here],
            whole[here],
            original=whole[here],
            fill=self._fill,
            book=self._control.settle,
        )
