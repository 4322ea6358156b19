"""One block of one lead through the cosine transform (docs/format-cosine.md).

It serves signals without beats. Levels are coded as those of the wavelet are, frame after
frame from low to high frequency. What a coarser band is to a level there, the frame before is
here; what a place in the beat is there, the frequency is here; and where the coefficients of a
prediction tell how much to expect there, levels around and before do here: nothing is predicted.
A block's frames are whole ones or halved up to three times, as the encoder chooses.
Signals are in 1/16 ADC units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.coefficients import (
    MAGNITUDES,
    PHASES,
    mean_class,
    predicted_class,
    rescale_means,
)
from san_stream.coding.cosine import frame_log, restore_cosine, transform_cosine
from san_stream.coding.cosine_tables import LONGEST_FRAME
from san_stream.coding.levels import code_coefficient, reconstruct
from san_stream.coding.numbers import code_adaptive
from san_stream.coding.range_coder import DECODING
from san_stream.coding.transform_block import CLASSES, load_signal
from san_stream.coding.vectors import copy

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

FREQUENCIES_LOG: Final = 6
FREQUENCIES: Final = 1 << FREQUENCIES_LOG
"""Places in the spectrum for which statistics are kept: as many as there are of a beat."""
# The identity of a place in the spectrum, which a band has in the wavelet: octaves.
OCTAVES: Final = [0, 1, *[2] * 2, *[3] * 4, *[4] * 8, *[5] * 16, *[6] * 32]
# Of a frame's levels in the memory, with zeros to each side: lines outside are 0.
MARGIN: Final = 2
FRAME_ROOM: Final = LONGEST_FRAME + 2 * MARGIN
# Places in the memory of a lead: levels of the last two frames, the newer first, both with as
# many lines as the newer has; log2 of their number; the last block's halvings.
SIZE: Final = 2 * FRAME_ROOM
HALVINGS: Final = SIZE + 1
FRAMES_MEMORY: Final = HALVINGS + 1
MOST_HALVINGS: Final = 3
HALVINGS_MODEL: Final = (MOST_HALVINGS + 1) * MOST_HALVINGS
# What 1 of a weighted sum of levels counts in `predicted_class`, whose unit is 1/256.
AROUND_UNIT: Final = 12
BEFORE_UNIT: Final = 20


def restart_frames(frames: Integers) -> None:
    """A run begins: the last frames are forgotten."""
    for i in range(FRAMES_MEMORY):
        frames[i] = 0


def frequency_mean(means: Integers, frequency: int) -> int:
    """Mean magnitude of levels at a place in the spectrum, smoothed over its neighbours."""
    below = max(frequency - 1, 0)
    above = min(frequency + 1, FREQUENCIES - 1)
    total = 2 * means[MAGNITUDES + OCTAVES[frequency] * PHASES + frequency]
    total += means[MAGNITUDES + OCTAVES[below] * PHASES + below]
    total += means[MAGNITUDES + OCTAVES[above] * PHASES + above]
    return total >> 2


def expected_classes(frames: Integers, at: int, left: int, before: int) -> int:
    """How large the levels around a place are, and those before it alone, as one class.

    Args:
        at: place of the line in the memory of the last frame. left, before: magnitudes of the
            last two levels.
    """
    older = at + FRAME_ROOM
    around = abs(frames[at - 1]) + abs(frames[at + 1])
    far = abs(frames[at - 2]) + abs(frames[at + 2])
    aside = abs(frames[older - 1]) + abs(frames[older + 1])
    past = 2 * around + far + aside
    here = abs(frames[at])
    there = abs(frames[older])
    smooth = predicted_class((past + 3 * here + 2 * there) * BEFORE_UNIT)
    near = past + 4 * here + 3 * there + 6 * left + 3 * before
    return smooth * CLASSES + predicted_class(near * AROUND_UNIT)


def fit_levels(frames: Integers, base: int, old: int, new: int) -> None:
    """Bring 2^old levels from `base` on to 2^new: repeated, or the largest ones of groups."""
    if new > old:
        for i in range((1 << new) - 1, -1, -1):
            frames[base + i] = frames[base + (i >> (new - old))]
        return
    group = 1 << (old - new)
    for i in range(1 << new):
        largest = frames[base + i * group]
        for j in range(base + i * group + 1, base + (i + 1) * group):
            if abs(frames[j]) > abs(largest):
                largest = frames[j]
        frames[base + i] = largest
    for i in range(1 << new, 1 << old):
        frames[base + i] = 0


def fit_frames(frames: Integers, size: int) -> None:
    """The last two frames as if they had had 2^size lines."""
    old = frames[SIZE]
    if old != size:
        fit_levels(frames, MARGIN, old, size)
        fit_levels(frames, MARGIN + FRAME_ROOM, old, size)
        frames[SIZE] = size


def keep_frame(frames: Integers, levels: Integers, begin: int, size: int) -> None:
    """The frame that was coded becomes the last one."""
    copy(frames, FRAME_ROOM + MARGIN, frames, MARGIN, 1 << size)
    copy(frames, MARGIN, levels, begin, 1 << size)


def code_halvings(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    frames: Integers,
    halvings: int,
) -> int:
    """How often a block's frames are halved: one bit more for each, given those of the last."""
    base = frames[HALVINGS] * MOST_HALVINGS
    reached = 0
    more = 1
    while more == 1 and reached < MOST_HALVINGS:
        more = 1 if halvings > reached else 0
        more = code_adaptive(state, buffer, probability, count, base + reached, more)
        reached += more
    frames[HALVINGS] = reached
    return reached


def code_frame(
    state: Integers,
    buffer: Octets,
    begin: int,
    size: int,
    step: int,
    strength: int,
    given: Integers,
    levels: Integers,
    output: Integers,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    means: Integers,
    rest: Integers,
    rest_count: Integers,
    frames: Integers,
    found: Integers,
    inputs: Integers,
) -> int:
    """Code one frame of 2^size coefficients; the rest as in `code_cosine_block`."""
    left = 0
    before = 0
    distortion = 0
    fit_frames(frames, size)
    for place in range(begin, begin + (1 << size)):
        frequency = ((place - begin) << FREQUENCIES_LOG) >> size
        at = MARGIN + place - begin
        level, error = code_coefficient(
            state, buffer, given[place], step, strength, OCTAVES[frequency], frequency, left,
            before, frames[at], abs(frames[at - 1]) + abs(frames[at + 1]),
            abs(frames[at + FRAME_ROOM]),
            mean_class(frequency_mean(means, frequency)), 0,
            expected_classes(frames, at, abs(left), abs(before)), 0, slots, weights, maps, signs,
            means, rest, rest_count, found, inputs,
        )  # fmt: skip
        distortion += error
        levels[place] = level
        output[place] = reconstruct(level, step)
        before = left
        left = level
    keep_frame(frames, levels, begin, size)
    return distortion


def code_cosine_block(
    state: Integers,
    buffer: Octets,
    target: Integers,
    longest: int,
    halvings: int,
    step: int,
    strength: int,
    output: Integers,
    slots: Integers,
    weights: Integers,
    maps: Integers,
    signs: Integers,
    means: Integers,
    rest: Integers,
    rest_count: Integers,
    frames: Integers,
    probability: Integers,
    count: Integers,
    levels: Integers,
    given: Integers,
    work: Integers,
    found: Integers,
    inputs: Integers,
) -> int:
    """Code a block.

    Args:
        target: the signal, int ``[n]``; read when encoding only.
        longest: log2 of a whole frame's length. halvings: of the frames; read when encoding only.
        step: of the quantiser, 1/16 ADC units. strength: λ in steps² a bit, 1/65536.
        output: what the decoder has for `target`, ``[n]``.
        slots ... count: models and memory of the lead. levels, given: room for n values.
        work: for a frame. found, inputs: of the contexts.

    Returns:
        Σ of (coefficient - its reconstruction)² in steps² / 65536; 0 when decoding.
    """
    length = len(target)
    rescale_means(means, step)
    longest -= code_halvings(state, buffer, probability, count, frames, halvings)
    if state[DECODING] == 0:
        load_signal(given, target, length)
        transform_cosine(given, length, longest, work)
    distortion = 0
    begin = 0
    while begin < length:
        size = frame_log(longest, length - begin)
        distortion += code_frame(
            state, buffer, begin, size, step, strength, given, levels, output, slots,
            weights, maps, signs, means, rest, rest_count, frames, found, inputs,
        )  # fmt: skip
        begin += 1 << size
    restore_cosine(output, length, longest, work)
    return distortion
