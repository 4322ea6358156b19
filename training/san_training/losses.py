"""What training minimises: mean absolute or mean squared errors of the reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from torch.nn.functional import l1_loss, mse_loss

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

Loss = Literal["mae", "mse"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


def reconstruction_loss(name: Loss, rebuilt: Tensor, signal: Tensor) -> Tensor:
    """Mean error of a batch, a number with a gradient.

    Args:
        name: ``"mae"``, Σ|x̂ - x| / N as in the paper, or ``"mse"``, Σ(x̂ - x)² / N.
        rebuilt: x̂, any shape.
        signal: x, the same shape.

    Raises:
        SettingError: unknown name.
    """
    if name == "mae":
        return l1_loss(rebuilt, signal)
    if name == "mse":
        return mse_loss(rebuilt, signal)
    raise SettingError(f"loss {name!r}: must be 'mae' or 'mse'")


def normalised_losses(rebuilt: Tensor, signal: Tensor) -> Tensor:
    """L̃ of each window: Σ|x - x̂| / Σ|x|.

    Args:
        rebuilt: x̂, ``[windows, ...]``.
        signal: x less its baseline, the same shape; a window all zero has none (NaN).

    Returns:
        ``[windows]``.
    """
    return (signal - rebuilt).abs().flatten(1).sum(dim=1) / signal.abs().flatten(1).sum(dim=1)
