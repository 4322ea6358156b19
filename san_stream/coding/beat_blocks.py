"""The spikes of one block of one lead, in order: expected, coded, placed, noted.

And the arithmetic around the block's transform: what is to be coded, what is shown, what is
kept for learning. Signals are in 1/16 ADC unit, above the run's level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_stream.coding.adaptive_kernels import (
    NEXT_SLOT,
    PENDING_SIZE,
    SIGNAL_LIMIT,
    SINCE,
    SLOT,
    place_beat,
)
from san_stream.coding.beats import (
    BEAT_SIZE,
    FAR,
    LENGTH,
    TIME,
    code_beat,
    expect_beat,
    note_beat,
    slide_beats,
)
from san_stream.coding.mixing import clip
from san_stream.coding.range_coder import ERROR

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets


def code_beats(
    state: Integers,
    buffer: Octets,
    probability: Integers,
    count: Integers,
    memory: Integers,
    settings: Integers,
    live: Integers,
    units: Integers,
    steep: Integers,
    others: Integers,
    others_end: int,
    until: int,
    beats: Integers,
    number: int,
    most: int,
    kernels: Integers,
    notes: Integers,
    prediction: Integers,
    pending: Integers,
    waiting: int,
    placed: Integers,
    beat: Integers,
    values: Integers,
    work: Integers,
) -> int:
    """Spikes of a block; returns how many.

    Args:
        others: spikes of an earlier lead, `others_end` of them. until: where the block's end.
        beats: `number` spikes when encoding; filled in when decoding. most: there may be.
        pending: spikes whose beats are not complete, `waiting` of them; the block's follow.
        beat, values, work: room for a spike and two kernels.
    """
    room = len(pending) // PENDING_SIZE
    found = 0
    while True:
        expect_beat(memory, settings, others, 0, others_end)
        more = 1 if found < number else 0
        for k in range(BEAT_SIZE):
            beat[k] = beats[found * BEAT_SIZE + k] if more == 1 else 0
        more = code_beat(
            state, buffer, probability, count, memory, settings, live, units, steep, more, until,
            beat,
        )  # fmt: skip
        if more == 0:
            break
        if found >= most:
            state[ERROR] = 1
            break
        for k in range(BEAT_SIZE):
            beats[found * BEAT_SIZE + k] = beat[k]
        slot = notes[NEXT_SLOT] if waiting < room else room
        place_beat(
            kernels, settings, beat, prediction, placed, slot * settings[LENGTH], values, work
        )
        if waiting < room:
            for k in range(BEAT_SIZE):
                pending[waiting * PENDING_SIZE + k] = beat[k]
            pending[waiting * PENDING_SIZE + SLOT] = slot
            notes[NEXT_SLOT] = (slot + 1) % room
            waiting += 1
        note_beat(memory, settings, others, 0, others_end, beat)
        found += 1
    return found


def make_target(samples: Integers, level: int, prediction: Integers, target: Integers) -> None:
    """What the transform is to code: the signal above its level minus the prediction."""
    for i in range(len(target)):
        target[i] = ((samples[i] - level) << 4) - prediction[i]


def keep_rest(rest: Integers, length: int, values: Integers) -> None:
    """Put a block's values behind the `length` kept ones."""
    for i in range(len(values)):
        rest[length + i] = values[i]


def show_samples(
    samples: Integers, level: int, prediction: Integers, output: Integers, least: int, largest: int
) -> None:
    """The samples that the decoder shows."""
    for i in range(len(output)):
        output[i] = clip(output[i], -2 * SIGNAL_LIMIT, 2 * SIGNAL_LIMIT)
        samples[i] = clip(level + ((prediction[i] + output[i] + 8) >> 4), least, largest)


def slide(store: Integers, count: int) -> None:
    """Move values `count` places down; zeros follow."""
    size = len(store)
    for i in range(size):
        store[i] = store[i + count] if i + count < size else 0


def end_block(
    count: int, memory: Integers, notes: Integers, pending: Integers, done: int, number: int,
    prediction: Integers, rest: Integers,
) -> None:  # fmt: skip
    """The next block begins `count` samples later; the first `done` pending spikes leave."""
    slide_beats(memory, count)
    notes[SINCE] = min(notes[SINCE] + count, FAR)
    for i in range((number - done) * PENDING_SIZE):
        pending[i] = pending[i + done * PENDING_SIZE]
    for i in range(number - done):
        pending[i * PENDING_SIZE + TIME] -= count
    slide(prediction, count)
    slide(rest, count)
