"""Sums over stretches of stores: the inner loops, in the form that is quick in plain Python.

Whoever compiles the coding functions has the same sums as loops for its compiler
(`san_runtime.vectors`); a test holds both to the same results.
"""

from __future__ import annotations

from operator import add, mul
from typing import TYPE_CHECKING, Final

from san_stream.coding.lists import clipped

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

SCALED_LIMIT: Final = 32767
SET_LIMIT: Final = 1 << 22


def dot(a: Integers, i: int, b: Integers, j: int, n: int) -> int:
    """Σ a[i + k] · b[j + k] over n places."""
    return sum(map(mul, a[i : i + n], b[j : j + n]))


def copy(a: Integers, i: int, b: Integers, j: int, n: int) -> None:
    """a[i + k] = b[j + k]; the stretches do not overlap."""
    a[i : i + n] = b[j : j + n]


def scale(a: Integers, i: int, b: Integers, j: int, n: int, factor: int, shift: int) -> None:
    """a[i + k] = b[j + k] · factor >> shift, clipped to ±32767."""
    a[i : i + n] = clipped([(value * factor) >> shift for value in b[j : j + n]], SCALED_LIMIT)


def add_scaled(a: Integers, i: int, b: Integers, j: int, n: int, factor: int) -> None:
    """a[i + k] += b[j + k] · factor."""
    a[i : i + n] = [x + y * factor for x, y in zip(a[i : i + n], b[j : j + n], strict=True)]


def add_outer(a: Integers, i: int, b: Integers, j: int, n: int) -> None:
    """Lower triangle of the n x n matrix at a[i], row after row, += b bᵀ."""
    values = b[j : j + n]
    for row in range(n):
        factor = values[row]
        if factor != 0:
            at = i + row * n
            end = at + row + 1
            a[at:end] = [x + factor * y for x, y in zip(a[at:end], values, strict=False)]


def decay(a: Integers, i: int, n: int, shift: int) -> None:
    """a[i + k] -= a[i + k] >> shift."""
    a[i : i + n] = [x - (x >> shift) for x in a[i : i + n]]


def move_weights(
    a: Integers, i: int, b: Integers, j: int, n: int, sign: int, shift: int, limit: int
) -> None:
    """a[i + k] += ((sign · b[j + k]) << 6) >> shift, clipped to ±limit."""
    step = sign * 64
    moved = [x + ((y * step) >> shift) for x, y in zip(a[i : i + n], b[j : j + n], strict=True)]
    a[i : i + n] = clipped(moved, limit)


def move_mixing(a: Integers, i: int, b: Integers, n: int, error: int) -> None:
    """a[i + k] += (error · b[k] + 2^16) >> 17, clipped to ±2^22 (64 in 16 fractional bits)."""
    moved = [x + ((error * y + 65536) >> 17) for x, y in zip(a[i : i + n], b[:n], strict=True)]
    a[i : i + n] = clipped(moved, SET_LIMIT)


def dot_sets(a: Integers, i: int, j: int, k: int, b: Integers, n: int) -> int:
    """Σ (a[i + m] + a[j + m] + a[k + m]) · b[m] over n places, all that `b` has."""
    total: int = sum(map(mul, a[i : i + n], b))
    total += sum(map(mul, a[j : j + n], b))
    total += sum(map(mul, a[k : k + n], b))
    return total


def move_sets(a: Integers, i: int, j: int, k: int, b: Integers, n: int, error: int) -> None:
    """Each of a[i + m], a[j + m], a[k + m] += (error · b[m] + 2^16) >> 17, clipped to ±2^22.

    The three stretches do not overlap; `b` has n places. 2^22 is 64 in 16 fractional bits.
    """
    steps = [(error * y + 65536) >> 17 for y in b]
    for place in (i, j, k):
        a[place : place + n] = clipped(list(map(add, a[place : place + n], steps)), SET_LIMIT)


def nudge(
    a: Integers, i: int, b: Integers, j: int, n: int, up: int, shift: int, limit: int
) -> None:
    """a[i + k] ± (b[j + k] << 2 >> shift), plus where `up` is 1, clipped to ±limit."""
    if up == 1:
        moved = [x + (y << 2 >> shift) for x, y in zip(a[i : i + n], b[j : j + n], strict=True)]
    else:
        moved = [x - (y << 2 >> shift) for x, y in zip(a[i : i + n], b[j : j + n], strict=True)]
    a[i : i + n] = clipped(moved, limit)
