"""The streaming engine of one lead: samples in, decided spikes out.

Similarities come from a backend, the choice among them from `san_runtime.select`. What
comes out depends on the samples of the run alone, not on how they were cut into pushes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_runtime.backends import get_backend
from san_runtime.select import horizon, most_kept, new_chain, new_state, select
from san_stream.errors import SampleError
from san_stream.reference import quantise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.kernels import Kernel, KernelSet
    from san_stream.protocols import Backend
    from san_stream.reference import RunSpikes

MAX_DELAY_IN_MED = 4
"""A decision waits at most this many minimum distances: part of the code's definition."""
PIECE = 8192
"""Samples worked on at a time: bounds memory and keeps it in cache."""


class KernelEngine:
    """Spikes of one kernel in one lead; `LeadEngine` feeds it.

    Between pushes it holds the last m - 1 samples and the undecided records.
    """

    def __init__(self, kernel: Kernel, kernel_set: KernelSet, backend: Backend) -> None:
        self._taps = kernel.as_array()
        self._centre = kernel.centre
        self._med = kernel.med
        self._max_delay = MAX_DELAY_IN_MED * kernel.med
        self._baseline = kernel_set.baseline
        self._step = kernel_set.step
        self._backend = backend
        self._chain = new_chain(self._max_delay)
        self._positions: list[NDArray[np.int64]] = []
        self._amplitudes: list[NDArray[np.int64]] = []
        self.start_run(0)

    def start_run(self, first_sample: int) -> None:
        """Forget the run before; spikes not yet taken stay."""
        self._first_sample = first_sample
        self._state = new_state()
        self._history: NDArray[np.int64] | None = None
        self._length = 0
        self._finished = False

    def push(self, samples: NDArray[np.int64]) -> None:
        """Take the next samples of the run, int64 ``[n]``, n >= 1."""
        if self._baseline is not None:
            samples = samples - self._baseline
        history = self._history
        if history is None:
            before = samples[0] if self._baseline is None else 0
            history = np.full(self._centre, before, dtype=np.int64)
        self._length += len(samples)
        self._feed(np.concatenate((history, samples)), ending=0)

    def finish_run(self) -> None:
        """Decide all that is left of the run."""
        if self._history is not None:
            after = self._history[-1] if self._baseline is None and len(self._history) else 0
            right = len(self._taps) - 1 - self._centre
            padding = np.full(right, after, dtype=np.int64)
            self._feed(np.concatenate((self._history, padding)), ending=1)
        self._finished = True

    def horizon(self) -> int:
        """Absolute position before which every spike is decided."""
        if self._finished:
            return self._first_sample + self._length
        return self._first_sample + horizon(self._state, self._chain)

    def take(self) -> RunSpikes:
        """Spikes decided since the last call: absolute positions and amplitudes, int64 ``[k]``."""
        none = [np.zeros(0, dtype=np.int64)]
        spikes = np.concatenate(self._positions or none), np.concatenate(self._amplitudes or none)
        self._positions, self._amplitudes = [], []
        return spikes

    def _feed(self, padded: NDArray[np.int64], *, ending: int) -> None:
        m = len(self._taps)
        if len(padded) >= m:
            similarity = self._backend.similarity(padded, self._taps)
        else:
            similarity = np.zeros(0, dtype=np.int64)
        self._history = padded[max(len(padded) - (m - 1), 0) :].copy()
        kept = np.empty((2, most_kept(len(similarity), self._med, self._max_delay)), dtype=np.int64)
        count = select(
            similarity, ending, self._med, self._max_delay, self._state, self._chain, kept
        )
        if count:
            amplitudes = quantise(kept[1, :count], self._step)
            seen = amplitudes != 0
            self._positions.append(kept[0, :count][seen] + self._first_sample)
            self._amplitudes.append(amplitudes[seen])


class LeadEngine:
    """Spikes of one lead with its kernel set, from pushes of any size.

    Call `start_run`, then `push` any number of times, then `finish_run`; and again after
    a gap. `take` and `horizon` may be called at any time.

    Args:
        kernel_set: the kernels of this lead.
        backend: where similarities come from; by default the compiled one.
    """

    def __init__(self, kernel_set: KernelSet, backend: Backend | None = None) -> None:
        self.kernel_set = kernel_set
        backend = backend or get_backend()
        self._kernels = tuple(
            KernelEngine(kernel, kernel_set, backend) for kernel in kernel_set.kernels
        )

    def start_run(self, first_sample: int) -> None:
        """Begin a run at this absolute position; nothing of an earlier run is seen in it."""
        for kernel in self._kernels:
            kernel.start_run(first_sample)

    def push(self, samples: NDArray[np.int32]) -> None:
        """Take the next samples of the run: ADC values, int32 ``[n]``, n >= 0.

        Raises:
            SampleError: not int32, or not one-dimensional.
        """
        if samples.dtype != np.int32 or samples.ndim != 1:
            raise SampleError(
                f"samples are {samples.dtype} of shape {samples.shape}, expected int32 [n]"
            )
        for start in range(0, len(samples), PIECE):
            piece = samples[start : start + PIECE].astype(np.int64)
            for kernel in self._kernels:
                kernel.push(piece)

    def finish_run(self) -> None:
        """End the run: all of its spikes are decided. It may have had no sample."""
        for kernel in self._kernels:
            kernel.finish_run()

    def horizon(self, kernel: int) -> int:
        """Absolute position before which every spike of this kernel is decided.

        It is a function of the samples seen, not of how they were pushed.
        """
        return self._kernels[kernel].horizon()

    def take(self, kernel: int) -> RunSpikes:
        """Spikes of this kernel decided since it was last asked.

        Returns:
            Absolute positions, ascending, and amplitudes, none of them 0: int64 ``[k]`` each.
        """
        return self._kernels[kernel].take()


def encode_run(
    x: NDArray[np.int32], kernel_set: KernelSet, backend: Backend | None = None
) -> tuple[RunSpikes, ...]:
    """Spikes of one whole run, for each kernel; positions count from its start.

    Equal to `san_stream.reference.encode_run` with `max_delay` = 4 · med of each kernel.

    Args:
        x: ADC values, int32 ``[n]``, n >= 0.
        kernel_set: the lead's kernels.
        backend: where similarities come from; by default the compiled one.
    """
    engine = LeadEngine(kernel_set, backend)
    engine.start_run(0)
    engine.push(x)
    engine.finish_run()
    return tuple(engine.take(i) for i in range(len(kernel_set.kernels)))
