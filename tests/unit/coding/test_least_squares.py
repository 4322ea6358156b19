"""Weights in integers against numpy's in floating point, and on statistics that are none."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.least_squares import WEIGHT_LIMIT, square_root

REGULARISATION = 12


def solve(core: Core, matrix: np.ndarray, right: np.ndarray, energy: int, size: int) -> list[int]:
    """Weights in 1/65536, with stores that begin elsewhere than at 0."""
    pad = [7, 7, 7]
    weights = core.listed([*pad, *([0] * size)])
    core.solve_weights(
        core.listed(pad + [int(v) for v in matrix.ravel()]),
        3,
        core.listed(pad + [int(v) for v in right]),
        weights,
        3,
        size,
        energy,
        REGULARISATION,
        core.integers(size * size, 0),
        core.integers(size, 0),
    )
    assert [int(w) for w in weights[:3]] == pad
    return [int(w) for w in weights[3:]]


def statistics(size: int, number: int, seed: int) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """R, b, energy and true weights of a regression with a little noise."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(-2, 2, size)
    v = rng.integers(-3000, 3001, (number, size))
    t = np.rint(v @ true + rng.normal(0, 30, number)).astype(np.int64)
    return v.T @ v, v.T @ t, int(t @ t), true


@given(st.integers(0, 2**53))
def test_square_root_is_exact(value: int) -> None:
    assert square_root(value) == isqrt(value)


@pytest.mark.parametrize("root", [1, 2, 3, 2**22 - 1, 2**26, 94906265])
def test_square_root_beside_squares(root: int) -> None:
    assert [square_root(root * root + d) for d in (-1, 0, 1)] == [
        isqrt(root * root - 1),
        root,
        isqrt(root * root + 1),
    ]


@pytest.mark.parametrize(("size", "seed"), [(1, 1), (3, 2), (17, 3), (40, 4), (64, 5)])
def test_weights_are_those_of_floating_point(size: int, seed: int) -> None:
    matrix, right, energy, true = statistics(size, 400, seed)
    got = np.array(solve(PLAIN, matrix, right, energy, size)) / 65536
    largest = max(energy, int(matrix.diagonal().max()))
    regularised = matrix + np.eye(size) * largest / 2**REGULARISATION
    expected = np.linalg.solve(regularised.astype(float), right.astype(float))
    assert np.abs(got - expected).max() < 2e-3
    assert np.abs(got - true).max() < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_plain_and_compiled_agree(seed: int) -> None:
    matrix, right, energy, _ = statistics(12, 50, seed)
    a, b = (solve(core, matrix, right, energy, 12) for core in (PLAIN, compiled_core()))
    assert a == b


@given(
    st.lists(st.integers(-(2**43), 2**43), min_size=25, max_size=25),
    st.lists(st.integers(-(2**43), 2**43), min_size=5, max_size=5),
)
@settings(max_examples=60)
def test_numbers_that_are_no_statistics_give_bounded_weights(
    matrix: list[int], right: list[int]
) -> None:
    """Not even positive definite: weights stay inside ±16, and both forms agree.

    No entry is above the largest diagonal one or the energy, as in all sums of products.
    """
    energy = max(abs(value) for value in matrix + right)
    store = np.array(matrix).reshape(5, 5)
    a = solve(PLAIN, store, np.array(right), energy, 5)
    assert a == solve(compiled_core(), store, np.array(right), energy, 5)
    assert all(abs(w) <= WEIGHT_LIMIT for w in a)


def test_silence_leaves_the_weights() -> None:
    weights = [5, -6]
    PLAIN.solve_weights([0, 0, 0, 0], 0, [0, 0], weights, 0, 2, 63, 12, [0] * 4, [0] * 2)
    assert weights == [5, -6]
