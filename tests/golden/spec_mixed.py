"""The presets "lean" and "max" of docs/format-coding.md: predictors and the mixed residual."""

from __future__ import annotations

from dataclasses import dataclass

from tests.golden.spec_mixing import FinalMap, Slots
from tests.golden.spec_range import Source
from tests.golden.spec_residual import Laws, Predicted
from tests.golden.spec_squares import Squares, dot
from tests.golden.spec_tables import SQUASH, clip, log8, quotient

MOST_REGRESSORS = 64


@dataclass(frozen=True)
class Plan:
    """A row of the table of predictors; `period` is 0 for those that learn by sign."""

    own: int
    beat: int
    others: int
    window: int
    weighting: int = 0
    period: int = 0


@dataclass(frozen=True)
class Preset:
    """Predictors, laws (prediction, scale), and differences kept."""

    plans: tuple[Plan, ...]
    laws: tuple[tuple[int, str], ...]
    history: int


MAX = Preset(
    (
        Plan(16, 1, 1, 9, 1, 5),
        Plan(48, 0, 1, 13, 2, 9),
        Plan(16, 0, 1, 13, 0, 8),
        Plan(24, 1, 1, 11, 2, 7),
        Plan(2, 0, 0, 5, 2, 2),
        Plan(16, 1, 1, 0),
        Plan(32, 1, 1, 2),
    ),
    tuple(zip((7, 7, 7, 0, 1, 2, 3, 4, 5, 6), "FBSMWMWMMM", strict=True)),
    48,
)
LEAN = Preset(
    (Plan(24, 1, 1, 11, 2, 7), Plan(16, 0, 1, 13, 0, 8), Plan(32, 1, 1, 2)),
    tuple(zip((3, 3, 3, 0, 1, 2), "FBSMMM", strict=True)),
    32,
)
COMBINER = Plan(0, 0, 0, 11, 2, 3)


@dataclass
class MixedDecisions:
    """The contexts of one sample's residual, and its decisions ("Mixed residual")."""

    lead: Mixed
    source: Source
    laws: Laws
    rows: list[int]
    centre: int
    level: int
    phase_level: int
    last: int
    escape: int = 20

    def used_slots(self, n: int, negative: int, found: int) -> list[int]:
        """Step 1."""
        step = min(n, 23)
        if n == 0:
            column = 0
            by_value = 58528 + (self.centre & 2047)
        else:
            column = 2 * step - 1 + negative if step < 16 else 29 + negative
            away = -(1 + found) if negative else found
            reached = self.centre + away * self.lead.step
            by_value = 42144 + 2 * (4 * (reached & 2047) + self.level // 3) + negative
        return [*(32 * row + column for row in self.rows), by_value]

    def decide(self, n: int, negative: int, found: int, meant: int | None) -> int:
        lead, slots = self.lead, self.lead.slots
        used = self.used_slots(n, negative, found)
        by_slot = [slots.logit(i) for i in used]
        sure = by_slot[0] if slots.seen[used[0]] > 30 else 0
        inputs = [*self.laws.logits(n), *by_slot, 64, sure]
        step = min(n, 23)
        sets = (
            12 * step + self.level,
            288 + 12 * step + self.phase_level,
            576 + 21 * min(step, 8) + self.last + 10,
        )
        logit = clip(sum(dot(lead.mixing[i], inputs) for i in sets) >> 16, 2047)
        mixed = SQUASH[logit + 2048]
        final = lead.maps[12 * step + self.level]
        probability = clip((166 * mixed + 90 * final.value(logit)) >> 8, 24, 65512)
        bit = self.source.bit(probability, meant)
        error = 2 * (65536 * bit - mixed)
        moves = [(error * x + 65536) >> 17 for x in inputs]
        for i in sets:
            lead.mixing[i] = [
                clip(weight + move, 2**22)
                for weight, move in zip(lead.mixing[i], moves, strict=True)
            ]
        final.update(logit, bit)
        for i in used:
            slots.update(i, bit)
        self.laws.decided(n, bit, self.escape)
        return bit

    def low_bit(self, meant: int | None) -> int:
        return self.laws.low_bit(self.source, meant)


class Mixed(Predicted):
    """A lead under preset 2 or 3."""

    def __init__(
        self,
        bound: int,
        beat: int,
        refractory: int,
        baseline: int,
        preset: Preset,
        index: int,
        rows: list[list[int]],
    ) -> None:
        """At RESET; `index` of the lead, and the rows of all leads."""
        if beat < 8:
            beat, refractory = 0, 2**20
        self.history_length = preset.history
        super().__init__(bound, beat, refractory, baseline)
        w, count = self.step, len(preset.plans)
        self.preset, self.rows = preset, rows
        self.others = [index - 1 - k for k in range(min(index, 8))]
        self.lags = (0, 4, 4, 3, 2)[min(index, 4)]
        self.lowest = self.highest = self.anchor = self.mean = self.count = 0
        self.activity = 65536
        self.scales = [[12288 + 2048 * w] * 4 for _ in range(count + 1)]
        self.template, self.seen = [0] * beat, [0] * beat
        self.phase_error = [8192 * w] * beat
        sizes = [self.own(plan) + self.extra(plan) for plan in preset.plans]
        self.squares = [Squares([39000] + [0] * (size - 1)) for size in sizes]
        self.squares.append(Squares([65536] + [65536 // count] * (count - 1)))
        self.slots = Slots([2**19] * 60576)
        laws = len(preset.laws)
        chosen = [65536 // laws] * laws + [5000] * 5 + [0, 0]
        self.mixing = [list(chosen) if i < 288 else [0] * (laws + 7) for i in range(765)]
        self.maps = [FinalMap() for _ in range(288)]

    def extra(self, plan: Plan) -> int:
        """Regressors behind the lead's own differences."""
        by_others = len(self.others) * self.lags if plan.others else 0
        return 1 + by_others + (4 if plan.beat and self.beat else 0)

    def own(self, plan: Plan) -> int:
        return min(plan.own, MOST_REGRESSORS - self.extra(plan))

    def begin(self, v: int, row: list[int]) -> None:
        self.history = [0] * self.history_length
        self.lowest = self.highest = self.anchor = v
        self.mean, self.activity = v << 10, 65536
        row[:] = [v] * len(row)

    def skip(self) -> None:
        if not self.fresh:
            self.push(0)

    def choose(self, others: list[int]) -> None:
        """Predict from other leads than until now."""
        self.others = others
        for plan, squares in zip(self.preset.plans, self.squares, strict=False):
            if plan.others:
                begin = self.own(plan) + 1
                squares.forget(range(begin, begin + len(others) * self.lags))

    def expected_error(self, phase: int) -> int:
        """Step 2: phi."""
        u = self.phase_error
        if phase >= self.beat:
            return self.scales[-1][1]
        if phase == self.beat - 1:
            return u[phase]
        return (2 * u[phase] + u[phase - 1] + u[phase + 1]) >> 2

    def regressors(self, phase: int, t: int) -> list[list[int]]:
        """Step 3; t is the sample's place in the rows."""
        level = clip((self.last - (self.mean >> 10)) >> 3, 2**23)
        by_others = [
            clip(self.rows[j][t - lag] - self.rows[j][t - lag - 1], 2**23)
            for j in self.others
            for lag in range(self.lags)
        ]
        by_beat = [0] * 4
        if 1 < phase < self.beat - 3:
            before, here, after, later = self.template[phase - 1 : phase + 3]
            offset = clip((before >> 4) - (self.last - self.anchor), 2**23) >> 2
            by_beat = [(here - before) >> 4, (after - here) >> 4, (later - after) >> 4, offset]
        return [
            [
                *self.history[: self.own(plan)],
                level,
                *(by_others if plan.others else []),
                *(by_beat if plan.beat and self.beat else []),
            ]
            for plan in self.preset.plans
        ]

    def predict(self, regressors: list[list[int]]) -> list[int]:
        """Steps 4 and 5: all predictions, the combiner's last; adds its regressors."""
        low, high, here = 64 * (self.lowest - 8), 64 * (self.highest + 8), 64 * self.last
        p = [
            clip(here + (dot(squares.weights, x) >> 10), low, high)
            for squares, x in zip(self.squares, regressors, strict=False)
        ]
        regressors.append([clip(p[0] - here, 2**29), *(clip(q - p[0], 2**29) for q in p[1:])])
        combined = here + (dot(self.squares[-1].weights, regressors[-1]) >> 16)
        return [*p, clip(combined, low, high)]

    def deviation_class(self, x: int) -> int:
        return clip((195 * (log8(x) - self.step_log - 72)) >> 10, 0, 11)

    def decisions(
        self, source: Source, p: list[int], phase: int, phi: int, shift: int
    ) -> MixedDecisions:
        """What the residual's decisions depend on."""
        w, h, combined = self.step, self.history, p[-1]
        centre = (combined + 32) >> 6
        fast, middle, _, _ = self.scales[-1]
        level = self.deviation_class((5 * fast + 3 * middle + 8) >> 3)
        q = [clip(quotient(h[i], w), 10) for i in range(3)]
        spread = clip((2 * (p[0] - combined) + 32 * w) // (64 * w), 5)
        rows = [
            21 * (q[0] + 10) + q[1] + 10,
            441 + (min(phase, 511) >> 1),
            697 + 8 * (sum(q) + 30) + ((combined - 64 * centre + 32) >> 3),
            1185 + 12 * (spread + 5) + level,
        ]
        laws = []
        for k, kind in self.preset.laws:
            s = self.scales[k]
            scale = {
                "M": (s[0] + s[1]) >> 1, "W": (s[2] + phi) >> 1, "F": s[0], "B": phi, "S": s[2],
            }[kind]  # fmt: skip
            laws.append((p[k], log8(scale + 600 * w)))
        placed = Laws(laws, 64 * centre - 32 * w, 64 * w << shift, (2**36, 4000))
        by_phase = self.deviation_class(phi + 1)
        return MixedDecisions(self, source, placed, rows, centre, level, by_phase, q[0])

    def sample(self, source: Source, row: list[int], known: int | None) -> int:
        w = self.step
        phase = self.since + 1
        self.count = (self.count + 1) % 2**20
        phi = self.expected_error(phase)
        regressors = self.regressors(phase, len(row))
        p = self.predict(regressors)
        fast, middle, _, slowest = self.scales[-1]
        fast_log = log8(max((fast + middle) >> 1, phi >> 1, 1200 * w))
        slow_log = log8(max(slowest, 1200 * w))
        shift = 0
        while (fast + middle) >> (shift + 1) > 12288 * w:
            shift += 1
        decisions = self.decisions(source, p, phase, phi, shift)
        v = self.follow(decisions, decisions.centre, shift, known)

        errors = [abs(64 * v - prediction) << 6 for prediction in p]
        for s, error in zip(self.scales, errors, strict=True):
            s[0] += (7 * (error - s[0])) >> 5
            s[1] += (13 * (error - s[1])) >> 8
            s[2] += (3 * (error - s[2])) >> 8
            s[3] += (error - s[3]) >> 10
        self.learn(v, p, regressors, fast_log, slow_log)
        difference = clip(v - self.last, 2**23)
        self.push(difference)
        self.last = v
        self.activity += ((abs(difference) << 12) - self.activity) >> 4
        self.lowest, self.highest = min(self.lowest, v), max(self.highest, v)
        self.mean += ((v << 10) - self.mean) >> 9
        if phase < self.beat:
            self.phase_error[phase] += (38 * (errors[-1] - self.phase_error[phase])) >> 8
            m = min(self.seen[phase], 14)
            shape = clip(v - self.anchor, 2**23) << 4
            self.template[phase] += (shape - self.template[phase]) // (m + 1)
            self.seen[phase] = m + 1
        self.advance(phase, sum(self.history[:5]))
        if self.since == 0:
            self.anchor = v
        return v

    def learn(
        self, v: int, p: list[int], regressors: list[list[int]], fast_log: int, slow_log: int
    ) -> None:
        """Every predictor learns ("Learning")."""
        for k, plan in enumerate((*self.preset.plans, COMBINER)):
            squares, x = self.squares[k], regressors[k]
            combines = k == len(self.preset.plans)
            if not plan.period:
                self.learn_sign(squares.weights, x, 64 * v - p[k], plan.window)
                continue
            scale = (fast_log * plan.weighting + slow_log * (2 - plan.weighting)) >> 1
            target = 64 * (v - self.last) if combines else v - self.last
            squares.learn(x, target, scale, (scale >> 3) - (0 if combines else 4))
            if (self.count - 5 * k - 1) % 2**plan.period == 0:
                squares.solve(22 if combines else 12)
                squares.fade(plan.window - plan.period)

    def learn_sign(self, weights: list[int], x: list[int], error: int, shift: int) -> None:
        if not error:
            return
        z = shift + ((self.activity + self.scales[-1][0]) >> 12).bit_length()
        sign = 64 if error > 0 else -64
        weights[:] = [clip(a + ((sign * b) >> z), 2**20) for a, b in zip(weights, x, strict=True)]
