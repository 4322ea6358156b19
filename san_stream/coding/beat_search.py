"""Which spikes a block gets: the encoder's joint choice of kernel, place and amplitude.

Squared error gained minus λ times bits decides, with the costs of the adaptive coder
itself; what is chosen is subtracted before the next spike is looked at, and the coder's
state runs along on scratch copies. Only the encoder needs this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.adaptive_kernels import AMPLITUDES, delay
from san_stream.coding.beats import (
    AMPLITUDE,
    BEAT_SIZE,
    BEFORE,
    BIRTH,
    KERNEL,
    LARGEST_SIZE,
    LAST,
    LATE,
    LENGTH,
    NUMBER,
    QUARTER,
    REACH,
    SEEN,
    SHORTEST,
    SIZE,
    SMALLEST_SIZE,
    TIME,
    WHICH,
    code_beat,
    expect_beat,
    kernel_cost,
    note_beat,
    place_cost,
    size_cost,
)
from san_stream.coding.mixing import clip
from san_stream.coding.numbers import bit_length
from san_stream.coding.range_coder import start_encoder
from san_stream.coding.vectors import dot

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

SIGNAL_BITS: Final = 20  # dot products of 1024 terms stay below 2^50
GAIN_BITS: Final = 36  # so that an amplitude's square times a gain stays below 2^53
CANDIDATES: Final = 4
MOST_STEP: Final = 1 << 19  # lowered: its square times λ stays below 2^51

# Numbers that the search passes on.
DOWN: Final = 0  # bits by which signal and kernels are lowered
DOWN_GAIN: Final = 1  # ... and their products
PRICE: Final = 2  # of a bit, in lowered products
FOUND_GAIN: Final = 3  # best gain minus price
WORTH: Final = 4  # of the amplitude chosen last
SEARCH_SIZE: Final = 5


def nearest_size(amplitude: int) -> int:
    """Index of the amplitude (1/4096) nearest in the table, from `SMALLEST_SIZE` on."""
    low = 0
    high = LARGEST_SIZE - SMALLEST_SIZE
    while low < high:
        middle = (low + high + 1) >> 1
        if AMPLITUDES[middle] <= amplitude:
            low = middle
        else:
            high = middle - 1
    above = min(low + 1, LARGEST_SIZE - SMALLEST_SIZE)
    if AMPLITUDES[above] - amplitude < amplitude - AMPLITUDES[low]:
        low = above
    return low + SMALLEST_SIZE


def gain_of(size: int, product: int, energy: int) -> int:
    """Squared error that a kernel of this amplitude takes away: 2 a d - a² e."""
    amplitude = AMPLITUDES[size - SMALLEST_SIZE]
    square = (amplitude * amplitude + 2048) >> 12
    return (2 * amplitude * product - square * energy) >> 12


def subtract(values: Integers, prediction: Integers) -> None:
    """values -= prediction, as far as both reach."""
    for i in range(min(len(values), len(prediction))):
        values[i] -= prediction[i]


def prepare_search(
    rest: Integers, kernels: Integers, small: Integers, step: int, strength: int, search: Integers
) -> None:
    """Lower the kernels to the signal's unit and all to a common size; price of a bit.

    Args:
        rest: signal minus prediction, lowered in place. small: gets the kernels.
        step: 1/16 ADC unit. strength: λ in steps² a bit, 1/65536.
    """
    largest = 1
    for i in range(len(rest)):
        largest = max(largest, abs(rest[i]))
    for i in range(len(kernels)):
        largest = max(largest, abs(kernels[i]) >> 4)
    down = max(bit_length(largest) - SIGNAL_BITS, 0)
    for i in range(len(rest)):
        rest[i] = rest[i] >> down
    for i in range(len(kernels)):
        small[i] = kernels[i] >> (4 + down)
    # bits of a product of two lowered vectors of 1024
    bits = 2 * min(bit_length(largest), SIGNAL_BITS) + 10
    search[DOWN] = down
    search[DOWN_GAIN] = max(bits - GAIN_BITS, 0)
    lowered = min(step >> down, MOST_STEP)
    price = (lowered * lowered * strength) >> 16
    search[PRICE] = price >> search[DOWN_GAIN] if search[DOWN_GAIN] < 40 else 0
    search[FOUND_GAIN] = 0


def refine_quarter(
    rest: Integers, small: Integers, settings: Integers, probability: Integers, memory: Integers,
    live: Integers, units: Integers, steep: Integers, earliest: int, until: int,
    search: Integers, beat: Integers, moved: Integers, work: Integers,
) -> int:  # fmt: skip
    """Choose the quarter of a sample around a chosen spike; returns its worth."""
    length = settings[LENGTH]
    kernel = beat[WHICH]
    centre = beat[TIME]
    size = beat[SIZE]
    change = (size - memory[AMPLITUDE + kernel]) // units[kernel]
    cost = kernel_cost(probability, memory[KERNEL], live, kernel)
    cost += size_cost(probability, memory, kernel, change)
    found = 0
    best = 0
    for quarter in range(4):
        for j in range(length):
            moved[j] = small[kernel * length + j]
        if quarter != 0:
            delay(moved, length, quarter, 1, work)
        for time in range(centre - (1 if quarter != 0 else 0), centre + 1):
            start = time - settings[BEFORE]
            first = max(-start, 0)
            count = min(length, len(rest) - start) - first
            if count <= 0 or time < earliest or time >= until:
                continue
            product = dot(rest, start + first, moved, first, count) >> search[DOWN_GAIN]
            energy = dot(moved, first, moved, first, count) >> search[DOWN_GAIN]
            bits = cost + place_cost(probability, memory, settings, steep, kernel, time, quarter)
            worth = gain_of(size, product, energy) - ((search[PRICE] * bits) >> 8)
            if found == 0 or worth > best:
                found = 1
                best = worth
                beat[TIME] = time
                beat[QUARTER] = quarter
    return best


def best_size(
    product: int, energy: int, cost: int, amplitude: int, unit: int, kernel: int,
    probability: Integers, memory: Integers, search: Integers,
) -> int:  # fmt: skip
    """The amplitude that is worth most: the nearest one, the kernel's last, or between.

    Args:
        cost: of the rest of the spike, 1/256 bit. amplitude: the ideal one, 1/4096.
        search: gets its worth.
    """
    last = clip(memory[AMPLITUDE + kernel], SMALLEST_SIZE, LARGEST_SIZE)
    change = (2 * (nearest_size(amplitude) - last) + unit) // (2 * unit)
    chosen = last
    for candidate in range(CANDIDATES):
        trial = 0
        if candidate == 1:
            trial = change
        elif candidate == 2:
            trial = change - 1 if change > 0 else change + 1
        elif candidate == 3:
            trial = change // 2
        size = last + trial * unit
        if size < SMALLEST_SIZE or size > LARGEST_SIZE:
            continue
        bits = cost + size_cost(probability, memory, kernel, trial)
        worth = gain_of(size, product, energy) - ((search[PRICE] * bits) >> 8)
        if candidate == 0 or worth > search[WORTH]:
            search[WORTH] = worth
            chosen = size
    return chosen


def search_beat(
    rest: Integers, at: int, small: Integers, settings: Integers, live: Integers, units: Integers,
    steep: Integers, probability: Integers, memory: Integers, until: int, search: Integers,
    beat: Integers, moved: Integers, work: Integers,
) -> int:  # fmt: skip
    """The best spike near `at` into `beat`; returns 1 if there is any that gains something.

    Args:
        rest, small: as `prepare_search` left them. moved, work: room for a kernel.
    """
    length = settings[LENGTH]
    before = settings[BEFORE]
    down = search[DOWN_GAIN]
    earliest = settings[LATE]
    if memory[SEEN] == 1:
        earliest = max(earliest, memory[LAST] + settings[SHORTEST])
    found = 0
    best = 0
    best_gain = 0
    for kernel in range(settings[NUMBER]):
        if live[kernel] == 0:
            continue
        base = kernel * length
        full = dot(small, base, small, base, length) >> down
        which_cost = kernel_cost(probability, memory[KERNEL], live, kernel)
        for time in range(
            max(at - settings[REACH], earliest), min(at + settings[REACH] + 1, until)
        ):
            start = time - before
            first = max(-start, 0)
            count = min(length, len(rest) - start) - first
            if count <= 0:
                continue
            product = dot(rest, start + first, small, base + first, count) >> down
            if product <= 0:
                continue
            energy = full
            if count < length:
                energy = dot(small, base + first, small, base + first, count) >> down
            if energy <= 0 or product > 5 * energy:
                continue
            amplitude = (product << 12) // energy
            if (amplitude * product) >> 12 < best_gain - best_gain // 5:
                continue
            cost = which_cost + place_cost(probability, memory, settings, steep, kernel, time, 0)
            size = best_size(
                product, energy, cost, amplitude, units[kernel], kernel, probability, memory, search
            )
            if found == 0 or search[WORTH] > best:
                found = 1
                best = search[WORTH]
                best_gain = max(gain_of(size, product, energy), 0)
                beat[TIME] = time
                beat[WHICH] = kernel
                beat[SIZE] = size
                beat[QUARTER] = 0
    if found == 1 and steep[beat[WHICH]] == 1:
        best = refine_quarter(
            rest, small, settings, probability, memory, live, units, steep, earliest, until, search,
            beat, moved, work,
        )  # fmt: skip
    search[FOUND_GAIN] = best
    return found


def subtract_beat(
    rest: Integers, small: Integers, settings: Integers, beat: Integers, moved: Integers,
    work: Integers,
) -> None:  # fmt: skip
    """Take a chosen spike's kernel away from what is left."""
    length = settings[LENGTH]
    amplitude = AMPLITUDES[beat[SIZE] - SMALLEST_SIZE]
    start = beat[TIME] - settings[BEFORE]
    for j in range(length):
        moved[j] = (small[beat[WHICH] * length + j] * amplitude + 2048) >> 12
    if beat[QUARTER] != 0:
        delay(moved, length, beat[QUARTER], 1, work)
    for j in range(max(-start, 0), min(length, len(rest) - start)):
        rest[start + j] -= moved[j]


def choose_beats(
    rest: Integers,
    candidates: Integers,
    number: int,
    kernels: Integers,
    settings: Integers,
    live: Integers,
    units: Integers,
    steep: Integers,
    step: int,
    strength: int,
    until: int,
    births: int,
    since: int,
    probability: Integers,
    count: Integers,
    memory: Integers,
    others: Integers,
    others_end: int,
    chosen: Integers,
    most: int,
    small: Integers,
    moved: Integers,
    work: Integers,
    search: Integers,
    state: Integers,
    buffer: Octets,
    beat: Integers,
) -> int:
    """Spikes of a block into `chosen`, `BEAT_SIZE` numbers each; returns how many.

    Args:
        rest: signal without its baseline minus prediction, from the block's first sample to
            the last one known, 1/16 ADC unit; used up.
        candidates: times of `number` detected spikes, in order.
        births: how many may become kernels. since: samples of the run before the block.
        probability, count, memory: scratch copies of the coder's. state, buffer: a scratch
            range coder. small, moved, work, search: room.
    """
    length = settings[LENGTH]
    prepare_search(rest, kernels, small, step, strength, search)
    down = search[DOWN]
    lowered = min(step >> down, MOST_STEP)
    least = (lowered * lowered) >> search[DOWN_GAIN]
    found = 0
    for i in range(number):
        at = candidates[i]
        if found >= most:
            break
        expect_beat(memory, settings, others, 0, others_end)
        good = search_beat(
            rest, at, small, settings, live, units, steep, probability, memory, until, search,
            beat, moved, work,
        )  # fmt: skip
        if good == 0 or 2 * search[FOUND_GAIN] <= least:
            start = at - settings[BEFORE]
            early = memory[SEEN] == 1 and at < memory[LAST] + settings[SHORTEST]
            first = max(-start, 0)
            seen = min(length, len(rest) - start) - first
            if (
                early or at < settings[LATE] or at >= until or births <= 0
                or start < -since or 4 * seen < length
            ):  # fmt: skip
                continue
            energy = dot(rest, start + first, rest, start + first, seen) >> search[DOWN_GAIN]
            if energy < 4 * least:
                continue
            births -= 1
            beat[TIME] = at
            beat[WHICH] = BIRTH
            beat[SIZE] = 0
            beat[QUARTER] = 0
        start_encoder(state)
        code_beat(
            state, buffer, probability, count, memory, settings, live, units, steep, 1, until, beat
        )
        note_beat(memory, settings, others, 0, others_end, beat)
        if beat[WHICH] != BIRTH:
            subtract_beat(rest, small, settings, beat, moved, work)
        for k in range(BEAT_SIZE):
            chosen[found * BEAT_SIZE + k] = beat[k]
        found += 1
    return found
