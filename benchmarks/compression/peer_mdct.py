"""Peer: MDCT with a sine window, dead-zone quantiser, adaptive contexts.

Frames of 64 samples, each coefficient's context the size of the two below it in its frame and of
the three around it in the frame before.
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
    code_bit,
    code_golomb,
    compiled,
    finish,
    readable,
)
from quantiser import magnitude_class, quantise, restore
from scipy.fft import dct

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME: Final = 64
ZONES: Final = 7
"""Of frequency: their limits are in `_zone`."""
CLASSES: Final = 16
OF_ZONE: Final = 2 * CLASSES
LARGE: Final = ZONES * OF_ZONE
CONTEXTS: Final = LARGE + 5 * GOLOMB_CONTEXTS

WINDOW: Final = np.sin(np.pi * (np.arange(2 * FRAME) + 0.5) / (2 * FRAME))


@compiled
def _zone(k: int, bins: int) -> int:
    if k < 3:
        return min(k, 1)
    zone, limit = 2, bins // 16
    while zone < ZONES - 1 and k >= limit:
        zone += 1
        limit *= 2
    return zone


@compiled
def _context(q: NDArray[np.int64], frame: int, k: int) -> int:
    """Class of a coefficient by those known around it."""
    size = 0
    if k > 0:
        size += 2 * abs(q[frame, k - 1])
    if k > 1:
        size += abs(q[frame, k - 2])
    if frame > 0:
        size += 2 * abs(q[frame - 1, k])
        if k + 1 < q.shape[1]:
            size += abs(q[frame - 1, k + 1])
        if k > 0:
            size += abs(q[frame - 1, k - 1])
    return magnitude_class(size)


@compiled
def _code(q: NDArray[np.int64], data: NDArray[np.uint8], encoding: bool) -> int:  # noqa: FBT001
    """All frames ``[frames, bins]``; decoding fills `q`."""
    state = begin(encoding, data)
    odds = np.full(CONTEXTS, HALF, np.int64)
    counts = np.zeros(CONTEXTS, np.int64)
    frames, bins = q.shape
    for frame in range(frames):
        for k in range(bins):
            kind = _context(q, frame, k)
            base = _zone(k, bins) * OF_ZONE + kind
            value = q[frame, k]
            size = abs(value)
            if code_adaptive(state, data, odds, counts, base, 1 if size > 0 else 0) == 0:
                q[frame, k] = 0
                continue
            negative = code_bit(state, data, HALF, 1 if value < 0 else 0)
            if code_adaptive(state, data, odds, counts, base + CLASSES, 1 if size > 1 else 0):
                group = LARGE + max(kind - 5, 0) * GOLOMB_CONTEXTS
                size = code_golomb(state, data, odds, counts, group, size - 2) + 2
            else:
                size = 1
            q[frame, k] = -size if negative else size
    return finish(state, data) if encoding else 0


def forward(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients ``[frames - 1, FRAME]`` of ``[frames · FRAME]`` samples, orthonormal.

    Each pair of frames is folded to one and transformed by a DCT of type IV.
    """
    frames = x.reshape(-1, FRAME)
    pairs = np.hstack((frames[:-1], frames[1:])) * WINDOW
    a, b, c, d = np.split(pairs, 4, axis=1)
    folded = np.hstack((-c[:, ::-1] - d, a - b[:, ::-1]))
    return np.asarray(dct(folded, type=4, norm="ortho", axis=1))


def inverse(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The samples; the first and the last frame are not whole."""
    folded = np.asarray(dct(y, type=4, norm="ortho", axis=1))
    low, high = np.split(folded, 2, axis=1)
    pairs = np.hstack((high, -high[:, ::-1], -low[:, ::-1], -low)) * WINDOW
    out = np.zeros((len(y) + 1, FRAME))
    out[:-1] += pairs[:, :FRAME]
    out[1:] += pairs[:, FRAME:]
    return out.ravel()


def encode(x: NDArray[np.int64], step: float) -> bytes:
    """One block, its ends filled with its end samples."""
    mean = round(float(np.mean(x)))
    frames = -(-len(x) // FRAME) + 1
    fill = (FRAME, frames * FRAME - len(x))
    q = quantise(forward(np.pad(x.astype(np.float64) - mean, fill, mode="edge")), step)
    data = buffer(q.size)
    size = _code(q, data, True)
    return struct.pack("<h", mean) + data[:size].tobytes()


def decode(data: bytes, count: int, step: float) -> NDArray[np.float64]:
    """The block's samples."""
    mean = struct.unpack_from("<h", data)[0]
    q = np.zeros((-(-count // FRAME) + 1, FRAME), np.int64)
    _code(q, readable(data[2:]), False)
    return np.asarray(inverse(restore(q, step))[FRAME : FRAME + count] + mean)
