"""`san_stream.coding.vectors` as loops that a compiler turns into vector instructions.

Indices are unsigned, so that no test for negative ones stands in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from san_stream.coding.vectors import SET_LIMIT

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

_U: Any = np.uint64


def dot(a: Integers, i: int, b: Integers, j: int, n: int) -> int:
    """Σ a[i + k] · b[j + k] over n places."""
    total = 0
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        total += a[i + k] * b[j + k]
    return total


def copy(a: Integers, i: int, b: Integers, j: int, n: int) -> None:
    """a[i + k] = b[j + k]; the stretches do not overlap."""
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        a[i + k] = b[j + k]


def scale(a: Integers, i: int, b: Integers, j: int, n: int, factor: int, shift: int) -> None:
    """a[i + k] = b[j + k] · factor >> shift, clipped to ±32767."""
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        a[i + k] = min(max((b[j + k] * factor) >> shift, -32767), 32767)


def add_scaled(a: Integers, i: int, b: Integers, j: int, n: int, factor: int) -> None:
    """a[i + k] += b[j + k] · factor."""
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        a[i + k] += b[j + k] * factor


def add_outer(a: Integers, i: int, b: Integers, j: int, n: int) -> None:
    """Lower triangle of the n x n matrix at a[i], row after row, += b bᵀ."""
    one = _U(1)
    j, at, count = _U(j), _U(i), _U(n)
    for row in range(count):
        factor = b[j + row]
        for k in range(row + one):
            a[at + k] += factor * b[j + k]
        at += count


def decay(a: Integers, i: int, n: int, shift: int) -> None:
    """a[i + k] -= a[i + k] >> shift."""
    i = _U(i)
    for k in range(_U(n)):
        a[i + k] -= a[i + k] >> shift


def move_weights(
    a: Integers, i: int, b: Integers, j: int, n: int, sign: int, shift: int, limit: int
) -> None:
    """a[i + k] += ((sign · b[j + k]) << 6) >> shift, clipped to ±limit."""
    step = sign * 64
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        a[i + k] = min(max(a[i + k] + ((b[j + k] * step) >> shift), -limit), limit)


def move_mixing(a: Integers, i: int, b: Integers, n: int, error: int) -> None:
    """a[i + k] += (error · b[k] + 2^16) >> 17, clipped to ±2^22 (64 in 16 fractional bits)."""
    i = _U(i)
    for k in range(_U(n)):
        a[i + k] = min(max(a[i + k] + ((error * b[k] + 65536) >> 17), -SET_LIMIT), SET_LIMIT)


def dot_sets(a: Integers, i: int, j: int, k: int, b: Integers, n: int) -> int:
    """Σ (a[i + m] + a[j + m] + a[k + m]) · b[m] over n places, all that `b` has."""
    total = 0
    i, j, k = _U(i), _U(j), _U(k)
    for m in range(_U(n)):
        total += (a[i + m] + a[j + m] + a[k + m]) * b[m]
    return total


def move_sets(a: Integers, i: int, j: int, k: int, b: Integers, n: int, error: int) -> None:
    """Each of a[i + m], a[j + m], a[k + m] += (error · b[m] + 2^16) >> 17, clipped to ±2^22."""
    i, j, k = _U(i), _U(j), _U(k)
    for m in range(_U(n)):
        step = (error * b[m] + 65536) >> 17
        a[i + m] = min(max(a[i + m] + step, -SET_LIMIT), SET_LIMIT)
        a[j + m] = min(max(a[j + m] + step, -SET_LIMIT), SET_LIMIT)
        a[k + m] = min(max(a[k + m] + step, -SET_LIMIT), SET_LIMIT)


def nudge(
    a: Integers, i: int, b: Integers, j: int, n: int, up: int, shift: int, limit: int
) -> None:
    """a[i + k] ± (b[j + k] << 2 >> shift), plus where `up` is 1, clipped to ±limit."""
    i, j = _U(i), _U(j)
    for k in range(_U(n)):
        step = b[j + k] << 2 >> shift
        a[i + k] = min(max(a[i + k] + (step if up == 1 else -step), -limit), limit)
