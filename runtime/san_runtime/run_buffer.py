"""The samples of a run that are not yet in a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RunBuffer:
    """A queue of rows with validity; constant cost a row, however small the pushes.

    Attributes:
        first: index of the first sample in it.
    """

    def __init__(self, leads: int) -> None:
        self._samples = np.zeros((64, leads), np.int32)
        self._valid = np.zeros((64, leads), np.bool_)
        self._begin = self._size = 0  # place of the first row, and rows
        self.first = 0

    @property
    def end(self) -> int:
        """Index behind the last sample."""
        return self.first + self._size

    def start(self, first: int) -> None:
        """Begin a run; the buffer must be empty."""
        self.first = first

    def push(self, samples: NDArray[np.int32], valid: NDArray[np.bool_]) -> None:
        """Append rows, int32 and bool ``[n, leads]``."""
        if self._begin + self._size + len(samples) > len(self._samples):
            self._make_room(len(samples))
        at = self._begin + self._size
        self._samples[at : at + len(samples)] = samples
        self._valid[at : at + len(samples)] = valid
        self._size += len(samples)

    def _make_room(self, rows: int) -> None:
        """Move the rows to the front of a store with twice the room that they need."""
        used = slice(self._begin, self._begin + self._size)
        room = (2 * (self._size + rows), self._samples.shape[1])
        samples, valid = np.zeros(room, np.int32), np.zeros(room, np.bool_)
        samples[: self._size] = self._samples[used]
        valid[: self._size] = self._valid[used]
        self._samples, self._valid, self._begin = samples, valid, 0

    def look(self, first: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Copies of the samples and validity from `first` to before `end`."""
        at = self._begin - self.first
        part = slice(at + first, at + end)
        return self._samples[part].copy(), self._valid[part].copy()

    def block_bounds(self, block: int) -> tuple[int, int]:
        """First sample of the buffer, and the end of its block or of the samples."""
        return self.first, min((self.first // block + 1) * block, self.end)

    def drop(self, end: int) -> None:
        """Forget all before `end`."""
        count = end - self.first
        self._begin += count
        self._size -= count
        self.first = end
