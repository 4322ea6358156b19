"""Decoder of quality, and of bounded above 2, written from docs/format-transform.md alone.

Layers 2, 3 and 4 of all leads, a (part) block at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.golden.spec_beats import Settings, SpikeCoder, step_of
from tests.golden.spec_coefficients import KernelCorrections, Transform
from tests.golden.spec_cosine import FrameTransform
from tests.golden.spec_range import Model, Source, Trend, model
from tests.golden.spec_starts import read_start, start_transformed
from tests.golden.spec_tables import clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

INT32: Final = (-(2**31), 2**31 - 1)
_DENSITIES: Final = (131, 328, 655, 1966, 5243, 10486, 19661)


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What HEADER says of a lead; `bound` is None in quality."""

    baseline: int = 0
    minimum: int = INT32[0]
    maximum: int = INT32[1]
    bound: int | None = None


@dataclass(slots=True)
class SampleCorrections:
    """Layer 4 of one lead."""

    bits: Model = field(default_factory=lambda: model(384, 4096) + model(147))
    density: int = 0
    sign: int = 0

    def read(
        self, coded: Source, shown: list[int], phases: list[int], valid: list[int], e: int
    ) -> None:
        """Correct the samples of a block."""
        for t, phase in enumerate(phases):
            if not valid[t]:
                continue
            rate = sum(bound <= self.density for bound in _DENSITIES)
            context = 16 * (3 * rate + self.sign) + (phase >> 2)
            if not coded.adaptive(self.bits, context):
                self.sign = 0
                self.density -= self.density >> 6
                continue
            negative = coded.adaptive(self.bits, 384 + self.sign)
            size = 1 + coded.unsigned(self.bits, 387)
            shown[t] = clip(shown[t] + (-size if negative else size) * (2 * e + 1), *INT32)
            self.sign = 1 + negative
            self.density += (65536 - self.density) >> 6


class LeadDecoder:
    """All that is learned of one lead, from RESET on."""

    def __init__(self, facts: LeadFacts, settings: Settings) -> None:
        self._facts = facts
        self._settings = settings
        self.step = Trend(64)
        self.spikes = SpikeCoder(settings)
        self.level_bits = model(144)
        self.transform = Transform()
        self._frames = FrameTransform(self._settings.rate)
        self.cosine = False
        self.kernel_corrections = KernelCorrections()
        self.corrections = SampleCorrections()
        self.phases: list[int] = []
        self._new = True
        self.restart()

    def restart(self) -> None:
        """A run begins."""
        self.spikes.restart()
        self.transform.band.forget(0)
        self._frames.forget()
        self.corrections.density = self.corrections.sign = 0
        self._level: int | None = None
        self._past = [0] * self._settings.length

    def read(self, coded: Source, count: int, q: int, guide: SpikeCoder | None) -> list[int]:
        """Layers 2 and 3 of a block; returns its samples."""
        facts, spikes, length = self._facts, self.spikes, self._settings.length
        if self._level is None:
            self._level = clip(facts.baseline + coded.signed(self.level_bits, 0), *INT32)
        if self.cosine:
            self.phases = [62] * count
            return self._show([0] * count, self._frames.read_block(coded, count, q))
        if self._new:
            self.kernel_corrections.read_given(coded, spikes.kernels, q)
        self._new = False
        others = [*guide.recent, *guide.spikes] if guide else []
        self.phases = spikes.read(coded, count, q, others)
        prediction = [spikes.prediction.get(t, 0) for t in range(count)]
        rest = self.transform.read(coded, prediction, self.phases, q)
        rest = [clip(value, 2**36) for value in rest]
        shown = self._show(prediction, rest)
        past = self._past + rest
        if self._settings.kernels:
            spikes.learn(past, count)
        self._past = past[-length:]
        spikes.advance(count)
        for kernel in spikes.kernels:
            self.kernel_corrections.read(coded, kernel, q)
        return shown

    def _show(self, prediction: list[int], rest: list[int]) -> list[int]:
        """The samples that are shown."""
        facts, level = self._facts, self._level
        assert level is not None
        return [
            clip(level + ((p + clip(r, 2**36) + 8) >> 4), facts.minimum, facts.maximum)
            for p, r in zip(prediction, rest, strict=True)
        ]

    def correct(self, coded: Source, shown: list[int], valid: list[int]) -> None:
        """Layer 4 of a block."""
        if self._facts.bound is not None:
            self.corrections.read(coded, shown, self.phases, valid, self._facts.bound)


class TransformReader:
    """Models of all leads.

    Args:
        rate: Hz. block, late, leads, tables: of HEADER.

    Attributes:
        starts: that were read.
    """

    def __init__(
        self, rate: Fraction, block: int, late: int, leads: Sequence[LeadFacts], *, tables: int = 0
    ) -> None:
        self._tables = tables
        self._starting = False
        self.starts: list[int] = []
        self._settings = Settings(rate, late, block)
        self._facts = leads
        self.leads: list[LeadDecoder] = []

    def reset(self) -> None:
        """A CODE message with RESET comes."""
        self.leads = [LeadDecoder(facts, self._settings) for facts in self._facts]
        self._starting = self._tables == 1

    def restart(self) -> None:
        """A run begins."""
        for lead in self.leads:
            lead.restart()

    def read(self, source: Source, valid: list[list[int]]) -> list[list[int]]:
        """Samples of a (part) block, by lead."""
        count = len(valid[0])
        steps = [step_of(lead.step.read(source)) for lead in self.leads]
        shown = []
        for i, (lead, q) in enumerate(zip(self.leads, steps, strict=True)):
            if self._starting:
                self.starts.append(read_start(source, 3))
                if self.starts[-1] == 1:
                    start_transformed(lead)
                lead.cosine = self.starts[-1] == 2
            earlier = [other.spikes for other in self.leads[:i] if other.spikes.spikes]
            shown.append(lead.read(source, count, q, earlier[-1] if earlier else None))
        self._starting = False
        for lead in self.leads:
            lead.spikes.remember(count)
        for lead, samples, ok in zip(self.leads, shown, valid, strict=True):
            lead.correct(source, samples, ok)
        return shown
