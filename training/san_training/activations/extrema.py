"""Extrema with a minimum distance in one dimension (algorithm 3), without rounds.

The greedy rule (largest first, each bars all others within ±med) is equal to a walk over
candidates from left to right. A walk keeps a *record*; the next record is the first
candidate after it that is larger and at most med away; where there is none, the record is
a *top* and the walk goes on with the first candidate farther than med. A top is kept, and
behind each kept record the latest record of the same ascent that is farther than med from
it. Both steps are pointers that depend on the candidate alone, so that all positions that
a walk visits follow from doubling pointers: log₂ n steps for all rows at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from san_stream.errors import SettingError

if TYPE_CHECKING:
    from torch import Tensor

    from san_training.activations.masks import Density


def candidate_mask(similarity: Tensor, *, axis: int = -1) -> Tensor:
    """Candidate extrema: R = L = N (algorithm 3, first part).

    R: s[t+1] > s[t]; L: s[t] <= s[t-1]; N: not s[t] > 0. At the first sample L is true, at
    the last R is false: a first sample can only be a valley, a last one only a peak.

    Args:
        similarity: ``[..., n]``.
        axis: along which t counts.

    Returns:
        bool of the same shape.
    """
    values = similarity.detach()
    length = values.shape[axis]
    if length == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    ahead = values.narrow(axis, 1, length - 1)
    behind = values.narrow(axis, 0, length - 1)
    edge = torch.zeros_like(values.narrow(axis, 0, 1), dtype=torch.bool)
    rises = torch.cat([ahead > behind, edge], dim=axis)
    fell = torch.cat([~edge, ahead <= behind], dim=axis)
    return (rises == fell) & (fell == ~(values > 0))


def extrema_mask(similarity: Tensor, med: Density) -> Tensor:
    """Extrema more than `med` samples apart (algorithm 3).

    Greedy by magnitude, ties to the earlier index: a candidate is kept and bars all others
    within ±med, inclusive.

    Args:
        similarity: ``[..., n]``.
        med: minimum extrema distance in samples, at least 1.

    Returns:
        bool ``[..., n]``, True at kept positions (also those of value 0).
    """
    if isinstance(med, int) and med < 1:
        raise SettingError(f"minimum extrema distance {med}: must be at least 1")
    values = similarity.detach()
    length = values.shape[-1]
    if values.numel() == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    # A tensor's largest value would have to be waited for: then all distances are looked at.
    farthest = min(med, length) if isinstance(med, int) else length
    reach = farthest if isinstance(med, int) else med[..., None].clamp(max=length)
    found = candidate_mask(values)
    # Position n stands for "none": below all scores, and its pointers lead to itself.
    score = pad(torch.where(found, values.abs(), -1), (0, 1), value=-1)
    place = torch.arange(length + 1, device=values.device).expand_as(score)
    larger = _first_larger(score, place, farthest)
    is_top = larger > place + reach
    upcoming = _first_from(pad(found, (0, 1)), place)
    beyond = upcoming.gather(-1, (place + reach + 1).clamp(max=length))
    forward = torch.where(is_top, beyond, larger)
    start = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, upcoming[..., :1], value=True)
    record = _visited(start, forward, length)

    top = record & is_top & (place < length)
    latest = torch.where(record, place, -1).cummax(dim=-1).values
    latest_top = torch.where(top, place, -1).cummax(dim=-1).values
    before = latest.gather(-1, (place - reach - 1).clamp(min=0))
    ended = pad(latest_top[..., :-1], (1, 0), value=-1)
    valid = (place > reach) & (before > ended)
    backward = torch.where(valid, before, length)
    return _visited(top, backward, length)[..., :length]


def _first_larger(score: Tensor, place: Tensor, farthest: int) -> Tensor:
    """First position behind each with a larger score.

    Found where it is at most `farthest` away; else any position farther than that, at most n.
    """
    length = score.shape[-1] - 1
    # peaks[k][t] is the largest score of t to t + 2^k - 1.
    peaks = [score]
    while 2 ** len(peaks) <= farthest:
        step = 2 ** (len(peaks) - 1)
        last = peaks[-1]
        peaks.append(torch.maximum(last, pad(last[..., step:], (0, step), value=-1)))
    position = place + 1
    for k in reversed(range(len(peaks))):
        ahead = peaks[k].gather(-1, position.clamp(max=length))
        position = torch.where(ahead > score, position, position + 2**k)
    # Beyond the end there is none: as far as a distance can be.
    return torch.where(position < length, position, 2 * length + 1)


def _first_from(found: Tensor, place: Tensor) -> Tensor:
    """First True at or behind each position; n where there is none."""
    length = found.shape[-1] - 1
    return torch.where(found, place, length).flip(-1).cummin(dim=-1).values.flip(-1)


def _visited(start: Tensor, pointer: Tensor, length: int) -> Tensor:
    """Positions that are reached from `start` by following `pointer` any number of times."""
    visited = start
    for _ in range(length.bit_length()):
        # What is not visited marks position n, which is "none".
        target = torch.where(visited, pointer, length)
        visited = visited.scatter(-1, target, value=True)
        pointer = pointer.gather(-1, pointer)
    return visited
