"""The streaming engine and its parts against the plain oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime.backends import NAMES, get_backend
from san_runtime.engine import LeadEngine, encode_run
from san_runtime.select import HEAD, TAIL, horizon, most_kept, new_chain, new_state, select
from san_stream import reference
from san_stream.errors import SampleError, SettingError
from san_stream.kernels import Kernel, KernelSet
from san_stream.protocols import Backend

DECLARED = KernelSet((Kernel((1, 2), 3), Kernel((-1,), 2)), 4, 1, baseline=5)


def selected(s, med, max_delay, pieces=1):
    """Kept positions and values, from `pieces` calls."""
    state, chain = new_state(), new_chain(max_delay)
    found = []
    parts = np.array_split(s, pieces)
    for i, part in enumerate(parts):
        kept = np.full((2, most_kept(len(part), med, max_delay)), -1, dtype=np.int64)
        count = select(part, int(i == len(parts) - 1), med, max_delay, state, chain, kept)
        found.append(kept[:, :count])
    assert state[HEAD] == state[TAIL] == 0
    return np.concatenate(found, axis=1)


def rising(periods, growth):
    """Peaks and valleys by turns, each larger than the one before, some way apart."""
    s = np.zeros(sum(periods), dtype=np.int64)
    at = size = 0
    for i, period in enumerate(periods):
        at += period
        size += growth
        s[at - 1] = size if i % 2 else -size
    return s


similarities = st.one_of(
    st.lists(st.integers(-4, 4), max_size=150).map(lambda v: np.array(v, dtype=np.int64)),
    st.lists(st.integers(-(2**57), 2**57), max_size=80).map(lambda v: np.array(v, dtype=np.int64)),
    st.builds(rising, st.lists(st.integers(1, 7), max_size=60), st.integers(1, 3)),
    st.builds(
        lambda a, b: np.concatenate((a, b)),
        st.builds(rising, st.lists(st.integers(1, 3), max_size=40), st.just(2)),
        st.lists(st.integers(-90, 90), max_size=40).map(lambda v: np.array(v, dtype=np.int64)),
    ),
)


@settings(max_examples=1000)
@given(similarities, st.integers(1, 12), st.data())
def test_selection_is_the_reference(s, med, data):
    max_delay = data.draw(st.one_of(st.just(4 * med), st.integers(2 * med, 5 * med)))
    positions, values = selected(s, med, max_delay, data.draw(st.integers(1, 9)))
    assert positions.tolist() == reference.select(s, med, max_delay).tolist()
    assert values.tolist() == s[positions].tolist()


@pytest.mark.parametrize("med", [1, 2, 3, 10, 64])
@pytest.mark.parametrize("spacing", [1, 2, 5])
def test_chains_that_rise_for_long(med, spacing):
    """Forced decisions all along; the store is moved to its front many times."""
    s = rising([spacing] * 900, 1)
    positions, _ = selected(s, med, 4 * med, 7)
    assert positions.tolist() == reference.select(s, med, 4 * med).tolist()
    assert len(positions) > 0


def test_horizon_by_hand():
    state, chain = new_state(), new_chain(8)
    kept = np.empty((2, 8), dtype=np.int64)

    def feed(*values):
        count = select(np.array(values, dtype=np.int64), 0, 2, 8, state, chain, kept)
        return kept[0, :count].tolist(), horizon(state, chain)

    assert feed() == ([], 0)
    assert feed(1) == ([], 0)  # position 0 waits for its right neighbour
    assert feed(5) == ([], 1)  # 0 is no candidate: next is 1
    assert feed(1) == ([], 1)  # 1 is a record, so undecided
    assert feed(1) == ([], 1)  # 2 is known: still one to go
    assert feed(1) == ([1], 4)  # 3 is known: 1 is kept, next is 4


@pytest.mark.parametrize("name", NAMES)
def test_backends_by_name(name):
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.name == name
    found = backend.similarity(np.arange(4), np.array([1, -2], dtype=np.int16))
    assert found.dtype == np.int64
    assert found.tolist() == [-2, -3, -4]


def test_unknown_backend():
    with pytest.raises(SettingError, match=r"backend 'gpu': must be one of numba, reference"):
        get_backend("gpu")


@settings(max_examples=300)
@given(
    st.sampled_from([9, 2**15, 2**16 + 3, 2**31, 2**32]),
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=40),
    st.integers(0, 2**32),
    st.integers(0, 200),
)
def test_backends_agree(reach, taps, seed, extra):
    """On both sides of the limit at which 32-bit sums give way to 64-bit ones."""
    w = np.array(taps, dtype=np.int16)
    x = np.random.default_rng(seed).integers(-reach, reach + 1, len(w) + extra)
    x[:: max(len(x) // 3, 1)] = -reach
    first, second = (get_backend(name).similarity(x, w) for name in NAMES)
    assert np.array_equal(first, second)


@pytest.mark.parametrize("largest", [2**15 - 1, 2**15, 2**15 + 1])
def test_sums_at_the_limit_of_32_bits(largest):
    w = np.full(2, -(2**15), dtype=np.int16)
    x = np.full(70, largest, dtype=np.int64)
    found = get_backend("numba").similarity(x, w)
    assert (found == -(2**16) * largest).all()


@pytest.mark.parametrize("n", [1, 2, 3, 100, 20_000])
@pytest.mark.parametrize("baseline", [None, -7])
def test_whole_runs(n, baseline):
    """20,000 samples are more than are worked on at a time."""
    rng = np.random.default_rng(n)
    x = np.cumsum(rng.integers(-9, 10, n)).astype(np.int32)
    chosen = KernelSet((Kernel((1, 5, -6, -2, 2), 4), Kernel((3, -3), 9)), 4, 2, baseline)
    found = encode_run(x, chosen)
    for k, kernel in enumerate(chosen.kernels):
        single = KernelSet((kernel,), 4, 2, baseline)
        ((positions, amplitudes),) = reference.encode_run(x, single, 4 * kernel.med)
        assert np.array_equal(found[k][0], positions)
        assert np.array_equal(found[k][1], amplitudes)


def test_the_plain_backend_gives_the_same_spikes():
    rng = np.random.default_rng(0)
    x = rng.integers(-(2**31), 2**31, 500).astype(np.int32)
    chosen = KernelSet((Kernel((200, -150, -50), 6),), 8, 9)
    ours, plain = encode_run(x, chosen), encode_run(x, chosen, get_backend("reference"))
    assert np.array_equal(ours[0][0], plain[0][0])
    assert np.array_equal(ours[0][1], plain[0][1])
    assert len(ours[0][0]) > 30


def test_a_run_knows_nothing_of_the_one_before():
    rng = np.random.default_rng(2)
    first, second = rng.integers(-99, 99, (2, 300)).astype(np.int32)
    engine = LeadEngine(DECLARED)
    taken = []
    for start, x in ((10, first), (10**15, second)):
        engine.start_run(start)
        assert engine.horizon(0) == start
        engine.push(x)
        engine.finish_run()
        assert engine.horizon(0) == start + 300
        taken.append(engine.take(0))
    for (positions, amplitudes), start, x in zip(taken, (10, 10**15), (first, second), strict=True):
        alone = encode_run(x, DECLARED)[0]
        assert np.array_equal(positions - start, alone[0])
        assert np.array_equal(amplitudes, alone[1])


def test_spikes_not_taken_stay_over_a_gap():
    x = np.array([0, 90, 0, 0, -90, 0, 0, 0, 0, 50, 0], dtype=np.int32)
    engine = LeadEngine(DECLARED)
    for start in (0, 100):
        engine.start_run(start)
        engine.push(x)
        engine.finish_run()
    alone = encode_run(x, DECLARED)[0][0]
    assert engine.take(0)[0].tolist() == [*alone.tolist(), *(alone + 100).tolist()]
    assert engine.take(0)[0].tolist() == []


def test_a_run_without_samples():
    engine = LeadEngine(DECLARED)
    engine.start_run(7)
    engine.push(np.zeros(0, dtype=np.int32))
    assert engine.horizon(1) == 7
    engine.finish_run()
    assert engine.horizon(1) == 7
    positions, amplitudes = engine.take(1)
    assert positions.dtype == amplitudes.dtype == np.int64
    assert len(positions) == len(amplitudes) == 0


@pytest.mark.parametrize("samples", [np.zeros(3), np.zeros((3, 1), dtype=np.int32)])
def test_samples_of_another_type_or_shape(samples):
    engine = LeadEngine(DECLARED)
    with pytest.raises(SampleError, match=r"expected int32 \[n\]"):
        engine.push(samples)
