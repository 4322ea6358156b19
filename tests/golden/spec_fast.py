"""The presets "fast" and "tiny" of docs/format-coding.md."""

from __future__ import annotations

from tests.golden.spec_mixing import Slots
from tests.golden.spec_range import HALF, Source
from tests.golden.spec_residual import Laws, Predicted
from tests.golden.spec_tables import SQUASH, clip, log8, quotient

TINY_CLASSES = (5, 7, 10, 14, 20, 27, 39, 54, 77, 108, 153, 216, 305, 431, 609)


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=False))


class FastDecisions:
    """Two laws and two slots, mixed by the weights of one set."""

    escape = 16

    def __init__(self, lead: Fast, source: Source, laws: Laws, row: int, turn: int) -> None:
        self.lead, self.source, self.laws, self.row, self.turn = lead, source, laws, row, turn

    def decide(self, n: int, _negative: int, _found: int, meant: int | None) -> int:
        lead = self.lead
        column = min(n, 31)
        i, j = 32 * self.row + column, 32 * self.turn + column
        one, two = self.laws.logits(n)
        inputs = [one, lead.by_row.logit(i), lead.by_turn.logit(j), two]
        weights = lead.mixing[i]
        mixed = SQUASH[clip(dot(weights, inputs) >> 16, 2047) + 2048]
        bit = self.source.bit(mixed, meant)
        error = 8 * (65536 * bit - mixed)
        lead.mixing[i] = [
            clip(weight + ((error * x + 65536) >> 17), 2**22)
            for weight, x in zip(weights, inputs, strict=True)
        ]
        lead.by_row.update(i, bit)
        lead.by_turn.update(j, bit)
        self.laws.decided(n, bit, self.escape)
        return bit

    def low_bit(self, meant: int | None) -> int:
        return self.laws.low_bit(self.source, meant)


class Fast(Predicted):
    """Preset 1."""

    history_length = 32

    def __init__(self, bound: int, beat: int, refractory: int, baseline: int) -> None:
        super().__init__(bound, beat, refractory, baseline)
        self.short = [32768] + [0] * 7
        self.long = [39000] + [0] * 31
        self.quick = self.medium = self.slow = self.activity = 12288 + 2048 * self.step
        self.phase_error = [8192 * self.step] * max(beat, 1)
        self.by_row, self.by_turn = Slots([2**19] * 768), Slots([2**19] * 7680)
        self.mixing = [[32768, 6000, 6000, 32768] for _ in range(24 * 32)]

    def restart(self) -> None:
        super().restart()
        self.history = [0] * self.history_length

    def sample(self, source: Source, _row: list[int], known: int | None) -> int:
        w, h = self.step, self.history
        phase = self.since + 1
        inside = phase < len(self.phase_error)
        by_phase = self.phase_error[phase] if inside else self.medium
        reach = (2 * abs(h[0]) + (self.medium >> 6) + 64) << 6
        one = 64 * self.last + clip(dot(self.short, h) >> 10, reach)
        two = 64 * self.last + clip(dot(self.long, h) >> 10, reach)
        p = (one + two) >> 1
        centre = (p + 32) >> 6

        scale = (self.quick + self.medium) >> 1
        first = log8(scale + 600 * w)
        second = log8(((self.slow + by_phase) >> 1) + 600 * w)
        row = clip((3 * (first - self.step_log - 68)) >> 3, 0, 23)
        turn = 15 * clip((second - self.step_log - 68) >> 2, 0, 15)
        turn += clip(quotient(h[0] - h[1], w), 7) + 7
        shift = 0
        while scale >> shift > 8192 * w:
            shift += 1
        edge = 64 * centre - 32 * w
        laws = Laws([(p, first), (p, second)], edge, 64 * w << shift, (2**62, 2000))
        decisions = FastDecisions(self, source, laws, row, turn)
        v = self.follow(decisions, centre, shift, known)

        z = ((self.activity + self.quick) >> 12).bit_length()
        sign = 128 if 64 * v > one else -128
        self.short = [
            clip(a + ((sign * x) >> z), 2**20) for a, x in zip(self.short, h, strict=False)
        ]
        sign = 64 if 64 * v > two else -64
        self.long = [
            clip(b + ((sign * x) >> (z + 2)), 2**20) for b, x in zip(self.long, h, strict=True)
        ]
        error = abs(64 * v - p) << 6
        self.quick += (7 * (error - self.quick)) >> 5
        self.medium += (13 * (error - self.medium)) >> 8
        self.slow += (error - self.slow) >> 7
        if inside:
            self.phase_error[phase] += (38 * (error - self.phase_error[phase])) >> 8
        difference = clip(v - self.last, 2**23)
        self.push(difference)
        self.last = v
        self.activity += ((abs(difference) << 12) - self.activity) >> 4
        self.advance(phase, sum(self.history[:4]))
        return v


class TinyDecisions:
    """The mean of two adaptive probabilities; low bits are plain."""

    escape = 12

    def __init__(self, lead: Tiny, source: Source, one: int, two: int) -> None:
        self.lead, self.source, self.one, self.two = lead, source, one, two

    def decide(self, n: int, _negative: int, _found: int, meant: int | None) -> int:
        by_scale, by_phase = self.lead.by_scale, self.lead.by_phase
        i, j = (16 * context + min(n, 15) for context in (self.one, self.two))
        bit = self.source.bit(clip((by_scale[i] + by_phase[j]) >> 1, 64, 65472), meant)
        by_scale[i] += (65535 * bit - by_scale[i]) >> 6
        by_phase[j] += (65535 * bit - by_phase[j]) >> 6
        return bit

    def low_bit(self, meant: int | None) -> int:
        return self.source.bit(HALF, meant)


def tiny_class(x: int) -> int:
    return sum(least <= x for least in TINY_CLASSES)


class Tiny(Predicted):
    """Preset 0."""

    longest_since = 30_000
    history_length = 16

    def __init__(self, bound: int, beat: int, refractory: int, baseline: int) -> None:
        super().__init__(bound, beat, refractory, baseline)
        self.weights = [2048] + [0] * 15
        self.quick = self.slow = 48 * self.step
        self.activity = 64
        self.phase_error = [32 * self.step] * max(beat // 2, 1)
        self.by_scale, self.by_phase = [32768] * 256, [32768] * 768

    def restart(self) -> None:
        super().restart()
        self.history = [0] * self.history_length

    def sample(self, source: Source, _row: list[int], known: int | None) -> int:
        w, h = self.step, self.history
        phase = self.since + 1
        inside = phase >> 1 < len(self.phase_error)
        by_phase = self.phase_error[phase >> 1] if inside else self.slow
        move = (dot(self.weights, h) + 2048) >> 12
        centre = self.last + clip(move, 2 * abs(h[0]) + (self.slow >> 4) + 8)

        scale = ((3 * self.quick + self.slow) >> 2) // w
        other = ((self.slow + by_phase) >> 1) // w
        shift = 0
        while scale >> shift > 48:
            shift += 1
        direction = 1 if h[0] > 0 else 2 if h[0] < 0 else 0
        contexts = tiny_class(scale), 3 * tiny_class(other) + direction
        v = self.follow(TinyDecisions(self, source, *contexts), centre, shift, known)

        if v != centre:
            z = ((self.activity + self.quick) >> 4).bit_length()
            sign = 1 if v > centre else -1
            self.weights = [
                clip(a + sign * ((x << 2) >> z), 16383)
                for a, x in zip(self.weights, h, strict=True)
            ]
        error = abs(v - centre) << 4
        self.quick += (error - self.quick) >> 2
        self.slow += (error - self.slow) >> 5
        if inside:
            self.phase_error[phase >> 1] += (error - self.phase_error[phase >> 1]) >> 3
        difference = clip(v - self.last, 8191)
        self.push(difference)
        self.activity += ((abs(difference) << 4) - self.activity) >> 4
        self.last = v
        self.advance(phase, sum(self.history[:4]))
        return v

    def advance(self, phase: int, slope: int) -> None:
        """The beat phase."""
        self.energy += ((abs(slope) << 4) - self.energy) >> 2
        self.level -= self.level >> 10
        if self.energy > self.level:
            self.level += (self.energy - self.level) >> 3
        self.find_beat(phase, high=3 * self.energy > 2 * self.level, fall=5)
