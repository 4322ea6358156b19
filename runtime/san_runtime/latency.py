"""How a delay is divided: block, look-ahead, and where the spikes of a block may lie.

A block is sent when it is full and the look-ahead behind it is there: the delay is both
together, in samples of the signal. Quality wants long blocks (contexts, transform) and a
look-ahead of a whole kernel (0.8 s) and the 0.3 s that a kernel begins before its spike;
with less time the look-ahead gives way first, then the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from san_stream.errors import SettingError

DEFAULT_DELAY: Final = Fraction(43, 10)
LEAST_DELAY: Final = Fraction(1, 2)
LONGEST_DELAY: Final = Fraction(8)
LOOK_AHEAD: Final = Fraction(11, 10)
BEFORE: Final = Fraction(3, 10)
"""A kernel begins this long before its spike."""
AFTER: Final = Fraction(12, 100)
"""Signal behind a spike without which it cannot be seen."""
SHARE: Final = Fraction(7, 10)
"""Of a short delay the block takes at least this part."""
MIN_BLOCK: Final = 8
LEVELS: Final = 7


@dataclass(frozen=True, slots=True)
class Latency:
    """Block, look-ahead and `late` in samples."""

    block: int
    ahead: int
    late: int


def plan(rate: Fraction, delay: float | None, most: int) -> Latency:
    """Divide a delay.

    Args:
        rate: Hz. delay: seconds, 0.5 to 8; None: 4.3, of slow signals 16 samples. most: largest
            block allowed.

    Raises:
        SettingError: a delay that is given, outside the limits or shorter than 16 samples.
    """
    wanted = DEFAULT_DELAY if delay is None else Fraction(delay)
    if not LEAST_DELAY <= wanted <= LONGEST_DELAY:
        limits = f"{float(LEAST_DELAY):g} to {float(LONGEST_DELAY):g}"
        raise SettingError(f"delay {float(wanted):g} s: must be {limits} s")
    samples = floor(wanted * rate)
    if delay is None:
        samples = max(samples, 2 * MIN_BLOCK)
    if samples < 2 * MIN_BLOCK:
        raise SettingError(
            f"delay {float(wanted):g} s: {samples} samples at {float(rate):g} Hz, "
            f"at least {2 * MIN_BLOCK} are needed"
        )
    ahead = floor(LOOK_AHEAD * rate)
    block = whole_blocks(min(max(samples - ahead, floor(SHARE * samples)), most))
    ahead = min(ahead, samples - block)
    late = max(min(floor(BEFORE * rate), ahead - floor(AFTER * rate)), 0)
    return Latency(block, ahead, late)


def whole_blocks(block: int) -> int:
    """The block, shortened to a multiple of 2^levels: each level of the wavelet halves evenly."""
    multiple = 1 << max(min(LEVELS, block.bit_length() - 4), 0)
    return block // multiple * multiple
