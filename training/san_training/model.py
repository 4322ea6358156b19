"""Sparsely Activated Networks in one and two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, pad

from san_stream.errors import SampleError, SettingError
from san_stream.kernels import MAX_KERNELS, MAX_TAPS
from san_training.activations import build_activation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_stream.kernels import Tie
    from san_training.activations import Activation


class Reconstruction(NamedTuple):
    """What a SAN makes of a batch of windows or images.

    Attributes:
        signal: x̂, ``[batch, n]`` or ``[batch, h, w]``.
        activations: α, ``[batch, kernels, ...]``: zero but at the kept positions.
        similarities: s, ``[batch, kernels, ...]``.
    """

    signal: Tensor
    activations: Tensor
    similarities: Tensor


def default_med(size: int, border_tolerance: int) -> int:
    """Minimum extrema distance of a kernel of `size` taps: max(m - tolerance, 1)."""
    return max(size - border_tolerance, 1)


def correlate(signal: Tensor, taps: Tensor) -> Tensor:
    """s[p] = Σ_j w[j] · x[p + j - c] with c = (m - 1) // 2 and zeros outside, along each axis.

    Args:
        signal: x, ``[batch, n]`` or ``[batch, h, w]``.
        taps: w, ``[m]`` or ``[m, m]``.

    Returns:
        The shape of the signal.
    """
    centre = (taps.shape[0] - 1) // 2
    return _slide(signal, taps, centre)


def place(activation: Tensor, taps: Tensor) -> Tensor:
    """x̂[t] = Σ_p α[p] · w[t - p + c]: the kernel placed as `correlate` matches it.

    Args:
        activation: α, ``[batch, n]`` or ``[batch, h, w]``.
        taps: w, ``[m]`` or ``[m, m]``.

    Returns:
        The shape of the activation.
    """
    size = taps.shape[0]
    # Correlation with the reversed kernel, whose centre tap is m - 1 - c.
    return _slide(activation, taps.flip(tuple(range(taps.ndim))), size - 1 - (size - 1) // 2)


def _slide(signal: Tensor, taps: Tensor, before: int) -> Tensor:
    """Correlation with `before` zeros before each axis and m - 1 - before behind it."""
    around = (before, taps.shape[0] - 1 - before)
    padded = pad(signal, around * taps.ndim)
    convolve = conv1d if taps.ndim == 1 else conv2d
    return convolve(padded[:, None], taps[None, None])[:, 0]


class SparselyActivatedNetwork(nn.Module):
    """Similarities, sparse activation maps and the reconstruction from them.

    s_i = w_i ⋆ x, α_i = activation(s_i), x̂ = Σ_i w_i ⋆ α_i (``tie="convolution"``, as in the
    paper) or Σ_i of w_i placed as it was matched (``tie="adjoint"``). The map is
    homogeneous: c · x with c > 0 gives c · x̂, so kernels do not depend on the unit of x.

    Use `SAN1d` or `SAN2d`.

    Attributes:
        taps: the kernels w_i, one parameter each.
        sizes: m_i, taps of a kernel along one axis.
        meds: minimum extrema distance of each kernel, in samples.
        activation: name of the activation; `sparsify` is its module.
        dimensions: 1 or 2.
    """

    dimensions: ClassVar[int]

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
            kernels: 1 to 16 starts ``[m_i]`` (2-D: ``[m_i, m_i]``), m 1 to 1,024; copied.
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
        axes = "[m]" if self.dimensions == 1 else "[m, m]"
        for kernel in kernels:
            shape = tuple(kernel.shape)
            if shape not in {(size,) * self.dimensions for size in shape[:1]} or not (
                1 <= shape[0] <= MAX_TAPS
            ):
                raise SettingError(
                    f"kernel of shape {shape}: must be {axes} with m 1 to {MAX_TAPS}"
                )
        if tie not in ("convolution", "adjoint"):
            raise SettingError(f"tie {tie!r}: must be 'convolution' or 'adjoint'")
        self.sizes = tuple(len(kernel) for kernel in kernels)
        self.meds = tuple(meds or (default_med(size, border_tolerance) for size in self.sizes))
        if len(self.meds) != len(kernels) or min(self.meds) < 1:
            raise SettingError(f"minimum extrema distances {self.meds}: one of 1 or more a kernel")
        self.activation: Activation = activation
        self.sparsify = build_activation(
            activation, self.sizes, self.meds, dimensions=self.dimensions
        )
        self.tie: Tie = tie
        self.zero_sum = zero_sum
        self.taps = nn.ParameterList(kernel.detach().clone() for kernel in kernels)
        self.project()

    @property
    def weights(self) -> int:
        """W by the paper's count: Σ m_i, in two dimensions too (see `numbers`)."""
        return sum(self.sizes)

    @property
    def numbers(self) -> int:
        """How many numbers the kernels are: Σ m_i^dimensions."""
        return sum(size**self.dimensions for size in self.sizes)

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
        """Encode and rebuild windows or images.

        Args:
            signal: x, ``[batch, n]`` (2-D: ``[batch, h, w]``), the type of the kernels.

        Raises:
            SampleError: another shape.
        """
        if signal.ndim != 1 + self.dimensions:
            axes = "n" if self.dimensions == 1 else "h, w"
            raise SampleError(f"signal has shape {tuple(signal.shape)}, expected [batch, {axes}]")
        rebuild = correlate if self.tie == "convolution" else place
        similarities = torch.stack([correlate(signal, taps) for taps in self.taps], dim=1)
        activations = self.sparsify(similarities)
        total = torch.zeros_like(signal)
        for i, taps in enumerate(self.taps):
            total = total + rebuild(activations[:, i], taps)
        return Reconstruction(total, activations, similarities)


class SAN1d(SparselyActivatedNetwork):
    """A SAN on signals ``[batch, n]`` with kernels ``[m]``."""

    dimensions = 1


class SAN2d(SparselyActivatedNetwork):
    """A SAN on images ``[batch, h, w]`` with kernels ``[m, m]``."""

    dimensions = 2
