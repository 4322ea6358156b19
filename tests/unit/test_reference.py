"""The oracle itself, against still plainer statements and cases worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream import reference
from san_stream.errors import SettingError
from san_stream.kernels import (
    Kernel,
    Kernels,
    KernelSet,
    footprint_offset,
    placed_taps,
)
from san_stream.types import Lead

integers = st.lists(st.integers(-9, 9), max_size=60)
taps_lists = st.lists(st.integers(-9, 9), min_size=1, max_size=12)
meds = st.integers(1, 20)


def array(values):
    return np.array(values, dtype=np.int64)


# -- similarity and reconstruction


@given(integers, taps_lists)
def test_similarity_is_its_sum(values, taps):
    centre = (len(taps) - 1) // 2
    expected = [
        sum(
            w * values[p + j - centre]
            for j, w in enumerate(taps)
            if 0 <= p + j - centre < len(values)
        )
        for p in range(len(values))
    ]
    assert reference.similarity(array(values), array(taps)).tolist() == expected


@given(integers, taps_lists)
def test_reconstruction_by_convolution_is_the_similarity_of_the_map(values, taps):
    """The paper convolves twice with the same kernel."""
    again = reference.similarity(array(values), array(taps))
    placed = reference.reconstruct(array(values), array(taps), "convolution")
    assert placed.tolist() == again.tolist()


@given(integers, integers, taps_lists)
def test_adjoint_reconstruction_is_the_adjoint_of_similarity(a, b, taps):
    n = min(len(a), len(b))
    x, alpha, w = array(a[:n]), array(b[:n]), array(taps)
    left = int(reference.similarity(x, w) @ alpha)
    assert left == int(x @ reference.reconstruct(alpha, w, "adjoint"))


def test_a_placed_kernel_lies_where_it_was_matched():
    alpha = array([0, 0, 0, 2, 0, 0, 0])
    assert reference.reconstruct(alpha, array([1, 2, 3, 4]), "adjoint").tolist() == [
        0, 0, 2, 4, 6, 8, 0,
    ]  # fmt: skip
    assert reference.reconstruct(alpha, array([1, 2, 3, 4]), "convolution").tolist() == [
        0, 8, 6, 4, 2, 0, 0,
    ]  # fmt: skip


# -- activations


def test_identity_and_relu():
    s = np.array([1.5, -2.0, 0.0])
    assert reference.identity(s).tolist() == [1.5, -2.0, 0.0]
    assert reference.relu(s).tolist() == [1.5, 0.0, 0.0]


def test_topk_keeps_the_largest_and_the_earlier_of_equals():
    assert reference.topk(array([1, -3, 3, 0, -3, 2, 1]), 3).tolist() == [0, -3, 3, 0, 0, 0, 0]
    assert reference.topk(array([5, 6]), 3).tolist() == [0, 0]


def test_extrema_pool_keeps_one_of_each_whole_cell():
    s = array([1, -4, 4, 2, 2, -1, 9])
    assert reference.extrema_pool(s, 3).tolist() == [0, -4, 0, 2, 0, 0, 0]
    assert reference.extrema_pool(s, 8).tolist() == [0] * 7


@given(integers, meds)
def test_extrema_keeps_values_at_selected_positions(values, med):
    s = array(values)
    found = reference.extrema(s, med)
    kept = reference.select(s, med)
    assert found[kept].tolist() == s[kept].tolist()
    assert np.count_nonzero(np.delete(found, kept)) == 0


# -- candidates


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([5], []),  # neither rises: not a peak, and not a valley for it is positive
        ([-5], []),  # the last sample is never a valley
        ([0, 1], [0, 1]),  # a valley of height 0 at the start, a peak at the end
        ([1, 2], [1]),  # the first is positive, so no valley
        ([-1, 0], [0]),  # the last is not positive, so no peak
        ([-2, 3, -2], [0, 1]),
        ([0, 3, 3, 3, 0], [0, 1]),  # a plateau's peak is its first sample
        ([1, -3, -3, -3, 1], [3, 4]),  # a plateau's valley is its last
        ([1, 2, 2, 3], [1, 3]),  # the shoulder of a rising flank counts
        ([0, 0, 0, 0], []),
    ],
)
def test_candidates_by_hand(values, expected):
    assert reference.candidates(array(values)).tolist() == expected


@given(integers)
def test_candidates_are_the_sign_rule(values):
    n = len(values)
    expected = []
    for t, s in enumerate(values):
        right = t + 1 < n and values[t + 1] > s
        left = t == 0 or s <= values[t - 1]
        negative = not s > 0
        if right == left == negative:
            expected.append(t)
    assert reference.candidates(array(values)).tolist() == expected


def test_a_nan_is_no_candidate():
    assert 1 not in reference.candidates(np.array([0.0, np.nan, -1.0])).tolist()


# -- selection


@given(st.dictionaries(st.integers(0, 60), st.integers(0, 9)), meds)
def test_greedy_is_the_repeated_choice_of_the_largest(magnitude, med):
    left = dict(magnitude)
    expected = []
    while left:
        best = min(left, key=lambda p: (-left[p], p))
        expected.append(best)
        left = {p: a for p, a in left.items() if abs(p - best) > med}
    positions = list(magnitude)
    found = reference.greedy(positions, [magnitude[p] for p in positions], med)
    assert found == sorted(expected)


@given(integers, meds, st.one_of(st.none(), st.integers(0, 60)))
def test_selected_are_candidates_farther_apart_than_med(values, med, extra):
    s = array(values)
    kept = reference.select(s, med, None if extra is None else 2 * med + extra)
    assert set(kept.tolist()) <= set(reference.candidates(s).tolist())
    assert (np.diff(kept) > med).all()
    assert len(kept) > 0 or len(reference.candidates(s)) == 0


@given(integers, meds)
def test_a_delay_beyond_the_run_forces_nothing(values, med):
    s = array(values)
    forced = reference.select(s, med, len(s) + 2 * med)
    assert forced.tolist() == reference.select(s, med).tolist()


RISING = array([1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11])


def test_an_unforced_rising_train_is_decided_from_its_end():
    assert reference.select(RISING, 2).tolist() == [1, 4, 7, 10]


def test_a_forced_decision_is_taken_on_the_chain_as_it_stands():
    # All but the first are candidates. Record 1 is 4 old at step 5: of 1, ..., 5 greedy
    # keeps 5 and 2, so 2 is kept, and 1, 3, 4 fall. At step 9 it goes the same way with
    # 5, ..., 9: 6 is kept. The end of the run leaves 9 and 10.
    assert reference.candidates(RISING).tolist() == list(range(1, 11))
    assert reference.select(RISING, 2, 4).tolist() == [2, 6, 10]
    # With a delay of 6, at step 7 greedy keeps 7, 4 and 1 of 1, ..., 7: the oldest is kept,
    # and 2 and 3 fall with it. So it goes again with 4 at step 10.
    assert reference.select(RISING, 2, 6).tolist() == [1, 4, 7, 10]


def test_a_growing_oscillation_is_not_lost():
    """Its records never stop to rise; forced decisions keep one in each `max_delay` at least."""
    t = np.arange(3600)
    s = np.round(1e4 * t / 3600 * np.sin(2 * np.pi * t / 36)).astype(np.int64)
    assert np.diff(reference.select(s, 61, 4 * 61)).max() <= 4 * 61


def test_a_delay_below_twice_the_distance_is_refused():
    with pytest.raises(SettingError, match="max_delay 9: must be at least 2 · med = 10"):
        reference.select(RISING, 5, 9)


# -- runs


def test_quantise_rounds_halves_up():
    assert reference.quantise(array([-6, -5, -2, -1, 1, 2, 5, 6]), 2).tolist() == [
        -1, -1, 0, 0, 0, 1, 1, 2,
    ]  # fmt: skip
    assert reference.quantise(array([-3, 3]), 0).tolist() == [-3, 3]


def test_ends_of_a_run_are_repeated_or_zero():
    kernel = Kernel((1, -2, 0, 1), 1)
    assert reference.pad_run(array([5, 6]), kernel, None).tolist() == [5, 5, 6, 6, 6]
    assert reference.pad_run(array([5, 6]), kernel, 4).tolist() == [0, 1, 2, 0, 0]


def test_a_small_spike_is_left_out_and_still_suppresses():
    # A single tap of 1 with a declared baseline: the similarity is the signal.
    kernels = KernelSet((Kernel((1,), 4),), 4, 0, baseline=0)
    x = np.array([9, 0, 0, 3, 0, 2, 0], dtype=np.int32)
    ((positions, amplitudes),) = reference.encode_run(x, kernels)
    # 3 and 5 are peaks, 2, 4 valleys of height 0; 3 bars all within 4 of it.
    assert (positions.tolist(), amplitudes.tolist()) == ([3], [3])
    coarse = KernelSet((Kernel((1,), 4),), 4, 3, baseline=0)
    ((positions, amplitudes),) = reference.encode_run(x, coarse)
    assert (positions.tolist(), amplitudes.tolist()) == ([], [])


def test_an_empty_run_has_no_spikes():
    kernels = KernelSet((Kernel((1, -1), 1), Kernel((1, -1), 2)), 4, 0)
    code = reference.encode_run(np.zeros(0, dtype=np.int32), kernels)
    assert [(len(p), len(a)) for p, a in code] == [(0, 0), (0, 0)]
    assert len(reference.decode_run(code, kernels, "adjoint", array([]))) == 0


@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(-99, 99)), max_size=6),
    taps_lists,
    st.sampled_from(["adjoint", "convolution"]),
    st.integers(0, 8),
)
def test_decoding_is_reconstruction_rounded(spikes, taps, tie, step):
    kernels = KernelSet((Kernel(tuple(taps), 64),), 4, step, baseline=7)
    amplitudes = dict(spikes)
    code = array(list(amplitudes)), array(list(amplitudes.values()))
    baseline = np.full(30, 7, dtype=np.int64)
    activation_map = np.zeros(30, dtype=np.int64)
    activation_map[code[0]] = code[1]
    placed = reference.reconstruct(activation_map, array(taps), tie).tolist()
    shift = 8 - step
    expected = [7 + int((Fraction(v, 2**shift) + Fraction(1, 2)).__floor__()) for v in placed]
    if shift == 0:
        expected = [7 + v for v in placed]
    assert reference.decode_run([code], kernels, tie, baseline).tolist() == expected


@given(taps_lists, st.sampled_from(["adjoint", "convolution"]))
def test_footprints(taps, tie):
    """A spike of 1 at p writes `placed_taps` from p - `footprint_offset` on."""
    kernel = Kernel(tuple(taps), 1)
    activation_map = np.zeros(40, dtype=np.int64)
    activation_map[20] = 1
    placed = reference.reconstruct(activation_map, array(taps), tie)
    start = 20 - footprint_offset(kernel, tie)
    written = placed_taps(kernel, tie)
    assert placed[start : start + len(taps)].tolist() == written.tolist()
    assert np.abs(placed).sum() == np.abs(written).sum()


@given(integers, taps_lists, meds, st.integers(0, 8), st.sampled_from([None, 3]))
def test_sums_stay_within_the_bounds(values, taps, med, step, baseline):
    chosen = KernelSet((Kernel((*taps, -sum(taps)), med),), 4, step, baseline)
    lead = Lead("", minimum=-9, maximum=9)
    x = np.array(values, dtype=np.int32)
    ((positions, amplitudes),) = reference.encode_run(x, chosen)
    activation_map = np.zeros(len(x), dtype=np.int64)
    activation_map[positions] = amplitudes
    w = np.array(chosen.kernels[0].taps)
    largest = np.abs(reference.reconstruct(activation_map, w, "adjoint")).max(initial=0)
    assert largest <= chosen.reconstruction_bound(lead)


def test_exact_where_doubles_are_not():
    kernels = KernelSet((Kernel((-(2**15), 2**15 - 1, 1), 1),), 24, 0)
    x = np.array([-(2**31), 2**31 - 1, 2**31 - 1, -(2**31)], dtype=np.int32)
    Kernels((kernels,), Fraction(1))
    ((positions, amplitudes),) = reference.encode_run(x, kernels)
    s = [
        -(2**15) * a + (2**15 - 1) * b + c
        for a, b, c in zip([x[0], *x[:-1]], x, [*x[1:], x[-1]], strict=True)
        for a, b, c in [(int(a), int(b), int(c))]
    ]
    assert amplitudes.tolist() == [s[p] for p in positions.tolist()]
    assert len(positions) > 0
