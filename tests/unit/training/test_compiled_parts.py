"""The numba functions beside torch's activations and numpy's correlation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from san_training.activations import activation_mask
from san_training.compiled.keeping import keep_extrema, keep_pool, keep_topk, ranked
from san_training.compiled.sliding import add_products, slide

SIGNALS = st.one_of(
    st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=40),
    st.lists(st.integers(1, 4), min_size=1, max_size=30).map(
        lambda steps: [(-1) ** i * sum(steps[: i + 1]) for i in range(len(steps))]
    ),
)


def kept(function, values, *arguments):
    similarity = np.array(values, np.float32)
    places = np.full(len(values), -1, np.int64)
    count = function(similarity, *arguments, places)
    assert (places[count:] == -1).all()
    return places[:count].tolist()


def torch_keeps(name, values, size, med):
    mask = activation_mask(name, torch.tensor(values, dtype=torch.float32), size, med)
    return mask.nonzero()[:, 0].tolist()


@given(SIGNALS, st.integers(1, 70))
def test_extrema_are_those_of_torch(values, med):
    chain = np.empty(len(values), np.int64)
    assert kept(keep_extrema, values, med, chain) == torch_keeps("extrema", values, 1, med)


@given(SIGNALS, st.integers(1, 70))
def test_topk_and_pool_are_those_of_torch(values, size):
    assert kept(keep_topk, values, len(values) // size) == torch_keeps("topk", values, size, 1)
    assert kept(keep_pool, values, size) == torch_keeps("extrema_pool", values, size, 1)


@given(SIGNALS, st.data())
def test_rank(values, data):
    rank = data.draw(st.integers(0, len(values) - 1))
    assert ranked(np.array(values, np.float32), rank) == sorted(values)[rank]


def test_rank_among_values_that_are_no_numbers_ends():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.normal(size=20).astype(np.float32)
        values[rng.random(20) < 0.4] = np.nan
        ranked(values, int(rng.integers(20)))


@pytest.mark.parametrize("size", [1, 3, 8, 9, 16, 31])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_correlation_and_its_gradient_are_those_of_numpy(size, count):
    rng = np.random.default_rng(size)
    values, taps, amounts = (rng.normal(size=n) for n in (count + size - 1, size, count))
    out = np.full(count, np.nan)
    slide(values, taps, out)
    assert out == pytest.approx(np.correlate(values, taps, "valid"))
    before = rng.normal(size=size)
    out = before.copy()
    add_products(amounts, values, out)
    assert out == pytest.approx(before + np.correlate(values, amounts, "valid"))
