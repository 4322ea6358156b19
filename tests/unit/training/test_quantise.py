from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from san_stream import reference
from san_stream.errors import ModelError, SettingError
from san_stream.kernels import Kernel, KernelSet
from san_training.fitting import FitSettings, fit
from san_training.integer import baselines, evaluate_set, place_kernel, spike_similarities
from san_training.quantising import quantise, round_taps, tap_scale

TAPS = arrays(np.float64, st.integers(1, 60), elements=st.floats(-3, 3, width=32))


@given(TAPS, st.integers(0, 14))
def test_zero_sum_is_exact_and_moves_no_tap_by_a_unit(taps, scale):
    rounded = round_taps(taps, scale, zero_sum=True)
    assert sum(rounded) == 0
    exact = (taps - taps.mean()) * 2.0**scale
    assert np.abs(np.array(rounded) - exact).max() < 1 + 1e-9


@given(TAPS.filter(lambda taps: len(taps) <= 6), st.integers(0, 3))
def test_zero_sum_is_the_nearest(taps, scale):
    exact = (taps - taps.mean()) * 2.0**scale
    rounded = np.array(round_taps(taps, scale, zero_sum=True))
    floors = np.floor(exact).astype(int)
    nearest = min(
        np.square(candidate - exact).sum()
        for shift in np.ndindex(*(2,) * len(taps))
        if (candidate := floors + np.array(shift)).sum() == 0
    )
    assert np.square(rounded - exact).sum() == pytest.approx(nearest, abs=1e-9)


def test_plain_rounding_without_zero_sum():
    assert round_taps(np.array([0.3, -0.7, 1.26]), 2, zero_sum=False) == (1, -3, 5)


@pytest.mark.parametrize("bits", [2, 8, 12, 16])
@given(TAPS.filter(lambda taps: np.abs(taps).max() > 1e-3))
def test_scale_is_the_largest_that_fits(bits, taps):
    limit = 2 ** (bits - 1) - 1
    if np.abs(taps).max() > limit:
        with pytest.raises(ModelError, match=f"{bits} bits hold at most {limit}"):
            tap_scale([taps], bits)
        return
    scale = tap_scale([taps], bits)
    assert np.abs(taps).max() * 2.0**scale <= limit
    assert scale == 24 or np.abs(taps).max() * 2.0 ** (scale + 1) > limit


def test_taps_without_integers():
    for taps, value in ((np.zeros(3), "0.0"), (np.array([1, np.nan]), "nan")):
        with pytest.raises(ModelError, match=f"largest tap {value}"):
            tap_scale([taps])
    for bits in (1, 17):
        with pytest.raises(SettingError, match=f"tap bits {bits}: must be 2 to 16"):
            tap_scale([np.ones(3)], bits)


def test_baselines_round_half_up():
    windows = np.array([[0, 1], [-1, 0], [-3, -2], [5, 5], [2**31 - 1, 2**31 - 1]], dtype=np.int32)
    assert baselines(windows, None)[:, 0].tolist() == [1, 0, -2, 5, 2**31 - 1]
    assert baselines(windows, -7)[:, 0].tolist() == [-7] * 5


@pytest.mark.parametrize("tie", ["adjoint", "convolution"])
@pytest.mark.parametrize("baseline", [None, 40])
def test_integer_model_is_the_plain_oracle(tie, baseline):
    """One window, one kernel at a time, with the functions of `san_stream.reference`."""
    rng = np.random.default_rng(3)
    windows = np.cumsum(rng.integers(-40, 41, (4, 150)), axis=1).astype(np.int32)
    kernels = []
    for m, med in ((9, 6), (16, 13)):
        taps = rng.integers(-900, 900, m)
        if baseline is None:
            taps[-1] -= taps.sum()
        kernels.append(Kernel(tuple(taps), med))
    kernel_set = KernelSet(tuple(kernels), scale=10, step=7, baseline=baseline)
    figures = evaluate_set(windows, kernel_set, tie)
    for i, window in enumerate(windows):
        base = int(np.floor(window.mean() + 0.5)) if baseline is None else baseline
        x = window.astype(np.int64) - base
        total, spikes = np.zeros(150, dtype=np.int64), 0
        for kernel in kernels:
            taps = kernel.as_array().astype(np.int64)
            s = reference.similarity(x, taps)
            kept = reference.extrema(s, kernel.med)
            assert np.array_equal(spike_similarities(x[None], kernel)[0], kept)
            amplitudes = np.array([(int(v) + 64) >> 7 for v in kept])
            spikes += np.count_nonzero(amplitudes)
            placed = reference.reconstruct(amplitudes, taps, tie)
            assert np.array_equal(place_kernel(amplitudes[None], kernel, tie)[0], placed)
            total += placed
        rebuilt = np.array([(int(v) + 2**12) >> 13 for v in total])
        assert figures.spikes[i] == spikes
        assert figures.losses[i] == pytest.approx(np.abs(x - rebuilt).sum() / np.abs(x).sum())
        assert figures.inverse_ratios[i] == pytest.approx((25 + 2 * spikes) / 150)


def trained(*, zero_sum=True, tie="adjoint", activation="extrema", sizes=(31,)):
    rng = np.random.default_rng(0)
    pulse = 300 * (np.hanning(31) - 0.4)
    windows = rng.normal(scale=5, size=(8, 300))
    for row in windows:
        for p in range(int(rng.integers(0, 20)), 265, 60):
            row[p : p + 31] += pulse
    digital = np.rint(windows).astype(np.int32) + 400
    baseline = None if zero_sum else 400
    x = (digital - baselines(digital, baseline)) / 100
    settings = FitSettings(
        sizes, activation, tie, zero_sum=zero_sum, init="data", epochs=5, device="cpu"
    )
    return fit(x[:6], x[6:], settings), digital[6:], baseline


@pytest.mark.parametrize("tie", ["adjoint", "convolution"])
@pytest.mark.parametrize("zero_sum", [True, False])
def test_integer_kernels_do_what_the_trained_ones_do(zero_sum, tie):
    result, windows, baseline = trained(zero_sum=zero_sum, tie=tie, sizes=(31, 12))
    kernel_set, report = quantise(
        result, windows, baseline=baseline, leads=("II",), phi_free=0.5, step_cost=0.02
    )
    assert kernel_set.leads == ("II",)
    assert kernel_set.baseline == baseline
    assert [len(k.taps) for k in kernel_set.kernels] == [31, 12]
    assert [k.med for k in kernel_set.kernels] == [28, 9]
    if zero_sum:
        assert [sum(k.taps) for k in kernel_set.kernels] == [0, 0]
    for kernel, taps in zip(kernel_set.kernels, result.kernels, strict=True):
        assert np.allclose(kernel.as_array() / 2.0**kernel_set.scale, taps, atol=2**-9)
    assert max(abs(w) for k in kernel_set.kernels for w in k.taps) <= 2047
    assert report.phi_float == result.validation.phi
    assert report.phi_taps == pytest.approx(report.phi_float, abs=0.02)
    assert report.phi_free == 0.5
    assert report.phi_integer <= report.phi_taps * 1.02
    assert report.phi_integer == evaluate_set(windows, kernel_set, tie).phi
    assert (report.scale, report.step) == (kernel_set.scale, kernel_set.step)


def test_step_is_the_largest_within_its_cost():
    result, windows, _ = trained()
    kernel_set, report = quantise(result, windows)
    assert kernel_set.step > 8
    coarser = replace(kernel_set, step=kernel_set.step + 1)
    assert evaluate_set(windows, coarser, "adjoint").phi > report.phi_taps * 1.01
    for step in range(kernel_set.step + 1):
        finer = evaluate_set(windows, replace(kernel_set, step=step), "adjoint")
        assert finer.phi <= report.phi_taps * 1.01


def test_more_cost_allows_larger_steps():
    result, windows, _ = trained()
    steps = [quantise(result, windows, step_cost=cost)[0].step for cost in (0, 0.01, 0.1)]
    assert steps == sorted(steps)
    assert steps[0] < steps[2]


def test_errors():
    result, windows, _ = trained()
    with pytest.raises(SettingError, match=r"step cost -1: must be 0 or more"):
        quantise(result, windows, step_cost=-1)
    with pytest.raises(ModelError, match="baseline 4: kernels have one if they do not sum to zero"):
        quantise(result, windows, baseline=4)
    with pytest.raises(ModelError, match="activation 'relu': only 'extrema'"):
        quantise(*trained(activation="relu")[:2])
