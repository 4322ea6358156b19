"""Steering of steps against a made-up coder whose error and bits follow the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import log, log2, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import san_runtime.encoder
from san_runtime import Encoder
from san_runtime.rate_control import (
    FixedStep,
    Outcome,
    PrdnControl,
    RateControl,
    StepControl,
    make_control,
)
from san_runtime.sources import open_source
from san_stream import Chunk
from san_stream.coding.core import PLAIN
from san_stream.coding.steps import UNIT_STEP, step_of
from san_stream.profiles import Quality
from san_stream.types import Lead

RATE = Fraction(360)
BLOCK = 1152
Find = Callable[[str], Path]
LEAD = Lead("II", "mV", 200.0, 0, 11, -1024, 1023)


def outcome(samples: np.ndarray, errors: np.ndarray, bits: int) -> Outcome:
    """A block of which every sample is valid."""
    return Outcome(samples, errors, np.ones(samples.shape, np.bool_), bits)


def play(
    control: PrdnControl | RateControl, blocks: int, exponent: float, seed: int
) -> list[tuple[float, float, int]]:
    """PRDN so far, bits per sample of the last 60 s, and the step index, block by block."""
    rng = np.random.default_rng(seed)
    out: list[tuple[float, float, int]] = []
    shown: list[np.ndarray] = []
    missed: list[np.ndarray] = []
    spent: list[int] = []
    for i in range(blocks):
        loud = 60 * (1 + 0.2 * np.sin(i / 5))
        samples = rng.normal(0, loud, (BLOCK, 1)).round().astype(np.int64)
        index = control.steps(samples, BLOCK)[0]
        step = step_of(index) / 16
        # an error that is at first the step's own and then grows more slowly
        deviation = min(0.3 * step, 2.5 * step ** (exponent / 2))
        errors = np.abs(rng.normal(0, deviation, (BLOCK, 1))).round().astype(np.int64)
        # about the rate of a Gaussian source, off by what nobody can foretell
        bits = int(BLOCK * log2(1 + 2 * (loud / step) ** 2) / 2 * rng.uniform(0.7, 1.4))
        control.settle(outcome(samples, errors, bits))
        shown.append(samples)
        missed.append(errors)
        spent.append(bits)
        x, e = np.concatenate(shown).astype(float), np.concatenate(missed).astype(float)
        prdn = 100 * sqrt((e**2).sum() / ((x - x.mean()) ** 2).sum())
        recent = spent[-19:]
        out.append((prdn, sum(recent) / (len(recent) * BLOCK), index))
    return out


@pytest.mark.parametrize("prdn", [2.0, 9.0, 30.0])
@pytest.mark.parametrize("exponent", [1.0, 1.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_prdn_is_met_after_a_minute(prdn: float, exponent: float, seed: int) -> None:
    course = play(PrdnControl(prdn, 1, RATE, PLAIN), 120, exponent, seed)
    minute = 19
    assert all(abs(found / prdn - 1) <= 0.05 for found, _, _ in course[minute:])
    late = [index for _, _, index in course[60:]]
    assert max(late) - min(late) <= 8  # half an octave: near a fixed step


@pytest.mark.parametrize("bps", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_rate_is_met_over_a_minute(bps: float, seed: int) -> None:
    course = play(RateControl(bps, [LEAD], RATE, PLAIN), 150, 1.5, seed)
    assert all(abs(found / bps - 1) <= 0.15 for _, found, _ in course[38:])
    assert abs(np.mean([found for _, found, _ in course[38:]]) / bps - 1) <= 0.05


def test_equal_signals_give_equal_steps() -> None:
    first = [index for _, _, index in play(PrdnControl(9, 1, RATE, PLAIN), 30, 1.5, 3)]
    assert first == [index for _, _, index in play(PrdnControl(9, 1, RATE, PLAIN), 30, 1.5, 3)]


def test_silence_is_no_trouble() -> None:
    control = PrdnControl(9, 2, RATE, PLAIN)
    flat = np.full((BLOCK, 2), 7, np.int64)
    for _ in range(5):
        assert control.steps(flat, BLOCK) == [UNIT_STEP, UNIT_STEP]
        control.settle(outcome(flat, np.zeros_like(flat), 10))
    rate = RateControl(0.5, [LEAD, LEAD], RATE, PLAIN)
    for _ in range(40):
        rate.steps(flat, BLOCK)
        rate.settle(outcome(flat, np.zeros_like(flat), 0))


@pytest.mark.parametrize(
    ("step", "index"), [(1 / 16, 0), (1.0, 64), (1.02, 64), (1.03, 65), (8.0, 112), (2.0**24, 448)]
)
def test_fixed_step_is_the_nearest_of_the_grid(step: float, index: int) -> None:
    control = make_control(Quality(step=step), [LEAD, LEAD], RATE)
    assert isinstance(control, FixedStep)
    assert control.steps(np.zeros((0, 2), np.int64), 0) == [index, index]


def test_leads_get_equal_physical_steps() -> None:
    control = RateControl(0.5, [LEAD, Lead("V", "mV", 400.0, 0, 12, -2048, 2047)], RATE, PLAIN)
    first, second = control.steps(np.zeros((BLOCK, 2), np.int64), BLOCK)
    assert second - first == 16


class Watched:
    """A control that keeps what became of each block."""

    def __init__(self, control: StepControl) -> None:
        self._control = control
        self.indices: list[int] = []
        self.outcomes: list[Outcome] = []

    def steps(self, ahead: np.ndarray, count: int, *, fresh: bool = False) -> list[int]:
        chosen = self._control.steps(ahead, count, fresh=fresh)
        self.indices.append(chosen[0])
        return chosen

    def settle(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._control.settle(outcome)

    def prdn(self) -> list[float]:
        """PRDN after each block, by floating point."""
        x = np.concatenate([o.samples[:, 0] for o in self.outcomes]).astype(float)
        e = np.concatenate([o.errors[:, 0] for o in self.outcomes]).astype(float)
        ends = np.cumsum([len(o.samples) for o in self.outcomes])
        return [100 * sqrt((e[:n] ** 2).sum() / ((x[:n] - x[:n].mean()) ** 2).sum()) for n in ends]


def encode(
    path: Path, lead: int, minutes: float, profile: Quality, monkeypatch: pytest.MonkeyPatch
) -> tuple[Watched, int]:
    """One lead of a record through the encoder, as a file; the bits of all of it."""
    watched: list[Watched] = []

    def watch(*given: Any) -> Watched:
        watched.append(Watched(make_control(*given)))
        return watched[0]

    monkeypatch.setattr(san_runtime.encoder, "make_control", watch)
    with open_source(str(path)) as source:
        info = replace(source.info, leads=(source.info.leads[lead],))
        rows = np.concatenate([c.samples for c in source if isinstance(c, Chunk)])
    encoder = Encoder(info, profile, pack=Encoder.file_pack(info))
    column = np.ascontiguousarray(rows[: int(minutes * 60 * info.rate), lead : lead + 1], np.int32)
    size = sum(map(len, encoder.push(column) + encoder.close()))
    return watched[0], 8 * size


def late(values: list[float]) -> list[float]:
    """Of blocks that end after the first minute; blocks of 3.2 s, full but the last."""
    return values[18:]


@pytest.mark.compiled
def test_prdn_of_a_steady_lead_is_met_for_few_bits(
    data: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    aim, path = 5.0, data("mitdb/103")
    found, bits = encode(path, 0, 6, Quality(prdn=aim), monkeypatch)
    course = found.prdn()
    assert all(abs(value / aim - 1) <= 0.05 for value in late(course))
    points = []
    for index in (131, 135, 139):
        fixed, spent = encode(path, 0, 6, Quality(step=step_of(index) / 16), monkeypatch)
        points.append((log(fixed.prdn()[-1]), log(spent)))
    equal = np.interp(log(course[-1]), *zip(*points, strict=True))
    assert points[0][0] < log(course[-1]) < points[-1][0]
    assert log(bits) - equal <= 0.03


@pytest.mark.compiled
@pytest.mark.parametrize("aim", [5.0, 9.0])
def test_prdn_stays_below_the_limit_where_the_spread_grows_tenfold(
    aim: float, data: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = encode(data("mitdb/200"), 1, 8, Quality(prdn=aim), monkeypatch)
    spreads = [float(o.samples.std()) for o in found.outcomes]
    assert max(spreads) > 40 * np.median(spreads)
    course = late(found.prdn())
    assert max(course) <= 1.05 * aim
    assert min(course) >= 0.7 * aim


@pytest.mark.compiled
def test_bits_told_are_those_of_the_file(data: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    found, bits = encode(data("mitdb/100"), 0, 10, Quality(bps=0.25), monkeypatch)
    told = sum(outcome.bits for outcome in found.outcomes)
    # the last block's statistics and the end of its message, and END
    assert 0 < bits - told < 8 * 120
    samples = sum(len(outcome.samples) for outcome in found.outcomes)
    assert abs(bits / samples / 0.25 - 1) <= 0.03
