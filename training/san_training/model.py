"""A Sparsely Activated Network in one dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from san_stream.errors import SampleError, SettingError
from san_stream.kernels import MAX_KERNELS, MAX_TAPS
from san_training.activations import ACTIVATIONS, activate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_stream.kernels import Tie
    from san_training.activations import Activation


class Reconstruction(NamedTuple):
    """What a SAN makes of a batch of windows.

    Attributes:
        signal: x̂, ``[batch, n]``.
        activations: α, ``[batch, kernels, n]``: zero but at the kept positions.
        similarities: s, ``[batch, kernels, n]``.
    """

    signal: Tensor
    activations: Tensor
    similarities: Tensor


def default_med(size: int, border_tolerance: int) -> int:
    """Minimum extrema distance of a kernel of `size` taps: max(m - tolerance, 1)."""
    return max(size - border_tolerance, 1)


def correlate(signal: Tensor, taps: Tensor) -> Tensor:
    """s[p] = Σ_j w[j] · x[p + j - c] with c = (m - 1) // 2 and zeros outside.

    Args:
        signal: x, ``[batch, n]``.
        taps: w, ``[m]``.

    Returns:
        ``[batch, n]``.
    """
    size = taps.shape[0]
    centre = (size - 1) // 2
    padded = pad(signal, (centre, size - 1 - centre))
    return conv1d(padded[:, None], taps[None, None])[:, 0]


def place(activation: Tensor, taps: Tensor) -> Tensor:
    """x̂[t] = Σ_p α[p] · w[t - p + c]: the kernel placed as `correlate` matches it.

    Args:
        activation: α, ``[batch, n]``.
        taps: w, ``[m]``.

    Returns:
        ``[batch, n]``.
    """
    size = taps.shape[0]
    centre = (size - 1) // 2
    # Correlation with the reversed kernel, whose centre tap is m - 1 - c.
    padded = pad(activation, (size - 1 - centre, centre))
    return conv1d(padded[:, None], taps.flip(0)[None, None])[:, 0]


class SAN1d(nn.Module):
    """Similarities, sparse activation maps and the reconstruction from them.

    s_i = w_i ⋆ x, α_i = activation(s_i), x̂ = Σ_i w_i ⋆ α_i (``tie="convolution"``, as in the
    paper) or Σ_i of w_i placed as it was matched (``tie="adjoint"``). The map is
    homogeneous: c · x with c > 0 gives c · x̂, so kernels do not depend on the unit of x.

    Attributes:
        taps: the kernels w_i, one parameter ``[m_i]`` each.
        sizes: m_i.
        meds: minimum extrema distance of each kernel, in samples.
    """

    def __init__(
        self,
        kernels: Sequence[Tensor],
        *,
        activation: Activation = "extrema",
        tie: Tie = "convolution",
        zero_sum: bool = False,
        border_tolerance: int = 3,
        meds: Sequence[int] | None = None,
    ) -> None:
        """Build the network from its start.

        Args:
            kernels: 1 to 16 starts ``[m_i]`` of 1 to 1,024 taps; copied.
            activation: one of `san_training.activations.ACTIVATIONS`.
            tie: ``"convolution"`` or ``"adjoint"``.
            zero_sum: keep each kernel's sum at 0 (`project` after every optimiser step).
            border_tolerance: med = max(m - border_tolerance, 1).
            meds: minimum extrema distances, one a kernel, instead of that rule.

        Raises:
            SettingError: a value outside its limits.
        """
        super().__init__()
        if not 1 <= len(kernels) <= MAX_KERNELS:
            raise SettingError(f"{len(kernels)} kernels: must be 1 to {MAX_KERNELS}")
        for kernel in kernels:
            if kernel.ndim != 1 or not 1 <= len(kernel) <= MAX_TAPS:
                raise SettingError(
                    f"kernel of shape {tuple(kernel.shape)}: must be [m] with m 1 to {MAX_TAPS}"
                )
        if activation not in ACTIVATIONS:
            raise SettingError(
                f"activation {activation!r}: must be one of {', '.join(ACTIVATIONS)}"
            )
        if tie not in ("convolution", "adjoint"):
            raise SettingError(f"tie {tie!r}: must be 'convolution' or 'adjoint'")
        self.sizes = tuple(len(kernel) for kernel in kernels)
        self.meds = tuple(meds or (default_med(size, border_tolerance) for size in self.sizes))
        if len(self.meds) != len(kernels) or min(self.meds) < 1:
            raise SettingError(f"minimum extrema distances {self.meds}: one of 1 or more a kernel")
        self.activation: Activation = activation
        self.tie: Tie = tie
        self.zero_sum = zero_sum
        self.taps = nn.ParameterList(kernel.detach().clone() for kernel in kernels)
        self.project()

    @property
    def weights(self) -> int:
        """W, the number of taps of all kernels."""
        return sum(self.sizes)

    @torch.no_grad()
    def project(self) -> None:
        """Take each kernel's mean off it if the model is to be zero-sum."""
        if self.zero_sum:
            for taps in self.taps:
                taps.sub_(taps.mean())

    def copy_taps(self) -> tuple[Tensor, ...]:
        """True copies of the kernels as they are now, on the CPU."""
        return tuple(taps.detach().cpu().clone() for taps in self.taps)

    def forward(self, signal: Tensor) -> Reconstruction:
        """Encode and rebuild windows.

        Args:
            signal: x, ``[batch, n]``, the type of the kernels.

        Raises:
            SampleError: another shape.
        """
        if signal.ndim != 2:
            raise SampleError(f"signal has shape {tuple(signal.shape)}, expected [batch, n]")
        rebuild = correlate if self.tie == "convolution" else place
        total = torch.zeros_like(signal)
        similarities, activations = [], []
        for taps, size, med in zip(self.taps, self.sizes, self.meds, strict=True):
            similarity = correlate(signal, taps)
            activation = activate(self.activation, similarity, size, med)
            total = total + rebuild(activation, taps)
            similarities.append(similarity)
            activations.append(activation)
        return Reconstruction(
            total, torch.stack(activations, dim=1), torch.stack(similarities, dim=1)
        )
