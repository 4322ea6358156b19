"""From trained kernels to the integers of `san_stream.kernels`.

A SAN is homogeneous: kernels trained on samples divided by any factor do the same to the ADC
samples themselves, with activations in ADC units. So a lead's scale does not enter here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2
from typing import TYPE_CHECKING

import numpy as np

from san_stream.errors import ModelError, SettingError
from san_stream.kernels import MAX_SCALE, Kernel, KernelSet
from san_training.integer import baselines, evaluate_integer, spike_similarities
from san_training.model import default_med

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_training.fitting import FitResult

TAP_BITS = 12
"""12 bits move 0 to 0.35 % of the spikes of ECG and EEG, 8 bits up to 2.8 %."""
STEP_COST = 0.01
"""Coarser amplitudes may cost this share of φ̄."""


@dataclass(frozen=True, slots=True)
class QuantisationReport:
    """What becoming integers did to φ̄ of the validation windows.

    Attributes:
        phi_float: trained kernels, float32.
        phi_taps: integer taps, amplitudes as fine as they come (step 0).
        phi_integer: integer taps and amplitudes: the model as it will run.
        phi_free: kernels trained without the zero-sum rule, float32; None: not tried.
        tap_bits, scale, step: of the integers, see `KernelSet`.
    """

    phi_float: float
    phi_taps: float
    phi_integer: float
    phi_free: float | None
    tap_bits: int
    scale: int
    step: int


def tap_scale(kernels: Sequence[NDArray[np.float64]], tap_bits: int = TAP_BITS) -> int:
    """Largest scale at which every tap w · 2^scale fits `tap_bits` bits.

    Raises:
        SettingError: tap_bits is not 2 to 16.
        ModelError: a tap is not finite, all are 0, or a tap is too large for scale 0.
    """
    if not 2 <= tap_bits <= 16:
        raise SettingError(f"tap bits {tap_bits}: must be 2 to 16")
    limit = 2 ** (tap_bits - 1) - 1
    largest = max(float(np.abs(taps).max()) for taps in kernels)
    if not np.isfinite(largest) or largest == 0:
        raise ModelError(f"largest tap {largest}: must be finite and not 0")
    scale = floor(log2(limit / largest))
    if scale < 0:
        raise ModelError(f"largest tap {largest:g}: {tap_bits} bits hold at most {limit}")
    return min(scale, MAX_SCALE)


def round_taps(taps: NDArray[np.float64], scale: int, *, zero_sum: bool) -> tuple[int, ...]:
    """Taps w as the integers nearest to w · 2^scale.

    With `zero_sum` the mean is taken off first, and what rounding leaves of the sum is
    spread, one unit each, over the taps that were rounded furthest the other way: the
    integers of sum 0 nearest to the taps. No tap moves by a whole unit or more.

    Args:
        taps: float64 ``[m]``.
        scale: power of two.
        zero_sum: make the sum exactly 0.
    """
    exact = np.asarray(taps, dtype=np.float64)
    if zero_sum:
        exact = exact - exact.mean()
    exact = exact * 2.0**scale
    rounded = np.rint(exact).astype(np.int64)
    if zero_sum:
        surplus = int(rounded.sum())
        sign = 1 if surplus > 0 else -1
        order = np.argsort(-sign * (rounded - exact), kind="stable")
        rounded[order[: abs(surplus)]] -= sign
    return tuple(int(tap) for tap in rounded)


def quantise(
    fit: FitResult,
    windows: NDArray[np.int32],
    *,
    baseline: int | None = None,
    leads: Sequence[str] = (),
    tap_bits: int = TAP_BITS,
    step_cost: float = STEP_COST,
    phi_free: float | None = None,
) -> tuple[KernelSet, QuantisationReport]:
    """Integer kernels of a trained model.

    All kernels share one scale, the finest that fits. The amplitude step is the largest of
    those that, counted up from 0, each keep φ̄ ≤ (1 + step_cost) · φ̄ at step 0: coarse
    amplitudes are cheap to code.

    Args:
        fit: trained with the extrema activation.
        windows: validation windows in ADC units, int32 ``[windows, n]``, none constant;
            those that `fit` was validated on, before scaling.
        baseline: None for zero-sum kernels; else their declared fixed baseline.
        leads: names of the leads served.
        tap_bits: bits of a tap with its sign, 2 to 16.
        step_cost: share of φ̄ that coarser amplitudes may cost, 0 or more.
        phi_free: φ̄ without the zero-sum rule, for the report.

    Raises:
        SettingError: tap_bits or step_cost outside their limits.
        ModelError: taps that have no integers, another activation than extrema, or a
            baseline that does not go with the zero-sum rule.
    """
    settings = fit.settings
    if not step_cost >= 0:
        raise SettingError(f"step cost {step_cost}: must be 0 or more")
    if settings.activation != "extrema":
        raise ModelError(
            f"activation {settings.activation!r}: only 'extrema' can run on a live stream"
        )
    if settings.zero_sum != (baseline is None):
        raise ModelError(f"baseline {baseline}: kernels have one if they do not sum to zero")
    exact = [taps - taps.mean() if settings.zero_sum else taps for taps in fit.kernels]
    scale = tap_scale(exact, tap_bits)
    kernels = tuple(
        Kernel(
            round_taps(taps, scale, zero_sum=settings.zero_sum),
            default_med(len(taps), settings.border_tolerance),
        )
        for taps in exact
    )
    signal = windows - baselines(windows, baseline)
    similarities = [spike_similarities(signal, kernel) for kernel in kernels]

    def phi(step: int) -> float:
        return evaluate_integer(
            windows,
            kernels,
            similarities,
            scale=scale,
            step=step,
            baseline=baseline,
            tie=settings.tie,
        ).phi

    finest = phi(0)
    step, reached = 0, finest
    while step < 2 * scale and (coarser := phi(step + 1)) <= (1 + step_cost) * finest:
        step, reached = step + 1, coarser
    report = QuantisationReport(
        phi_float=fit.validation.phi,
        phi_taps=finest,
        phi_integer=reached,
        phi_free=phi_free,
        tap_bits=tap_bits,
        scale=scale,
        step=step,
    )
    return KernelSet(kernels, scale, step, baseline, tuple(leads)), report
