"""From block codes to samples: baseline and placed kernels, in integers (docs/format.md).

Encoder and decoder use this same code, so that the encoder's quality figures are those of
what the decoder shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from san_stream.kernels import placed_taps
from san_stream.profiles import Spikes
from san_stream.types import Spike

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.coding.stream import Block, StreamCoder


def interpolate(
    first: int, count: int, block: int, before: int, this: int, after: int
) -> NDArray[np.int64]:
    """Baseline of the samples ``first`` to ``first + count - 1`` of one block, int64 ``[count]``.

    Straight lines between the centres of the whole blocks; rounded half up.
    """
    start = first // block * block
    u = 2 * (np.arange(first, first + count, dtype=np.int64) - start) + 1
    rising = before + ((this - before) * (u + block) + block) // (2 * block)
    falling = this + ((after - this) * (u - block) + block) // (2 * block)
    return np.where(u < block, rising, falling)


class Reconstructor:
    """Rebuilds the samples of the spikes profile, block after block.

    Footprints reach into later blocks; the sums for these wait here. A gap ends them.
    """

    def __init__(self, coder: StreamCoder) -> None:
        header = coder.header
        if not isinstance(header.profile, Spikes):
            raise TypeError("only the spikes profile is reconstructed from kernels")
        self._coder = coder
        self._block = header.block
        self._leads = header.info.leads
        self._sets = coder.sets
        tie = header.profile.kernels.tie
        self._taps = [[placed_taps(kernel, tie) for kernel in s.kernels] for s in coder.sets]
        self.reach = max(len(taps) for group in self._taps for taps in group) - 1
        self._tails = [np.zeros(0, np.int64) for _ in self._leads]
        self._baselines: list[tuple[int, int]] = [(0, 0) for _ in self._leads]

    def restart(self) -> None:
        """A run begins: footprints end with the run before."""
        self._tails = [np.zeros(0, np.int64) for _ in self._leads]

    def rebuild(
        self, block: Block, stretches: list[list[tuple[int, int]]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """x̂ and b of one block, both int64 ``[count, leads]``.

        Args:
            block: its codes. stretches: for each lead and kernel, the first sample and
                length of the stretch that its spike offsets count from.
        """
        values = np.empty((block.count, len(self._leads)), np.int64)
        base = np.empty_like(values)
        for lead, group in enumerate(self._sets):
            base[:, lead] = self._baseline(block, lead)
            total = self._place(block, lead, stretches[lead])
            half = (1 << group.shift) >> 1
            rebuilt = base[:, lead] + ((total + half) >> group.shift)
            limits = self._leads[lead]
            values[:, lead] = np.clip(rebuilt, limits.minimum, limits.maximum)
        return values, base

    def _baseline(self, block: Block, lead: int) -> NDArray[np.int64] | int:
        fixed = self._sets[lead].baseline
        if fixed is not None:
            return fixed
        sent = block.baselines[lead]
        before, this = sent[:2] if len(sent) == 3 else self._baselines[lead]
        self._baselines[lead] = (this, sent[-1])
        return interpolate(block.first, block.count, self._block, before, this, sent[-1])

    def _place(
        self, block: Block, lead: int, stretches: list[tuple[int, int]]
    ) -> NDArray[np.int64]:
        """Σ α · w over the block's samples; what lies behind them becomes the new tail."""
        tail = self._tails[lead]
        size = max(block.count + self.reach, len(tail))
        total = np.zeros(size, np.int64)
        total[: len(tail)] = tail
        for taps, (stretch, _), spikes in zip(
            self._taps[lead], stretches, block.spikes[lead], strict=True
        ):
            for start, amplitude in zip(*spikes, strict=True):
                at = stretch + int(start) - block.first
                skip = max(-at, 0)  # the part before the run
                end = at + len(taps)
                total[max(at, 0) : end] += int(amplitude) * taps[skip:]
        self._tails[lead] = total[block.count :].copy()
        return total[: block.count]


def block_spikes(coder: StreamCoder, block: Block, lead: int, first: list[Any]) -> list[Spike]:
    """Spikes of one lead's block (a kernel after the other), from footprint starts."""
    out = []
    for kernel, ((stretch, _), spikes, offset) in enumerate(
        zip(first, block.spikes[lead], coder.offsets[lead], strict=True)
    ):
        out += [
            Spike(stretch + int(start) + offset, lead, kernel, int(amplitude))
            for start, amplitude in zip(*spikes, strict=True)
        ]
    return out


def spike_positions(coder: StreamCoder, block: Block, lead: int, first: list[Any]) -> list[int]:
    """Absolute spike positions p of one lead's block (all kernels), from footprint starts."""
    return [spike.sample for spike in block_spikes(coder, block, lead, first)]
