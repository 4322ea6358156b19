"""Positions that the sparse activations keep, one row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from san_training.compiled.jit import jit

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from san_training.compiled.sliding import Floats

    Integers: TypeAlias = NDArray[np.int64]

IDENTITY: Final = 0
RELU: Final = 1
TOPK: Final = 2
EXTREMA_POOL: Final = 3
EXTREMA: Final = 4
"""Activations by their place in `san_training.activations.ACTIVATIONS`."""


@jit
def ranked(values: Floats, rank: int) -> Any:
    """What stands at `rank` once the values are sorted; changes their order.

    Quickselect with the middle value as pivot. It ends for any values, NaN among them.
    """
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


@jit
def keep_topk(similarity: Floats, count: int, places: Integers) -> Any:
    """The `count` largest magnitudes, ties to the earlier; returns how many."""
    length = similarity.shape[0]
    if count >= length:
        for p in range(length):
            places[p] = p
        return length
    if count == 0:
        return 0
    magnitude = np.abs(similarity)
    least = ranked(magnitude.copy(), length - count)
    spare = count
    for p in range(length):
        if magnitude[p] > least:
            spare -= 1
    kept = 0
    for p in range(length):
        tied = magnitude[p] == least
        if magnitude[p] > least or (tied and spare > 0):
            if tied:
                spare -= 1
            places[kept] = p
            kept += 1
    return kept


@jit
def keep_pool(similarity: Floats, size: int, places: Integers) -> Any:
    """The largest magnitude of each full cell of `size`; returns how many cells there are."""
    kept = 0
    for first in range(0, similarity.shape[0] - size + 1, size):
        best = first
        for p in range(first + 1, first + size):
            if abs(similarity[p]) > abs(similarity[best]):
                best = p
        places[kept] = best
        kept += 1
    return kept


@jit
def close_chain(chain: Integers, depth: int, med: int, places: Integers, kept: int) -> Any:
    """Keep the top of a chain, and backwards what is farther than med from the last kept."""
    count = 0
    last = chain[depth - 1] + med + 1
    for i in range(depth - 1, -1, -1):
        if last - chain[i] > med:
            last = chain[i]
            count += 1
    end = kept + count
    at = end
    last = chain[depth - 1] + med + 1
    for i in range(depth - 1, -1, -1):
        if last - chain[i] > med:
            last = chain[i]
            at -= 1
            places[at] = last
    return end


@jit
def keep_extrema(similarity: Floats, med: int, chain: Integers, places: Integers) -> Any:
    """Extrema more than med apart, see `san_training.activations.extrema`; returns how many."""
    length = similarity.shape[0]
    kept = depth = 0
    for p in range(length):
        value = similarity[p]
        rises = p + 1 < length and similarity[p + 1] > value
        fell = p == 0 or value <= similarity[p - 1]
        if rises == fell and fell == (not value > 0):
            if depth > 0 and p - chain[depth - 1] > med:
                kept = close_chain(chain, depth, med, places, kept)
                depth = 0
            if depth == 0 or abs(value) > abs(similarity[chain[depth - 1]]):
                chain[depth] = p
                depth += 1
    if depth > 0:
        kept = close_chain(chain, depth, med, places, kept)
    return kept


@jit
def keep(kind: int, similarity: Floats, density: int, chain: Integers, places: Integers) -> Any:
    """Positions that a sparse activation keeps; returns how many."""
    if kind == TOPK:
        return keep_topk(similarity, similarity.shape[0] // density, places)
    if kind == EXTREMA_POOL:
        return keep_pool(similarity, density, places)
    return keep_extrema(similarity, density, chain, places)
