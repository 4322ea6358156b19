"""The loss index against its definition, decided with exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream.loss import EXACT, GRID, HIGHEST, NO_SIGNAL, ONE, loss_index, loss_value

SUMS = st.integers(0, 2**62) | st.integers(0, 3000)


def test_grid_is_correctly_rounded() -> None:
    """round(2^(k/16) · 2^30): each entry within half a unit, decided with integers."""
    for k, value in enumerate(GRID):
        scaled = 2 ** (k + 480) * 2**16  # (2 · 2^30 · 2^(k/16))^16
        assert (2 * value - 1) ** 16 <= scaled < (2 * value + 1) ** 16


def by_definition(error: int, signal: int) -> int:
    """The index from the grid alone, found by trying every place on it."""
    if error == 0:
        return 0
    if signal == 0:
        return 255
    ratio = Fraction(error, signal)
    index = 0
    for octave in range(-15, 4):
        for k in range(16):
            grid = Fraction(GRID[k], 2**30) * Fraction(2) ** octave
            if ratio >= grid:
                index = 224 + 16 * octave + k
    return min(max(index, 1), 254)


@given(SUMS, SUMS)
def test_against_exact_fractions(error: int, signal: int) -> None:
    assert loss_index(error, signal) == by_definition(error, signal)


@given(st.integers(0, 15), st.integers(-10, 1), st.sampled_from([-1, 0, 1]))
def test_next_to_the_grid(k: int, octave: int, off: int) -> None:
    error, signal = GRID[k] << max(octave, 0), 2 ** (30 - min(octave, 0))
    error = (error << 20) + off
    signal <<= 20
    expected = min(ONE + 16 * octave + k - (off < 0), HIGHEST)
    assert loss_index(error, signal) == expected == by_definition(error, signal)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_is_the_floor_of_the_logarithm(error: int, signal: int) -> None:
    exact = 16 * log2(error / signal) + 224
    if abs(exact - round(exact)) > 1e-6:
        assert loss_index(error, signal) == min(max(floor(exact), 1), 254)


@given(SUMS, SUMS, st.integers(1, 10**6))
def test_depends_on_the_ratio_alone(error: int, signal: int, factor: int) -> None:
    assert loss_index(error * factor, signal * factor) == loss_index(error, signal)


def test_special_values() -> None:
    assert loss_index(0, 0) == loss_index(0, 5) == EXACT
    assert loss_index(1, 0) == NO_SIGNAL
    assert loss_index(7, 7) == ONE
    assert loss_index(1, 2**60) == 1
    assert loss_index(2**60, 1) == HIGHEST
    assert loss_value(EXACT) == 0.0
    assert loss_value(NO_SIGNAL) is None


@pytest.mark.parametrize("index", range(1, 255))
def test_value_lies_within_its_step(index: int) -> None:
    value = loss_value(index)
    assert value is not None
    ratio = Fraction(value)
    assert loss_index(ratio.numerator, ratio.denominator) == index
    assert value == pytest.approx(2 ** ((index - 224 + 0.5) / 16), rel=3e-3)
