"""What integer kernels do to windows of ADC samples, exactly as encoder and decoder would.

The numbers are those of `san_stream.kernels`; here the baseline of a window is its own
rounded mean, or the fixed one that the kernels declare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from san_training.activations import extrema_mask
from san_training.quality import quality_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.kernels import Kernel, KernelSet, Tie
    from san_training.quality import ModelQuality


def baselines(windows: NDArray[np.int32], declared: int | None) -> NDArray[np.int64]:
    """b of each window: the declared baseline, or its mean rounded half up.

    Args:
        windows: int32 ``[windows, n]``.
        declared: a fixed baseline, or None.

    Returns:
        int64 ``[windows, 1]``.
    """
    if declared is not None:
        return np.full((len(windows), 1), declared, dtype=np.int64)
    length = windows.shape[1]
    total = windows.sum(axis=1, dtype=np.int64, keepdims=True)
    mean: NDArray[np.int64] = (2 * total + length) // (2 * length)
    return mean


def rounded_shift(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """(v + half) >> bits, with half = 2^(bits - 1), or 0 for no shift."""
    return (values + (1 << bits >> 1)) >> bits


def spike_similarities(windows: NDArray[np.int64], kernel: Kernel) -> NDArray[np.int64]:
    """Similarities of one kernel at its extrema, 0 elsewhere.

    Args:
        windows: samples less their baseline, int64 ``[windows, n]``.
        kernel: int16 taps and minimum distance.

    Returns:
        int64 ``[windows, n]``.
    """
    taps = kernel.as_array().astype(np.int64)
    around = (kernel.centre, len(taps) - 1 - kernel.centre)
    padded = np.pad(windows, ((0, 0), around))
    similarity = np.stack([np.correlate(row, taps, "valid") for row in padded])
    kept = extrema_mask(torch.from_numpy(similarity), kernel.med).numpy()
    return np.where(kept, similarity, 0)


def place_kernel(amplitudes: NDArray[np.int64], kernel: Kernel, tie: Tie) -> NDArray[np.int64]:
    """Σ_p α[p] · w placed at p, int64 ``[windows, n]``."""
    taps = kernel.as_array().astype(np.int64)
    begin = kernel.centre
    if tie == "convolution":
        taps, begin = taps[::-1], len(taps) - 1 - begin
    length = amplitudes.shape[1]
    return np.stack([np.convolve(row, taps)[begin : begin + length] for row in amplitudes])


def evaluate_integer(
    windows: NDArray[np.int32],
    kernels: Sequence[Kernel],
    similarities: Sequence[NDArray[np.int64]],
    *,
    scale: int,
    step: int,
    baseline: int | None,
    tie: Tie,
) -> ModelQuality:
    """Figures for one amplitude step; similarities do not depend on it and are reused.

    Args:
        windows: ADC samples, int32 ``[windows, n]``.
        kernels: of one set.
        similarities: `spike_similarities` of each kernel.
        scale, step, baseline: as in `KernelSet`.
        tie: as in `Kernels`.
    """
    base = baselines(windows, baseline)
    total = np.zeros(windows.shape, dtype=np.int64)
    spikes = np.zeros(len(windows), dtype=np.int64)
    for kernel, similarity in zip(kernels, similarities, strict=True):
        # Away from spikes the similarity is 0, and so is (0 + half) >> step.
        amplitudes = rounded_shift(similarity, step)
        spikes += np.count_nonzero(amplitudes, axis=1)
        total += place_kernel(amplitudes, kernel, tie)
    signal = windows - base
    error = np.abs(signal - rounded_shift(total, 2 * scale - step)).sum(axis=1)
    losses = error / np.abs(signal).sum(axis=1)
    weights = sum(len(kernel.taps) for kernel in kernels)
    return quality_of(losses.tolist(), spikes.tolist(), weights, windows.shape[1])


def evaluate_set(windows: NDArray[np.int32], kernel_set: KernelSet, tie: Tie) -> ModelQuality:
    """Figures of an integer model.

    Args:
        windows: ADC samples, int32 ``[windows, n]``, none constant.
        kernel_set: the kernels of this lead.
        tie: as in `Kernels`.
    """
    signal = windows - baselines(windows, kernel_set.baseline)
    return evaluate_integer(
        windows,
        kernel_set.kernels,
        [spike_similarities(signal, kernel) for kernel in kernel_set.kernels],
        scale=kernel_set.scale,
        step=kernel_set.step,
        baseline=kernel_set.baseline,
        tie=tie,
    )
