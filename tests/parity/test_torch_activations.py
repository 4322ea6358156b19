"""The torch activations beside rules written out sample by sample, and beside scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks

from san_stream.errors import SettingError
from san_training.activations import (
    ACTIVATIONS,
    activate,
    activation_mask,
    candidate_mask,
    extrema_mask,
    extrema_pool_mask,
    topk_mask,
)

SMALL = st.integers(-3, 3)
LARGE = st.integers(-(2**52), 2**52)
RUNS = st.lists(st.tuples(SMALL, st.integers(1, 6)), max_size=12).map(
    lambda runs: [value for value, count in runs for _ in range(count)]
)
RISING = st.lists(st.integers(1, 4), max_size=30).map(
    lambda steps: [(-1) ** i * sum(steps[: i + 1]) for i in range(len(steps))]
)
SIGNALS = st.one_of(
    st.lists(SMALL, max_size=60), st.lists(LARGE, max_size=40), RUNS, RISING, st.just([0] * 20)
)
TYPES = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.int32])


def plain_topk(s: list[float], m: int) -> set[int]:
    ranked = sorted(range(len(s)), key=lambda t: (-abs(s[t]), t))
    return set(ranked[: len(s) // m])


def plain_pool(s: list[float], m: int) -> set[int]:
    kept = set()
    for cell in range(len(s) // m):
        best = cell * m
        for t in range(cell * m, cell * m + m):
            if abs(s[t]) > abs(s[best]):
                best = t
        kept.add(best)
    return kept


def plain_candidates(s: list[float]) -> list[int]:
    found = []
    for t in range(len(s)):
        right = s[t + 1] > s[t] if t + 1 < len(s) else False
        left = s[t] <= s[t - 1] if t > 0 else True
        negative = not s[t] > 0
        if right == left == negative:
            found.append(t)
    return found


def plain_extrema(s: list[float], med: int) -> set[int]:
    left = sorted(plain_candidates(s), key=lambda t: (-abs(s[t]), t))
    kept = set()
    while left:
        best = left[0]
        kept.add(best)
        left = [t for t in left if abs(t - best) > med]
    return kept


def positions(mask: torch.Tensor) -> set[int]:
    return set(mask.nonzero()[:, -1].tolist())


def tensor(values: list[int], dtype: torch.dtype) -> tuple[list[float], torch.Tensor]:
    """The tensor, and what it really holds (large integers are rounded by float32)."""
    if dtype == torch.int32:
        values = [v % 1000 - 500 if abs(v) > 2**30 else v for v in values]
    held = torch.tensor(values, dtype=dtype)
    return held.tolist(), held


@given(SIGNALS, st.integers(1, 70), TYPES)
def test_topk_is_the_plain_rule(values, m, dtype):
    plain, s = tensor(values, dtype)
    assert positions(topk_mask(s, len(plain) // m)) == plain_topk(plain, m)


@given(SIGNALS, st.integers(1, 70), TYPES)
def test_extrema_pool_is_the_plain_rule(values, m, dtype):
    plain, s = tensor(values, dtype)
    assert positions(extrema_pool_mask(s, m)) == plain_pool(plain, m)


@given(SIGNALS, TYPES)
def test_candidates_are_the_plain_rule(values, dtype):
    plain, s = tensor(values, dtype)
    assert sorted(positions(candidate_mask(s))) == plain_candidates(plain)


@given(SIGNALS, st.integers(1, 70), TYPES)
def test_extrema_are_the_plain_rule(values, med, dtype):
    plain, s = tensor(values, dtype)
    assert positions(extrema_mask(s, med)) == plain_extrema(plain, med)


@given(
    st.lists(st.floats(-1e300, 1e300, allow_subnormal=True), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_extrema_of_doubles(values, med):
    s = torch.tensor(values, dtype=torch.float64)
    assert positions(extrema_mask(s, med)) == plain_extrema(values, med)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([5, 1, 0, 1], {3}),  # a first sample is never a peak, a last one can be
        ([-5, 1, 0, 1], {0, 3}),  # a first one can be a valley
        ([0, 1, 2, -3], {0, 2}),  # a last one is never a valley
        ([0, 3, 3, 3, 0], {1}),  # a plateau's peak is its left end
        ([0, -3, -3, -3, 0], {3}),  # its valley the right end
        ([0, 0, 0, 0], set()),
        ([7], set()),
        ([], set()),
    ],
)
def test_borders_and_plateaus(values, kept):
    assert positions(extrema_mask(torch.tensor(values, dtype=torch.float64), 1)) == kept


def test_equal_extrema_go_to_the_earlier_and_med_is_inclusive():
    s = torch.tensor([0.0, 4, 0, 4, 0, 4, 0, 4, 0])
    assert positions(extrema_mask(s[1:], 2)) == {2, 6}
    assert positions(extrema_mask(s, 1)) == {1, 3, 5, 7}
    assert positions(extrema_mask(s, 2)) == {1, 5}
    assert positions(extrema_mask(s, 4)) == {1, 7}


def test_tied_candidate_beside_a_decided_one_is_not_a_winner_of_its_round():
    # 6 falls to 9; the 6 after it must then win although an equal one stood before it.
    s = torch.tensor([0.0, 9, 0, 6, 0, 6, 0, 6, 0])
    assert positions(extrema_mask(s, 2)) == plain_extrema(s.tolist(), 2) == {1, 5}


def test_long_rising_train_needs_many_rounds():
    values = [(-1) ** i * (i + 1) for i in range(400)]
    s = torch.tensor(values, dtype=torch.int64)
    assert positions(extrema_mask(s, 1)) == plain_extrema(values, 1)
    assert positions(extrema_mask(s, 7)) == plain_extrema(values, 7)


def test_rows_are_independent():
    s = torch.randn(3, 2, 80, generator=torch.Generator().manual_seed(1))
    mask = extrema_mask(s, 5)
    for i in range(3):
        for k in range(2):
            assert positions(mask[i, k]) == plain_extrema(s[i, k].tolist(), 5)


@pytest.mark.parametrize("med", [1, 5, 33, 200])
def test_scipy_keeps_the_same_of_the_candidates(med):
    rng = np.random.default_rng(med)
    for _ in range(20):
        s = np.cumsum(rng.normal(size=700)) * rng.choice([0.1, 1.0])
        s -= s.mean()
        # On a grid twice as fine, candidates stand alone: scipy's own peaks are just these.
        fine = np.zeros(2 * len(s) + 1)
        for t in plain_candidates(s.tolist()):
            fine[2 * t + 1] = abs(s[t]) + 1
        peaks, _ = find_peaks(fine, distance=2 * med + 1)
        assert positions(extrema_mask(torch.from_numpy(s), med)) == set(((peaks - 1) // 2).tolist())


@given(st.sampled_from(ACTIVATIONS), SIGNALS.filter(len), st.integers(1, 20), st.integers(1, 20))
def test_kept_positions_hold_the_similarity_and_alone_get_a_gradient(name, values, m, med):
    s = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    out = activate(name, s, m, med)
    mask = activation_mask(name, s, m, med)
    assert torch.equal(out.detach(), s.detach() * mask)
    weight = torch.arange(1.0, len(values) + 1, dtype=torch.float64)
    (out * weight).sum().backward()
    assert torch.equal(s.grad, weight * mask)


def test_identity_and_relu():
    s = torch.tensor([-1.0, 0.0, 2.0])
    assert activate("identity", s, 1, 1).tolist() == [-1, 0, 2]
    assert activate("relu", s, 1, 1).tolist() == [0, 0, 2]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_by_finite_differences(name):
    s = torch.randn(2, 3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    s.requires_grad_(requires_grad=True)
    # No two magnitudes or neighbours are closer than the step, so that no choice flips.
    values = s.detach().abs().flatten().sort().values
    assert (values[1:] - values[:-1]).min() > 1e-5
    assert torch.autograd.gradcheck(lambda x: activate(name, x, 6, 4), (s,), eps=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: extrema_mask(s, 0), "minimum extrema distance 0: must be at least 1"),
        (lambda s: extrema_pool_mask(s, 0), "pool size 0: must be at least 1"),
        (lambda s: topk_mask(s, -1), "top-k count -1: must be 0 or more"),
        (lambda s: activate("topk", s, 0, 1), "kernel size 0: must be at least 1"),
        (lambda s: activate("softmax", s, 1, 1), "activation 'softmax': must be one of identity"),
    ],
)
def test_errors(call, message):
    with pytest.raises(SettingError, match=message):
        call(torch.zeros(4))
