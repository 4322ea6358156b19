"""The flithos metric φ: how verbose a code is, joined with how wrong it is.

Bizopoulos & Koutsouris, "Sparsely Activated Networks", eq. 2-7:
CR⁻¹ = (W + (dim + 1) · A) / n, L̃ = L(x, x̂) / L(x, baseline), φ = √(CR⁻¹² + L̃²).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


def inverse_ratio(weights: int, spikes: int, samples: int, *, dim: int = 1) -> float:
    """CR⁻¹ by the paper's count: numbers of the code over numbers of the signal."""
    if samples < 1:
        raise ValueError(f"{samples} samples: a ratio needs at least 1")
    return (weights + (dim + 1) * spikes) / samples


def flithos(inverse: float, loss: float) -> float:
    """φ of one inverse compression ratio and one normalised loss."""
    return sqrt(inverse * inverse + loss * loss)


@dataclass(slots=True)
class RunningMean:
    """Mean of the values so far; None values (windows without signal) are only counted."""

    count: int = 0
    skipped: int = 0
    total: float = 0.0

    def update(self, value: float | None) -> None:
        """Take one more value."""
        if value is None:
            self.skipped += 1
        else:
            self.count += 1
            self.total += value

    @property
    def mean(self) -> float | None:
        """The mean, or None before the first value."""
        return self.total / self.count if self.count else None
