"""Peer: SPIHT on a dyadic 1-D tree (Lu, Kim and Pearlman 2000), plain bits.

Blocks of 1024 samples, CDF 9/7, set partitioning by bit planes without an arithmetic coder.
The quantiser step takes the place of the bit budget: all planes of the integers are sent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
from arithmetic import HALF, begin, buffer, code_bit, compiled, finish, readable
from wavelet import MOST_LEVELS, forward, inverse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH: Final = 1024
LEAST_LENGTH: Final = 64
MIDDLE: Final = 0.45
"""A coefficient of a cut-off integer is restored this far into its interval."""
HEAD: Final = struct.Struct("<hBH")
"""Mean, bit planes, bytes."""

MAGNITUDE: Final = 0
NEGATIVE: Final = 1
VALUE: Final = 2
BELOW: Final = 3
"""Largest magnitude of all descendants."""
FURTHER: Final = 4
"""The same without the children."""
ROWS: Final = 5


@compiled
def _first_child(i: int, roots: int) -> int:
    return roots + i if i < roots else 2 * i


@compiled
def _second_child(i: int, roots: int) -> int:
    """-1: a root has one child."""
    return -1 if i < roots else 2 * i + 1


@compiled
def _prepare(q: NDArray[np.int64], roots: int) -> NDArray[np.int64]:
    """The table of an encoder, ``[ROWS, n]``."""
    n = len(q)
    table = np.zeros((ROWS, n), np.int64)
    for i in range(n):
        table[MAGNITUDE, i] = abs(q[i])
        table[NEGATIVE, i] = 1 if q[i] < 0 else 0
    for i in range(n - 1, -1, -1):
        for child in (_first_child(i, roots), _second_child(i, roots)):
            if 0 <= child < n:
                below = table[BELOW, child]
                table[FURTHER, i] = max(table[FURTHER, i], below)
                table[BELOW, i] = max(table[BELOW, i], below, table[MAGNITUDE, child])
    return table


@compiled
def _significant(
    state: NDArray[np.int64],
    data: NDArray[np.uint8],
    table: NDArray[np.int64],
    i: int,
    threshold: int,
) -> int:
    """Whether coefficient `i` reaches the threshold, and if so its sign."""
    bit = code_bit(state, data, HALF, 1 if table[MAGNITUDE, i] >= threshold else 0)
    if bit:
        table[NEGATIVE, i] = code_bit(state, data, HALF, table[NEGATIVE, i])
        table[VALUE, i] = threshold
    return bit


@compiled
def _code(
    q: NDArray[np.int64],
    roots: int,
    planes: int,
    data: NDArray[np.uint8],
    encoding: bool,  # noqa: FBT001
) -> int:
    """Lists of insignificant coefficients (`single`), sets (`sets`) and significant ones."""
    n = len(q)
    state = begin(encoding, data)
    table = _prepare(q, roots)
    single = np.zeros(n + 8, np.int64)
    sets = np.zeros(4 * n + 8, np.int64)
    kinds = np.zeros(4 * n + 8, np.int64)
    done = np.zeros(n + 8, np.int64)
    single[:roots] = np.arange(roots)
    sets[:roots] = np.arange(roots)
    singles, count, found = roots, roots, 0
    for plane in range(planes - 1, -1, -1):
        threshold = 1 << plane
        before = found
        kept = 0
        for a in range(singles):
            i = single[a]
            if _significant(state, data, table, i, threshold):
                done[found] = i
                found += 1
            else:
                single[kept] = i
                kept += 1
        singles = kept
        kept = a = 0
        while a < count:
            i, kind = sets[a], kinds[a]
            a += 1
            first, second = _first_child(i, roots), _second_child(i, roots)
            if max(first, second) >= n:
                continue
            row = FURTHER if kind else BELOW
            if not code_bit(state, data, HALF, 1 if table[row, i] >= threshold else 0):
                sets[kept], kinds[kept] = i, kind
                kept += 1
                continue
            for child in (first, second):
                if child < 0:
                    continue
                if kind:
                    sets[count], kinds[count] = child, 0
                    count += 1
                elif _significant(state, data, table, child, threshold):
                    done[found] = child
                    found += 1
                else:
                    single[singles] = child
                    singles += 1
            if not kind and 2 * first + 1 < n:
                sets[count], kinds[count] = i, 1
                count += 1
        count = kept
        for a in range(before):
            i = done[a]
            if code_bit(state, data, HALF, 1 if table[MAGNITUDE, i] & threshold else 0):
                table[VALUE, i] |= threshold
    for i in range(n):
        q[i] = -table[VALUE, i] if table[NEGATIVE, i] else table[VALUE, i]
    return finish(state, data) if encoding else 0


def _shape(count: int) -> tuple[int, int]:
    """Length of a block's transform, a power of two, and its levels."""
    length = LEAST_LENGTH
    while length < count:
        length *= 2
    return length, min(MOST_LEVELS, length.bit_length() - 4)


def encode(x: NDArray[np.int64], step: float) -> bytes:
    """Blocks of 1024 samples, the last one shorter, filled with its last sample."""
    out = []
    for at in range(0, len(x), LENGTH):
        part = x[at : at + LENGTH].astype(np.float64)
        length, levels = _shape(len(part))
        mean = round(float(part.mean()))
        part = np.concatenate((part, np.full(length - len(part), part[-1])))
        q = np.trunc(forward(part - mean, levels) / step).astype(np.int64)
        planes = int(np.abs(q).max()).bit_length()
        data = buffer(length)
        size = _code(q, length >> levels, planes, data, True) if planes else 0
        out += [HEAD.pack(mean, planes, size), data[:size].tobytes()]
    return b"".join(out)


def decode(data: bytes, count: int, step: float) -> NDArray[np.float64]:
    """The samples."""
    out = np.zeros(count)
    position = 0
    for at in range(0, count, LENGTH):
        length, levels = _shape(min(LENGTH, count - at))
        mean, planes, size = HEAD.unpack_from(data, position)
        position += HEAD.size
        q = np.zeros(length, np.int64)
        if planes:
            _code(q, length >> levels, planes, readable(data[position : position + size]), False)
        position += size
        y = np.sign(q) * (np.abs(q) + MIDDLE * (q != 0)) * step
        part = out[at : at + LENGTH]
        part[:] = inverse(y, levels)[: len(part)] + mean
    return out
