"""What a block is foreseen to cost, against sums that know nothing of wavelets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime import compiled_core
from san_runtime.foresight import ONE, PLACES, SPACING, Foresight, place_of, scaled
from san_stream.coding.core import PLAIN
from san_stream.coding.steps import MAX_STEP_INDEX, step_of

LENGTH = 1152
EXTREMES = st.sampled_from([-(2**31), -(2**31) + 1, -1, 0, 1, 1000, 2**31 - 1])


@given(st.lists(EXTREMES, min_size=1, max_size=70))
@settings(max_examples=60, deadline=None)
def test_costs_are_monotone_for_any_samples(samples: list[int]) -> None:
    foresight = Foresight(np.array(samples, np.int64))
    errors, bits = foresight.errors(), foresight.bits()
    assert errors == sorted(errors)
    assert errors[0] >= 0
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] >= 0


@pytest.mark.parametrize("size", [1, 2, 31, LENGTH, 32768])
def test_both_cores_foresee_the_same(size: int) -> None:
    samples = np.random.default_rng(size).integers(-(2**31), 2**31, size)
    plain, compiled = Foresight(samples, PLAIN), Foresight(samples, compiled_core())
    assert plain.errors() == compiled.errors()
    assert plain.bits() == compiled.bits()
    assert min(plain.errors()) >= 0


@pytest.mark.parametrize("spread", [3.0, 60.0, 2e4, 3e6])
def test_coarse_steps_lose_the_signal_and_fine_ones_what_rounding_does(spread: float) -> None:
    rng = np.random.default_rng(1)
    samples = (spread * rng.standard_normal(LENGTH)).round().astype(np.int64)
    foresight = Foresight(samples, compiled_core())
    energy = sum((int(v) - int(samples[0])) ** 2 for v in samples)
    assert foresight.errors([MAX_STEP_INDEX])[0] == pytest.approx(ONE * energy, rel=0.2)
    index = next(i for i in range(MAX_STEP_INDEX) if step_of(i) >= 16 * spread / 10)
    uniform = LENGTH * step_of(index) ** 2 / 12
    assert foresight.errors([index])[0] == pytest.approx(uniform, rel=0.2)
    one, octave = foresight.bits([index, index + 16])
    assert one - octave == pytest.approx(2 * LENGTH, rel=0.3)  # a bit a sample and octave


@given(st.lists(st.integers(1, 2**40), min_size=len(PLACES), max_size=len(PLACES), unique=True))
def test_a_place_is_found_again(costs: list[int]) -> None:
    costs = sorted(costs)
    for at, cost in enumerate(costs):
        assert abs(place_of(costs, cost) - SPACING * at) <= 1
    assert place_of(costs, costs[0] - 1) == 0
    assert place_of(costs, 2 * costs[-1]) == MAX_STEP_INDEX


def test_places_grow_with_the_cost() -> None:
    costs = [100 * 3**i for i, _ in enumerate(PLACES)]
    places = [place_of(costs, value) for value in range(0, 100_000, 7)]
    assert places == sorted(places)


def test_past_the_largest_cost_the_first_step_that_has_it_is_enough() -> None:
    costs = [min(i, 5) for i, _ in enumerate(PLACES)]
    assert place_of(costs, 5) == place_of(costs, 1000) == 5 * SPACING


@given(st.integers(0, 2**80), st.integers(-400, 400))
def test_scaling_is_by_sixteenths_of_octaves(value: int, sixteenths: int) -> None:
    exact = value * 2.0 ** (sixteenths / 16)
    assert scaled(value, sixteenths) == pytest.approx(exact, rel=1e-8, abs=1)
