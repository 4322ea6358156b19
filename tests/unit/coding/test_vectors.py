"""Sums over stretches: the list form, the compiled form, and the sentence in the docstring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime.compiled import compiled_core
from san_stream.coding import vectors
from san_stream.coding.core import PLAIN, functions_of

N = 7
LIMIT = 1 << 22


def clip(value: int, limit: int) -> int:
    return min(max(value, -limit), limit)


def mix(x: int, error: int, y: int) -> int:
    return clip(x + ((error * y + 65536) >> 17), LIMIT)


# name: arguments behind the stores' places, and what becomes of a[place + k]
# (of the sum, for those that return one), given a, b from their places and the arguments.
ONE_STRETCH: dict[str, tuple[tuple[int, ...], Callable[..., int]]] = {
    "copy": ((), lambda _x, y: y),
    "scale": ((9001, 13), lambda _x, y, factor, shift: clip((y * factor) >> shift, 32767)),
    "add_scaled": ((-123,), lambda x, y, factor: x + y * factor),
    "move_weights": (
        (-1, 9, 1000),
        lambda x, y, sign, shift, limit: clip(x + ((sign * y * 64) >> shift), limit),
    ),
    "move_mixing": ((-70000,), lambda x, y, error: mix(x, error, y)),
    "nudge": (
        (0, 3, 1 << 20),
        lambda x, y, up, shift, limit: clip(x + (1 if up else -1) * ((y << 2) >> shift), limit),
    ),
}
numbers = st.lists(st.integers(-(2**23), 2**23), min_size=40, max_size=40)


def forms(name: str, a: list[int], b: list[int], *rest: int) -> list[tuple[list[int], int | None]]:
    """Store `a` and the result, by plain Python and by compiled code."""
    core, results = compiled_core(), []
    for function, make in ((getattr(vectors, name), list), (getattr(core, name), core.listed)):
        store, other = make(a), make(b)
        places = [rest[0], other, *rest[1:]]
        if name == "decay":
            places = list(rest)
        if name.endswith("_sets"):
            places = [*rest[:3], other, *rest[3:]]
        if name == "move_mixing":  # its second store is used from the start
            places = [rest[0], make(b[rest[1] :]), *rest[2:]]
        value = function(store, *places)
        results.append(([int(x) for x in store], None if value is None else int(value)))
    return results


@given(numbers, numbers, st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=25)
@pytest.mark.parametrize("name", [n for n in ONE_STRETCH if hasattr(vectors, n)])
def test_one_stretch(name: str, a: list[int], b: list[int], i: int, j: int) -> None:
    rest, value = ONE_STRETCH[name]
    expected = list(a)
    for k in range(N):
        expected[i + k] = value(a[i + k], b[j + k], *rest)
    assert forms(name, a, b, i, j, N, *rest) == [(expected, None)] * 2


@given(numbers, numbers, st.integers(0, 30), st.integers(0, 30), st.integers(0, 10))
@settings(max_examples=25)
def test_dot(a: list[int], b: list[int], i: int, j: int, n: int) -> None:
    total = sum(a[i + k] * b[j + k] for k in range(n))
    assert forms("dot", a, b, i, j, n) == [(a, total)] * 2


@given(numbers, st.integers(0, 30), st.integers(0, 20))
@settings(max_examples=25)
def test_decay_floors(a: list[int], i: int, shift: int) -> None:
    expected = [x - (x >> shift) if i <= k < i + N else x for k, x in enumerate(a)]
    assert forms("decay", a, [], i, N, shift) == [(expected, None)] * 2


@given(numbers, numbers, st.integers(0, 4), st.integers(0, 33))
@settings(max_examples=25)
def test_outer_product_fills_the_lower_triangle(a: list[int], b: list[int], i: int, j: int) -> None:
    n = 6
    expected = list(a)
    for row in range(n):
        for column in range(row + 1):
            expected[i + n * row + column] += b[j + row] * b[j + column]
    assert forms("add_outer", a, b, i, j, n) == [(expected, None)] * 2


@given(numbers, numbers, st.integers(-(2**17), 2**17))
@settings(max_examples=25)
def test_three_sets_of_weights_share_a_sum_and_a_step(
    a: list[int], b: list[int], error: int
) -> None:
    inputs, places = b[:N], (3, 20, 11)
    total = sum(a[p + k] * inputs[k] for p in places for k in range(N))
    assert forms("dot_sets", a, inputs, *places, N) == [(a, total)] * 2
    expected = list(a)
    for p in places:
        for k in range(N):
            expected[p + k] = mix(a[p + k], error, inputs[k])
    assert forms("move_sets", a, inputs, *places, N, error) == [(expected, None)] * 2


def test_clipping_is_seen_at_both_ends() -> None:
    """The list form looks for the extremes first; both must be found."""
    for sign in (1, -1):
        a, b = [0] * N, [sign * 2**20] + [0] * (N - 1)
        wide = forms("move_weights", a, b, 0, 0, N, 1, 0, 5)
        assert wide == [([sign * 5] + [0] * (N - 1), None)] * 2


def test_every_function_has_a_compiled_form() -> None:
    core = compiled_core()
    if core is PLAIN:
        pytest.skip("numba's compiler is off")
    for name in functions_of(vectors):
        compiled = getattr(core, name)
        assert compiled is not getattr(vectors, name)
    assert isinstance(core.listed([1]), np.ndarray)
