"""Layer 2, spikes: where a kernel is placed, and how large (docs/format.md).

A spike travels by the first sample of its footprint, so that everything a block needs is
in its own message. Time is coded sample by sample as a hazard: "does one start here?",
in the context of how far the sample is from where the last gap would put it. Samples
that the minimum distance rules out cost nothing. Blocks need no end mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.numbers import NUMBER_SIZE, bit_length, code_adaptive, code_signed
from san_stream.coding.range_coder import ERROR

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

NEAR: Final = 48  # contexts of time: bands of distance from the expected start
FAR: Final = 16  # contexts by time since the last spike, where no gap is known yet
AMPLITUDES: Final = 6
HAZARD_BASE: Final = 0
AMPLITUDE_BASE: Final = NEAR + FAR
SPIKES_SIZE: Final = AMPLITUDE_BASE + AMPLITUDES * NUMBER_SIZE  # model entries a kernel

# Places in the memory of one kernel of one lead.
SEEN: Final = 0  # 0: no spike yet in this run, 1: one, 2: two or more (a gap is known)
SINCE: Final = 1  # samples since the last start (or since the run began)
GAP: Final = 2  # smoothed distance of starts, 1/4 samples
AMPLITUDE: Final = 3  # last amplitude
CHANGE: Final = 4  # size of its last change, in bits
SPIKES_MEMORY: Final = 5

AMPLITUDE_LIMIT: Final = 2**32
SINCE_LIMIT: Final = 2**40


def restart_spikes(memory: Integers) -> None:
    """A run begins: no spike is known."""
    memory[SEEN] = 0
    memory[SINCE] = 0
    memory[GAP] = 0
    memory[AMPLITUDE] = 0
    memory[CHANGE] = 0


def hazard_context(memory: Integers, since: int) -> int:
    """Context of the question "does a spike start now?"."""
    if memory[SEEN] < 2:
        return HAZARD_BASE + NEAR + min(bit_length(since), FAR - 1)
    distance = since - (memory[GAP] >> 2)
    size = distance if distance >= 0 else -1 - distance
    # bands of 2 samples up to 16 away, then four to each doubling
    if size < 16:
        band = size >> 1
    else:
        bits = bit_length(size)
        band = min(8 + 4 * (bits - 5) + ((size >> (bits - 3)) & 3), NEAR // 2 - 1)
    return HAZARD_BASE + (NEAR // 2 + band if distance >= 0 else NEAR // 2 - 1 - band)


def code_spikes(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    base: int,
    memory: Integers,
    med: int,
    length: int,
    starts: Integers,
    amplitudes: Integers,
    spikes: int,
) -> int:
    """Code the spikes whose footprints start in the next `length` samples.

    `starts` (offsets in this stretch, rising) and `amplitudes` (not 0) hold `spikes`
    entries when encoding; decoding fills them, up to their length. Returns the number.
    """
    found = 0
    t = 0
    while t < length:
        since = memory[SINCE]
        if memory[SEEN] > 0 and since <= med:
            skip = min(med + 1 - since, length - t)
            memory[SINCE] = since + skip
            t += skip
            continue
        here = 1 if found < spikes and starts[found] == t else 0
        index = base + hazard_context(memory, since)
        here = code_adaptive(state, buffer, probability, count, index, here)
        if here == 1:
            if found >= len(starts):
                state[ERROR] = 1
                return found
            change = 0
            if found < spikes:
                change = amplitudes[found] - memory[AMPLITUDE]
            place = base + AMPLITUDE_BASE + min(memory[CHANGE], AMPLITUDES - 1) * NUMBER_SIZE
            change = code_signed(state, buffer, probability, count, place, change)
            amplitude = memory[AMPLITUDE] + change
            if amplitude == 0 or amplitude > AMPLITUDE_LIMIT or amplitude < -AMPLITUDE_LIMIT:
                state[ERROR] = 1
                return found
            starts[found] = t
            amplitudes[found] = amplitude
            found += 1
            if memory[SEEN] == 1:
                memory[GAP] = since << 2
            elif memory[SEEN] > 1:
                memory[GAP] += ((since << 2) - memory[GAP]) >> 1
            memory[SEEN] = min(memory[SEEN] + 1, 2)
            memory[AMPLITUDE] = amplitude
            memory[CHANGE] = (bit_length(abs(change)) + 1) >> 1
            memory[SINCE] = 1
        else:
            memory[SINCE] = min(since + 1, SINCE_LIMIT)
        t += 1
    return found
