"""Probabilities from mixed evidence: what the predictive and the transform coder share.

A *slot* is an adaptive probability of a 1 (20 bits) and how many bits it has seen (10 bits)
in one integer. Logits are in 1/256, weights in 1/65536; logits of a decision are summed by
weights that learn from its outcome (logistic mixing, Mahoney 2005), and a final map learns
what the mixed probability is worth. Docs: docs/format-coding.md, "Mixing".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.range_coder import code_bit
from san_stream.coding.tables import LOG8, RATES, SOFTPLUS, SQUASH, STRETCH

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

SLOT_HALF: Final = 1 << 29  # probability one half, nothing seen
COUNT_BITS: Final = 10
COUNT_MASK: Final = (1 << COUNT_BITS) - 1
SLOT_ONE: Final = 1 << 20
LOGIT_LIMIT: Final = 2047
NATURAL: Final = 369  # 256 / ln 2: from logits to bits
MAP_POINTS: Final = 33  # of a final map, 128 logits apart


def clip(value: int, low: int, high: int) -> int:
    """`value` inside [low, high]."""
    return low if value < low else (min(value, high))


def log8(value: int) -> int:
    """8 · log2(value) of an integer from 1 up to 2^62, to a table's precision."""
    octaves = 0
    while value >= 4096:
        value >>= 3
        octaves += 24
    return LOG8[value] + octaves


def slot_logit(slot: int) -> int:
    """Logit of a slot's probability."""
    return STRETCH[slot >> 18]


def update_slot(slots: Integers, index: int, bit: int, limit: int) -> None:
    """Move a slot's probability towards `bit` by 1 / (seen + 1.6); it counts to `limit`."""
    slot = slots[index]
    seen = slot & COUNT_MASK
    probability = slot >> COUNT_BITS
    probability += ((bit * (SLOT_ONE - 1) - probability) * RATES[seen]) >> 16
    slots[index] = (probability << COUNT_BITS) + (seen + 1 if seen < limit else seen)


def code_slot(
    state: Integers, buffer: Octets, slots: Integers, index: int, bit: int, limit: int
) -> int:
    """A bit at a slot's own probability, kept 64 away from 0 and 65536."""
    bit = code_bit(state, buffer, clip(slots[index] >> 14, 64, 65472), bit)
    update_slot(slots, index, bit, limit)
    return bit


def slot_cost(slot: int, bit: int) -> int:
    """Bits, in 1/256, that `bit` costs at a slot."""
    logit = slot_logit(slot)
    return (SOFTPLUS[4096 + (logit if bit == 1 else -logit)] * NATURAL) >> 8


def map_probability(points: Integers, base: int, logit: int) -> int:
    """What the final map at `base` makes of a logit, in 1/65536."""
    place = base + ((logit + 2048) >> 7)
    part = (logit + 2048) & 127
    return (points[place] * (128 - part) + points[place + 1] * part) >> 7


def update_map(points: Integers, base: int, logit: int, bit: int) -> None:
    """Move the two points of the final map around a logit towards `bit`."""
    place = base + ((logit + 2048) >> 7)
    part = (logit + 2048) & 127
    target = bit << 16
    points[place] = points[place] + (((target - points[place]) * (128 - part)) >> 13)
    points[place + 1] = points[place + 1] + (((target - points[place + 1]) * part) >> 13)


def start_map(points: Integers, base: int) -> None:
    """A final map that changes nothing."""
    for i in range(MAP_POINTS):
        points[base + i] = SQUASH[i * 128 if i < MAP_POINTS - 1 else 4095]
