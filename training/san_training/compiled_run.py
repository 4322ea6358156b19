"""What one restart of compiled training gives, and how its taps lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from san_training.quality import ModelQuality


class Run(NamedTuple):
    """One restart.

    Attributes:
        epoch: the one with the lowest φ̄, or -1 where there is none.
        kernels, last_kernels: its taps, and those of the last epoch.
        validation: its figures of the validation windows.
        losses, phis: mean training loss and validation φ̄ of each epoch; NaN after divergence.
    """

    epoch: int
    kernels: tuple[Tensor, ...]
    last_kernels: tuple[Tensor, ...]
    validation: ModelQuality
    losses: NDArray[np.float64]
    phis: NDArray[np.float64]


def joined(kernels: Sequence[Tensor], dtype: torch.dtype) -> NDArray[np.float64]:
    """All taps behind each other, row after row, a copy of the type."""
    flat = torch.cat([kernel.flatten() for kernel in kernels])
    taps: NDArray[np.float64] = flat.to(dtype).numpy().copy()
    return taps
