"""Training on the CPU by compiled code: the trajectory of `fit`, many times as fast."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import torch

from san_stream.errors import SettingError
from san_training.activations import ACTIVATIONS
from san_training.compiled.training import assess, train
from san_training.compiled_images import fit_image_restart, rebuild_images
from san_training.compiled_run import Run, joined
from san_training.fitting import (
    DIVERGED,
    Epoch,
    FitResult,
    as_windows_pair,
    build_model,
    frozen,
    plan,
)
from san_training.model import default_med
from san_training.progress import progress
from san_training.quality import AT_ONCE, quality_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from san_training.compiled.training import Model
    from san_training.fitting import FitSettings
    from san_training.progress import ProgressCallback
    from san_training.quality import ModelQuality


def fit_compiled(
    training: NDArray[np.floating],
    validation: NDArray[np.floating],
    settings: FitSettings,
    *,
    callback: ProgressCallback | None = None,
    title: str = "training",
) -> FitResult:
    """What `fit` does, on the CPU in compiled code.

    Starts, order and steps are those of `fit`; sums run in another order, so that results
    agree to rounding until one of them tips the choice of a position, and differ from there on
    as two machines would. The same windows and settings give the same result on the same
    machine. Other Python threads run meanwhile, further trainings among them.

    Args, Raises: as `fit`; `callback` is told after each restart, and `settings.device` must
        be ``"auto"`` or ``"cpu"``.
    """
    if settings.device not in ("auto", "cpu"):
        raise SettingError(f"device {settings.device!r}: compiled training runs on the CPU")
    windows, checks = as_windows_pair(training, validation, settings)
    history: list[Epoch] = []
    best: Run | None = None
    best_restart = 0
    with progress(settings.restarts, title, callback) as advance:
        for restart in range(settings.restarts):
            kernels, orders = plan(windows, settings, restart)
            run = fit_restart(windows, checks, kernels, orders, settings)
            pairs = zip(run.losses.tolist(), run.phis.tolist(), strict=True)
            history += [Epoch(restart, i, loss, phi) for i, (loss, phi) in enumerate(pairs)]
            reached = run.phis[run.epoch] if run.epoch >= 0 else inf
            if reached < (best.phis[best.epoch] if best else inf):
                best, best_restart = run, restart
            advance(f"restart {restart + 1}: φ̄ {reached:.3f}")
    if best is None:
        raise SettingError(DIVERGED.format(settings.learning_rate))
    return FitResult(
        settings,
        tuple(frozen(taps) for taps in best.kernels),
        tuple(frozen(taps) for taps in best.last_kernels),
        best.validation,
        best_restart,
        best.epoch,
        tuple(history),
    )


def fit_restart(
    windows: Tensor,
    checks: Tensor,
    kernels: Sequence[Tensor],
    orders: Tensor,
    settings: FitSettings,
) -> Run:
    """Train from one start, in the type of the windows (float32 or float64).

    Args:
        windows, checks: training and validation, ``[windows, n]`` or ``[windows, h, w]`` on the
            CPU.
        kernels, orders: of `plan`.
        settings: how; restarts, seed and start are not looked at.
    """
    if windows.ndim == 3:
        return fit_image_restart(windows, checks, kernels, orders, settings)
    sizes = [len(kernel) for kernel in kernels]
    if settings.zero_sum:
        kernels = [kernel - kernel.mean() for kernel in kernels]
    taps = joined(kernels, windows.dtype)
    model, margin = _model(sizes, settings)
    losses, phis = np.empty(len(orders)), np.empty(len(orders))
    best_taps = np.zeros_like(taps)
    best_losses, best_spikes = np.zeros(len(checks)), np.zeros(len(checks), np.int64)
    epoch = train(
        model,
        _padded(windows, margin),
        _padded(checks, margin),
        taps,
        orders.numpy(),
        settings.batch,
        settings.learning_rate,
        (settings.zero_sum, settings.loss == "mse"),
        (losses, phis),
        best_taps,
        best_losses,
        best_spikes,
    )
    return Run(
        epoch,
        torch.from_numpy(best_taps).split(sizes),
        torch.from_numpy(taps).split(sizes),
        quality_of(best_losses.tolist(), best_spikes.tolist(), sum(sizes), windows.shape[1]),
        losses,
        phis,
    )


def evaluate_compiled(
    kernels: Sequence[NDArray[np.float64]], windows: Tensor, settings: FitSettings
) -> ModelQuality:
    """What `san_training.quality.evaluate` says of these kernels, in compiled code.

    Args:
        kernels: ``[m_i]`` or ``[m_i, m_i]`` each.
        windows: x less its baseline, ``[windows, n]`` or ``[windows, h, w]`` on the CPU, none
            all zero.
        settings: activation, tie and border tolerance.
    """
    if windows.ndim == 3:
        return rebuild_images(kernels, windows, settings, keep=False)[0]
    sizes = [len(kernel) for kernel in kernels]
    taps = joined([torch.tensor(kernel) for kernel in kernels], windows.dtype)
    model, margin = _model(sizes, settings)
    losses, spikes = np.zeros(len(windows)), np.zeros(len(windows), np.int64)
    assess(model, taps, _padded(windows, margin), losses, spikes)
    return quality_of(losses.tolist(), spikes.tolist(), sum(sizes), windows.shape[1])


def rebuild_compiled(
    kernels: Sequence[NDArray[np.float64]], windows: Tensor, settings: FitSettings
) -> tuple[ModelQuality, NDArray[np.floating]]:
    """Figures of kernels as by `evaluate_compiled`, and what the windows are rebuilt as.

    Returns:
        The figures, and x̂ of the windows' shape and type.
    """
    if windows.ndim == 3:
        return rebuild_images(kernels, windows, settings, keep=True)
    network = build_model([torch.tensor(taps, dtype=windows.dtype) for taps in kernels], settings)
    with torch.no_grad():
        parts = [network(part).signal for part in windows.split(AT_ONCE)]
    return evaluate_compiled(kernels, windows, settings), torch.cat(parts).numpy()


def _padded(windows: Tensor, margin: int) -> NDArray[np.float64]:
    """Windows with zeros around them."""
    return np.pad(windows.numpy(), ((0, 0), (margin, margin)))


def _model(sizes: Sequence[int], settings: FitSettings) -> tuple[Model, int]:
    """The model of `train`, and its margin."""
    margin = max(sizes)
    tolerance = settings.border_tolerance
    is_extrema = settings.activation == "extrema"
    densities = [default_med(size, tolerance) if is_extrema else size for size in sizes]
    model = (
        ACTIVATIONS.index(settings.activation),
        margin,
        settings.tie == "adjoint",
        np.cumsum([0, *sizes], dtype=np.int64),
        np.array(densities, np.int64),
    )
    return model, margin
