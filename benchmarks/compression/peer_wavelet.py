"""Peer: CDF 9/7 wavelet, dead-zone quantiser, adaptive contexts.

The whole block is one transform. The context of a coefficient is the size of the two before
it in its band and of its parent and the parent's neighbours in the next coarser one.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
from arithmetic import (
    GOLOMB_CONTEXTS,
    HALF,
    begin,
    buffer,
    code_adaptive,
    code_golomb,
    compiled,
    finish,
    readable,
)
from quantiser import magnitude_class, quantise, restore
from wavelet import bands, forward, inverse, levels_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES: Final = 16
"""Contexts of a band for one kind of bit, of which ten are used."""
OF_BAND: Final = 3 * CLASSES
SIGN: Final = 2 * CLASSES
LARGE: Final = 8 * OF_BAND
"""First context of magnitudes above 1, which all bands share."""
CONTEXTS: Final = LARGE + 5 * GOLOMB_CONTEXTS


@compiled
def _context(q: NDArray[np.int64], at: int, i: int, above: int, shorter: int, own: int) -> int:
    """Class of coefficient `i` of the band at `at`; `above`: first index of the parents."""
    size = 0
    if i > 0:
        size += 4 * abs(q[at + i - 1])
    if i > 1:
        size += 2 * abs(q[at + i - 2])
    if shorter > 0:
        j = min(i * shorter // own, shorter - 1)
        size += 2 * abs(q[above + j])
        if j + 1 < shorter:
            size += abs(q[above + j + 1])
        if j > 0:
            size += abs(q[above + j - 1])
    return magnitude_class(size)


@compiled
def _code(
    q: NDArray[np.int64],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    data: NDArray[np.uint8],
    encoding: bool,  # noqa: FBT001
) -> int:
    """All bands, coarse to fine; decoding fills `q`."""
    state = begin(encoding, data)
    odds = np.full(CONTEXTS, HALF, np.int64)
    counts = np.zeros(CONTEXTS, np.int64)
    for band in range(len(lengths)):
        at, own = offsets[band], lengths[band]
        above, shorter = 0, 0
        if band > 0:
            above, shorter = offsets[band - 1], lengths[band - 1]
        base = band * OF_BAND
        for i in range(own):
            kind = _context(q, at, i, above, shorter, own)
            value = q[at + i]
            size = abs(value)
            if code_adaptive(state, data, odds, counts, base + kind, 1 if size > 0 else 0) == 0:
                q[at + i] = 0
                continue
            negative = code_adaptive(state, data, odds, counts, base + SIGN, 1 if value < 0 else 0)
            context = base + CLASSES + kind
            if code_adaptive(state, data, odds, counts, context, 1 if size > 1 else 0):
                group = LARGE + max(kind - 5, 0) * GOLOMB_CONTEXTS
                size = code_golomb(state, data, odds, counts, group, size - 2) + 2
            else:
                size = 1
            q[at + i] = -size if negative else size
    return finish(state, data) if encoding else 0


def encode(x: NDArray[np.int64], step: float) -> bytes:
    """One block: its mean and its coefficients."""
    mean = round(float(np.mean(x)))
    levels = levels_for(len(x))
    q = quantise(forward(x.astype(np.float64) - mean, levels), step)
    data = buffer(len(x))
    size = _code(q, *bands(len(x), levels), data, True)
    return struct.pack("<h", mean) + data[:size].tobytes()


def decode(data: bytes, count: int, step: float) -> NDArray[np.float64]:
    """The block's samples."""
    mean = struct.unpack_from("<h", data)[0]
    levels = levels_for(count)
    q = np.zeros(count, np.int64)
    _code(q, *bands(count, levels), readable(data[2:]), False)
    return np.asarray(inverse(restore(q, step), levels) + mean)
