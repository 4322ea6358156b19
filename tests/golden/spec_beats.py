"""Spikes and kernels of docs/format-transform.md, decoded as that page says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.golden.spec_range import Source, model, need
from tests.golden.spec_tables import clip

if TYPE_CHECKING:
    from fractions import Fraction

BIRTH: Final = 8
_OCTAVE: Final = (
    4096, 4277, 4467, 4664, 4871, 5087, 5312, 5547, 5793, 6049, 6317, 6597, 6889, 7194, 7512, 7845,
)  # fmt: skip
_AMPLITUDES: Final = (
    1218, 1272, 1328, 1387, 1448, 1512, 1579, 1649, 1722, 1798, 1878, 1961, 2048, 2139, 2233, 2332,
    2435, 2543, 2656, 2774, 2896, 3025, 3158, 3298, 3444, 3597, 3756, 3922, *_OCTAVE,
    8192, 8555, 8933, 9329, 9742, 10173, 10624, 11094, 11585, 12098, 12634, 13193, 13777, 14387,
    15024, 15689, 16384,
)  # fmt: skip
_MOVES: Final = {
    1: (-2, 7, -20, 116, 36, -12, 4, -1),
    2: (-2, 8, -22, 80, 80, -22, 8, -2),
    3: (-1, 4, -12, 36, 116, -20, 7, -2),
}
_KERNEL_LIMIT: Final = 2**38 - 1


def step_of(index: int) -> int:
    """Quantiser's step, 1/16 ADC unit."""
    need(0 <= index <= 448, "step index")
    return max(((_OCTAVE[index % 16] << (index // 16)) + 2048) >> 12, 1)


class Settings:
    """What follows from the rate, in samples."""

    def __init__(self, rate: Fraction, late: int, block: int) -> None:
        def samples(numerator: int, denominator: int) -> int:
            return clip(rate.numerator * numerator // (rate.denominator * denominator), 1, 2**24)

        self.rate, self.late = rate, late
        self.length = samples(8, 10)
        self.onset = samples(3, 10)
        self.first_gap = samples(8, 10)
        self.shortest = samples(1, 8)
        self.other_gap = samples(2, 10)
        self.nearby = samples(1, 12)
        self.phase_before = samples(4, 9)
        self.phase_span = samples(4, 3)
        self.fade = samples(96, 1000)
        self.end = samples(1, 30)
        self.changes = samples(1, 90), samples(1, 30), samples(1, 9)
        self.kernels = 16 <= self.length <= 1024
        self.most = block // self.shortest + 2
        self.room = 3 * block // self.length + 8


@dataclass(frozen=True, slots=True)
class Spike:
    """A spike; `time` counts from the block's first sample."""

    time: int
    kernel: int
    amplitude: int = 0
    quarter: int = 0


@dataclass(slots=True)
class Kernel:
    """A kernel in 1/256 ADC unit, and what is noted of it."""

    values: list[int]
    beats: int = 0
    age: int = 0
    uses: int = 0
    sent: int = 0
    amplitude: int = 0
    spread: int = 0
    unit: int = 1
    steep: bool = False

    def add(self, j: int, value: int) -> None:
        """Move one value."""
        self.values[j] = clip(self.values[j] + value, _KERNEL_LIMIT)

    def judge(self, q: int) -> None:
        """Units of amplitudes, and whether quarters are told, at a step."""
        down = max(max(map(abs, self.values)).bit_length() - 20, 4)
        u = [value >> down for value in self.values]
        energy = sum(value * value for value in u)
        slope = sum((b - a) ** 2 for a, b in pairwise(u))
        s = clip(q >> (down - 4), 1, 2**20) ** 2
        self.unit = 1 if energy > 1521 * s else (2 if energy > 137 * s else 3)
        self.steep = 5 * slope > 32 * s


@dataclass(slots=True)
class Expectation:
    """What a lead expects of its next spike; a run begins with these values."""

    gap: int
    last: int = 0
    change: int = 0
    slow: int = 0
    direction: int = 0
    wide: int = 0
    given: bool = False
    seen: bool = False


def move(p: list[int], quarter: int, sign: int) -> list[int]:
    """Values later (`sign` 1) or earlier (-1) by quarters of a sample."""
    if quarter == 0:
        return p
    w = _MOVES[quarter]
    padded = [0] * 4 + p + [0] * 4
    return [
        (64 + sum(w[k] * padded[4 + j + sign * (3 - k)] for k in range(8))) >> 7
        for j in range(len(p))
    ]


def shift(value: int, by: int) -> int:
    """value · 2^-by, floored."""
    return value >> by if by >= 0 else value << -by


@dataclass(slots=True)
class SpikeCoder:
    """Spikes and kernels of one lead, from RESET on."""

    settings: Settings
    bits: list[tuple[int, int]] = field(default_factory=lambda: model(857))
    expected: int = BIRTH
    partner: list[int] = field(default_factory=lambda: [BIRTH] * 9)
    offset: list[int] = field(default_factory=lambda: [0] * 9)
    met: list[bool] = field(default_factory=lambda: [False] * 9)
    last_offset: int = 0
    kernels: list[Kernel] = field(default_factory=list)
    clock: int = 0
    memory: Expectation = field(init=False)
    pending: list[tuple[Spike, list[int]]] = field(init=False)
    spikes: list[Spike] = field(init=False)
    recent: list[Spike] = field(init=False)
    prediction: dict[int, int] = field(init=False)
    since: int = field(init=False)

    def __post_init__(self) -> None:
        if self.settings.kernels:
            self.kernels = [Kernel([0] * self.settings.length) for _ in range(8)]
        self.restart()

    def restart(self) -> None:
        """A run begins."""
        self.memory = Expectation(self.settings.first_gap)
        self.pending, self.spikes, self.recent = [], [], []
        self.prediction = {}
        self.since = 0

    # -- spikes ------------------------------------------------------------------------

    def read(self, coded: Source, count: int, q: int, guide: list[Spike]) -> list[int]:
        """Spikes of a block into `spikes`; returns the phases of its samples."""
        self.spikes = []
        before = self.memory.last if self.memory.seen else None
        for kernel in self.kernels:
            if kernel.beats > 0:
                kernel.judge(q)
        if self.kernels:
            until = count + self.settings.late
            while self._more(coded, until, guide):
                need(len(self.spikes) < self.settings.most, "too many spikes")
                spike = self._spike(coded, until)
                self.spikes.append(spike)
                self._place(spike)
                self._note(spike, guide)
        return [self._phase(t, before) for t in range(count)]

    def _more(self, coded: Source, until: int, guide: list[Spike]) -> bool:
        m = self.memory
        m.given = False
        for g in guide:
            whole = self._carried(g)
            if (whole + 2) >> 2 > m.last + self.settings.other_gap:
                m.gap = ((whole + 2) >> 2) - m.last
                m.wide = whole - 4 * m.last
                self.expected = self.partner[g.kernel]
                m.given = True
                break
        rho = 16 * (until - m.last - m.gap) // max(m.gap, 1)
        return coded.adaptive(self.bits, 757 + sum(k <= rho for k in (-6, -2, 0, 2, 6, 16))) == 1

    def _carried(self, g: Spike) -> int:
        """Where the guide's spike would lie here, in quarters of a sample."""
        offset = self.offset[g.kernel] if self.met[g.kernel] else self.last_offset
        return 4 * g.time + g.quarter + offset

    def _spike(self, coded: Source, until: int) -> Spike:
        m, bits, s = self.memory, self.bits, self.settings
        kernel = self._which(coded)
        wide = m.given and kernel != BIRTH and self.kernels[kernel].steep
        if wide:
            group = 10 if m.change == 0 else 11
        elif m.given:
            group = 8 if m.change < s.changes[0] else 9
        else:
            group = 0
            while group < 3 and m.change >= s.changes[group]:
                group += 1
            group += 4 * (kernel != self.expected)
        size = coded.magnitude(bits, 48 * group)
        below = coded.adaptive(bits, 576 + 3 * group + m.direction) if size else 0
        apart = -size if below else size
        time, quarter = m.last + m.gap + apart, None
        if wide:
            time, quarter = divmod(4 * m.last + m.wide + apart, 4)
        need(s.late <= time < until, "spike outside its block")
        need(not m.seen or time >= m.last + s.shortest, "spikes too near")
        gap = clip(time - m.last, 1, 2**24)
        m.direction = 1 + below if size else 0
        m.change = (size + 1) >> 2 if wide else size
        m.slow = (7 * m.slow + 16 * gap) // 8 if m.slow > 0 else 16 * gap
        m.gap = (gap + m.slow // 16) // 2
        m.last = time
        m.seen = True
        self.expected = kernel
        if kernel == BIRTH:
            return Spike(time, BIRTH)
        own = self.kernels[kernel]
        size = coded.magnitude(bits, 612 + 48 * own.spread)
        below = coded.adaptive(bits, 756) if size else 0
        own.spread = min(size, 2)
        own.amplitude += (-size if below else size) * own.unit
        need(-28 <= own.amplitude <= 32, "amplitude")
        if quarter is None:
            quarter = self._quarter(coded) if own.steep else 0
        return Spike(time, kernel, own.amplitude, quarter)

    def _which(self, coded: Source) -> int:
        live = [kernel.beats > 0 for kernel in self.kernels]
        e = self.expected if self.expected == BIRTH or live[self.expected] else BIRTH
        if coded.adaptive(self.bits, 764 + e):
            return e
        for c in range(8):
            if live[c] and c != e and coded.adaptive(self.bits, 773 + 9 * e + c):
                return c
        need(e != BIRTH, "no kernel")
        return BIRTH

    def _quarter(self, coded: Source) -> int:
        if not coded.adaptive(self.bits, 854):
            return 0
        if coded.adaptive(self.bits, 855):
            return 2
        return 3 if coded.adaptive(self.bits, 856) else 1

    def _place(self, spike: Spike) -> None:
        placed = [0] * self.settings.length
        if spike.kernel != BIRTH:
            start = spike.time - self.settings.onset
            factor = _AMPLITUDES[spike.amplitude + 28]
            p = [(v * factor + 32768) >> 16 for v in self.kernels[spike.kernel].values]
            placed = [v if start + j >= 0 else 0 for j, v in enumerate(p)]
            for j, value in enumerate(move(p, spike.quarter, 1), start):
                if j >= 0:
                    self.prediction[j] = clip(self.prediction.get(j, 0) + value, 2**35)
        if len(self.pending) < self.settings.room:
            self.pending.append((spike, placed))

    def _note(self, spike: Spike, guide: list[Spike]) -> None:
        for g in guide:
            a = 4 * spike.time + spike.quarter - self._carried(g)
            if abs(a) < 4 * self.settings.nearby:
                if self.met[g.kernel]:
                    a = a // 2 if a >= 0 else -(-a // 2)
                self.last_offset = self._carried(g) - 4 * g.time - g.quarter + a
                self.offset[g.kernel] = self.last_offset
                self.met[g.kernel] = True
                self.partner[g.kernel] = spike.kernel
                return

    def _phase(self, t: int, before: int | None) -> int:
        s = self.settings
        known = [spike.time for spike in self.spikes if spike.time - s.phase_before <= t]
        last = known[-1] if known else before
        if last is None:
            return 62
        return clip((t - last + s.phase_before) * 62 // s.phase_span, 0, 61)

    # -- learning ----------------------------------------------------------------------

    def learn(self, rest: list[int], count: int) -> None:
        """From the beats that the block completes; `rest` has its first sample at `length`."""
        length = self.settings.length
        while self.pending:
            spike, placed = self.pending[0]
            start = spike.time - self.settings.onset
            if start + length > count:
                break
            del self.pending[0]
            if start < -self.since:
                continue
            beat = move(rest[length + start : 2 * length + start], spike.quarter, -1)
            kernel = self._teach(self._clean([a + b for a, b in zip(beat, placed, strict=True)]))
            last = self.expected == BIRTH and self.memory.last == spike.time
            if spike.kernel == BIRTH and last and kernel is not None:
                self.expected = kernel

    def advance(self, count: int) -> None:
        """The next block begins."""
        self.memory.last = max(self.memory.last - count, -(2**24))
        self.pending = [(replace(s, time=s.time - count), placed) for s, placed in self.pending]
        self.since = min(self.since + count, 2**24)
        self.prediction = {t - count: v for t, v in self.prediction.items() if t >= count}

    def remember(self, count: int) -> None:
        """Keep the spikes that may guide another lead in the next block."""
        moved = [replace(s, time=s.time - count) for s in (*self.recent, *self.spikes)]
        least = self.settings.late - 2 * self.settings.nearby
        self.recent = [s for s in moved if s.time >= least]

    def _clean(self, beat: list[int]) -> list[int]:
        end, fade, length = self.settings.end, self.settings.fade, self.settings.length
        f = sum(beat[:end]) // end
        g = sum(beat[length - end :]) // end - f
        beat = [clip(v - (f + g * j // (length - 1)), 2**35) for j, v in enumerate(beat)]
        h = 2 * fade
        for j in range(fade):
            z = 2 * j + 1
            weight = ((z * z * (3 * h - 2 * z)) << 12) // h**3
            for at in (j, length - 1 - j):
                beat[at] = (beat[at] * weight + 2048) >> 12
        return beat

    def _teach(self, beat: list[int]) -> int | None:
        if not any(beat):
            return None
        d = max(map(abs, beat)).bit_length() - 16
        lowered = [shift(v, d) for v in beat]
        energy = sum(v * v for v in lowered)
        best, most, r = None, 0, 0
        for c, kernel in enumerate(self.kernels):
            if kernel.beats == 0 or not any(kernel.values):
                continue
            down = max(map(abs, kernel.values)).bit_length() - 16
            values = [shift(v, down) for v in kernel.values]
            size = sum(v * v for v in values)
            product = sum(a * b for a, b in zip(values, lowered, strict=True))
            explained = (((product << 10) // size) * (product >> 6)) >> 4 if product > 0 else 0
            if explained > most:
                best, most = c, explained
                ratio = ((size >> 6) << 16) // max(product >> 6, 1)
                by = 6 - down + d
                r = 2**40 if by < -20 else shift(ratio, by)
        self.clock += 1
        usual = 3277 < r < 81920
        if best is not None and (20 * max(energy - most, 0) < 7 * energy or not usual):
            if usual:
                self._follow(self.kernels[best], beat, r)
            return best
        # Kernels that do not exist have age 0 and come first.
        known = self.kernels
        born = min(range(8), key=lambda c: known[c].age + 16 * min(known[c].uses, 64))
        values = [clip(v << 4, _KERNEL_LIMIT) for v in beat]
        self.kernels[born] = Kernel(values, beats=1, age=self.clock, uses=1)
        return born

    def _follow(self, kernel: Kernel, beat: list[int], r: int) -> None:
        n = min(kernel.beats + 1, 60)
        for j, value in enumerate(beat):
            kernel.add(j, (((value * r) >> 10) - kernel.values[j] + (n >> 1)) // n)
        kernel.beats = min(kernel.beats + 1, 2**24)
        kernel.uses = min(kernel.uses + 1, 2**24)
        kernel.age = self.clock
