"""Layers 1 and 2 of docs/format.md: the baseline, and the spikes of each kernel.

Both read one (part) block of one lead at a time; a lead's footprints and baselines go on to
the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.golden.spec_range import Model, Source, Trend, model


@dataclass
class Kernel:
    """One kernel of one lead: what is fixed, its models and its memory."""

    med: int
    taps: list[int]
    models: Model = field(default_factory=lambda: model(64 + 6 * 144))
    seen: int = 0
    since: int = 0
    gap: int = 0
    amplitude: int = 0
    change: int = 0

    def restart(self) -> None:
        self.seen = self.since = self.gap = self.amplitude = self.change = 0

    def context(self) -> int:
        if self.seen < 2:
            return 48 + min(self.since.bit_length(), 15)
        d = self.since - (self.gap >> 2)
        s = d if d >= 0 else -1 - d
        bits = s.bit_length()
        band = s >> 1 if s < 16 else min(8 + 4 * (bits - 5) + ((s >> (bits - 3)) & 3), 23)
        return 24 + band if d >= 0 else 23 - band

    def read(self, source: Source, first: int, end: int) -> list[tuple[int, int]]:
        """(start of the footprint, amplitude) of the spikes in a stretch."""
        spikes = []
        for t in range(first, end):
            silent = self.seen > 0 and self.since <= self.med
            if silent or not source.adaptive(self.models, self.context()):
                self.since += 1
                continue
            difference = source.signed(self.models, 64 + 144 * min(self.change, 5))
            if self.seen == 1:
                self.gap = 4 * self.since
            elif self.seen == 2:
                self.gap += (4 * self.since - self.gap) >> 1
            self.seen = min(self.seen + 1, 2)
            self.change = (abs(difference).bit_length() + 1) >> 1
            self.amplitude += difference
            self.since = 1
            spikes.append((t, self.amplitude))
        return spikes


@dataclass
class KernelSet:
    """What a HEADER says of a set of kernels: (med, taps) of each, a fixed baseline, the shift."""

    kernels: list[tuple[int, list[int]]]
    fixed: int | None
    shift: int


@dataclass(frozen=True)
class Part:
    """A (part) block: samples start … end − 1 of the block that begins at `whole`.

    Attributes:
        begins: the first of a run. fresh: the first of a run, or behind a RESET.
    """

    start: int
    end: int
    whole: int
    length: int
    begins: bool
    fresh: bool


class SpikesReader:
    """Layers 1 and 2 of one lead.

    Args:
        group: its kernels. baseline, limits: of the HEADER. convolution: the tie.

    Attributes:
        spikes: (position, kernel, amplitude) of all so far.
    """

    def __init__(
        self, group: KernelSet, baseline: int, limits: tuple[int, int], *, convolution: bool
    ) -> None:
        self.group, self.baseline, self.limits = group, baseline, limits
        self.convolution = convolution
        self.spikes: list[tuple[int, int, int]] = []
        self.track: dict[int, int] = {}

    def reset(self) -> None:
        self.trend = Trend(self.baseline)
        self.bank = [Kernel(med, taps) for med, taps in self.group.kernels]

    def restart(self) -> None:
        """A run begins; the footprints of the one before have ended."""
        self.track.clear()
        self.trend.restart(self.baseline)
        for kernel in self.bank:
            kernel.restart()

    def read(self, source: Source, part: Part) -> list[int]:
        """The samples of the part."""
        if self.group.fixed is None:
            if part.fresh:
                self.means = [self.trend.read(source) for _ in range(3)]
            else:
                self.means = [*self.means[1:], self.trend.read(source)]
        for number, kernel in enumerate(self.bank):
            self.place(source, number, kernel, part)
        shift = self.group.shift
        half = 1 << (shift - 1) if shift else 0
        low, high = self.limits
        return [
            min(max(self.level(part, t) + ((self.track.pop(t, 0) + half) >> shift), low), high)
            for t in range(part.start, part.end)
        ]

    def place(self, source: Source, number: int, kernel: Kernel, part: Part) -> None:
        m = len(kernel.taps)
        ahead = (m - 1) // 2
        ahead = m - 1 - ahead if self.convolution else ahead
        first = part.start - ahead if part.begins else part.start
        for at, amplitude in kernel.read(source, first, part.end):
            self.spikes.append((at + ahead, number, amplitude))
            for j, tap in enumerate(kernel.taps):
                t = at + (m - 1 - j if self.convolution else j)
                self.track[t] = self.track.get(t, 0) + amplitude * tap

    def level(self, part: Part, t: int) -> int:
        """The baseline at a sample."""
        if self.group.fixed is not None:
            return self.group.fixed
        before, this, following = self.means
        u, length = 2 * (t - part.whole) + 1, part.length
        if u < length:
            return before + ((this - before) * (u + length) + length) // (2 * length)
        return this + ((following - this) * (u - length) + length) // (2 * length)
