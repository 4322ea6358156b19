"""`san_stream.coding.vectors` as loops that a compiler turns into vector instructions.

Indices are unsigned, so that no test for negative ones stands in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
        a[i + k] = min(max(a[i + k] + ((error * b[k] + 65536) >> 17), -4194304), 4194304)
