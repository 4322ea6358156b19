"""The approximation band's prediction, against least squares in doubles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.band_prediction import (
    BAND_MEMORY,
    BAND_WORK,
    HISTORY,
    REACH,
    TAPS,
    WEIGHTS,
)
from san_stream.coding.core import PLAIN, Core


def started(core: Core) -> Any:
    memory = core.integers(BAND_MEMORY, 0)
    core.start_band(memory)
    return memory


def run(core: Core, values: list[int], memory: Any = None) -> list[int]:
    """Predictions of the values, each from those before it."""
    memory = started(core) if memory is None else memory
    work = [core.integers(size, 0) for size in (BAND_WORK, TAPS * TAPS, TAPS)]
    predictions = []
    for value in values:
        predictions.append(int(core.predict_band(memory)))
        core.learn_band(memory, value, *work)
    return predictions


def wander(length: int, seed: int) -> NDArray[np.int64]:
    """Two slow waves and a little noise, as a baseline has."""
    places = np.arange(length)
    slow = 4000 * np.sin(places / 5) + 900 * np.sin(places / 2.3 + 1)
    noise = np.random.default_rng(seed).normal(0, 30, length)
    return np.rint(slow + noise).astype(np.int64)


def in_doubles(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same regression, solved by numpy."""
    regressors = np.zeros(4)
    matrix, right = np.zeros((4, 4)), np.zeros(4)
    energy = 0.0
    last = mean = float(values[0])
    predictions = [0.0, last]
    for value in values[1:].astype(float):
        change = value - last
        keep = 1 - 2**-9
        matrix = keep * matrix + np.outer(regressors, regressors)
        right = keep * right + regressors * change
        energy = keep * energy + change * change
        ridge = max(energy, matrix.diagonal().max()) / 2**8
        weights = np.linalg.solve(matrix + ridge * np.eye(4), right)
        last = value
        mean += (value - mean) / 16
        regressors = np.array([change, regressors[0], regressors[1], value - mean])
        predictions.append(last + weights @ regressors)
    return np.array(predictions[:-1])


def test_the_first_value_is_held() -> None:
    assert run(PLAIN, [5000, 5000, 5000, 5000])[1:] == [5000, 5000, 5000]


def test_agrees_with_least_squares_in_doubles() -> None:
    values = wander(600, 1)
    found = np.array(run(PLAIN, values.tolist()), float)
    exact = in_doubles(values)
    # apart while the integers' prior weighs, and by the roundings of small statistics
    assert np.abs(found - exact)[100:].max() < 0.02 * np.std(values)


def test_predicts_better_than_the_last_value() -> None:
    values = wander(600, 2)
    errors = values - np.array(run(PLAIN, values.tolist()))
    assert np.std(errors[50:]) < 0.3 * np.std(np.diff(values)[50:])


@given(st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=30), st.integers(0, 2**36))
def test_an_offset_changes_nothing(values: list[int], offset: int) -> None:
    shifted = run(PLAIN, [value + offset for value in values])
    assert shifted[1:] == [value + offset for value in run(PLAIN, values)[1:]]


def test_a_run_forgets_values_and_keeps_weights() -> None:
    memory = started(PLAIN)
    run(PLAIN, wander(300, 3).tolist(), memory)
    weights = memory[WEIGHTS : WEIGHTS + TAPS]
    PLAIN.restart_band(memory, 5)
    assert PLAIN.predict_band(memory) == 0
    assert memory[WEIGHTS : WEIGHTS + TAPS] == weights
    assert not any(memory[HISTORY : HISTORY + TAPS])


@pytest.mark.parametrize("seed", range(4))
def test_hostile_values_stay_bounded_and_both_forms_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reach = np.int64(1) << rng.integers(0, 40, 300)
    values = [int(value) for value in rng.integers(-reach, reach, endpoint=True)]
    values[100:140] = [REACH if i % 2 else -REACH for i in range(40)]
    plain, compiled = started(PLAIN), started(compiled_core())
    predictions = run(PLAIN, values, plain)
    assert predictions == run(compiled_core(), values, compiled)
    assert plain == compiled.tolist()
    assert max(abs(value) for value in predictions) <= REACH
    products = [abs(plain[WEIGHTS + k] * plain[HISTORY + k]) for k in range(TAPS)]
    assert sum(products) < 2**53


def test_statistics_recover_from_an_artefact() -> None:
    """One value far out makes them coarse for a while only."""
    quiet = wander(6000, 4)
    values = [*quiet[:50].tolist(), 1 << 29, *quiet[50:].tolist()]
    errors = (np.array(values) - np.array(run(PLAIN, values)))[-500:]
    assert np.std(errors) < 0.3 * np.std(np.diff(quiet)[-500:])
