"""Positions kept by top-k absolutes and by extrema-pool indices, in any dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

Density: TypeAlias = "int | Tensor"
"""One number, or int64 ``[kernels]`` for similarities ``[..., kernels, *positions]``."""


def topk_mask(similarity: Tensor, count: Density, *, dimensions: int = 1) -> Tensor:
    """The `count` largest magnitudes of each row or image (algorithm 1).

    Args:
        similarity: ``[..., n]`` or ``[..., h, w]``.
        count: how many to keep; 0 or more, all of them from n or h · w on.
        dimensions: 1 or 2.

    Returns:
        bool of the same shape, True at kept positions.
    """
    if isinstance(count, int) and count < 0:
        raise SettingError(f"top-k count {count}: must be 0 or more")
    magnitude = similarity.detach().abs().flatten(-dimensions)
    # torch.topk says nothing of ties; a stable sort keeps the lower index first.
    order = magnitude.sort(dim=-1, descending=True, stable=True).indices
    among = torch.arange(order.shape[-1], device=order.device) < per_row(count)
    mask = torch.zeros_like(magnitude, dtype=torch.bool)
    return mask.scatter_(-1, order, among.expand_as(order)).view(similarity.shape)


def extrema_pool_mask(similarity: Tensor, size: Density, *, dimensions: int = 1) -> Tensor:
    """The largest magnitude of each cell of a grid (algorithm 2).

    Args:
        similarity: ``[..., n]`` or ``[..., h, w]``.
        size: samples in a side of a cell, at least 1; a last cell that is not full has none.
        dimensions: 1 or 2.

    Returns:
        bool of the same shape, True at kept positions.
    """
    if isinstance(size, int) and size < 1:
        raise SettingError(f"pool size {size}: must be at least 1")
    magnitude = similarity.detach().abs().flatten(-dimensions)
    count = magnitude.shape[-1]
    side = per_row(size)
    place = torch.arange(count, device=magnitude.device)
    cell = torch.zeros_like(place)
    inside = torch.ones_like(place, dtype=torch.bool)
    stride = count
    for length in similarity.shape[-dimensions:]:
        stride //= max(length, 1)
        along = place // stride % length // side
        cell = cell * (length // side) + along
        inside = inside & (along < length // side)
    # What lies in no full cell goes to one cell too many, which is not read.
    cell = torch.where(inside, cell, count).expand_as(magnitude)
    cells = (*magnitude.shape[:-1], count + 1)
    largest = magnitude.new_full(cells, -1).scatter_reduce(-1, cell, magnitude, "amax")
    found = torch.where(magnitude == largest.gather(-1, cell), place, count)
    first = cell.new_full(cells, count).scatter_reduce(-1, cell, found, "amin")
    return ((first.gather(-1, cell) == place) & inside).view(similarity.shape)


def per_row(value: Density) -> Density:
    """A number as it is, or ``[kernels]`` as ``[kernels, 1]``, to stand before positions."""
    return value if isinstance(value, int) else value[..., None]
