"""Distortion and rate, each by one named definition (the field uses several of PRD).

`original` and `decoded` are arrays of equal shape ``[n]`` (one lead), integers or
floats, in the same unit; where `valid` (bool ``[n]``) is given only those samples count.
With no sample, or a denominator of 0, a ratio is NaN (0 / 0 of equal signals gives 0).
"""

from __future__ import annotations

from math import inf, log10, nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[Any]
    Mask = NDArray[np.bool_] | None


def _pair(
    original: Samples, decoded: Samples, valid: Mask
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if original.shape != decoded.shape:
        raise ValueError(f"shapes differ: {original.shape} and {decoded.shape}")
    x, y = original.astype(np.float64), decoded.astype(np.float64)
    return (x, y) if valid is None else (x[valid], y[valid])


def _energy(x: NDArray[np.float64]) -> float:
    return float(np.dot(x, x))


def _percent(error: float, signal: float) -> float:
    if error == 0:
        return 0.0
    return 100 * sqrt(error / signal) if signal > 0 else nan


def prd(original: Samples, decoded: Samples, valid: Mask = None) -> float:
    """PRD, offset kept: 100 ‖x − y‖ / ‖x‖, %. An ADC offset makes it look small."""
    x, y = _pair(original, decoded, valid)
    return _percent(_energy(x - y), _energy(x))


def prd_offset(original: Samples, decoded: Samples, offset: float, valid: Mask = None) -> float:
    """PRD less a fixed offset: 100 ‖x − y‖ / ‖x − offset‖, % (MIT-BIH: PRD-1024)."""
    x, y = _pair(original, decoded, valid)
    return _percent(_energy(x - y), _energy(x - offset))


def prdn(original: Samples, decoded: Samples, valid: Mask = None) -> float:
    """PRDN, mean removed: 100 ‖x − y‖ / ‖x − mean(x)‖, %. The one to compare by."""
    x, y = _pair(original, decoded, valid)
    return _percent(_energy(x - y), _energy(x - x.mean()) if len(x) else 0.0)


def rmse(original: Samples, decoded: Samples, valid: Mask = None) -> float:
    """Root of the mean squared error, in the unit of the samples."""
    x, y = _pair(original, decoded, valid)
    return sqrt(_energy(x - y) / len(x)) if len(x) else nan


def snr(original: Samples, decoded: Samples, valid: Mask = None) -> float:
    """Signal-to-noise ratio with the mean removed, dB: −20 log10(PRDN / 100)."""
    value = prdn(original, decoded, valid)
    return inf if value == 0 else -20 * log10(value / 100)


def max_error(original: Samples, decoded: Samples, valid: Mask = None) -> float:
    """Largest |x − y|, in the unit of the samples."""
    x, y = _pair(original, decoded, valid)
    return float(np.abs(x - y).max()) if len(x) else nan


def bits_per_sample(bits: int, values: int) -> float:
    """Bits over values (samples · leads)."""
    return bits / values if values else nan


def compression_ratio(raw_bits: int, bits: int) -> float:
    """CR in bits: raw bits at the declared ADC resolution over bits on the wire."""
    return raw_bits / bits if bits else nan


def quality_score(ratio: float, distortion: float) -> float:
    """QS = CR / PRD; say which CR and which PRD."""
    return ratio / distortion if distortion else inf
