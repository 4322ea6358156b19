"""The ledger of windows: who spent how many bits, spikes and errors in which window.

Encoder and decoder keep the same ledger from the same messages. The bits of a message
are prorated over its samples with whole numbers, so that the windows of a stream sum
exactly to its bytes; a message without samples counts for the window that comes next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from san_stream.loss import loss_value
from san_stream.types import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(slots=True)
class _Open:
    valid: list[int]
    spikes: list[int]
    bits: int = 0
    whole: bool = True


@dataclass(slots=True)
class WindowLedger:
    """Open windows of one stream.

    Attributes:
        length: window length in samples. bits: declared resolution a lead.
        weights: taps a lead; empty where the profile has no spikes.
        pending: bits of messages without samples, waiting for a window.
        lost: windows that had samples but get no figures, because of a loss.
    """

    length: int
    bits: tuple[int, ...]
    weights: tuple[int, ...] = ()
    pending: int = 0
    lost: int = 0
    _open: dict[int, _Open] = field(default_factory=dict)

    def _at(self, index: int) -> _Open:
        if index not in self._open:
            leads = len(self.bits)
            self._open[index] = _Open([0] * leads, [0] * leads)
        return self._open[index]

    def add_overhead(self, bits: int) -> None:
        """Bits of a message without samples."""
        self.pending += bits

    def add_message(self, first: int, count: int, bits: int) -> None:
        """Bits of a message with samples, prorated over them."""
        self._at(first // self.length).bits += self.pending
        self.pending = 0
        spent = 0
        for index in range(first // self.length, (first + count - 1) // self.length + 1):
            done = min((index + 1) * self.length, first + count) - first
            share = bits * done // count - spent
            self._at(index).bits += share
            spent += share

    def add_samples(self, first: int, valid: NDArray[np.bool_]) -> None:
        """Samples of a block; `valid` is bool ``[n, leads]``."""
        at = 0
        while at < len(valid):
            index = (first + at) // self.length
            end = min((index + 1) * self.length - first, len(valid))
            counts = valid[at:end].sum(axis=0)
            entry = self._at(index)
            for lead, number in enumerate(counts.tolist()):
                entry.valid[lead] += number
            at = end

    def add_spikes(self, lead: int, positions: NDArray[np.int64]) -> None:
        """Spikes of a lead, by position, int64 ``[k]``, 0 or more."""
        indices, counts = np.unique(positions // self.length, return_counts=True)
        for index, count in zip(indices.tolist(), counts.tolist(), strict=True):
            self._at(index).spikes[lead] += count

    def spoil(self, first: int, count: int) -> None:
        """Samples were sent there that were not decoded: these windows get no figures."""
        end = first + count
        still_open = end // self.length
        self.lost += still_open - first // self.length
        for index in [i for i in self._open if i < still_open]:
            del self._open[index]
        if end % self.length:
            self._at(still_open).whole = False

    def close_window(self, index: int, losses: Sequence[int]) -> Window | None:
        """End a window; None where it has no samples or was spoiled."""
        entry = self._open.pop(index, None)
        if entry is None or not any(entry.valid):
            if entry is not None:  # bits without a signal go on to the next window
                self.pending += entry.bits
                self.lost += not entry.whole
            return None
        if not entry.whole:
            self.lost += 1
            return None
        return Window(
            index=index,
            first_sample=index * self.length,
            length=self.length,
            bits=entry.bits,
            raw_bits=sum(n * b for n, b in zip(entry.valid, self.bits, strict=True)),
            valid=tuple(entry.valid),
            losses=tuple(
                loss_value(index) if n else None
                for index, n in zip(losses, entry.valid, strict=True)
            ),
            spikes=tuple(entry.spikes) if self.weights else (),
            weights=self.weights,
        )

    def close_stream(self, end: int, losses: Sequence[int]) -> list[Window]:
        """Close what is open at the end of a stream that has `end` samples.

        Bits still pending come as one window without samples, if need be.
        """
        index = end // self.length
        if index in self._open and any(self._open[index].valid):
            self._open[index].bits += self.pending
            self.pending = 0
        window = self.close_window(index, losses)
        out = [window] if window is not None else []
        self._open.clear()
        if self.pending:
            out.append(self._tail(index))
        return out

    def _tail(self, index: int) -> Window:
        bits, self.pending = self.pending, 0
        leads = len(self.bits)
        return Window(
            index=index,
            first_sample=index * self.length,
            length=self.length,
            bits=bits,
            raw_bits=0,
            valid=(0,) * leads,
            losses=(None,) * leads,
            spikes=(0,) * len(self.weights),
            weights=self.weights,
        )
