"""Adaptive binary range coder of the home-made peers, in numba.

One function serves both directions: with ``state[ENCODING]`` set it writes the bit that it
is given, else it ignores it and returns the one that it reads. 32-bit range with carry, as in
LZMA; probabilities are of a one, in 2^-16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

LOW: Final = 0
RANGE: Final = 1
CACHE: Final = 2
PENDING: Final = 3
POSITION: Final = 4
CODE: Final = 5
ENCODING: Final = 6
STARTED: Final = 7
STATE: Final = 8

TOP: Final = 1 << 24
WORD: Final = 0xFFFFFFFF
HALF: Final = 1 << 15
LEAST: Final = 32
"""Probabilities stay this far from 0 and 2^16."""
LIMIT: Final = 255
"""Counts of a context stop here: its rate of adaption is then 1 / 256."""

GOLOMB_CONTEXTS: Final = 48
HIGH_BITS: Final = 24
SPARE: Final = 64
"""Bytes of a buffer beyond what its symbols may take."""


def compiled(function: F) -> F:
    """Compile with numba on first use."""
    return cast("F", numba.njit(cache=True)(function))


@compiled
def begin(encoding: bool, data: NDArray[np.uint8]) -> NDArray[np.int64]:  # noqa: FBT001
    """A coder's state, at the start of `data`."""
    state = np.zeros(STATE, np.int64)
    state[RANGE] = WORD
    if encoding:
        state[ENCODING] = 1
    else:
        for _ in range(4):
            state[CODE] = state[CODE] << 8 | _next(state, data)
    return state


@compiled
def _next(state: NDArray[np.int64], data: NDArray[np.uint8]) -> int:
    """The next byte; zeros behind the end."""
    at = state[POSITION]
    state[POSITION] = at + 1
    return np.int64(data[at]) if at < len(data) else np.int64(0)  # type: ignore[return-value]


@compiled
def _shift(state: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
    """Write the highest byte of the low end, once no carry can change it."""
    low = state[LOW]
    if low < 0xFF000000 or low > WORD:
        carry = low >> 32
        if state[STARTED] == 1:
            data[state[POSITION]] = (state[CACHE] + carry) & 0xFF
            state[POSITION] += 1
        while state[PENDING] > 0:
            data[state[POSITION]] = (0xFF + carry) & 0xFF
            state[POSITION] += 1
            state[PENDING] -= 1
        state[STARTED] = 1
        state[CACHE] = low >> 24 & 0xFF
    else:
        state[PENDING] += 1
    state[LOW] = low << 8 & WORD


@compiled
def code_bit(state: NDArray[np.int64], data: NDArray[np.uint8], probability: int, bit: int) -> int:
    """One bit; `probability` of a one, 1 to 65535. Returns the bit."""
    bound = (state[RANGE] >> 16) * probability
    if state[ENCODING] == 1:
        if bit:
            state[RANGE] = bound
        else:
            state[LOW] += bound
            state[RANGE] -= bound
        while state[RANGE] < TOP:
            state[RANGE] = state[RANGE] << 8 & WORD
            _shift(state, data)
        return bit
    if state[CODE] < bound:
        state[RANGE] = bound
        bit = 1
    else:
        state[CODE] -= bound
        state[RANGE] -= bound
        bit = 0
    while state[RANGE] < TOP:
        state[RANGE] = state[RANGE] << 8 & WORD
        state[CODE] = (state[CODE] << 8 | _next(state, data)) & WORD
    return bit


@compiled
def finish(state: NDArray[np.int64], data: NDArray[np.uint8]) -> int:
    """Write what decides the last bit; returns the number of bytes.

    Of the values left the one with most zero bytes is taken, and zeros at the end are
    left out: the decoder reads zeros there.
    """
    low, width = state[LOW], state[RANGE]
    for shift in (24, 16, 8):
        mask = (1 << shift) - 1
        value = (low + mask) & ~mask
        if value < low + width:
            state[LOW] = value
            break
    for _ in range(5):
        _shift(state, data)
    size = state[POSITION]
    while size > 0 and data[size - 1] == 0:
        size -= 1
    return size  # type: ignore[no-any-return]


@compiled
def code_adaptive(
    state: NDArray[np.int64],
    data: NDArray[np.uint8],
    odds: NDArray[np.int64],
    counts: NDArray[np.int64],
    context: int,
    bit: int,
) -> int:
    """One bit by the probability of its context, which then learns it at rate 1 / (n + 1.5)."""
    p = odds[context]
    bit = code_bit(state, data, min(max(p, LEAST), 65536 - LEAST), bit)
    n = counts[context]
    if bit:
        odds[context] = p + (65535 - p) * 2 // (2 * n + 3)
    else:
        odds[context] = p - p * 2 // (2 * n + 3)
    if n < LIMIT:
        counts[context] = n + 1
    return bit


@compiled
def code_golomb(
    state: NDArray[np.int64],
    data: NDArray[np.uint8],
    odds: NDArray[np.int64],
    counts: NDArray[np.int64],
    base: int,
    value: int,
) -> int:
    """Exponential Golomb of a value from 0: its length and highest bit adaptive.

    `base` is the first of its `GOLOMB_CONTEXTS` contexts.
    """
    encoding = state[ENCODING] == 1
    word = value + 1 if encoding else 0
    length = 0
    while encoding and word >> (length + 1) > 0:
        length += 1
    k = 0
    while k < 40:
        more = 1 if encoding and k < length else 0
        context = base + min(k, HIGH_BITS - 1)
        if code_adaptive(state, data, odds, counts, context, more) == 0:
            break
        k += 1
    out = 1
    for i in range(k - 1, -1, -1):
        bit = word >> i & 1
        if i == k - 1:
            context = base + HIGH_BITS + min(k, HIGH_BITS - 1)
            bit = code_adaptive(state, data, odds, counts, context, bit)
        else:
            bit = code_bit(state, data, HALF, bit)
        out = out << 1 | bit
    return out - 1


def buffer(symbols: int) -> NDArray[np.uint8]:
    """Room for the code of so many symbols, at most 6 bytes each."""
    return np.zeros(6 * symbols + SPARE, np.uint8)


def readable(data: bytes) -> NDArray[np.uint8]:
    """Bytes to decode from; writable, so that one compiled form serves both directions."""
    return np.frombuffer(bytearray(data), np.uint8)
