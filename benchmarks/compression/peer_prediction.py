"""Peers: prediction sample by sample, closed loop, exact or within ±e.

The prediction is the last sample ("delta"), or a normalised LMS filter of 16 taps (as in LFZip).
The error in steps of 2e + 1 is coded by adaptive contexts of its own recent size.
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAPS: Final = 16
START: Final = (1.6, -0.6)
"""First taps at the start: a damped straight line."""
LEARNING: Final = 0.01
REGULAR: Final = 30.0
"""Added to the mean square of the taps' samples, ADC units²."""

FAST: Final = 0.12
SLOW: Final = 0.015
SHARE_FAST: Final = 0.6
FIRST_SCALE: Final = 4.0
SCALES: Final = 32
UNARY: Final = 20
"""Errors up to this size are sent in unary, larger ones by Golomb."""
LARGE: Final = 40
OF_SCALE: Final = LARGE + GOLOMB_CONTEXTS + 8


@compiled
def _code_error(
    state: NDArray[np.int64],
    data: NDArray[np.uint8],
    odds: NDArray[np.int64],
    counts: NDArray[np.int64],
    scale: int,
    value: int,
) -> int:
    """Zero, sign, then the size by one adaptive bit for each step."""
    base = scale * OF_SCALE
    if code_adaptive(state, data, odds, counts, base, 1 if value != 0 else 0) == 0:
        return 0
    negative = code_adaptive(state, data, odds, counts, base + 1, 1 if value < 0 else 0)
    size = abs(value) - 1
    k = 0
    while k < UNARY:
        if code_adaptive(state, data, odds, counts, base + 2 + k, 1 if size > k else 0) == 0:
            break
        k += 1
    if k == UNARY:
        k += code_golomb(state, data, odds, counts, base + LARGE, size - UNARY)
    return -(k + 1) if negative else k + 1


@compiled
def _code(
    x: NDArray[np.int64],
    first: int,
    error: int,
    taps: int,
    data: NDArray[np.uint8],
    encoding: bool,  # noqa: FBT001
) -> int:
    """All samples, less the first one's value; without taps the last is the prediction."""
    state = begin(encoding, data)
    odds = np.full(SCALES * OF_SCALE, HALF, np.int64)
    counts = np.zeros(SCALES * OF_SCALE, np.int64)
    weights = np.zeros(max(taps, len(START)))
    weights[: len(START)] = START
    start = max(taps, 1)
    decoded = np.zeros(len(x) + start)
    step = 2 * error + 1
    fast = slow = FIRST_SCALE
    for i in range(len(x)):
        at = start + i
        guess = decoded[at - 1]
        if taps:
            guess = 0.0
            for k in range(taps):
                guess += weights[k] * decoded[at - 1 - k]
        whole = int(np.floor(guess + 0.5))
        size = SHARE_FAST * fast + (1 - SHARE_FAST) * slow
        scale = min(max(int(np.log2(size + 0.02) * 2.0 + 12.0), 0), SCALES - 1)
        number = 0
        if encoding:
            rest = x[i] - first - whole
            number = (rest + error) // step if rest >= 0 else -((error - rest) // step)
        number = _code_error(state, data, odds, counts, scale, number)
        value = whole + number * step
        decoded[at] = value
        x[i] = value + first
        fast += (abs(number) - fast) * FAST
        slow += (abs(number) - slow) * SLOW
        if taps:
            energy = 1e-3
            for k in range(taps):
                energy += decoded[at - 1 - k] ** 2
            gain = LEARNING * (value - guess) / (energy / taps + REGULAR)
            for k in range(taps):
                weights[k] += gain * decoded[at - 1 - k]
    return finish(state, data) if encoding else 0


def encode(x: NDArray[np.int64], error: float, taps: int) -> bytes:
    """One block: its first sample and all errors of prediction."""
    data = buffer(len(x))
    size = _code(x.copy(), int(x[0]), int(error), taps, data, True)
    return struct.pack("<h", int(x[0])) + data[:size].tobytes()


def decode(data: bytes, count: int, error: float, taps: int) -> NDArray[np.int64]:
    """The block's samples."""
    x = np.zeros(count, np.int64)
    first = struct.unpack_from("<h", data)[0]
    _code(x, first, int(error), taps, readable(data[2:]), False)
    return x
