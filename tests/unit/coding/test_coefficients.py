"""Classes, means and the encoder's choice of levels, against their definitions in doubles."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream.coding.coefficients import (
    ACTIVITY,
    COEFFICIENT_SLOTS,
    CONFIDENCE,
    CONTEXT_SLOTS,
    CONTEXT_STARTS,
    LIMIT,
    MAGNITUDES,
    MEANS_SIZE,
    OUTSIDE,
    SIGNED,
    choose_level,
    expected_mean,
    learn_means,
    mean_class,
    neighbour_class,
    predicted_class,
    rescale_means,
)


def crc(table: list[int]) -> int:
    return zlib.crc32(b"".join(value.to_bytes(4, "little") for value in table))


def test_table_of_confidence() -> None:
    exact = [65536 * (n + 0.4) / (n + 2) for n in range(256)]
    assert np.abs(np.array(CONFIDENCE) - exact).max() <= 0.5
    assert crc(CONFIDENCE) == 376700457


def test_contexts_do_not_overlap() -> None:
    sizes = [8 * 16, 8 * 64, 8 * 64, 8 * 40, 360, 8 * 64, 8 * 40, 8 * 40, 3 * 4 * 80]
    assert [0, *np.cumsum(sizes)] == [*CONTEXT_STARTS, CONTEXT_SLOTS]
    assert 3 * CONTEXT_SLOTS == COEFFICIENT_SLOTS
    assert len(CONFIDENCE) > LIMIT


@pytest.mark.parametrize(
    ("classify", "unit", "bounds"),
    [
        (mean_class, 65536, [0.01, 0.03, 0.07, 0.13, 0.22, 0.35, 0.6, 1, 2]),
        (predicted_class, 256, [0.15, 0.4, 1, 2, 4, 8, 16]),
        (neighbour_class, 1, [1, 2, 3, 5, 7, 10, 15, 23, 41]),
    ],
)
def test_classes_begin_at_their_bounds(classify, unit: int, bounds: list[float]) -> None:
    assert classify(0) == 0
    for number, bound in enumerate(bounds):
        below, at = math.floor(bound * unit - 0.501), math.ceil(bound * unit)
        assert (classify(below), classify(at)) == (number, number + 1)
    assert classify(1 << 40) == len(bounds)


def chosen(size: float, logit: float, strength: float) -> tuple[int, float]:
    """The level, and how far the nearest decision was from a tie, in steps²."""
    level = math.floor(size + 0.5)
    if level == 0:
        return 0, 0.5 - size
    bits = -logit / math.log(2)
    if level == 1:
        saved = size**2 - (size - 0.96875) ** 2
        margin = saved - strength * (bits + 1.3)
        return int(margin >= 0), min(abs(margin), size - 0.5, 1.5 - size)
    margin = (size - level + 1) ** 2 - (size - level) ** 2 - strength * 0.8
    near = min(abs(margin), 0.5 - abs(size - level))
    level -= margin < 0
    if level <= 2:
        saved = size**2 - (size - level) ** 2
        margin = saved - strength * (bits + 2.8)
        return (0 if margin < 0 else level), min(near, abs(margin))
    return level, near


@given(st.integers(0, 2000), st.integers(-2047, 2047), st.integers(0, 30_000))
def test_levels_are_chosen_by_error_and_bits(size: int, logit: int, strength: int) -> None:
    level, margin = chosen(size / 256, logit / 256, strength / 65536)
    found = choose_level(size, logit, strength)
    assert found == level or margin < 0.02
    assert choose_level(size, logit, 0) == (size + 128) >> 8


def test_means_follow_the_levels() -> None:
    means = [0] * MEANS_SIZE
    levels = [int(value) for value in np.random.default_rng(1).integers(-1, 4, 400)]
    for level in levels:
        learn_means(means, 2, 40, level)
    place = 2 * 64 + 40
    assert means[MAGNITUDES + place] / 65536 == pytest.approx(np.mean(np.abs(levels)), abs=0.5)
    assert means[SIGNED + place] / 65536 == pytest.approx(np.mean(levels), abs=0.6)
    assert means[ACTIVITY + 2] / 65536 == pytest.approx(np.mean(np.abs(levels)), abs=0.6)
    assert sum(value != 0 for value in means) == 4  # and how many were seen


def test_one_huge_level_is_soon_forgotten() -> None:
    means = [0] * MEANS_SIZE
    for level in [1] * 50 + [1 << 26] + [1] * 24:
        learn_means(means, 0, OUTSIDE, level)
    assert means[MAGNITUDES + OUTSIDE] < 1.5 * 65536
    assert means[ACTIVITY] < 1.5 * 65536


def test_means_smooth_over_the_beat_but_not_beyond() -> None:
    means = [0] * MEANS_SIZE
    means[MAGNITUDES + 61] = 4000
    assert [expected_mean(means, 0, phase) for phase in (59, 60, 61, OUTSIDE)] == [0, 1000, 3000, 0]
    means[MAGNITUDES] = 400
    assert [expected_mean(means, 0, phase) for phase in (0, 1)] == [300, 100]


def test_means_follow_the_step() -> None:
    means = [0] * MEANS_SIZE
    rescale_means(means, 100)
    learn_means(means, 1, 5, -3)
    before = list(means)
    rescale_means(means, 50)
    for place in (MAGNITUDES + 64 + 5, SIGNED + 64 + 5, ACTIVITY + 1):
        assert means[place] == pytest.approx(2 * before[place], abs=2)
    rescale_means(means, 1)
    rescale_means(means, 1 << 28)
    assert max(abs(value) for value in means[:ACTIVITY]) <= 1 << 28
