"""One lead's engine for samples some of which are missing.

Where a lead has no value, its last one is held. Before its first value there is nothing
to hold: the engine's run begins with that value, so that no step is seen that the signal
does not have, and until then no spike can be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_runtime.engine import LeadEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.kernels import KernelSet
    from san_stream.protocols import Backend
    from san_stream.reference import RunSpikes


class HeldLead:
    """Spikes of one lead, from samples and their validity; see `LeadEngine`."""

    def __init__(self, kernel_set: KernelSet, backend: Backend | None) -> None:
        self._engine = LeadEngine(kernel_set, backend)
        self.start_run(0)

    def start_run(self, first: int) -> None:
        """A run begins at this sample."""
        self._end = first
        self._last: np.int32 | None = None

    def push(self, samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Take the next samples of the run, int32 ``[n]``, and their validity, bool ``[n]``."""
        begin = 0
        if self._last is None:
            if not valid.any():
                self._end += len(samples)
                return
            begin = int(np.argmax(valid))
            self._engine.start_run(self._end + begin)
            self._last = samples[begin]
        self._end += len(samples)
        samples, valid = samples[begin:], valid[begin:]
        if not len(samples):
            return
        if not valid.all():
            source = np.maximum.accumulate(np.where(valid, np.arange(len(samples)), -1))
            samples = np.where(source >= 0, samples[source], self._last)
        self._last = samples[-1]
        self._engine.push(np.ascontiguousarray(samples, np.int32))

    def finish_run(self) -> None:
        """End the run: all of its spikes are decided."""
        if self._last is not None:
            self._engine.finish_run()

    def horizon(self, kernel: int) -> int:
        """Absolute position before which every spike of this kernel is decided."""
        return self._end if self._last is None else self._engine.horizon(kernel)

    def take(self, kernel: int) -> RunSpikes:
        """Spikes decided since the last call: positions and amplitudes, int64 ``[k]`` each."""
        return self._engine.take(kernel)
