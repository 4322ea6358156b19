"""Wavelet, coefficients and corrections of kernels, as docs/format-transform.md has them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Final

from tests.golden.spec_mixing import FinalMap, Slots
from tests.golden.spec_range import Source, model, need
from tests.golden.spec_squares import Matrix, solve
from tests.golden.spec_tables import RATES, SQUASH, clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.golden.spec_beats import Kernel

_APPROXIMATION: Final = (4096, 3563, 3099, 2696, 2345, 2040, 1774, 1544)
_DETAIL: Final = (4709, 4096, 3563, 3099, 2696, 2345, 2040)
_LIFTS: Final = ((1, -6496), (0, -217), (1, 3616), (0, 1817))
_NEIGHBOURS: Final = (0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6)
_MEANS: Final = (655, 1966, 4588, 8520, 14418, 22938, 39322, 65536, 131072)
_PREDICTED: Final = (38, 102, 256, 512, 1024, 2048, 4096)
_CONFIDENCE: Final = [(65536 * (10 * s + 4) + 5 * s + 10) // (10 * s + 20) for s in range(251)]

# -- wavelet ---------------------------------------------------------------------------


def depth_of(count: int) -> int:
    """Levels of a transform."""
    return 0 if count < 2 else clip(count.bit_length() - 4, 1, 7)


def _lift(x: list[int], parity: int, factor: int, sign: int) -> None:
    n = len(x)
    for i in range(parity, n, 2):
        left = x[i - 1] if i > 0 else x[1]
        right = x[i + 1] if i + 1 < n else x[n - 2]
        x[i] += sign * ((factor * (left + right) + 2048) >> 12)


def to_bands(x: list[int]) -> list[list[int]]:
    """The bands of a signal, coarse to fine."""
    low, bands = list(x), []
    for _ in range(depth_of(len(x))):
        for parity, factor in _LIFTS:
            _lift(low, parity, factor, 1)
        bands.append(low[1::2])
        low = low[::2]
    return [low, *reversed(bands)]


def from_bands(bands: list[list[int]]) -> list[int]:
    """The signal of its bands."""
    low = list(bands[0])
    for detail in bands[1:]:
        x = [0] * (len(low) + len(detail))
        x[::2], x[1::2] = low, detail
        x = [clip(value, 2**38) for value in x]
        for parity, factor in reversed(_LIFTS):
            _lift(x, parity, factor, -1)
        low = x
    return low


def band_step(step: int, band: int, bands: int) -> int:
    """Quantiser's step in a band."""
    factor = _DETAIL[bands - 1 - band] if band else _APPROXIMATION[bands - 1]
    return max((step * factor + 2048) >> 12, 1)


def identity_of(band: int, bands: int) -> int:
    """Number of a band that does not depend on the depth."""
    return 8 - bands + band if band else 0


def _at(values: Sequence[int], i: int) -> int:
    return values[i] if 0 <= i < len(values) else 0


def _class(bounds: tuple[int, ...], value: int) -> int:
    return sum(bound <= value for bound in bounds)


def _sign(value: int) -> int:
    return 0 if value == 0 else (1 if value > 0 else 2)


# -- coefficients ------------------------------------------------------------------------


class Band:
    """Prediction of the approximation."""

    def __init__(self) -> None:
        self._weights = [0] * 4
        self._b = [0] * 4
        self._r: Matrix = [[2**12 * (i == j) for j in range(4)] for i in range(4)]
        self._energy = self._usual = self._z = 0
        self.forget(0)

    def forget(self, depth: int) -> None:
        """Other levels, or a run, begin."""
        self.depth = depth
        self._history = [0] * 4
        self._last = self._slow = 0
        self._fresh = True

    def predict(self) -> int:
        """The next coefficient."""
        pairs = zip(self._history, self._weights, strict=True)
        return clip(self._last + (sum(h * w for h, w in pairs) >> 16), 2**38)

    def learn(self, c: int) -> None:
        """The coefficient that came."""
        c = clip(c, 2**38)
        if self._fresh:
            self._fresh = False
            self._last = self._slow = c
            return
        change = c - self._last
        self._usual += min(abs(change) - self._usual, 3 * self._usual + 256) >> 4
        bits = (self._usual >> self._z).bit_length()
        if bits > 12 and self._z < 15:
            self._z += 1
        elif bits < 11 and self._z > 0:
            self._z -= 1
        reach = 32767 << self._z
        change = clip(change, reach)
        a = [clip(h >> self._z, 32767) for h in self._history]
        y = change >> self._z
        for i in range(4):
            for j in range(4):
                self._r[i][j] += a[i] * a[j] - (self._r[i][j] >> 9)
            self._b[i] += y * a[i] - (self._b[i] >> 9)
        self._energy += y * y - (self._energy >> 9)
        self._weights = [0] * 4
        solve(self._r, self._b, self._energy, 8, self._weights)
        self._last = c
        self._slow += (c - self._slow) >> 4
        above = clip(c - self._slow, reach)
        self._history = [change, *self._history[:2], above]


@dataclass(slots=True)
class Place:
    """What the contexts of one coefficient are made of."""

    identity: int
    phase: int
    neighbours: int
    mean: int
    active: int
    near: int
    sharp: int
    left: int
    parent: int
    slots: list[int]


class Transform:
    """Coefficients of one lead, from RESET on."""

    def __init__(self) -> None:
        self.slots = Slots([157286] * 3944 + [262144] * 7888, 250)
        self.weights = [[11651] * 9 for _ in range(114)]
        self._maps = [FinalMap() for _ in range(30)]
        self.signs = Slots([2**19] * 99, 200)
        self.magnitude = [[0] * 63 for _ in range(8)]
        self.signed = [[0] * 63 for _ in range(8)]
        self.number = [[0] * 63 for _ in range(8)]
        self.activity = [6554] * 8
        self._previous = [(0, 0)] * 8
        self._step = 0
        self.rest = model(6 * 144)
        self.band = Band()

    def read(self, coded: Source, prediction: list[int], phases: list[int], step: int) -> list[int]:
        """What the spikes leave of a block, 1/16 ADC unit."""
        count = len(prediction)
        predicted = to_bands(prediction)
        if self.band.depth != len(predicted) - 1:
            self.band.forget(len(predicted) - 1)
        self._rescale(step)
        levels: list[list[int]] = []
        values: list[list[int]] = []
        for b, pi in enumerate(predicted):
            n, identity = len(pi), identity_of(b, len(predicted))
            w, spacing = band_step(step, b, len(predicted)), len(predicted) - max(b, 1)
            over = [(abs(value) << 8) // w for value in pi]
            levels.append([])
            values.append([])
            agreeing = 0
            for i in range(n):
                phase = phases[min(((2 * i + 1) << spacing) >> 1, count - 1)]
                place = self._place(identity, phase, i, over, levels)
                base = self.band.predict() if b == 0 else 0
                level = self._level(coded, place, pi[i], agreeing)
                size = abs(level)
                need(size <= min(2**26, 2**38 // w), "level")
                value = (256 * size - 8) * w >> 8 if size else 0
                levels[b].append(level)
                values[b].append(base + (-value if level < 0 else value))
                if size and place.sharp >= 2:
                    agreeing = 1 if (level > 0) == (pi[i] > 0) else 2
                if b == 0:
                    self.band.learn(values[b][i])
                self._learn(place.identity, phase, level)
                self._previous[identity] = (level, place.left)
        return from_bands(values)

    def _rescale(self, step: int) -> None:
        """Means count in steps: they follow the step."""
        before, self._step = self._step, step
        if before in (0, step):
            return
        for table in (self.magnitude, self.signed, [self.activity]):
            for row in table:
                row[:] = [clip(mean * before // step, 2**24) for mean in row]

    def _usual(self, identity: int, phase: int) -> int:
        """Mean magnitude at a phase and beside it."""
        row = self.magnitude[identity]
        if phase == 62:
            return row[62]
        return (2 * row[phase] + row[max(phase - 1, 0)] + row[min(phase + 1, 61)]) >> 2

    def _place(
        self, identity: int, phase: int, i: int, over: list[int], levels: list[list[int]]
    ) -> Place:
        b = len(levels) - 1
        signed_left, signed_before = self._previous[identity]
        left, before = abs(signed_left), abs(signed_before)
        signed = around = above = 0
        if b > 0:
            coarser = levels[b - 1]
            j = min(i if b == 1 else i >> 1, len(coarser) - 1)
            signed = coarser[j]
            around = abs(_at(coarser, j - 1)) + abs(_at(coarser, j + 1))
            if b > 1:
                j = min(j if b == 2 else j >> 1, len(levels[b - 2]) - 1)
                above = abs(levels[b - 2][j])
        parent = abs(signed)
        total = 4 * left + 2 * before + 2 * parent + around
        nu = _NEIGHBOURS[total] if total < 15 else 7 + (total > 22) + (total > 40)
        mu = _class(_MEANS, self._usual(identity, phase))
        alpha = _class(_MEANS, self.activity[identity])
        smooth = _class(_PREDICTED, (2 * over[i] + _at(over, i - 1) + _at(over, i + 1)) >> 2)
        sharp = _class(_PREDICTED, over[i])
        near = min(left + parent, 3)
        slots = [
            16 * identity + nu,
            128 + 64 * identity + phase,
            640 + 64 * identity + 16 * min(left, 3) + 4 * min(parent, 3) + min(before + around, 3),
            1152 + 40 * identity + 4 * mu + near,
            1472 + 60 * min(parent + around, 5) + 10 * min(left + before, 5) + mu,
            1832 + 64 * identity + 8 * smooth + sharp,
            2344 + 40 * smooth + 4 * mu + near,
            2664 + 40 * identity + 4 * alpha + near,
            2984 + 320 * min(above, 2) + 80 * min(parent, 3) + 10 * smooth + alpha,
        ]
        return Place(identity, phase, nu, mu, alpha, near, sharp, signed_left, signed, slots)

    def _level(self, coded: Source, place: Place, pi: int, agreeing: int) -> int:
        if not self._decide(coded, place, 0):
            return 0
        usual = self.signed[place.identity][place.phase]
        s = 0 if place.sharp < 2 else _sign(pi)
        t = 1 if usual > 9830 else (2 if usual < -9830 else 0)
        one = 9 * s + 3 * t + agreeing
        two = 27 + 8 * (3 * _sign(place.left) + _sign(place.parent)) + place.identity
        logit = clip(self.signs.logit(one) + self.signs.logit(two), 2047)
        negative = coded.bit(clip(SQUASH[logit + 2048], 2000, 63536))
        self.signs.update(one, negative)
        self.signs.update(two, negative)
        size = 1
        while size < 3 and self._decide(coded, place, size):
            size += 1
        if size == 3:
            size += coded.unsigned(self.rest, 144 * clip(place.neighbours - 4, 0, 5))
        return -size if negative else size

    def _decide(self, coded: Source, place: Place, n: int) -> int:
        slots = [slot + 3944 * n for slot in place.slots]
        x = [(self.slots.logit(slot) * _CONFIDENCE[self.slots.seen[slot]]) >> 16 for slot in slots]
        sets = (
            self.weights[8 * n + place.identity],
            self.weights[24 + 30 * n + 10 * min(place.near, 2) + place.mean],
        )
        total = sum(w * v for weights in sets for w, v in zip(weights, x, strict=True))
        logit = clip(total >> 17, 2047)
        final = self._maps[10 * n + place.active]
        mixed = SQUASH[logit + 2048]
        bit = coded.bit(clip((mixed + final.value(logit)) >> 1, 4, 65532))
        error = 4 * (65536 * bit - mixed)
        for weights in sets:
            for k, v in enumerate(x):
                weights[k] = clip(weights[k] + ((error * v + 65536) >> 17), 2**22)
        final.update(logit, bit)
        for slot in slots:
            self.slots.update(slot, bit)
        return bit

    def _learn(self, identity: int, phase: int, level: int) -> None:
        self.number[identity][phase] += 1
        r = RATES[min(self.number[identity][phase], 23)]
        m = min(abs(level), 16) << 16
        row, signed = self.magnitude[identity], self.signed[identity]
        row[phase] += ((m - row[phase]) * r) >> 16
        signed[phase] += (((-m if level < 0 else m) - signed[phase]) * r) >> 16
        self.activity[identity] += ((m - self.activity[identity]) * 81) >> 10


class KernelCorrections:
    """Corrections of the kernels of one lead, and kernels that are given."""

    def __init__(self) -> None:
        self.slots = Slots([2**18] * 73, 60)
        self.bits = model(4 * 48)

    def read(self, coded: Source, kernel: Kernel, q: int) -> None:
        """The correction of a kernel, if it is due for one."""
        if kernel.beats == 0 or kernel.sent >= 16 or kernel.uses < 4 << kernel.sent:
            return
        kernel.sent += 1
        if not self._slot(coded, 72):
            return
        self._shape(coded, kernel, max((q << 12) // isqrt(clip(3 * kernel.uses, 1, 64) << 16), 128))
        kernel.beats = max(kernel.beats, min(kernel.uses, 59))

    def read_given(self, coded: Source, kernels: list[Kernel], q: int) -> None:
        """Kernels that are given in the first block since RESET."""
        for kernel in kernels:
            if not coded.bit(16384):
                return
            e = coded.plain(2)
            self._shape(coded, kernel, clip((q << 4) >> e, 128, 2**28))
            kernel.beats, kernel.uses = min(4**e, 59), 4**e
            kernel.sent = max(2 * e - 1, 0)

    def _shape(self, coded: Source, kernel: Kernel, step: int) -> None:
        sizes = [len(band) for band in to_bands([0] * len(kernel.values))]
        levels: list[list[int]] = []
        values: list[list[int]] = []
        for b, n in enumerate(sizes):
            w, identity = band_step(step, b, len(sizes)), identity_of(b, len(sizes))
            levels.append([])
            values.append([])
            for i in range(n):
                parent = 0
                if b > 0:
                    parent = levels[b - 1][min(i * sizes[b - 1] // n, sizes[b - 1] - 1)]
                left, before = _at(levels[b], i - 1), _at(levels[b], i - 2)
                size, value = 0, 0
                near = min(left + ((before + 1) >> 1), 2)
                if self._slot(coded, 9 * identity + 3 * near + min(parent, 2)):
                    negative = coded.bit(32768)
                    size = 1 + coded.magnitude(self.bits, 48 * min(left + parent, 3))
                    need(size <= 2**16, "level of a kernel")
                    value = clip((256 * size - 8) * w >> 8, 0, 2**38) * (-1 if negative else 1)
                levels[b].append(size)
                values[b].append(value)
        for j, value in enumerate(from_bands(values)):
            kernel.add(j, value)

    def _slot(self, coded: Source, slot: int) -> int:
        bit = coded.bit(clip(self.slots.probability[slot] >> 4, 64, 65472))
        self.slots.update(slot, bit)
        return bit
