"""What must not change the spikes: an offset, the gain, and how the samples arrive."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime.engine import LeadEngine, encode_run
from san_stream import reference
from san_stream.kernels import Kernel, KernelSet

small_taps = st.lists(st.integers(-9, 9), min_size=1, max_size=24)
samples = st.lists(st.integers(-50, 50), max_size=150)
meds = st.integers(1, 24)


def zero_sum(taps, med, step=0):
    return KernelSet((Kernel((*taps, -sum(taps)), med),), 6, step)


def equal(a, b):
    return all(
        np.array_equal(p, q)
        for first, second in zip(a, b, strict=True)
        for p, q in zip(first, second, strict=True)
    )


@given(samples, small_taps, meds, st.integers(0, 12))
def test_offset_changes_nothing(values, taps, med, step):
    x = np.array(values, dtype=np.int32)
    chosen = zero_sum(taps, med, step)
    assert equal(encode_run(x + np.int32(500), chosen), encode_run(x, chosen))
    assert equal(reference.encode_run(x + 500, chosen), reference.encode_run(x, chosen))


@given(samples, small_taps, meds, st.integers(0, 11))
def test_gain_changes_no_position(values, taps, med, step):
    x = np.array(values, dtype=np.int32)
    ((positions, amplitudes),) = encode_run(x, zero_sum(taps, med))
    ((louder, doubled),) = encode_run(2 * x, zero_sum(taps, med))
    assert np.array_equal(louder, positions)
    assert np.array_equal(doubled, 2 * amplitudes)
    # With a step that is twice as large the code is the same throughout.
    assert equal(
        encode_run(2 * x, zero_sum(taps, med, step + 1)), encode_run(x, zero_sum(taps, med, step))
    )


@settings(max_examples=2000)
@given(
    samples,
    st.lists(small_taps, min_size=1, max_size=3),
    meds,
    st.lists(st.sampled_from([0, 1, 2, 3, 5, 7, 11, 13, 1000]), min_size=1),
    st.sampled_from([0, 1, 360, 2**40, 2**61]),
    st.sampled_from([None, 3]),
)
def test_chunks_change_nothing(values, kernels, med, sizes, first_sample, baseline):
    """Spikes and horizons are those of one sample a push, for pushes of any sizes."""
    x = np.array(values, dtype=np.int32)
    chosen = KernelSet(
        tuple(Kernel((*taps, -sum(taps)), med + i) for i, taps in enumerate(kernels)),
        6,
        3,
        baseline,
    )
    count = len(kernels)
    one_by_one = LeadEngine(chosen)
    one_by_one.start_run(first_sample)
    horizons = [[one_by_one.horizon(k) for k in range(count)]]
    for i in range(len(x)):
        one_by_one.push(x[i : i + 1])
        horizons.append([one_by_one.horizon(k) for k in range(count)])
    one_by_one.finish_run()
    expected = [one_by_one.take(k) for k in range(count)]

    engine = LeadEngine(chosen)
    engine.start_run(first_sample)
    pieces = [[] for _ in range(count)]
    at = 0
    for size in itertools.cycle([*sizes, 1]):
        if at >= len(x):
            break
        engine.push(x[at : at + size])
        at = min(at + size, len(x))
        for k in range(count):
            assert engine.horizon(k) == horizons[at][k]
            pieces[k].append(engine.take(k))
            # Decided are exactly the spikes before the horizon.
            decided = np.concatenate([p for p, _ in pieces[k]])
            assert np.array_equal(decided, expected[k][0][expected[k][0] < engine.horizon(k)])
    engine.finish_run()
    for k in range(count):
        assert engine.horizon(k) == first_sample + len(x)
        pieces[k].append(engine.take(k))
        assert np.array_equal(np.concatenate([p for p, _ in pieces[k]]), expected[k][0])
        assert np.array_equal(np.concatenate([a for _, a in pieces[k]]), expected[k][1])


@pytest.fixture(scope="session")
def minutes(data):
    """The first minute of two records, both leads, ADC values int32 ``[n]``."""
    records = {
        name: wfdb.rdrecord(str(data(name)), sampto=21600, physical=False)
        for name in ("mitdb/100", "mitdb/106")
    }
    return [
        record.d_signal[:, lead].astype(np.int32)
        for record in records.values()
        for lead in range(record.n_sig)
    ]


def beat_kernels(x, m, step):
    """A set made of the signal around its largest slope, and of its mirror image."""
    middle = int(np.argmax(np.abs(np.diff(x[m:-m])))) + m
    piece = x[middle - m // 2 : middle - m // 2 + m].astype(np.int64)
    taps = 2 * (piece - piece.sum() // m)
    taps[-1] -= taps.sum()
    return KernelSet((Kernel(tuple(taps), max(m - 3, 1)), Kernel(tuple(taps[::-1]), m)), 8, step)


@pytest.mark.parametrize("m", [8, 64, 229])
def test_real_signals(minutes, m):
    """Offset, gain, pushes of 36 samples, and the plain oracle, on real ECG."""
    for x in minutes:
        chosen = beat_kernels(x, m, 10)
        code = encode_run(x, chosen)
        assert sum(len(positions) for positions, _ in code) > 50
        assert equal(encode_run(x + np.int32(500), chosen), code)
        louder = encode_run(2 * x, replace(chosen, step=0))
        for (positions, _), (found, _) in zip(
            encode_run(x, replace(chosen, step=0)), louder, strict=True
        ):
            assert np.array_equal(found, positions)
        assert equal(encode_run(2 * x, replace(chosen, step=11)), code)

        engine = LeadEngine(chosen)
        engine.start_run(0)
        for start in range(0, len(x), 36):
            engine.push(x[start : start + 36])
        engine.finish_run()
        assert equal([engine.take(0), engine.take(1)], code)

        for k, kernel in enumerate(chosen.kernels):
            single = replace(chosen, kernels=(kernel,))
            assert equal(reference.encode_run(x, single, 4 * kernel.med), code[k : k + 1])
