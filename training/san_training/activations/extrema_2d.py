"""Extrema with a minimum distance in two dimensions (algorithm 3, both axes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import max_pool2d

from san_stream.errors import SettingError
from san_training.activations.extrema import candidate_mask

if TYPE_CHECKING:
    from torch import Tensor

EXACT_IN_FLOAT32 = 2**24
"""Every whole number up to this is a float32."""


def candidate_mask_2d(similarity: Tensor) -> Tensor:
    """Candidates of an image ``[..., h, w]``: those along both of its axes."""
    return candidate_mask(similarity, axis=-1) & candidate_mask(similarity, axis=-2)


def extrema_mask_2d(similarity: Tensor, med: int) -> Tensor:
    """Extrema of images, each alone in the box of ±med around it.

    Greedy by magnitude, ties to the lower flat index: a candidate is kept and bars all others
    whose row and column both lie within ±med, inclusive. Done in parallel rounds: each
    candidate that is the first of its box among those undecided is kept, and bars the rest.
    On a CPU rounds end when nothing is left to decide. On a GPU that question would wait for
    the device, so there are as many rounds as an image can have kept positions, each of which
    keeps at least one or changes nothing.

    Args:
        similarity: ``[..., h, w]``.
        med: minimum extrema distance, at least 1.

    Returns:
        bool ``[..., h, w]``, True at kept positions (also those of value 0).
    """
    if med < 1:
        raise SettingError(f"minimum extrema distance {med}: must be at least 1")
    values = similarity.detach()
    if values.numel() == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    height, width = values.shape[-2:]
    rank = _ranks(values).view(-1, 1, height, width)
    kept = torch.zeros_like(rank, dtype=torch.bool)
    reach = min(med, height), min(med, width)
    # Kept positions are more than med apart along one axis: one a box of (med + 1)².
    rounds = -(-height // (med + 1)) * -(-width // (med + 1))
    for _ in range(rounds):
        won = (rank > 0) & (rank == _box_max(rank, reach))
        kept |= won
        rank = torch.where(_box_max(won.to(rank.dtype), reach) > 0, 0, rank)
        if values.device.type == "cpu" and not bool(rank.any()):
            break
    return kept.view(values.shape)


def _ranks(values: Tensor) -> Tensor:
    """Candidates as whole numbers, the first in the greedy order the largest; others 0."""
    score = torch.where(candidate_mask_2d(values), values.abs(), -1).flatten(-2)
    count = score.shape[-1]
    exact = torch.float32 if count < EXACT_IN_FLOAT32 else torch.float64
    order = score.sort(dim=-1, descending=True, stable=True).indices
    falling = torch.arange(count, 0, -1, device=score.device, dtype=exact).expand(order.shape)
    rank = torch.zeros(score.shape, device=score.device, dtype=exact)
    rank = rank.scatter_(-1, order, falling)
    return torch.where(score < 0, 0, rank).view(values.shape)


def _box_max(images: Tensor, reach: tuple[int, int]) -> Tensor:
    """Largest value of the box around each position, ``[images, 1, h, w]``."""
    # One axis after the other: 2 (2 med + 1) comparisons instead of (2 med + 1)².
    rows = max_pool2d(images, (2 * reach[0] + 1, 1), stride=1, padding=(reach[0], 0))
    return max_pool2d(rows, (1, 2 * reach[1] + 1), stride=1, padding=(0, reach[1]))
