"""Sums over stretches of stores: the inner loops, in the form that is quick in plain Python.

Whoever compiles the coding functions has the same sums as loops for its compiler
(`san_runtime.vectors`); a test holds both to the same results.
"""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from san_stream.coding.store import Integers


def dot(a: Integers, i: int, b: Integers, j: int, n: int) -> int:
    """Σ a[i + k] · b[j + k] over n places."""
    return sum(map(mul, a[i : i + n], b[j : j + n]))


def copy(a: Integers, i: int, b: Integers, j: int, n: int) -> None:
    """a[i + k] = b[j + k]; the stretches do not overlap."""
    a[i : i + n] = b[j : j + n]


def scale(a: Integers, i: int, b: Integers, j: int, n: int, factor: int, shift: int) -> None:
    """a[i + k] = b[j + k] · factor >> shift, clipped to ±32767."""
    a[i : i + n] = [min(max((value * factor) >> shift, -32767), 32767) for value in b[j : j + n]]


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
    a[i : i + n] = [
        min(max(x + ((y * step) >> shift), -limit), limit)
        for x, y in zip(a[i : i + n], b[j : j + n], strict=True)
    ]


def move_mixing(a: Integers, i: int, b: Integers, n: int, error: int) -> None:
    """a[i + k] += (error · b[k] + 2^16) >> 17, clipped to ±2^22 (64 in 16 fractional bits)."""
    a[i : i + n] = [
        min(max(x + ((error * y + 65536) >> 17), -4194304), 4194304)
        for x, y in zip(a[i : i + n], b[:n], strict=True)
    ]
