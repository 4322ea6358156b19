"""Steering of steps against a made-up coder whose error and bits follow the step."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from san_runtime.rate_control import FixedStep, Outcome, PrdnControl, RateControl, make_control
from san_stream.coding.steps import UNIT_STEP, step_of
from san_stream.profiles import Quality
from san_stream.types import Lead

RATE = Fraction(360)
BLOCK = 1152
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
        index = control.steps(samples)[0]
        step = step_of(index) / 16
        # an error that is at first the step's own and then grows more slowly
        deviation = min(0.3 * step, 2.5 * step ** (exponent / 2))
        errors = np.abs(rng.normal(0, deviation, (BLOCK, 1))).round().astype(np.int64)
        bits = int(BLOCK * 8 / step**1.2 * rng.uniform(0.7, 1.4))
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
    course = play(PrdnControl(prdn, 1, RATE), 120, exponent, seed)
    minute = 19
    assert all(abs(found / prdn - 1) <= 0.05 for found, _, _ in course[minute:])
    late = [index for _, _, index in course[60:]]
    assert max(late) - min(late) <= 8  # half an octave: near a fixed step


@pytest.mark.parametrize("bps", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_rate_is_met_over_a_minute(bps: float, seed: int) -> None:
    course = play(RateControl(bps, [LEAD], RATE), 150, 1.5, seed)
    assert all(abs(found / bps - 1) <= 0.08 for _, found, _ in course[38:])
    assert abs(np.mean([found for _, found, _ in course[38:]]) / bps - 1) <= 0.02


def test_equal_signals_give_equal_steps() -> None:
    first = [index for _, _, index in play(PrdnControl(9, 1, RATE), 30, 1.5, 3)]
    assert first == [index for _, _, index in play(PrdnControl(9, 1, RATE), 30, 1.5, 3)]


def test_silence_is_no_trouble() -> None:
    control = PrdnControl(9, 2, RATE)
    flat = np.full((BLOCK, 2), 7, np.int64)
    for _ in range(5):
        assert control.steps(flat) == [UNIT_STEP, UNIT_STEP]
        control.settle(outcome(flat, np.zeros_like(flat), 10))
    rate = RateControl(0.5, [LEAD, LEAD], RATE)
    for _ in range(40):
        rate.steps(flat)
        rate.settle(outcome(flat, np.zeros_like(flat), 0))


@pytest.mark.parametrize(
    ("step", "index"), [(1 / 16, 0), (1.0, 64), (1.02, 64), (1.03, 65), (8.0, 112), (2.0**24, 448)]
)
def test_fixed_step_is_the_nearest_of_the_grid(step: float, index: int) -> None:
    control = make_control(Quality(step=step), [LEAD, LEAD], RATE)
    assert isinstance(control, FixedStep)
    assert control.steps(np.zeros((0, 2), np.int64)) == [index, index]


def test_leads_get_equal_physical_steps() -> None:
    control = RateControl(0.5, [LEAD, Lead("V", "mV", 400.0, 0, 12, -2048, 2047)], RATE)
    first, second = control.steps(np.zeros((BLOCK, 2), np.int64))
    assert second - first == 16
