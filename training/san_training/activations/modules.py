"""The activations as functions of a name, and as modules of a network's kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from san_stream.errors import SampleError, SettingError
from san_training.activations.extrema import extrema_mask
from san_training.activations.extrema_2d import extrema_mask_2d
from san_training.activations.masks import extrema_pool_mask, topk_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_training.activations.masks import Density

Activation = Literal["identity", "relu", "topk", "extrema_pool", "extrema"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


class SparseActivation(nn.Module):
    """Keeps some positions of similarities and sets the others to 0.

    Attributes:
        densities: what sets how many positions each kernel keeps; () where nothing does.
        dimensions: 1 or 2.
    """

    each: Tensor
    """The densities as int64 ``[kernels]``, on the device of the module."""

    def __init__(self, densities: Sequence[int] = (), *, dimensions: int = 1) -> None:
        """Set one density for all kernels, or one for each.

        Raises:
            SettingError: a density below 1, or dimensions other than 1 and 2.
        """
        super().__init__()
        if dimensions not in (1, 2):
            raise SettingError(f"{dimensions} dimensions: must be 1 or 2")
        for density in densities:
            if density < 1:
                raise SettingError(f"{self._what()} {density}: must be at least 1")
        self.densities = tuple(densities)
        self.dimensions = dimensions
        self.register_buffer("each", torch.tensor(self.densities).long(), persistent=False)

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions, bool of the shape of the similarities."""
        raise NotImplementedError

    def forward(self, similarity: Tensor) -> Tensor:
        """Activation maps of similarities ``[batch, kernels, n]`` or ``[batch, kernels, h, w]``.

        Raises:
            SampleError: another shape.
        """
        wanted = 2 + self.dimensions
        kernels = similarity.shape[1] if similarity.ndim == wanted else None
        if kernels is None or len(self.densities) not in (0, 1, kernels):
            axes = "n" if self.dimensions == 1 else "h, w"
            count = len(self.densities) if len(self.densities) > 1 else "kernels"
            raise SampleError(
                f"similarities have shape {tuple(similarity.shape)}, expected "
                f"[batch, {count}, {axes}]"
            )
        return torch.where(self.mask(similarity), similarity, 0)

    def extra_repr(self) -> str:
        """Densities and dimensions, as `print` shows a module."""
        return f"{self.densities}, dimensions={self.dimensions}"

    def _what(self) -> str:
        return "kernel size"

    def _density(self) -> Density:
        """One number where all kernels share it: less to compute."""
        return self.densities[0] if len(set(self.densities)) == 1 else self.each


class Identity(SparseActivation):
    """Keeps all positions."""

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions: all."""
        return torch.ones_like(similarity, dtype=torch.bool)


class ReLU(SparseActivation):
    """Keeps what is above 0."""

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions: those above 0."""
        return similarity.detach() > 0


class TopKAbsolutes(SparseActivation):
    """Keeps the largest magnitudes: of each kernel of size m as many as fit side by side.

    That is ⌊n / m⌋ in a signal and ⌊h / m⌋ · ⌊w / m⌋ in an image. The densities are the sizes.
    """

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions, see `topk_mask`."""
        size = self._density()
        count: Density = 1
        for length in similarity.shape[-self.dimensions :]:
            count = count * (length // size)
        return topk_mask(similarity, count, dimensions=self.dimensions)


class ExtremaPoolIndices(SparseActivation):
    """Keeps the largest magnitude of each cell; the densities are the sides of the cells."""

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions, see `extrema_pool_mask`."""
        return extrema_pool_mask(similarity, self._density(), dimensions=self.dimensions)


class Extrema(SparseActivation):
    """Keeps extrema at a distance; the densities are the minimum extrema distances."""

    def mask(self, similarity: Tensor) -> Tensor:
        """Kept positions, see `extrema_mask` and `extrema_mask_2d`."""
        if self.dimensions == 1:
            return extrema_mask(similarity, self._density())
        if len(set(self.densities)) == 1:
            return extrema_mask_2d(similarity, self.densities[0])
        parts = [extrema_mask_2d(similarity[:, i], med) for i, med in enumerate(self.densities)]
        return torch.stack(parts, dim=1)

    def _what(self) -> str:
        return "minimum extrema distance"


def build_activation(
    name: Activation, sizes: Sequence[int], meds: Sequence[int], *, dimensions: int = 1
) -> SparseActivation:
    """The module of that name.

    Args:
        name: one of `ACTIVATIONS`.
        sizes: taps m of each kernel (in an image: of a side), or one for all.
        meds: minimum extrema distances, used by extrema alone.
        dimensions: 1 or 2.

    Raises:
        SettingError: unknown name, or sizes, meds or dimensions outside their limits.
    """
    if name == "identity":
        return Identity(dimensions=dimensions)
    if name == "relu":
        return ReLU(dimensions=dimensions)
    if name == "topk":
        return TopKAbsolutes(sizes, dimensions=dimensions)
    if name == "extrema_pool":
        return ExtremaPoolIndices(sizes, dimensions=dimensions)
    if name == "extrema":
        return Extrema(meds, dimensions=dimensions)
    raise SettingError(f"activation {name!r}: must be one of {', '.join(ACTIVATIONS)}")


def activation_mask(
    name: Activation, similarity: Tensor, size: int, med: int, *, dimensions: int = 1
) -> Tensor:
    """Positions that an activation keeps.

    Args:
        name: one of `ACTIVATIONS`.
        similarity: ``[..., n]`` or ``[..., h, w]`` of kernels of one size.
        size: taps m of the kernel (in an image: of a side).
        med: minimum extrema distance, used by extrema alone.
        dimensions: 1 or 2.

    Returns:
        bool of the same shape.

    Raises:
        SettingError: unknown name, or size or med below 1.
    """
    return build_activation(name, (size,), (med,), dimensions=dimensions).mask(similarity)


def activate(
    name: Activation, similarity: Tensor, size: int, med: int, *, dimensions: int = 1
) -> Tensor:
    """Activation map: the similarity at kept positions, 0 elsewhere.

    Args, Raises: as `activation_mask`.

    Returns:
        Same shape and type; the gradient passes at kept positions only.
    """
    mask = activation_mask(name, similarity, size, med, dimensions=dimensions)
    return torch.where(mask, similarity, 0)
