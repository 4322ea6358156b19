"""Placing, gathering and learning of kernels against floating-point oracles."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding import adaptive_kernels as kernels
from san_stream.coding import beats
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.quality_state import beat_settings

RATE = Fraction(360)
SETTINGS = beat_settings(RATE, 108, 8)
LENGTH, BEFORE = SETTINGS[beats.LENGTH], SETTINGS[beats.BEFORE]
CORES = pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])


def shape(seed: int, size: float = 300.0) -> NDArray[np.float64]:
    """A smooth beat, ADC units; its ends are near zero."""
    rng = np.random.default_rng(seed)
    places = np.arange(LENGTH)
    out = np.zeros(LENGTH)
    for _ in range(4):
        width = rng.uniform(4, 20)
        out += rng.normal(0, size) * np.exp(-(((places - rng.uniform(60, 200)) / width) ** 2))
    return out


class Bench:
    """One lead's kernels."""

    def __init__(self, core: Core = PLAIN) -> None:
        make = core.integers
        self.core = core
        self.settings = core.listed(SETTINGS)
        self.kernels, self.notes = make(8 * LENGTH, 0), make(kernels.NOTES_SIZE, 0)
        self.memory, self.found = make(beats.BEAT_MEMORY, 0), make(3, 0)
        core.start_kernels(self.kernels, self.notes)

    def learn(self, beat: NDArray[np.float64]) -> int:
        """Beat in ADC units."""
        whole = self.core.listed(np.rint(beat * 16).astype(np.int64))
        return int(
            self.core.learn_beat(
                whole, self.kernels, self.notes, self.memory, self.settings, self.found
            )
        )

    def kernel(self, number: int) -> NDArray[np.float64]:
        """In ADC units."""
        part = self.kernels[number * LENGTH : (number + 1) * LENGTH]
        return np.array(part, np.float64) / 256

    def judge(self, step: int) -> tuple[list[int], list[int], list[int]]:
        """Which live, units and which are steep."""
        rules = [self.core.integers(8, 0) for _ in range(3)]
        self.core.judge_kernels(self.kernels, self.notes, self.settings, step, *rules)
        return tuple([int(v) for v in rule] for rule in rules)  # type: ignore[return-value]


def test_amplitudes_are_sixteenths_of_an_octave() -> None:
    exact = [4096 * 2 ** (a / 16) for a in range(beats.SMALLEST_SIZE, beats.LARGEST_SIZE + 1)]
    assert [round(value) for value in exact] == kernels.AMPLITUDES


def test_delays_are_windowed_sincs() -> None:
    for quarter in (1, 2, 3):
        places = np.arange(-kernels.TAPS_BEFORE, kernels.TAPS - kernels.TAPS_BEFORE) - quarter / 4
        taps = np.sinc(places) * np.cos(np.pi * places / 10) ** 2
        row = kernels.DELAYS[(quarter - 1) * kernels.TAPS : quarter * kernels.TAPS]
        assert sum(row) == 128
        np.testing.assert_allclose(np.array(row) / 128, taps / taps.sum(), atol=0.008)


@CORES
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_delay_moves_a_smooth_signal_and_back(core: Core, quarter: int) -> None:
    places = np.arange(200.0)

    def wave(shift: float) -> NDArray[np.float64]:
        return 20000 * np.exp(-(((places - 100 - shift) / 8) ** 2))

    values, work = core.listed(np.rint(wave(0)).astype(np.int64)), core.integers(200, 0)
    core.delay(values, 200, quarter, 1, work)
    np.testing.assert_allclose(np.array(values), wave(quarter / 4), atol=120)
    core.delay(values, 200, quarter, 0, work)
    np.testing.assert_allclose(np.array(values), wave(0), atol=240)


@CORES
def test_clean_takes_the_line_and_fades_the_ends(core: Core) -> None:
    true = shape(1)
    line = np.linspace(500, -900, LENGTH)
    values = core.listed(np.rint((true + line) * 16).astype(np.int64))
    core.clean_beat(values, core.listed(SETTINGS))
    fade, end = SETTINGS[beats.FADE], SETTINGS[beats.END]
    part = (np.arange(fade) + 0.5) / fade
    window = np.ones(LENGTH)
    window[:fade] = part**2 * (3 - 2 * part)
    window[-fade:] = window[:fade][::-1]
    whole = true + line
    ends = np.linspace(whole[:end].mean(), whole[-end:].mean(), LENGTH)
    np.testing.assert_allclose(np.array(values) / 16, (whole - ends) * window, atol=0.2)


@CORES
def test_a_kernel_becomes_the_mean_of_its_beats(core: Core) -> None:
    """Beats of several sizes, each scaled to the kernel, weigh alike (float oracle)."""
    rng = np.random.default_rng(3)
    bench, true = Bench(core), shape(3)
    expected = np.zeros(LENGTH)
    for i in range(40):
        beat = true * rng.uniform(0.6, 1.6) + rng.normal(0, 4, LENGTH)
        beat = np.rint(beat * 16) / 16
        assert bench.learn(beat) == 0
        if i == 0:
            expected = beat
            continue
        share = beat @ expected / (expected @ expected)
        expected = expected + (beat / share - expected) / (i + 1)
    np.testing.assert_allclose(bench.kernel(0), expected, atol=0.25)


@CORES
def test_a_strange_beat_becomes_a_kernel_and_the_oldest_gives_way(core: Core) -> None:
    bench = Bench(core)
    shapes = np.stack([shape(seed) for seed in (10, 11, 12, 14, 15, 17, 21, 22)])
    made = [bench.learn(known) for known in shapes]
    unit = shapes / np.linalg.norm(shapes, axis=1, keepdims=True)
    alike = np.abs(unit @ unit.T - np.eye(8)).max()
    assert alike**2 < 0.65, "the shapes of this test are too like each other"
    assert made == list(range(8))
    assert bench.learn(shapes[0]) == 0
    bench.memory[beats.AMPLITUDE + 1] = 5
    assert bench.learn(shape(37)) == 1
    assert bench.memory[beats.AMPLITUDE + 1] == 0
    np.testing.assert_allclose(bench.kernel(1), shape(37), atol=0.05)


@CORES
def test_the_nearest_kernel_is_that_of_the_oracle(core: Core) -> None:
    rng = np.random.default_rng(5)
    bench = Bench(core)
    shapes = [shape(seed) for seed in (10, 11, 12)]
    for known in shapes:
        bench.learn(known)
    for _ in range(30):
        weights = rng.normal(0, 1, 3)
        beat = sum(w * s for w, s in zip(weights, shapes, strict=True)) * rng.choice([0.1, 1, 1000])
        whole = core.listed(np.rint(beat * 16).astype(np.int64))
        best = core.nearest_kernel(whole, bench.kernels, bench.notes, bench.settings, bench.found)
        products = np.array([beat @ s / np.linalg.norm(s) for s in shapes])
        if products.max() <= 0:
            assert best == -1
            continue
        ranked = np.sort(products)
        if ranked[-1] - max(ranked[-2], 0) > 0.03 * ranked[-1]:
            assert best == products.argmax()
        left = 1 - products.max() ** 2 / (beat @ beat)
        assert int(bench.found[0]) / 20 / int(bench.found[1]) == pytest.approx(left, abs=0.002)


@given(st.lists(st.integers(-(2**35), 2**35), min_size=LENGTH, max_size=LENGTH), st.integers(0, 9))
def test_any_beats_keep_kernels_in_bounds(values: list[int], seed: int) -> None:
    bench = Bench()
    bench.learn(shape(seed, 1e8))
    for beat in (values, values[::-1], [0] * LENGTH, [2**35] * LENGTH, [1] * LENGTH):
        PLAIN.learn_beat(
            list(beat), bench.kernels, bench.notes, bench.memory, bench.settings, bench.found
        )
    assert max(map(abs, bench.kernels)) <= kernels.KERNEL_LIMIT


def place(core: Core, bench: Bench, beat: list[int]) -> tuple[Any, Any]:
    make = core.integers
    prediction, placed = make(1000, 0), make(LENGTH, 0)
    core.place_beat(
        bench.kernels, bench.settings, core.listed(beat), prediction, placed, 0,
        make(LENGTH, 0), make(LENGTH, 0),
    )  # fmt: skip
    return prediction, placed


@CORES
@pytest.mark.parametrize("time", [20, BEFORE, 300])
@pytest.mark.parametrize("quarter", [0, 3])
def test_a_placed_beat_is_gathered_whole(core: Core, time: int, quarter: int) -> None:
    """Also where its first part lies in the block before and was not placed."""
    bench, true = Bench(core), shape(6)
    bench.learn(true)
    prediction, placed = place(core, bench, [time, 0, 5, quarter])
    start = time - BEFORE
    moved = np.interp(np.arange(LENGTH) - quarter / 4, np.arange(LENGTH), true) * 2 ** (5 / 16)
    expected = np.zeros(1000)
    expected[max(start, 0) : start + LENGTH] = moved[max(-start, 0) :]
    np.testing.assert_allclose(np.array(prediction) / 16, expected, atol=4)
    # what is left of a signal that is exactly this beat: nothing but the part not placed
    rest = np.zeros(LENGTH + 1000)
    if start < 0:
        rest[LENGTH + start : LENGTH] = moved[:-start]
    values, work = core.integers(LENGTH, 0), core.integers(LENGTH, 0)
    core.gather_beat(
        core.listed(np.rint(rest * 16).astype(np.int64)), bench.settings, start, quarter, placed,
        0, values, work,
    )  # fmt: skip
    ends = SETTINGS[beats.FADE]
    found = np.array(values)[ends:-ends] / 16
    np.testing.assert_allclose(found, true[ends:-ends] * 2 ** (5 / 16), atol=25)
    assert np.sqrt(np.mean((found - true[ends:-ends] * 2 ** (5 / 16)) ** 2)) < 3


def test_a_birth_places_nothing() -> None:
    bench = Bench()
    bench.learn(shape(2))
    prediction, placed = place(PLAIN, bench, [300, beats.BIRTH, 0, 0])
    assert not any(prediction)
    assert not any(placed)


@pytest.mark.parametrize("gain", [1, 7, 2000])
def test_rules_do_not_depend_on_gain(gain: int) -> None:
    """Units of amplitude grow with step over kernel; steepness goes; neither needs units."""
    plain, loud = Bench(), Bench()
    for seed in (1, 2, 4):
        plain.learn(shape(seed, 300))
        loud.learn(shape(seed, 300) * gain)
    seen = set()
    for step in (16, 100, 400, 1600, 6400, 40000):
        rules = plain.judge(step)
        assert loud.judge(step * gain) == rules
        seen.add(str(rules))
        for kernel in range(3):
            known = plain.kernel(kernel)
            slope = np.sum(np.diff(known) ** 2) / (step / 16) ** 2
            assert rules[2][kernel] == (slope > 6.4)
            ratio = np.sum(known**2) / (step / 16) ** 2
            assert rules[1][kernel] == (1 if ratio > 1521 else 2 if ratio > 137 else 3)
    assert len(seen) > 2


@given(st.lists(st.integers(108, 1500), max_size=6, unique=True), st.integers(-3000, 107))
def test_phases_are_those_of_the_nearest_beat(times: list[int], last: int) -> None:
    times.sort()
    flat = [v for time in times for v in (time, 0, 0, 0)]
    for seen in (0, 1):
        phases = [0] * 1152
        PLAIN.fill_phases(phases, 1152, seen, last, flat or [0] * 4, len(times), SETTINGS)
        known = ([last] if seen else []) + times
        for i in range(0, 1152, 37):
            reached = [time for time in known if time <= i + 160]
            inside = max(reached) if reached else None
            if inside is None:
                assert phases[i] == 62
            else:
                assert phases[i] == min(max((i - inside + 160) * 62 // 480, 0), 61)


def test_settings_follow_the_rate() -> None:
    assert beat_settings(Fraction(360), 5, 8)[:3] == [288, 108, 5]
    assert beat_settings(Fraction(1280), 5, 8)[0] == 1024
    assert beat_settings(Fraction(20), 5, 8)[0] == 16
    assert not any(beat_settings(Fraction(1282), 5, 8))
    assert not any(beat_settings(Fraction(19), 5, 8))
    assert not any(beat_settings(Fraction(1, 10**9), 5, 8))
    assert beat_settings(Fraction(1001, 4), 5, 8)[0] == 200
