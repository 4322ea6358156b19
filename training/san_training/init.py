"""Where the kernels start: normal, constant, or a piece of the signal."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch.nn.functional import pad

from san_stream.errors import SettingError
from san_training.activations import extrema_mask, extrema_mask_2d
from san_training.model import default_med

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Init = Literal["normal", "constant", "data"]
INITS: tuple[Init, ...] = get_args(Init)
INIT_SIZE = 0.1
"""Standard deviation of the normal start and value of the constant one."""
STRONG_SHARE = 0.25
"""A data start takes one of the strongest extrema, this share of them."""
MOST_IMAGES = 512
"""Images whose extrema are looked at for a data start."""


def start_kernels(
    init: Init,
    sizes: Sequence[int],
    windows: Tensor,
    generator: torch.Generator,
    *,
    zero_sum: bool = False,
    border_tolerance: int = 3,
) -> list[Tensor]:
    """Starting kernels.

    ``normal``: w ~ N(0, 0.1), as in the paper. ``constant``: w = 0.1; see `cosine_kernels` for
    several kernels. ``data``: pieces of the signal; see `data_kernels`.

    Args:
        init: one of `INITS`.
        sizes: taps of each kernel, in two dimensions of a side.
        windows: training signal ``[windows, n]`` or ``[windows, h, w]``; its type is the
            kernels' type.
        generator: source of chance, on the CPU.
        zero_sum: the kernels will be projected to sum 0, so start there.
        border_tolerance: for the minimum distance of extrema of a data start.

    Returns:
        One ``[m_i]`` or ``[m_i, m_i]`` a kernel, on the CPU.

    Raises:
        SettingError: unknown start or a size below 1.
    """
    if not sizes or min(sizes) < 1:
        raise SettingError(f"kernel sizes {list(sizes)}: at least one, each at least 1")
    windows = windows.detach().cpu()
    axes = windows.ndim - 1
    if init == "normal":
        kernels = [
            INIT_SIZE * torch.randn((size,) * axes, generator=generator, dtype=windows.dtype)
            for size in sizes
        ]
    elif init == "constant":
        first = 2 if zero_sum else 0
        kernels = cosine_kernels(sizes, first=first, dtype=windows.dtype, dimensions=axes)
    elif init == "data":
        kernels = data_kernels(sizes, windows, generator, border_tolerance)
    else:
        raise SettingError(f"init {init!r}: must be one of {', '.join(INITS)}")
    if zero_sum:
        kernels = [kernel - kernel.mean() for kernel in kernels]
    if init == "data":
        # Placing what was matched then gives back the piece itself: w (w · x) = x for x ∝ w.
        norms = [kernel.norm() for kernel in kernels]
        kernels = [k / n if n > 0 else k for k, n in zip(kernels, norms, strict=True)]
    return kernels


def cosine_kernels(
    sizes: Sequence[int], *, first: int, dtype: torch.dtype, dimensions: int = 1
) -> list[Tensor]:
    """Kernel i is 0.1 · cos(π · (first + i) · (j + 1/2) / m).

    Equal kernels get equal gradients and stay equal for ever, so each takes another order of the
    cosine: order 0 is the constant 0.1. Kernels that must sum to 0 start from order 2 on,
    the first that is symmetric and not flat. In two dimensions a kernel is the product of
    two orders, one an axis, and pairs are taken by their sum, then by the order of the rows.
    """
    orders: list[tuple[int, ...]] = []
    total = first
    while len(orders) < len(sizes):
        orders += [(total,)] if dimensions == 1 else [(r, total - r) for r in range(total + 1)]
        total += 1
    kernels = []
    for pair, size in zip(orders, sizes, strict=False):
        kernel = torch.tensor(INIT_SIZE, dtype=torch.float64)
        for order in pair:
            phase = (torch.arange(size, dtype=torch.float64) + 0.5) / size
            kernel = kernel[..., None] * torch.cos(pi * order * phase)
        kernels.append(kernel.to(dtype))
    return kernels


def data_kernels(
    sizes: Sequence[int], windows: Tensor, generator: torch.Generator, border_tolerance: int
) -> list[Tensor]:
    """Pieces of the signal, each centred on one of its strongest extrema.

    The first is drawn by chance from the strongest quarter; each further kernel takes the
    piece of that quarter that looks least like those already taken.

    Args:
        sizes: taps of each kernel.
        windows: ``[windows, n]``, or ``[windows, h, w]`` of which the first 512 are looked at.
        generator: source of chance.
        border_tolerance: extrema are max(m - border_tolerance, 1) apart, m the largest size.
    """
    size = max(sizes)
    centre = (size - 1) // 2
    med = default_med(size, border_tolerance)
    axes = windows.ndim - 1
    if axes == 1:
        kept = extrema_mask(windows, med)
    else:
        windows = windows[:MOST_IMAGES]
        kept = extrema_mask_2d(windows, med)
    inside = kept.clone()
    for axis in range(1, 1 + axes):
        inside.movedim(axis, 0)[:centre] = False
        inside.movedim(axis, 0)[windows.shape[axis] - (size - 1 - centre) :] = False
    # A piece that hangs over the edge is part zeros: taken only where there is no other.
    places = torch.nonzero(inside if bool(inside.any()) else kept, as_tuple=True)
    if not len(places[0]):
        return [torch.zeros((m,) * axes, dtype=windows.dtype) for m in sizes]
    strength = windows[places].abs()
    order = strength.argsort(descending=True, stable=True)
    strong = order[: max(int(STRONG_SHARE * len(order)), min(len(sizes), len(order)))]
    pieces = pad(windows, (centre, size - 1 - centre) * axes)
    for axis in range(1, 1 + axes):
        pieces = pieces.unfold(axis, size, 1)
    pieces = pieces[tuple(place[strong] for place in places)]
    flat = pieces.flatten(1)
    unit = flat / flat.norm(dim=1, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    chosen = [int(torch.randint(len(strong), (1,), generator=generator))]
    while len(chosen) < len(sizes):
        likeness = (unit @ unit[chosen].T).abs().amax(dim=1)
        likeness[chosen] = torch.inf
        chosen.append(int(likeness.argmin()))
    kernels = []
    for m, index in zip(sizes, chosen, strict=True):
        begin = centre - (m - 1) // 2
        kernels.append(pieces[index][(slice(begin, begin + m),) * axes].clone())
    return kernels
