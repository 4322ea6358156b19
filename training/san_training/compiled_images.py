"""Training on images on the CPU by compiled code, see `san_training.compiled_fit`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import torch

from san_training.activations import ACTIVATIONS
from san_training.compiled.images import assess_images, image_workspace, step_images
from san_training.compiled.training import adam_step
from san_training.compiled_run import Run, joined
from san_training.model import default_med
from san_training.quality import quality_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from san_training.compiled.images import ImageModel
    from san_training.fitting import FitSettings
    from san_training.quality import ModelQuality


def fit_image_restart(
    images: Tensor,
    checks: Tensor,
    kernels: Sequence[Tensor],
    orders: Tensor,
    settings: FitSettings,
) -> Run:
    """Train from one start, in the type of the images (float32 or float64).

    Args:
        images, checks: training and validation, ``[images, h, w]`` on the CPU.
        kernels, orders: of `san_training.fitting.plan`.
        settings: how; restarts, seed and start are not looked at.
    """
    sizes = [len(kernel) for kernel in kernels]
    model = _image_model(sizes, settings)
    taps = joined(kernels, images.dtype)
    _take_means_off(taps, model, settings)
    gradient = np.empty_like(taps)
    moments = np.zeros_like(taps), np.zeros_like(taps)
    shown, rows = images.numpy(), orders.numpy()
    work = image_workspace(taps, len(sizes), *shown.shape[1:], model[1])
    losses, phis = np.full(len(orders), np.nan), np.full(len(orders), np.nan)
    best, best_taps, best_quality = -1, np.zeros_like(taps), None
    step = 0
    for epoch, order in enumerate(rows):
        error = 0.0
        for begin in range(0, len(order), settings.batch):
            batch = order[begin : begin + settings.batch]
            squares = settings.loss == "mse"
            error += step_images(model, shown, batch, taps, squares, gradient, work)
            step += 1
            adam_step(taps, gradient, moments, step, settings.learning_rate)
            _take_means_off(taps, model, settings)
        if not np.isfinite(taps).all():
            break
        losses[epoch] = error / shown.size
        quality, _ = _assess(taps, sizes, checks, model, keep=False)
        phis[epoch] = quality.phi
        if quality.phi < (phis[best] if best >= 0 else inf):
            best, best_taps, best_quality = epoch, taps.copy(), quality
    return Run(
        best,
        _apart(best_taps, sizes),
        _apart(taps, sizes),
        best_quality or quality_of([], [], sum(sizes), 1),
        losses,
        phis,
    )


def rebuild_images(
    kernels: Sequence[NDArray[np.float64]], images: Tensor, settings: FitSettings, *, keep: bool
) -> tuple[ModelQuality, NDArray[np.floating]]:
    """Figures of kernels on images, and what these are rebuilt as.

    Args:
        kernels: ``[m_i, m_i]`` each.
        images: ``[images, h, w]`` on the CPU, none all zero.
        settings: activation, tie and border tolerance.
        keep: whether reconstructions are wanted.

    Returns:
        The figures, and ``[images, h, w]`` of the images' type; none without `keep`.
    """
    sizes = [len(kernel) for kernel in kernels]
    taps = joined([torch.tensor(kernel) for kernel in kernels], images.dtype)
    return _assess(taps, sizes, images, _image_model(sizes, settings), keep=keep)


def _assess(
    taps: NDArray[np.float64],
    sizes: Sequence[int],
    images: Tensor,
    model: ImageModel,
    *,
    keep: bool,
) -> tuple[ModelQuality, NDArray[np.floating]]:
    count, *shape = images.shape
    losses, spikes = np.zeros(count), np.zeros(count, np.int64)
    rebuilt = np.empty((count if keep else 0, *shape), taps.dtype)
    assess_images(model, taps, images.numpy(), losses, spikes, rebuilt)
    length = images[0].numel()
    quality = quality_of(losses.tolist(), spikes.tolist(), sum(sizes), length, dimensions=2)
    return quality, rebuilt


def _take_means_off(taps: NDArray[np.float64], model: ImageModel, settings: FitSettings) -> None:
    """Make the sum of each kernel 0 where that is wanted."""
    if settings.zero_sum:
        starts = model[4]
        taps -= np.repeat(np.add.reduceat(taps, starts[:-1]) / np.diff(starts), np.diff(starts))


def _apart(taps: NDArray[np.float64], sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """The kernels ``[m_i, m_i]``."""
    parts = torch.from_numpy(taps).split([size**2 for size in sizes])
    return tuple(part.view(size, size) for part, size in zip(parts, sizes, strict=True))


def _image_model(sizes: Sequence[int], settings: FitSettings) -> ImageModel:
    """The model of `step_images`."""
    is_extrema = settings.activation == "extrema"
    tolerance = settings.border_tolerance
    densities = [default_med(size, tolerance) if is_extrema else size for size in sizes]
    return (
        ACTIVATIONS.index(settings.activation),
        max(sizes),
        settings.tie == "adjoint",
        np.array(sizes, np.int64),
        np.cumsum([0, *(size**2 for size in sizes)], dtype=np.int64),
        np.array(densities, np.int64),
    )
