"""Correlations of a window with taps, and their gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from san_training.compiled.jit import jit

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[Any]


@jit
def slide(values: Floats, taps: Floats, out: Floats) -> None:
    """out[i] = Σ_j taps[j] · values[i + j], eight taps a pass over the output."""
    count, size = out.shape[0], taps.shape[0]
    out[:] = 0
    j = 0
    while j + 8 <= size:
        w0, w1, w2, w3 = taps[j], taps[j + 1], taps[j + 2], taps[j + 3]
        w4, w5, w6, w7 = taps[j + 4], taps[j + 5], taps[j + 6], taps[j + 7]
        v = values[j : j + count + 7]
        for i in range(count):
            out[i] += (
                (w0 * v[i] + w1 * v[i + 1])
                + (w2 * v[i + 2] + w3 * v[i + 3])
                + (w4 * v[i + 4] + w5 * v[i + 5])
                + (w6 * v[i + 6] + w7 * v[i + 7])
            )
        j += 8
    while j < size:
        w0 = taps[j]
        v = values[j : j + count]
        for i in range(count):
            out[i] += w0 * v[i]
        j += 1


@jit
def add_products(amounts: Floats, values: Floats, out: Floats) -> None:
    """out[j] += Σ_i amounts[i] · values[i + j], eight sums at a time."""
    count, size = amounts.shape[0], out.shape[0]
    zero = amounts.dtype.type(0)
    j = 0
    while j + 8 <= size:
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
        v = values[j : j + count + 7]
        for i in range(count):
            a = amounts[i]
            s0 += a * v[i]
            s1 += a * v[i + 1]
            s2 += a * v[i + 2]
            s3 += a * v[i + 3]
            s4 += a * v[i + 4]
            s5 += a * v[i + 5]
            s6 += a * v[i + 6]
            s7 += a * v[i + 7]
        out[j] += s0
        out[j + 1] += s1
        out[j + 2] += s2
        out[j + 3] += s3
        out[j + 4] += s4
        out[j + 5] += s5
        out[j + 6] += s6
        out[j + 7] += s7
        j += 8
    while j < size:
        s0 = zero
        v = values[j : j + count]
        for i in range(count):
            s0 += amounts[i] * v[i]
        out[j] += s0
        j += 1
