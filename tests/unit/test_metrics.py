"""Metrics against the one-line definitions."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from san_stream import metrics
from san_stream.flithos import RunningMean, flithos, inverse_ratio

VALUES = hnp.arrays(np.int32, st.integers(1, 40), elements=st.integers(-5000, 5000))
NOTHING = np.zeros(0)


@given(VALUES, st.integers(0, 2**32 - 1))
def test_against_numpy(x: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = x + rng.integers(1, 100, len(x))
    e = (x - y).astype(float)
    close = pytest.approx
    assert metrics.rmse(x, y) == close(np.sqrt(np.mean(e**2)))
    assert metrics.max_error(x, y) == np.abs(e).max()
    norm = np.linalg.norm
    if x.any():
        assert metrics.prd(x, y) == close(100 * norm(e) / norm(x))
    if (x != 17).any():
        assert metrics.prd_offset(x, y, 17) == close(100 * norm(e) / norm(x - 17.0))
    if np.ptp(x):
        expected = 100 * norm(e) / norm(x - x.mean())
        assert metrics.prdn(x, y) == close(expected)
        assert metrics.snr(x, y) == close(10 * np.log10(np.var(x) / np.mean(e**2)), abs=1e-9)


@given(VALUES)
def test_only_valid_samples_count(x: np.ndarray) -> None:
    y = x + 3
    valid = np.arange(len(x)) % 3 != 1
    spoiled = np.where(valid, y, 10**6)
    for metric in (metrics.prd, metrics.prdn, metrics.rmse, metrics.snr, metrics.max_error):
        np.testing.assert_equal(metric(x, spoiled, valid), metric(x[valid], y[valid]))


def test_equal_signals() -> None:
    x = np.array([5, 5, 5])
    assert (metrics.prd(x, x), metrics.prdn(x, x), metrics.rmse(x, x)) == (0, 0, 0)
    assert metrics.prd_offset(x, x, 5) == 0
    assert metrics.snr(x, x) == inf
    assert metrics.max_error(x, x) == 0


def test_where_a_ratio_has_no_value() -> None:
    flat, other = np.array([5, 5]), np.array([5, 6])
    assert isnan(metrics.prdn(flat, other))
    assert isnan(metrics.snr(flat, other))
    assert isnan(metrics.prd(np.zeros(2), other))
    assert isnan(metrics.rmse(NOTHING, NOTHING))
    assert isnan(metrics.max_error(NOTHING, NOTHING))
    assert metrics.prdn(NOTHING, NOTHING) == 0
    assert isnan(metrics.bits_per_sample(8, 0))
    assert isnan(metrics.compression_ratio(8, 0))
    assert metrics.quality_score(10, 0) == inf


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"shapes differ: \(2,\) and \(3,\)"):
        metrics.prd(np.zeros(2), np.zeros(3))


def test_rates() -> None:
    assert metrics.bits_per_sample(30, 12) == 2.5
    assert metrics.compression_ratio(1100, 100) == 11
    assert metrics.quality_score(11, 2) == 5.5


def test_samples_of_the_full_range_do_not_overflow() -> None:
    x = np.array([2**31 - 1, -(2**31)], np.int32)
    assert metrics.max_error(x, x[::-1]) == 2**32 - 1
    assert metrics.rmse(x, x[::-1]) == 2**32 - 1


def test_flithos() -> None:
    assert inverse_ratio(10, 5, 40) == 0.5
    assert inverse_ratio(10, 5, 100, dim=2) == 0.25
    assert flithos(0.3, 0.4) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="0 samples: a ratio needs at least 1"):
        inverse_ratio(1, 1, 0)


def test_running_mean() -> None:
    mean = RunningMean()
    assert mean.mean is None
    for value in (1.0, None, 2.0, 6.0):
        mean.update(value)
    assert (mean.mean, mean.count, mean.skipped) == (3.0, 3, 1)
