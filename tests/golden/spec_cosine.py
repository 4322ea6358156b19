"""The cosine transform of a lead, as docs/format-cosine.md has it."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Final

from tests.golden.spec_coefficients import Place, Transform
from tests.golden.spec_range import Source, model, need
from tests.golden.spec_tables import clip

if TYPE_CHECKING:
    from fractions import Fraction

COSINES: Final = [round(2**17 * cos(pi * j / 1024)) for j in range(2048)]
_SCALES: Final = (185364, 131072, 92682, 65536, 46341, 32768, 23170, 16384, 11585)
_NEIGHBOURS: Final = (0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6)
_MEANS: Final = (655, 1966, 4588, 8520, 14418, 22938, 39322, 65536, 131072)
_EXPECTED: Final = (38, 102, 256, 512, 1024, 2048, 4096)


def frame_lengths(count: int, longest: int) -> list[int]:
    """Of a block's frames."""
    out = []
    while count:
        out.append(min(longest, 1 << (count.bit_length() - 1)))
        count -= out[-1]
    return out


def _wave(coefficients: list[int], n: int, *, last: bool) -> int:
    """Sample n of a frame, not overlapped yet."""
    size = len(coefficients)
    u = 256 // size
    y = 0
    for k, c in enumerate(coefficients):
        if not last:
            y += c * COSINES[(2 * k + 1) * (2 * n + 1) * u % 2048]
        else:
            y += c * COSINES[2 * k * (2 * n + 1) * u % 2048 if k else 256]
    return (((y + 65536) >> 17) * _SCALES[size.bit_length() - 1] + 65536) >> 17


def from_frames(frames: list[list[int]]) -> list[int]:
    """The samples of all frames' coefficients."""
    frames = [[clip(c, 2**38) for c in frame] for frame in frames]
    shift = max(max(abs(c) for frame in frames for c in frame).bit_length() - 27, 0)
    frames = [[c >> shift for c in frame] for frame in frames]
    x: list[int] = []
    edges = []
    for number, frame in enumerate(frames):
        if number:
            edges.append((len(x), len(frame)))
        last = number == len(frames) - 1
        x += [_wave(frame, n, last=last) for n in range(len(frame))]
    for e, size in edges:
        u, h = 256 // size, size // 2
        for i in range(h):
            v, w = COSINES[(2 * h - 2 * i - 1) * u], COSINES[(2 * h + 2 * i + 1) * u]
            a, b = x[e - 1 - i], x[e + i]
            x[e - 1 - i] = (v * a + w * b + 65536) >> 17
            x[e + i] = (v * b - w * a + 65536) >> 17
    return [clip(value << shift, 2**38) for value in x]


def _class(bounds: tuple[int, ...], value: int) -> int:
    return sum(bound <= value for bound in bounds)


def _fitted(levels: list[int], size: int) -> list[int]:
    """Levels of a frame as if it had another length."""
    length = len(levels)
    if length <= size:
        return [levels[i * length // size] for i in range(size)]
    group = length // size
    return [max(levels[i : i + group], key=abs) for i in range(0, length, group)]


class FrameTransform(Transform):
    """Coefficients of one lead of the kind cosine, from RESET on.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: Fraction) -> None:
        super().__init__()
        bits = (2 * rate.numerator // rate.denominator).bit_length()
        self._longest = 1 << clip(bits - 1, 4, 8)
        self._halvings_bits = model(12)
        for table in (self.magnitude, self.signed, self.number):
            for row in table:
                row.append(0)  # phase 63
        self.forget()

    def forget(self) -> None:
        """A run begins."""
        self._last, self._older = [0], [0]
        self._halvings = 0

    def read_block(self, coded: Source, count: int, step: int) -> list[int]:
        """The rest of a block, 1/16 ADC unit."""
        self._rescale(step)
        base, self._halvings = 3 * self._halvings, 0
        while self._halvings < 3 and coded.adaptive(self._halvings_bits, base + self._halvings):
            self._halvings += 1
        frames = []
        for size in frame_lengths(count, self._longest >> self._halvings):
            self._last = _fitted(self._last, size)
            self._older = _fitted(self._older, size)
            levels: list[int] = []
            values: list[int] = []
            for k in range(size):
                place = self._place_at(k, levels)
                level = self._level(coded, place, 0, 0)
                need(abs(level) <= min(2**26, 2**38 // step), "level")
                value = (256 * abs(level) - 8) * step >> 8 if level else 0
                values.append(-value if level < 0 else value)
                levels.append(level)
                self._learn(place.identity, place.phase, level)
            self._older, self._last = self._last, levels
            frames.append(values)
        return from_frames(frames)

    def _place_at(self, line: int, levels: list[int]) -> Place:
        phase = 64 * line // len(self._last)
        identity = phase.bit_length()

        def m1(i: int) -> int:
            return abs(self._last[i]) if 0 <= i < len(self._last) else 0

        def m2(i: int) -> int:
            return abs(self._older[i]) if 0 <= i < len(self._last) else 0

        def usual(p: int) -> int:
            return self.magnitude[p.bit_length()][p]

        lev1, lev2 = [0, 0, *levels][-1], [0, 0, *levels][-2]
        left, before, parent, above = abs(lev1), abs(lev2), m1(line), m2(line)
        around = m1(line - 1) + m1(line + 1)
        total = 4 * left + 2 * before + 2 * parent + around
        nu = _NEIGHBOURS[total] if total < 15 else 7 + (total > 22) + (total > 40)
        mean = 2 * usual(phase) + usual(max(phase - 1, 0)) + usual(min(phase + 1, 63))
        mu = _class(_MEANS, mean >> 2)
        alpha = _class(_MEANS, self.activity[identity])
        past = 2 * around + m1(line - 2) + m1(line + 2) + m2(line - 1) + m2(line + 1)
        smooth = _class(_EXPECTED, 20 * (past + 3 * parent + 2 * above))
        sharp = _class(_EXPECTED, 12 * (past + 4 * parent + 3 * above + 6 * left + 3 * before))
        near = min(left + parent, 3)
        third = 16 * min(left, 3) + 4 * min(parent, 3) + min(before + around, 3)
        slots = [
            16 * identity + nu,
            128 + 64 * identity + phase,
            640 + 64 * identity + third,
            1152 + 40 * identity + 4 * mu + near,
            1472 + 60 * min(parent + around, 5) + 10 * min(left + before, 5) + mu,
            1832 + 64 * identity + 8 * smooth + sharp,
            2344 + 40 * smooth + 4 * mu + near,
            2664 + 40 * identity + 4 * alpha + near,
            2984 + 320 * min(above, 2) + 80 * min(parent, 3) + 10 * smooth + alpha,
        ]
        return Place(identity, phase, nu, mu, alpha, near, 0, lev1, self._last[line], slots)
