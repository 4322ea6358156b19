"""What the presets have in common: docs/format-coding.md, a lead's samples, mixing, beat phase."""

from __future__ import annotations

from typing import Protocol

from tests.golden.spec_range import Source, model
from tests.golden.spec_tables import (
    LOG_EXPM1,
    MANTISSA,
    SOFTPLUS,
    SQUASH,
    clip,
    int32,
    log8,
)


class Laws:
    """Logistic laws around predictions: (place, width) of each, from which logits follow."""

    def __init__(
        self, laws: list[tuple[int, int]], edge: int, width: int, limits: tuple[int, int]
    ) -> None:
        """Begin a residual.

        Args:
            laws: (prediction, E) of each.
            edge: 64 centre − 32 w. width: 64 w << shift.
            limits: of the distance to the edge, and of the first place.
        """
        self.place, self.width = [], []
        for prediction, scale in laws:
            mantissa, shift = MANTISSA[scale & 7], scale >> 3
            distance = clip(edge - prediction, limits[0])
            self.place.append(clip((distance * mantissa) >> shift, limits[1]))
            self.width.append(clip((width * mantissa) >> shift, 1, 4000))

    def logits(self, n: int) -> list[int]:
        if n == 0:
            return [clip(place, 2047) for place in self.place]
        return [
            clip(SOFTPLUS[4096 + place] - LOG_EXPM1[width], 2047)
            for place, width in zip(self.place, self.width, strict=True)
        ]

    def decided(self, n: int, bit: int, escape: int) -> None:
        if not bit:
            return
        if n == 0:
            self.place = [-place for place in self.place]
            return
        pairs = zip(self.place, self.width, strict=True)
        self.place = [clip(place + width, 4000) for place, width in pairs]
        if n >= escape:
            self.width = [min(2 * width, 4000) for width in self.width]

    def low_bit(self, source: Source, meant: int | None) -> int:
        """A low bit, by the first law alone."""
        place, width = self.place[0], self.width[0]
        ahead = clip(place + width, 4000)
        width >>= 1
        logit = width + SOFTPLUS[4096 - place] - SOFTPLUS[4096 - ahead]
        bit = source.bit(clip(SQUASH[clip(logit, 2047) + 2048], 2000, 63536), meant)
        self.place[0] = clip(place + width, 4000) if bit else place
        self.width[0] = width
        return bit


class Decisions(Protocol):
    """How a preset codes the decisions of one residual."""

    escape: int

    def decide(self, n: int, negative: int, found: int, meant: int | None) -> int:
        """Decision n: "negative" for 0, else "m ≥ found + 2^shift", the n-th."""

    def low_bit(self, meant: int | None) -> int:
        """The bit "m ≥ found + 2^shift" with a smaller shift than before."""


def read_residual(decisions: Decisions, shift: int, known: int | None) -> int:
    """The residual r, which is `known` in raw blocks."""
    negative = decisions.decide(0, 0, 0, None if known is None else int(known < 0))
    m = -1 - known if known is not None and negative else known

    def reached(least: int) -> int | None:
        return None if m is None else int(m >= least)

    found, n = 0, 1
    while shift < 40:
        if not decisions.decide(n, negative, found, reached(found + (1 << shift))):
            break
        found += 1 << shift
        if n >= decisions.escape:
            shift += 1
        n += 1
    while shift > 0:
        shift -= 1
        if decisions.low_bit(reached(found + (1 << shift))):
            found += 1 << shift
    return -1 - found if negative else found


class Predicted:
    """A lead: rules 1 to 3 of its samples, and the beat phase."""

    longest_since = 1_000_000
    history_length = 0

    def __init__(self, bound: int, beat: int, refractory: int, baseline: int) -> None:
        """At RESET.

        Args:
            bound: e. beat: T. refractory: F. baseline: of the HEADER.
        """
        self.bound, self.step = bound, 2 * bound + 1
        self.beat, self.refractory, self.baseline = beat, refractory, baseline
        self.step_log = log8(4096 * self.step) - 96
        self.first_models = model(144)
        self.history = [0] * self.history_length
        self.restart()

    def restart(self) -> None:
        self.last, self.fresh = self.baseline, True
        self.since = self.longest_since
        self.energy = self.level = self.peak = 0

    def begin(self, v: int, row: list[int]) -> None:
        """The first sample of a run is known."""

    def skip(self) -> None:
        """A sample is invalid."""

    def sample(self, source: Source, row: list[int], known: int | None) -> int:
        """Predict, code the residual, learn."""
        raise NotImplementedError

    def read(self, source: Source, row: list[int], *, valid: bool, known: int | None = None) -> int:
        """The next sample; `row` is what the lead's row holds so far, for the other leads."""
        if not valid:
            self.skip()
            return self.last
        if not self.fresh:
            return self.sample(source, row, known)
        meant = None if known is None else known - self.last
        v = int32(self.last + source.signed(self.first_models, 0, meant))
        self.last, self.fresh = v, False
        self.begin(v, row)
        return v

    def follow(self, decisions: Decisions, centre: int, shift: int, known: int | None) -> int:
        """Code the residual; the sample that is shown."""
        r = None
        if known is not None and known >= centre:
            r = (known - centre + self.bound) // self.step
        elif known is not None:
            r = -((centre - known + self.bound) // self.step)
        return int32(centre + read_residual(decisions, shift, r) * self.step)

    def push(self, difference: int) -> None:
        self.history = [difference, *self.history[:-1]]

    def advance(self, phase: int, slope: int) -> None:
        """The beat phase, of all presets but tiny."""
        q = clip(slope, 2**18)
        self.energy = (11 * self.energy + 80 * q**2) >> 4
        self.level -= self.level >> 11
        if self.energy > self.level:
            self.level += (self.energy - self.level) >> 3
        self.find_beat(phase, high=5 * self.energy > 2 * self.level, fall=6)

    def find_beat(self, phase: int, *, high: bool, fall: int) -> None:
        if phase <= self.refractory:
            self.peak = 0
        elif high:
            if self.energy > self.peak:
                self.peak = self.energy
            elif self.peak > 0 and self.energy < self.peak - (self.peak >> fall):
                phase = self.peak = 0
        self.since = min(phase, self.longest_since)
