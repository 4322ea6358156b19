"""A trained model's kernels as a lead's first ones: cut to its beats, at the size they have.

Integers alone, since an encoder's choices must be the same on every machine.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.kernels import Kernel

LEAST_LIKENESS: Final = (7, 10)
"""Correlation with the signal at its best place below which a kernel is of something else."""
SHAPE_UNIT: Final = 256
"""Of a codec's kernel, parts of an ADC unit."""


def first_kernels(
    kernels: Sequence[Kernel], signal: NDArray[np.int64], beats: NDArray[np.int64],
    before: int, length: int,
) -> list[NDArray[np.int64]]:  # fmt: skip
    """Those of a model's kernels that the signal shows, in 1/256 ADC unit, int64 ``[length]``.

    Args:
        kernels: of the model's set for this lead. signal: int64 ``[n]`` without its baseline,
            ADC units. beats: indices of beats in it, increasing. before, length: samples of a
            codec's kernel before its spike, and of it all.
    """
    found = (first_kernel(kernel, signal, beats, before, length) for kernel in kernels)
    return [shape for shape in found if shape is not None]


def first_kernel(
    kernel: Kernel, signal: NDArray[np.int64], beats: NDArray[np.int64], before: int, length: int
) -> NDArray[np.int64] | None:
    """One kernel, placed where the signal is most like it, told from the beat next to that.

    None where it is longer than the signal, no beat is within its reach, or the signal is not
    like it. Arguments as of `first_kernels`.
    """
    taps = kernel.as_array().astype(np.int64)
    energy = int((taps * taps).sum())
    if len(taps) > len(signal) or not len(beats) or not energy:
        return None
    similarity = np.correlate(signal, taps, "valid")
    at = int(np.abs(similarity).argmax())
    place = at + kernel.centre
    shift = place - int(beats[np.abs(beats - place).argmin()])
    first = before + shift - kernel.centre  # of the codec's kernel, where the taps begin
    if first + len(taps) <= 0 or first >= length:
        return None
    part = [int(value) for value in signal[at : at + len(taps)]]
    mean = sum(part) // len(part)
    norm = isqrt(sum((value - mean) ** 2 for value in part) * energy)
    best = int(similarity[at])
    if abs(best) * LEAST_LIKENESS[1] < norm * LEAST_LIKENESS[0] or not norm:
        return None
    shape = np.zeros(length, np.int64)
    for j, tap in enumerate(taps.tolist()):
        if 0 <= first + j < length:
            shape[first + j] = tap * best * SHAPE_UNIT // energy
    return shape
