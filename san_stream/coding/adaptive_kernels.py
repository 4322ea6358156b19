"""Kernels that both ends learn from the decoded past: placed, gathered, updated, born.

A kernel is a mean beat without the line between its ends, in 1/256 ADC unit; signals and
predictions are in 1/16. A decoded beat goes to the nearest kernel, which then moves towards
it by one over the beats that it has seen; a beat that none describes becomes a kernel
itself. |kernel| < 2^38, |signal| < 2^36, amplitudes below 2^15
in 1/4096: products stay below 2^53. See docs/format-transform.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.beats import (
    AMPLITUDE,
    BEAT_SIZE,
    BEFORE,
    BIRTH,
    END,
    FADE,
    KERNEL,
    LAST,
    LENGTH,
    MOST_KERNELS,
    NUMBER,
    PHASE_BEFORE,
    PHASE_SPAN,
    QUARTER,
    SIZE,
    SMALLEST_SIZE,
    SPREAD,
    TIME,
    WHICH,
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length

if TYPE_CHECKING:
    from san_stream.coding.store import Integers

KERNEL_LIMIT: Final = (1 << 38) - 1
SIGNAL_LIMIT: Final = 1 << 35
MOST_STEP: Final = 1 << 20
MEMORY_BEATS: Final = 60  # a kernel follows at least one 60th of the way
USE_BEATS: Final = 16  # each use keeps a kernel for so many beats more
MOST_USES: Final = 64  # that count
# Places in the notes on a lead's kernels, one of each a kernel.
BEATS: Final = 0  # seen, 0: the kernel does not exist
AGE: Final = MOST_KERNELS  # when it was last used
USES: Final = 2 * MOST_KERNELS
SENT: Final = 3 * MOST_KERNELS  # corrections that were due
CLOCK: Final = 4 * MOST_KERNELS
SINCE: Final = CLOCK + 1  # samples of the run before this block
NEXT_SLOT: Final = SINCE + 1  # where the next placed kernel is kept
NOTES_SIZE: Final = NEXT_SLOT + 1
FAR: Final = 1 << 24

# round(4096 · 2^(a / 16)), a from SMALLEST_SIZE on
AMPLITUDES: Final = [
    1218, 1272, 1328, 1387, 1448, 1512, 1579, 1649, 1722, 1798, 1878, 1961,
    2048, 2139, 2233, 2332, 2435, 2543, 2656, 2774, 2896, 3025, 3158, 3298, 3444, 3597, 3756, 3922,
    4096, 4277, 4467, 4664, 4871, 5087, 5312, 5547, 5793, 6049, 6317, 6597, 6889, 7194, 7512, 7845,
    8192, 8555, 8933, 9329, 9742, 10173, 10624, 11094, 11585, 12098, 12634, 13193,
    13777, 14387, 15024, 15689, 16384,
]  # fmt: skip
# Delay by 1, 2 and 3 quarters of a sample, in 1/128: sinc(u - f) · cos²(π (u - f) / 10), u = -3..4.
TAPS: Final = 8
TAPS_BEFORE: Final = 3
DELAYS: Final = [
    -2, 7, -20, 116, 36, -12, 4, -1,
    -2, 8, -22, 80, 80, -22, 8, -2,
    -1, 4, -12, 36, 116, -20, 7, -2,
]  # fmt: skip

FINE_UNIT: Final = 1521  # kernel energy over step² from which one sixteenth is worth its bits
COARSE_UNIT: Final = 137  # ... two of them
# A beat further than this from all kernels becomes one: 35 % of its energy left.
FAR_PART: Final = 7
FAR_WHOLE: Final = 20
# A kernel takes part in beats of 0.2 to 5 times its size; reciprocals in 1/1024 of 16.
LEAST_RECIPROCAL: Final = 3277
LARGEST_RECIPROCAL: Final = 81920


def start_kernels(kernels: Integers, notes: Integers) -> None:
    """No kernel exists."""
    for i in range(len(kernels)):
        kernels[i] = 0
    for i in range(NOTES_SIZE):
        notes[i] = 0


def delay(values: Integers, length: int, quarter: int, forward: int, work: Integers) -> None:
    """Move values by quarters of a sample, later or (`forward` 0) earlier; zeros outside."""
    row = (quarter - 1) * TAPS
    for j in range(length):
        total = 64
        for k in range(TAPS):
            lag = k - TAPS_BEFORE
            i = j - lag if forward == 1 else j + lag
            if 0 <= i < length:
                total += DELAYS[row + k] * values[i]
        work[j] = total >> 7
    for j in range(length):
        values[j] = work[j]


def place_beat(
    kernels: Integers, settings: Integers, beat: Integers, prediction: Integers,
    placed: Integers, at: int, values: Integers, work: Integers,
) -> None:  # fmt: skip
    """Add a spike's kernel to the prediction, and keep at `placed[at]` what was added.

    What would lie before the block is coded already and is not placed. The kept form is not
    moved by quarters: so the beats of a kernel are aligned.
    """
    length = settings[LENGTH]
    kernel = beat[WHICH]
    start = beat[TIME] - settings[BEFORE]
    if kernel == BIRTH:
        for j in range(length):
            placed[at + j] = 0
        return
    amplitude = AMPLITUDES[beat[SIZE] - SMALLEST_SIZE]
    for j in range(length):
        value = (kernels[kernel * length + j] * amplitude + 32768) >> 16
        values[j] = value
        placed[at + j] = value if start + j >= 0 else 0
    if beat[QUARTER] != 0:
        delay(values, length, beat[QUARTER], 1, work)
    for j in range(max(-start, 0), length):
        total = prediction[start + j] + values[j]
        prediction[start + j] = clip(total, -SIGNAL_LIMIT, SIGNAL_LIMIT)


def clean_beat(values: Integers, settings: Integers) -> None:
    """Take away the line between a beat's ends, and let the ends fade."""
    length = settings[LENGTH]
    end = settings[END]
    first = 0
    last = 0
    for j in range(end):
        first += values[j]
        last += values[length - 1 - j]
    first = first // end
    rise = last // end - first
    for j in range(length):
        line = first + rise * j // (length - 1)
        values[j] = clip(values[j] - line, -SIGNAL_LIMIT, SIGNAL_LIMIT)
    fade = settings[FADE]
    whole = 2 * fade
    for j in range(fade):
        place = 2 * j + 1
        weight = ((place * place * (3 * whole - 2 * place)) << 12) // (whole * whole * whole)
        values[j] = (values[j] * weight + 2048) >> 12
        values[length - 1 - j] = (values[length - 1 - j] * weight + 2048) >> 12


def gather_beat(
    rest: Integers, settings: Integers, start: int, quarter: int, placed: Integers, at: int,
    values: Integers, work: Integers,
) -> None:  # fmt: skip
    """A whole beat: what is left around it, and what its kernel had added.

    Args:
        rest: signal minus prediction; the block's first sample at `settings[LENGTH]`.
    """
    length = settings[LENGTH]
    for j in range(length):
        values[j] = rest[length + start + j]
    if quarter != 0:
        delay(values, length, quarter, 0, work)
    for j in range(length):
        values[j] += placed[at + j]
    clean_beat(values, settings)


def level_shift(values: Integers, at: int, length: int) -> int:
    """Bits by which to lower values so that the largest is in [2^15, 2^16); 99 if all are 0."""
    largest = 0
    for j in range(length):
        largest = max(largest, abs(values[at + j]))
    return 99 if largest == 0 else bit_length(largest) - 16


def shifted(value: int, shift: int) -> int:
    """value · 2^-shift."""
    return value >> shift if shift >= 0 else value << -shift


def nearest_kernel(
    beat: Integers, kernels: Integers, notes: Integers, settings: Integers, found: Integers
) -> int:
    """The kernel nearest to a beat, or -1.

    Args:
        found: gets the part of the beat's energy that is left, in 1/20 of `found[1]`, that
            energy, and the reciprocal of the beat's size against the kernel, 1/1024 of 16.
    """
    length = settings[LENGTH]
    down = level_shift(beat, 0, length)
    found[0] = 0
    found[1] = 0
    found[2] = 0
    if down == 99:
        return -1
    energy = 0
    for j in range(length):
        value = shifted(beat[j], down)
        energy += value * value
    best = -1
    most = 0
    for kernel in range(settings[NUMBER]):
        base = kernel * length
        kernel_down = level_shift(kernels, base, length)
        if notes[BEATS + kernel] == 0 or kernel_down == 99:
            continue
        size = 0
        product = 0
        for j in range(length):
            value = shifted(kernels[base + j], kernel_down)
            size += value * value
            product += value * shifted(beat[j], down)
        # size, energy in [2^30, 2^42], so product / size is below 2^6
        if product <= 0:
            continue
        explained = (((product << 10) // size) * (product >> 6)) >> 4
        if explained > most:
            most = explained
            best = kernel
            ratio = ((size >> 6) << 16) // max(product >> 6, 1)
            lower = 6 + kernel_down * -1 + down  # to 1/1024, in the signal's own units
            found[2] = (
                1 << 40 if lower < -20 else (ratio >> lower if lower >= 0 else ratio << -lower)
            )
    found[0] = FAR_WHOLE * max(energy - most, 0)
    found[1] = energy
    return best


def staying(notes: Integers, kernel: int) -> int:
    """How far a kernel is from giving way to a new one: when it was last used, and how often."""
    return notes[AGE + kernel] + USE_BEATS * min(notes[USES + kernel], MOST_USES)


def learn_beat(
    beat: Integers, kernels: Integers, notes: Integers, memory: Integers, settings: Integers,
    found: Integers,
) -> int:  # fmt: skip
    """A decoded beat moves the nearest kernel, or becomes one; returns it, or -1."""
    length = settings[LENGTH]
    best = nearest_kernel(beat, kernels, notes, settings, found)
    if found[1] == 0:
        return -1
    reciprocal = found[2]
    usual = LEAST_RECIPROCAL < reciprocal < LARGEST_RECIPROCAL
    notes[CLOCK] += 1
    if best >= 0 and (found[0] < FAR_PART * found[1] or not usual):
        if usual:
            base = best * length
            seen = min(notes[BEATS + best] + 1, MEMORY_BEATS)
            for j in range(length):
                target = (beat[j] * reciprocal) >> 10
                moved = (target - kernels[base + j] + (seen >> 1)) // seen
                kernels[base + j] = clip(kernels[base + j] + moved, -KERNEL_LIMIT, KERNEL_LIMIT)
            notes[BEATS + best] = min(notes[BEATS + best] + 1, FAR)
            notes[AGE + best] = notes[CLOCK]
            notes[USES + best] = min(notes[USES + best] + 1, FAR)
        return best
    best = 0
    for kernel in range(settings[NUMBER]):
        if notes[BEATS + kernel] == 0:
            best = kernel
            break
        if staying(notes, kernel) < staying(notes, best):
            best = kernel
    for j in range(length):
        kernels[best * length + j] = clip(beat[j] << 4, -KERNEL_LIMIT, KERNEL_LIMIT)
    notes[BEATS + best] = 1
    notes[AGE + best] = notes[CLOCK]
    notes[USES + best] = 1
    notes[SENT + best] = 0
    memory[AMPLITUDE + best] = 0
    memory[SPREAD + best] = 0
    return best


# Notes on a spike whose beat is not complete, behind its own numbers.
SLOT: Final = BEAT_SIZE  # where its placed form is kept
PENDING_SIZE: Final = BEAT_SIZE + 1


def learn_block(
    rest: Integers, length: int, kernels: Integers, notes: Integers, memory: Integers,
    settings: Integers, pending: Integers, number: int, placed: Integers, beat: Integers,
    work: Integers, found: Integers, learned: Integers,
) -> int:  # fmt: skip
    """Learn from the beats that the block of `length` samples completes.

    Args:
        rest: signal minus prediction, the block's first sample at `settings[LENGTH]`.
        pending: spikes, `PENDING_SIZE` numbers each, `number` of them. placed: their kernels.
        learned: gets for each of them its kernel, or -1 where nothing was learned.

    Returns:
        How many were complete; they are the first ones.
    """
    size = settings[LENGTH]
    done = 0
    while done < number:
        at = done * PENDING_SIZE
        start = pending[at + TIME] - settings[BEFORE]
        if start + size > length:
            break
        learned[done] = -1
        if start + size > 0 and start >= -notes[SINCE]:
            slot = pending[at + SLOT] * size
            gather_beat(rest, settings, start, pending[at + QUARTER], placed, slot, beat, work)
            kernel = learn_beat(beat, kernels, notes, memory, settings, found)
            learned[done] = kernel
            born = pending[at + WHICH] == BIRTH and memory[KERNEL] == BIRTH
            if born and kernel >= 0 and memory[LAST] == pending[at + TIME]:
                memory[KERNEL] = kernel
        done += 1
    return done


def judge_kernels(
    kernels: Integers, notes: Integers, settings: Integers, step: int, live: Integers,
    units: Integers, steep: Integers,
) -> None:  # fmt: skip
    """What both ends conclude from a kernel's shape and the step (1/16 ADC unit).

    Amplitudes travel in units of 1 to 3 sixteenths of an octave, the coarser the larger the
    step is against the kernel; kernels with energy of slope above 6.4 step² are placed at
    quarters of a sample.
    """
    length = settings[LENGTH]
    for kernel in range(settings[NUMBER]):
        base = kernel * length
        live[kernel] = 1 if notes[BEATS + kernel] > 0 else 0
        steep[kernel] = 0
        units[kernel] = 1
        if live[kernel] == 0:
            continue
        down = max(level_shift(kernels, base, length), 0) if length > 0 else 0
        if down == 99:
            down = 0
        down = max(down - 4, 4)  # at most 20 bits, at least to 1/16 unit
        energy = 0
        slope = 0
        before = 0
        for j in range(length):
            value = kernels[base + j] >> down
            energy += value * value
            if j > 0:
                slope += (value - before) * (value - before)
            before = value
        small = min(max(step >> (down - 4), 1), MOST_STEP)
        square = small * small
        steep[kernel] = 1 if 5 * slope > 32 * square else 0
        if energy <= FINE_UNIT * square:
            units[kernel] = 2 if energy > COARSE_UNIT * square else 3


def fill_phases(
    phases: Integers, length: int, seen: int, last: int, beats: Integers, number: int,
    settings: Integers,
) -> None:  # fmt: skip
    """Where in a beat each sample lies: 0 to 61, or 62 where no spike is known.

    Args:
        seen: 1 if a spike at `last` lies before those of the block.
    """
    next_beat = 0
    for i in range(length):
        while next_beat < number:
            time = beats[next_beat * BEAT_SIZE + TIME]
            if time - settings[PHASE_BEFORE] > i:
                break
            last = time
            seen = 1
            next_beat += 1
        if seen == 0:
            phases[i] = 62
        else:
            place = (i - last + settings[PHASE_BEFORE]) * 62 // max(settings[PHASE_SPAN], 1)
            phases[i] = clip(place, 0, 61)
