"""From block codes to samples: baseline and placed kernels, in integers (docs/format.md).

Encoder and decoder use this same code, so that the encoder's quality figures are those of
what the decoder shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from san_stream.kernels import placed_taps
from san_stream.profiles import Spikes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream.coding.layers import Block
    from san_stream.coding.stream import StreamCoder


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
        placed = {s: [placed_taps(kernel, tie) for kernel in s.kernels] for s in set(coder.sets)}
        self._taps = [placed[s] for s in coder.sets]
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
        tail, reach = self._tails[lead], self.reach
        # room before the block for the part of a footprint that lies before the run
        total = np.zeros(reach + max(block.count + reach, len(tail)), np.int64)
        total[reach : reach + len(tail)] = tail
        for taps, (stretch, _), spikes in zip(
            self._taps[lead], stretches, block.spikes[lead], strict=True
        ):
            starts, amplitudes = (np.asarray(part, np.int64) for part in spikes)
            places = starts + (stretch - block.first + reach)
            if len(places) < len(taps):
                for place, amplitude in zip(places.tolist(), amplitudes, strict=True):
                    total[place : place + len(taps)] += amplitude * taps
            else:  # starts of one kernel differ, so each index occurs once
                for j, tap in enumerate(taps):
                    total[places + j] += amplitudes * tap
        self._tails[lead] = total[reach + block.count :].copy()
        return total[reach : reach + block.count]


def block_spikes(
    coder: StreamCoder, block: Block, lead: int, stretches: list[tuple[int, int]]
) -> NDArray[np.int64]:
    """Spikes of one lead's block, a kernel after the other, from footprint starts.

    Returns:
        int64 ``[k, 4]``: position, lead, kernel, amplitude.
    """
    parts = [np.zeros((0, 4), np.int64)]
    for kernel, ((stretch, _), (starts, amplitudes), offset) in enumerate(
        zip(stretches, block.spikes[lead], coder.offsets[lead], strict=True)
    ):
        part = np.empty((len(starts), 4), np.int64)
        part[:, 0] = np.asarray(starts, np.int64) + (stretch + offset)
        part[:, 1:3] = lead, kernel
        part[:, 3] = amplitudes
        parts.append(part)
    return np.concatenate(parts)


def block_beats(block: Block) -> list[NDArray[np.int64]]:
    """Beats of each lead of a block that has any.

    Returns:
        int64 ``[k, 5]`` each: sample, quarter, lead, kernel, amplitude.
    """
    parts = []
    for lead, beats in enumerate(block.beats):
        if beats:
            time, kernel, amplitude, quarter = np.array(beats, np.int64).T
            columns = (time + block.first, quarter, np.full_like(time, lead), kernel, amplitude)
            parts.append(np.stack(columns, axis=1))
    return parts
