"""scipy's rule for the distance of peaks is the same greedy choice, written by others."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks

from san_stream.reference import candidates, select


def select_by_scipy(s, med):
    """`find_peaks` on a comb: one tooth a candidate, zeros between, ties made unequal.

    Teeth stand two apart, so its distance, a smallest allowed one, is 2 · (med + 1).
    """
    n = len(s)
    comb = np.zeros(2 * n + 1)
    positions = candidates(s)
    # Larger |s| first, then the earlier position; above 0 for |s| = 0 too.
    comb[2 * positions + 1] = (np.abs(s[positions]) + 1) * (n + 1) - positions
    return (find_peaks(comb, distance=2 * (med + 1))[0] - 1) // 2


@settings(max_examples=1000)
@given(st.lists(st.integers(-6, 6), max_size=120), st.integers(1, 40))
def test_small_integers(values, med):
    s = np.array(values, dtype=np.int64)
    assert np.array_equal(select(s, med), select_by_scipy(s, med))


def test_ten_thousand_random_signals():
    rng = np.random.default_rng(1)
    spikes = 0
    for i in range(10_000):
        n, med = int(rng.integers(1, 200)), int(rng.integers(1, 60))
        s = rng.integers(-(2**40), 2**40, n)
        if i % 3 == 0:
            s = np.cumsum(rng.integers(-3, 4, n))
        found = select(s, med)
        spikes += len(found)
        assert np.array_equal(found, select_by_scipy(s, med))
    assert spikes > 50_000
