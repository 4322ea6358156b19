"""φ̄ of a model on windows, by the paper's count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from san_stream.flithos import flithos, inverse_ratio
from san_training.losses import normalised_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from san_training.model import SparselyActivatedNetwork

AT_ONCE = 1024
"""Windows that are evaluated together: what bounds the memory."""


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """Quality figures of a model on some windows; one entry a window.

    Attributes:
        losses: L̃ = Σ|x - x̂| / Σ|x|, x taken from its baseline.
        inverse_ratios: CR⁻¹ = (W + (dim + 1) · A) / n.
        spikes: A, non-zero activations of all kernels.
    """

    losses: tuple[float, ...]
    inverse_ratios: tuple[float, ...]
    spikes: tuple[int, ...]

    @property
    def phis(self) -> tuple[float, ...]:
        """φ = √(CR⁻¹² + L̃²) of each window."""
        pairs = zip(self.inverse_ratios, self.losses, strict=True)
        return tuple(flithos(ratio, loss) for ratio, loss in pairs)

    @property
    def phi(self) -> float:
        """φ̄, the mean over windows."""
        return sum(self.phis) / len(self.losses)

    @property
    def loss(self) -> float:
        """Mean L̃."""
        return sum(self.losses) / len(self.losses)

    @property
    def inverse_ratio(self) -> float:
        """Mean CR⁻¹."""
        return sum(self.inverse_ratios) / len(self.inverse_ratios)


def quality_of(
    losses: Sequence[float],
    spikes: Sequence[int],
    weights: int,
    length: int,
    *,
    dimensions: int = 1,
) -> ModelQuality:
    """Figures of windows of `length` samples (images: h · w) coded with `weights` taps."""
    return ModelQuality(
        losses=tuple(float(loss) for loss in losses),
        inverse_ratios=tuple(
            inverse_ratio(weights, int(count), length, dim=dimensions) for count in spikes
        ),
        spikes=tuple(int(count) for count in spikes),
    )


@torch.no_grad()
def evaluate(
    model: SparselyActivatedNetwork, windows: Tensor, *, weights: int | None = None
) -> ModelQuality:
    """Figures of a model as it stands.

    Args:
        model: on the device of the windows.
        windows: x less its baseline, ``[windows, n]`` or ``[windows, h, w]``, none all zero.
        weights: W; None: as the paper counts, `model.weights`. In two dimensions that is less
            than there are numbers in the kernels: `model.numbers` charges all of them.
    """
    losses, spikes = [], []
    for part in windows.split(AT_ONCE):
        out = model(part)
        losses += normalised_losses(out.signal, part).tolist()
        spikes += torch.count_nonzero(out.activations.flatten(1), dim=1).tolist()
    return quality_of(
        losses,
        spikes,
        model.weights if weights is None else weights,
        windows[0].numel(),
        dimensions=model.dimensions,
    )
