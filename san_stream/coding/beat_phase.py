"""Where in a beat a sample lies, told from decoded samples alone: a detector of energy peaks.

The energy of a short sum of differences is smoothed and compared with its own decaying
level; its maxima, a refractory time apart, are the beats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

# Places in the memory of a detector.
SINCE: Final = 0  # samples since the last beat
ENERGY: Final = 1
LEVEL: Final = 2
PEAK: Final = 3
PHASE_MEMORY: Final = 4

NO_BEAT: Final = 1_000_000  # samples; also the largest count
SUM_LIMIT: Final = 1 << 18  # keeps the energy below 2^40


def restart_phase(memory: Integers, at: int) -> None:
    """No beat was seen yet."""
    memory[at + SINCE] = NO_BEAT
    memory[at + ENERGY] = 0
    memory[at + LEVEL] = 0
    memory[at + PEAK] = 0


def advance_phase(memory: Integers, at: int, slope: int, since: int, refractory: int) -> int:
    """Take the sum of the last differences of a sample `since` samples behind a beat.

    Returns:
        Samples since the last beat: 0 where one was found here.
    """
    slope = clip(slope, -SUM_LIMIT, SUM_LIMIT)
    energy = (memory[at + ENERGY] * 11 + slope * slope * 80) >> 4
    level = memory[at + LEVEL]
    level -= level >> 11
    if energy > level:
        level += (energy - level) >> 3
    peak = memory[at + PEAK]
    if since <= refractory:
        peak = 0
    elif energy * 5 > level * 2:
        if energy > peak:
            peak = energy
        elif peak > 0 and energy < peak - (peak >> 6):
            since = 0
            peak = 0
    memory[at + ENERGY] = energy
    memory[at + LEVEL] = level
    memory[at + PEAK] = peak
    memory[at + SINCE] = min(since, NO_BEAT)
    return memory[at + SINCE]
