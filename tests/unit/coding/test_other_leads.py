"""Which earlier leads predict a lead: counts, correlations, the choice, and its effect."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN
from san_stream.coding.exact_leads import Recent
from san_stream.coding.exact_presets import LEAN, MAX, make_lead, make_plan
from san_stream.coding.other_leads import (
    CLIPPED,
    MOST_OTHERS,
    TAIL,
    add_correlations,
    forget_others,
    lags_of,
    regressor_count,
)
from san_stream.coding.predictors import OTHERS, OWN, PLACE, PRIOR, ROW, SIZE


def test_regressors_stay_few_and_lags_inside_the_tail() -> None:
    assert [regressor_count(lead) for lead in (0, 1, 2, 3, 4, 8, 9, 254)] == [
        0, 4, 8, 9, 8, 16, 16, 16,
    ]  # fmt: skip
    assert all(lags_of(lead) <= TAIL for lead in range(255))


@pytest.mark.parametrize("preset", [LEAN, MAX])
@pytest.mark.parametrize("others", [0, 4, 16])
@pytest.mark.parametrize("beat", [0, 1])
def test_plans_fit_and_do_not_overlap(preset: Any, others: int, beat: int) -> None:
    plan = make_plan(preset, others, beat)
    rows = [plan[i : i + ROW] for i in range(0, len(plan), ROW)]
    assert len(rows) == len(preset.predictors) + 1
    assert max(row[SIZE] for row in rows) <= 64
    for row, after in pairwise(rows):
        assert after[PLACE] == row[PLACE] + row[SIZE]


@pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])
def test_sums_are_those_of_clipped_differences(core: Any) -> None:
    rng = np.random.default_rng(1)
    signal = rng.integers(-40000, 40000, (3, 40))
    recent = Recent(3, 40, core)
    store = np.zeros((3, TAIL + 40), np.int64)
    store[:, TAIL:] = signal
    sums = core.integers(9, 5)
    core.add_correlations(core.listed([int(x) for x in store.ravel()]), recent.stride, 3, 40, sums)
    d = np.clip(np.diff(store[:, TAIL - 1 :]), -CLIPPED, CLIPPED)
    expected = d @ d.T + 5
    for i in range(3):
        for j in range(3):
            assert sums[3 * i + j] == (expected[i, j] if j <= i else 5)


def test_sums_of_no_samples_stay() -> None:
    sums = [0]
    add_correlations([1] * 10, 10, 1, 0, sums)
    assert sums == [0]


def test_forgetting_touches_other_leads_alone() -> None:
    stores = make_lead(LEAN, 4, 0, 1, PLAIN).stores
    plan, right, weights = list(stores[0]), [7] * len(stores[6]), [9] * len(stores[7])
    matrices = [3] * len(stores[5])
    forget_others(plan, len(LEAN.predictors), 4, matrices, right, weights)
    row = plan[:ROW]
    size, begin = row[SIZE], row[OWN] + 1
    assert row[OTHERS] == 1
    assert weights[:size] == [9] * begin + [0] * 4 + [9] * (size - begin - 4)
    assert right[:size] == [7] * begin + [0] * 4 + [7] * (size - begin - 4)
    for i in range(size):
        for j in range(i + 1):
            touched = begin <= i < begin + 4 or begin <= j < begin + 4
            entry = matrices[i * size + j]
            assert entry == ((PRIOR if i == j else 0) if touched else 3)


def test_tails_are_the_last_samples() -> None:
    recent = Recent(2, 6, PLAIN)
    recent.store[:] = range(20)
    recent.keep_tails(2, 5)
    assert recent.store[:4] == [5, 6, 7, 8]
    assert recent.store[10:14] == [15, 16, 17, 18]


def test_the_most_alike_of_many_leads_is_found(stream: Any) -> None:
    """Lead 20 is lead 3 with noise; the eight nearest of the others say nothing of it."""
    rng = np.random.default_rng(4)
    signal = np.cumsum(rng.integers(-40, 41, (700, 21)), 0)
    signal[:, 20] = signal[:, 3] + rng.integers(-2, 3, 700)
    coder = stream("lean", [0] * 21, compiled_core(), block=50, rate=100)
    data, shown = coder.encode(signal)
    assert (shown == signal).all()
    mixed = coder.layer._coders
    assert int(mixed[20]._chosen[0]) == 3 * (TAIL + 50) + TAIL
    assert len(mixed[20]._chosen) == 2 * MOST_OTHERS
    unlike = signal.copy()
    unlike[:, 20] = np.cumsum(rng.integers(-40, 41, 700))
    saved = len(stream.check(unlike, "lean", 0, block=50, rate=100)) - len(data)
    assert 8 * saved > 1.5 * 500
    stream.check(signal, "lean", 0, block=50, rate=100)


def test_the_choice_is_the_same_in_plain_python(stream: Any) -> None:
    signal = np.cumsum(np.random.default_rng(4).integers(-9, 10, (60, 11)), 0)
    signal[:, 10] += signal[:, 0] * 3
    written = [
        stream("lean", [0] * 11, core, block=15, rate=20).encode(signal)[0]
        for core in (PLAIN, compiled_core())
    ]
    assert written[0] == written[1]
