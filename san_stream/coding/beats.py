"""Spikes of adapted kernels: when, which kernel, how large, and at which quarter of a sample.

A block's spikes come in order of time, each behind a bit "one more"; the bit's context is
how far the block's end is from where the next spike is expected. Time is coded as a
difference from that place, amplitude as a difference from the kernel's last one. A later
lead expects the spikes of the lead before it. Times are relative
to the block that is being coded, so that they stay small for ever. See docs/format-transform.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.mixing import clip
from san_stream.coding.numbers import EVEN, code_adaptive
from san_stream.coding.range_coder import DECODING, ERROR, code_bit
from san_stream.coding.tables import SOFTPLUS, STRETCH

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

MOST_KERNELS: Final = 8
BIRTH: Final = MOST_KERNELS
"""Number of the kernel of a beat that none of the kernels describes."""

# Settings of a stream, in samples unless said otherwise.
LENGTH: Final = 0  # of a kernel; 0: the rate leaves no room for kernels
BEFORE: Final = 1  # from a kernel's first sample to its spike
LATE: Final = 2  # spikes of a block begin so long behind its first sample
NUMBER: Final = 3  # of kernels a lead
FIRST_GAP: Final = 4
SHORTEST: Final = 5  # least distance of two spikes
OTHER_GAP: Final = 6  # least distance from a spike to the next one of the lead before
NEARBY: Final = 7  # spikes of two leads this near are one beat
REACH: Final = 8  # the encoder's search around a spike
PHASE_BEFORE: Final = 9  # a beat's phases begin so long before its spike
PHASE_SPAN: Final = 10
FADE: Final = 11  # samples over which a kernel's ends fade
END: Final = 12  # samples at a kernel's ends whose means are its ends' levels
CHANGES: Final = 13  # three bounds of changes of the gap
SETTINGS_SIZE: Final = CHANGES + 3

# Places in the memory of one lead.
LAST: Final = 0  # time of the last spike
GAP: Final = 1  # expected from there to the next one
CHANGE: Final = 2  # |last difference from what was expected|
KERNEL: Final = 3  # expected
SLOW: Final = 4  # slow mean of gaps, 1/16 samples; 0: none yet
DIRECTION: Final = 5  # sign of that difference: 0, 1 above, 2 below
OFFSET: Final = 6  # of the last spike from that of the lead before, quarters of a sample
GIVEN: Final = 7  # 1: the expectation comes from the lead before
SEEN: Final = 8  # 1: the last spike lies in this run
AMPLITUDE: Final = 9  # last one of each kernel, 1/16 octave
SPREAD: Final = AMPLITUDE + MOST_KERNELS  # its last change, a class
MAPPED: Final = SPREAD + MOST_KERNELS  # kernel that goes with each of the lead before
OFFSETS: Final = MAPPED + MOST_KERNELS + 1  # ... behind each kernel of the lead before
MET: Final = OFFSETS + MOST_KERNELS + 1  # 1 where there is one
QUARTER_GAP: Final = MET + MOST_KERNELS + 1  # as GAP, in quarters, from the lead before
BEAT_MEMORY: Final = QUARTER_GAP + 1

# Places in a spike.
TIME: Final = 0
WHICH: Final = 1
SIZE: Final = 2  # 1/16 octave
QUARTER: Final = 3
BEAT_SIZE: Final = 4

CLASSES: Final = 24  # of a difference's magnitude: below 2^24
GROUP: Final = 2 * CLASSES  # model entries that a magnitude takes
TIME_GROUPS: Final = 12
SPREADS: Final = 3
TIME_BASE: Final = 0
SIGN_BASE: Final = TIME_BASE + TIME_GROUPS * GROUP
SIZE_BASE: Final = SIGN_BASE + 3 * TIME_GROUPS
SIZE_SIGN: Final = SIZE_BASE + SPREADS * GROUP
MORE_BASE: Final = SIZE_SIGN + 1
SAME_BASE: Final = MORE_BASE + 7
OTHER_BASE: Final = SAME_BASE + MOST_KERNELS + 1
QUARTER_BASE: Final = OTHER_BASE + (MOST_KERNELS + 1) * (MOST_KERNELS + 1)
BEATS_MODEL: Final = QUARTER_BASE + 3
"""Model entries of one lead."""

SMALLEST_SIZE: Final = -28  # 2^(-28/16) = 0.30
LARGEST_SIZE: Final = 32
FAR: Final = 1 << 24
NATURAL: Final = 369  # 256 / ln 2


def restart_beats(memory: Integers, settings: Integers) -> None:
    """A run begins: its past has no spikes."""
    memory[LAST] = 0
    memory[GAP] = settings[FIRST_GAP]
    memory[CHANGE] = 0
    memory[SLOW] = 0
    memory[DIRECTION] = 0
    memory[GIVEN] = 0
    memory[SEEN] = 0


def start_beats(
    memory: Integers, probability: Integers, count: Integers, settings: Integers
) -> None:
    """Initial values of a lead."""
    for i in range(BEAT_MEMORY):
        memory[i] = 0
    for i in range(BEATS_MODEL):
        probability[i] = EVEN
        count[i] = 0
    memory[KERNEL] = BIRTH
    for i in range(MOST_KERNELS + 1):
        memory[MAPPED + i] = BIRTH
    restart_beats(memory, settings)


def slide_beats(memory: Integers, length: int) -> None:
    """The next block begins `length` samples later."""
    memory[LAST] = max(memory[LAST] - length, -FAR)


# -- expectation -----------------------------------------------------------------------


def expect_beat(
    memory: Integers, settings: Integers, others: Integers, first: int, end: int
) -> None:
    """Take the next spike from the lead before, where it has one.

    Args:
        others: its spikes, `BEAT_SIZE` numbers each; those from `first` up to `end` count.
    """
    memory[GIVEN] = 0
    for j in range(first, end):
        kernel = others[j * BEAT_SIZE + WHICH]
        offset = memory[OFFSETS + kernel] if memory[MET + kernel] == 1 else memory[OFFSET]
        whole = 4 * others[j * BEAT_SIZE + TIME] + others[j * BEAT_SIZE + QUARTER] + offset
        time = (whole + 2) >> 2
        if time > memory[LAST] + settings[OTHER_GAP]:
            memory[GAP] = time - memory[LAST]
            memory[QUARTER_GAP] = whole - 4 * memory[LAST]
            memory[KERNEL] = memory[MAPPED + kernel]
            memory[GIVEN] = 1
            return


def note_beat(
    memory: Integers, settings: Integers, others: Integers, first: int, end: int, beat: Integers
) -> None:
    """Learn how a coded spike lies to the one of the lead before."""
    for j in range(first, end):
        kernel = others[j * BEAT_SIZE + WHICH]
        offset = memory[OFFSETS + kernel] if memory[MET + kernel] == 1 else memory[OFFSET]
        apart = 4 * (beat[TIME] - others[j * BEAT_SIZE + TIME]) - offset
        apart += beat[QUARTER] - others[j * BEAT_SIZE + QUARTER]
        if abs(apart) < 4 * settings[NEARBY]:
            if memory[MET + kernel] == 1:
                apart = apart // 2 if apart >= 0 else -(-apart // 2)
            memory[OFFSETS + kernel] = offset + apart
            memory[OFFSET] = offset + apart
            memory[MET + kernel] = 1
            memory[MAPPED + kernel] = beat[WHICH]
            return


def in_quarters(memory: Integers, steep: Integers, kernel: int) -> int:
    """1 if a spike's time and quarter are coded as one number, from the lead before."""
    if kernel == BIRTH or memory[GIVEN] == 0:
        return 0
    return steep[kernel]


def time_group(memory: Integers, settings: Integers, kernel: int, quarters: int) -> int:
    """Context of a spike's time."""
    change = memory[CHANGE]
    if quarters == 1:
        return 10 if change == 0 else 11
    if memory[GIVEN] == 1:
        return 8 if change < settings[CHANGES] else 9
    group = 0
    while group < 3 and change >= settings[CHANGES + group]:
        group += 1
    return group + (0 if kernel == memory[KERNEL] else 4)


def more_index(memory: Integers, until: int) -> int:
    """Model entry of "one more spike before `until`"."""
    ratio = 16 * (until - memory[LAST] - memory[GAP]) // max(memory[GAP], 1)
    if ratio < 0:
        return MORE_BASE + (0 if ratio < -6 else (1 if ratio < -2 else 2))
    return MORE_BASE + (3 if ratio < 2 else (4 if ratio < 6 else (5 if ratio < 16 else 6)))


# -- numbers ---------------------------------------------------------------------------


def code_magnitude(
    state: Integers, buffer: Octets, probability: Integers, count: Integers, base: int, value: int
) -> int:
    """A number 0 to 2^24 - 2: unary class of value + 1, then its lower bits, one adaptive."""
    size = 0
    if state[DECODING] == 0:
        while (value + 1) >> (size + 1) > 0:
            size += 1
    k = 0
    while True:
        if k >= CLASSES - 1:
            if state[DECODING] == 1 or size > k:
                state[ERROR] = 1
            break
        if code_adaptive(state, buffer, probability, count, base + k, 1 if k < size else 0) == 0:
            break
        k += 1
    number = value + 1
    result = 1
    for i in range(k - 1, -1, -1):
        bit = (number >> i) & 1
        if i == k - 1:
            bit = code_adaptive(state, buffer, probability, count, base + CLASSES + k, bit)
        else:
            bit = code_bit(state, buffer, 32768, bit)
        result = result * 2 + bit
    return result - 1


def bit_cost(probability: Integers, index: int, bit: int) -> int:
    """What an adaptive bit would cost, in 1/256 bit."""
    logit = STRETCH[clip(probability[index], 32, 65504) >> 4]
    return (SOFTPLUS[(logit if bit == 1 else -logit) + 4096] * NATURAL + 128) >> 8


def magnitude_cost(probability: Integers, base: int, value: int) -> int:
    """What `code_magnitude` would cost, in 1/256 bit."""
    number = value + 1
    size = 0
    cost = 0
    while number >> (size + 1) > 0 and size < CLASSES - 1:
        cost += bit_cost(probability, base + size, 1)
        size += 1
    if size < CLASSES - 1:
        cost += bit_cost(probability, base + size, 0)
    if size > 0:
        cost += bit_cost(probability, base + CLASSES + size, (number >> (size - 1)) & 1)
        cost += 256 * (size - 1)
    return cost


# -- spikes ----------------------------------------------------------------------------


def code_kernel(
    state: Integers, buffer: Octets, probability: Integers, count: Integers, expected: int,
    live: Integers, kernel: int,
) -> int:  # fmt: skip
    """Which kernel: the expected one, or one of the others in turn, or a birth."""
    if expected != BIRTH and live[expected] == 0:
        expected = BIRTH
    same = 1 if kernel == expected else 0
    if code_adaptive(state, buffer, probability, count, SAME_BASE + expected, same) == 1:
        return expected
    found = BIRTH
    row = OTHER_BASE + expected * (MOST_KERNELS + 1)
    for other in range(MOST_KERNELS):
        if other == expected or live[other] == 0:
            continue
        bit = 1 if kernel == other else 0
        if code_adaptive(state, buffer, probability, count, row + other, bit) == 1:
            found = other
            break
    if found == expected:
        state[ERROR] = 1  # a birth that was denied before
    return found


def kernel_cost(probability: Integers, expected: int, live: Integers, kernel: int) -> int:
    """What `code_kernel` would cost, in 1/256 bit."""
    if expected != BIRTH and live[expected] == 0:
        expected = BIRTH
    cost = bit_cost(probability, SAME_BASE + expected, 1 if kernel == expected else 0)
    if kernel == expected:
        return cost
    row = OTHER_BASE + expected * (MOST_KERNELS + 1)
    for other in range(MOST_KERNELS):
        if other == expected or live[other] == 0:
            continue
        cost += bit_cost(probability, row + other, 1 if kernel == other else 0)
        if kernel == other:
            break
    return cost


def code_quarter(
    state: Integers, buffer: Octets, probability: Integers, count: Integers, quarter: int
) -> int:
    """Phase of a steep kernel, 0 to 3 quarters of a sample."""
    bit = 1 if quarter != 0 else 0
    if code_adaptive(state, buffer, probability, count, QUARTER_BASE, bit) == 0:
        return 0
    bit = 1 if quarter == 2 else 0
    if code_adaptive(state, buffer, probability, count, QUARTER_BASE + 1, bit) == 1:
        return 2
    bit = 1 if quarter == 3 else 0
    third = code_adaptive(state, buffer, probability, count, QUARTER_BASE + 2, bit)
    return 3 if third == 1 else 1


def quarter_cost(probability: Integers, quarter: int) -> int:
    """What `code_quarter` would cost, in 1/256 bit."""
    cost = bit_cost(probability, QUARTER_BASE, 1 if quarter != 0 else 0)
    if quarter != 0:
        cost += bit_cost(probability, QUARTER_BASE + 1, 1 if quarter == 2 else 0)
        if quarter != 2:
            cost += bit_cost(probability, QUARTER_BASE + 2, 1 if quarter == 3 else 0)
    return cost


def code_beat(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    memory: Integers,
    settings: Integers,
    live: Integers,
    units: Integers,
    steep: Integers,
    more: int,
    until: int,
    beat: Integers,
) -> int:
    """One spike, or the end of the block's; returns whether there was one.

    Args:
        live: 1 where a kernel exists. units: of amplitude differences, 1/16 octave, a kernel.
        steep: 1 where a kernel is placed at quarters of a sample.
        until: the block's spikes lie before this time.
        beat: `BEAT_SIZE` numbers; read when encoding, else filled in.
    """
    if code_adaptive(state, buffer, probability, count, more_index(memory, until), more) == 0:
        return 0
    kernel = code_kernel(state, buffer, probability, count, memory[KERNEL], live, beat[WHICH])
    quarters = in_quarters(memory, steep, kernel)
    group = time_group(memory, settings, kernel, quarters)
    expected = memory[LAST] + memory[GAP]
    apart = beat[TIME] - expected
    if quarters == 1:
        expected = 4 * memory[LAST] + memory[QUARTER_GAP]
        apart = 4 * beat[TIME] + beat[QUARTER] - expected
    base = TIME_BASE + group * GROUP
    size = code_magnitude(state, buffer, probability, count, base, abs(apart))
    below = 0
    if size > 0:
        index = SIGN_BASE + group * 3 + memory[DIRECTION]
        below = code_adaptive(state, buffer, probability, count, index, 1 if apart < 0 else 0)
    time = expected + (-size if below == 1 else size)
    quarter = 0
    if quarters == 1:
        quarter = time & 3
        time = time >> 2
    earliest = settings[LATE]
    if memory[SEEN] == 1:
        earliest = max(earliest, memory[LAST] + settings[SHORTEST])
    if time < earliest or time >= until:
        state[ERROR] = 1
        time = max(min(time, until - 1), settings[LATE])
    beat[TIME] = time
    beat[WHICH] = kernel
    gap = clip(time - memory[LAST], 1, FAR)
    memory[DIRECTION] = 0 if size == 0 else 1 + below
    memory[CHANGE] = size if quarters == 0 else (size + 1) >> 2
    memory[SLOW] = (memory[SLOW] * 7 + gap * 16) // 8 if memory[SLOW] > 0 else gap * 16
    memory[GAP] = (gap + memory[SLOW] // 16) // 2
    memory[LAST] = time
    memory[KERNEL] = kernel
    memory[SEEN] = 1
    if kernel == BIRTH:
        beat[SIZE] = 0
        beat[QUARTER] = 0
        return 1
    last = memory[AMPLITUDE + kernel]
    unit = units[kernel]
    apart = (beat[SIZE] - last) // unit
    base = SIZE_BASE + memory[SPREAD + kernel] * GROUP
    size = code_magnitude(state, buffer, probability, count, base, abs(apart))
    below = 0
    if size > 0:
        bit = 1 if apart < 0 else 0
        below = code_adaptive(state, buffer, probability, count, SIZE_SIGN, bit)
    memory[SPREAD + kernel] = min(size, SPREADS - 1)
    value = last + (-size if below == 1 else size) * unit
    if value < SMALLEST_SIZE or value > LARGEST_SIZE:
        state[ERROR] = 1
        value = clip(value, SMALLEST_SIZE, LARGEST_SIZE)
    memory[AMPLITUDE + kernel] = value
    beat[SIZE] = value
    if steep[kernel] == 1 and quarters == 0:
        quarter = code_quarter(state, buffer, probability, count, beat[QUARTER])
    beat[QUARTER] = quarter
    return 1


def place_cost(
    probability: Integers, memory: Integers, settings: Integers, steep: Integers, kernel: int,
    time: int, quarter: int,
) -> int:  # fmt: skip
    """What a spike's time and quarter would cost, in 1/256 bit."""
    quarters = in_quarters(memory, steep, kernel)
    group = time_group(memory, settings, kernel, quarters)
    apart = time - memory[LAST] - memory[GAP]
    cost = 0
    if quarters == 1:
        apart = 4 * (time - memory[LAST]) + quarter - memory[QUARTER_GAP]
    elif kernel != BIRTH and steep[kernel] == 1:
        cost = quarter_cost(probability, quarter)
    cost += magnitude_cost(probability, TIME_BASE + group * GROUP, abs(apart))
    if apart != 0:
        index = SIGN_BASE + group * 3 + memory[DIRECTION]
        cost += bit_cost(probability, index, 1 if apart < 0 else 0)
    return cost


def size_cost(probability: Integers, memory: Integers, kernel: int, change: int) -> int:
    """What an amplitude would cost, in 1/256 bit; `change` in the kernel's units."""
    base = SIZE_BASE + memory[SPREAD + kernel] * GROUP
    cost = magnitude_cost(probability, base, abs(change))
    if change != 0:
        cost += bit_cost(probability, SIZE_SIGN, 1 if change < 0 else 0)
    return cost
