"""The five sparse activations in one dimension, on similarities ``[..., n]``.

An activation keeps some positions of a similarity as they are and sets the others to 0
(Bizopoulos & Koutsouris, "Sparsely Activated Networks", algorithms 1 to 3). Which
positions are kept is decided without a gradient, so the gradient is that of the kept
values: 1 there and 0 elsewhere. Ties go to the lower index. Every rule compares values
and never adds them, so it is exact in any type: float32, float64 or integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch.nn.functional import pad

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

Activation = Literal["identity", "relu", "topk", "extrema_pool", "extrema"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


def topk_mask(similarity: Tensor, count: int) -> Tensor:
    """The `count` largest magnitudes of each row (algorithm 1).

    Args:
        similarity: ``[..., n]``.
        count: how many to keep; 0 or more, all of them from n on.

    Returns:
        bool ``[..., n]``, True at kept positions.
    """
    if count < 0:
        raise SettingError(f"top-k count {count}: must be 0 or more")
    # torch.topk says nothing of ties; a stable sort keeps the lower index first.
    order = similarity.detach().abs().sort(dim=-1, descending=True, stable=True).indices
    mask = torch.zeros_like(similarity, dtype=torch.bool)
    return mask.scatter_(-1, order[..., :count], value=True)


def extrema_pool_mask(similarity: Tensor, size: int) -> Tensor:
    """The largest magnitude of each cell of a grid of `size` samples (algorithm 2).

    Args:
        similarity: ``[..., n]``.
        size: samples in a cell, at least 1; a last cell that is not full has none.

    Returns:
        bool ``[..., n]``, True at kept positions.
    """
    if size < 1:
        raise SettingError(f"pool size {size}: must be at least 1")
    mask = torch.zeros_like(similarity, dtype=torch.bool)
    cells = similarity.shape[-1] // size
    if cells:
        grid = similarity.detach()[..., : cells * size].abs().unflatten(-1, (cells, size))
        first = torch.arange(cells, device=similarity.device) * size
        # torch.argmax gives the first of equal values.
        mask.scatter_(-1, grid.argmax(dim=-1) + first, value=True)
    return mask


def candidate_mask(similarity: Tensor) -> Tensor:
    """Candidate extrema: R = L = N (algorithm 3, first part).

    R: s[t+1] > s[t]; L: s[t] <= s[t-1]; N: not s[t] > 0. At the first sample L is true, at
    the last R is false: a first sample can only be a valley, a last one only a peak.

    Args:
        similarity: ``[..., n]``.

    Returns:
        bool ``[..., n]``.
    """
    values = similarity.detach()
    edge = torch.zeros_like(values[..., :1], dtype=torch.bool)
    rises = torch.cat([values[..., 1:] > values[..., :-1], edge], dim=-1)
    fell = torch.cat([~edge, values[..., 1:] <= values[..., :-1]], dim=-1)
    return (rises == fell) & (fell == ~(values > 0))


def _sliding_max(values: Tensor, length: int) -> Tensor:
    """out[i] = max(values[i : i + length]) by doubling, ``[..., n - length + 1]``."""
    out, reach = values, 1
    while reach < length:
        step = min(reach, length - reach)
        out = torch.maximum(out[..., :-step], out[..., step:])
        reach += step
    return out


def extrema_mask(similarity: Tensor, med: int) -> Tensor:
    """Extrema more than `med` samples apart (algorithm 3).

    Greedy by magnitude, ties to the earlier index: a candidate is kept and bars all others
    within ±med, inclusive. Done in parallel rounds: an undecided candidate that is
    strictly larger than all undecided ones up to med before it, and not smaller than
    those up to med after it, is the next one that the greedy rule would take in its
    neighbourhood, so all such candidates are kept at once.

    Args:
        similarity: ``[..., n]``.
        med: minimum extrema distance in samples, at least 1.

    Returns:
        bool ``[..., n]``, True at kept positions (also those of value 0).
    """
    if med < 1:
        raise SettingError(f"minimum extrema distance {med}: must be at least 1")
    values = similarity.detach()
    length = values.shape[-1]
    reach = min(med, max(length, 1))
    score = torch.where(candidate_mask(values), values.abs(), -1)
    kept = torch.zeros_like(values, dtype=torch.bool)
    while True:
        largest = _sliding_max(pad(score, (reach, reach), value=-1), reach)
        before, after = largest[..., :length], largest[..., reach + 1 :]
        won = (score >= 0) & (score > before) & (score >= after)
        if not bool(won.any()):
            return kept
        kept |= won
        near = _sliding_max(pad(won.to(torch.uint8), (reach, reach)), 2 * reach + 1)
        score = torch.where(near > 0, -1, score)


def activation_mask(name: Activation, similarity: Tensor, size: int, med: int) -> Tensor:
    """Positions that an activation keeps.

    Args:
        name: one of `ACTIVATIONS`.
        similarity: ``[..., n]`` of one kernel.
        size: taps m of the kernel: top-k keeps ⌊n / m⌋, extrema-pool has cells of m.
        med: minimum extrema distance, used by extrema alone.

    Returns:
        bool ``[..., n]``.

    Raises:
        SettingError: unknown name, or size or med below 1.
    """
    if name == "identity":
        return torch.ones_like(similarity, dtype=torch.bool)
    if name == "relu":
        return similarity.detach() > 0
    if size < 1:
        raise SettingError(f"kernel size {size}: must be at least 1")
    if name == "topk":
        return topk_mask(similarity, similarity.shape[-1] // size)
    if name == "extrema_pool":
        return extrema_pool_mask(similarity, size)
    if name == "extrema":
        return extrema_mask(similarity, med)
    raise SettingError(f"activation {name!r}: must be one of {', '.join(ACTIVATIONS)}")


def activate(name: Activation, similarity: Tensor, size: int, med: int) -> Tensor:
    """Activation map: the similarity at kept positions, 0 elsewhere.

    Args:
        name: one of `ACTIVATIONS`.
        similarity: ``[..., n]`` of one kernel, or of several of one size and med.
        size: taps m of the kernel.
        med: minimum extrema distance in samples.

    Returns:
        Same shape and type; the gradient passes at kept positions only.

    Raises:
        SettingError: unknown name, or size or med below 1.
    """
    return torch.where(activation_mask(name, similarity, size, med), similarity, 0)
