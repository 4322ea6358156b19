"""What coders have learned from ECGs before their first sample (docs/format-starts.md).

A coder that starts untrained needs a minute to learn what most ECGs have in common: which
contexts to trust, and what follows what. tools/make_start_tables.py gathers that from a few
recordings into start.bin. It is read when the first lead starts trained, not before.
"""

from __future__ import annotations

import lzma
import struct
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from san_stream.coding import coefficients, kernel_updates
from san_stream.coding.beats import BEATS_MODEL
from san_stream.coding.corrections import CORRECTIONS_SIZE
from san_stream.coding.exact_presets import LEAN, MAX, make_plan
from san_stream.coding.fast_coder import FAST_SLOTS, FAST_WEIGHTS, TURN_SLOTS
from san_stream.coding.mixed_residual import CONTEXTS, MIXING_SETS, VALUE_SLOT
from san_stream.coding.mixing import COUNT_BITS, COUNT_MASK
from san_stream.coding.numbers import NUMBER_SIZE
from san_stream.coding.predictors import MATRIX, PLACE, ROW, SIZE
from san_stream.coding.tiny_coder import TINY_PHASE_SLOTS, TINY_SLOTS

BOUNDS: Final = 3
"""Tables of the predictive coder for ±0, ±1 and ±2."""
MIXED: Final = {"lean": LEAN, "max": MAX}
CHANCE_SHIFT: Final = 10  # of a probability's 20 bits
CHANCE_COUNT: Final = 32  # what a probability has seen is kept below this


class Part(NamedTuple):
    """One store in the file.

    Attributes:
        coders: presets, or "transform". name: of the store. size: its values.
        kind: of them, for `struct`. shift: low bits that are not kept, -1 for slots.
    """

    coders: tuple[str, ...]
    name: str
    size: int
    kind: str
    shift: int = 0


def _mixed_parts(preset: str) -> list[Part]:
    parts = MIXED[preset]
    plan = make_plan(parts, 0, 1)
    places = plan[-ROW + PLACE] + plan[-ROW + SIZE]
    one = (preset,)
    return [
        Part(one, "mixing", MIXING_SETS * (len(parts.laws) // 2 + CONTEXTS + 2), "h", 9),
        Part(one, "matrices", plan[-ROW + MATRIX] + plan[-ROW + SIZE] ** 2, "q"),
        Part(one, "right", places, "q"),
        Part(one, "weights", places, "i"),
        Part(one, "energies", len(parts.predictors) + 1, "q"),
    ]


PREDICTIVE: Final = [
    Part(("lean", "max"), "slots", VALUE_SLOT, "H", -1),
    *_mixed_parts("lean"),
    *_mixed_parts("max"),
    Part(("fast",), "mixing", FAST_WEIGHTS, "h", 9),
    Part(("fast",), "slots", FAST_SLOTS, "H", -1),
    Part(("fast",), "turns", TURN_SLOTS, "H", -1),
    Part(("tiny",), "slots", TINY_SLOTS, "h", 2),
    Part(("tiny",), "others", TINY_PHASE_SLOTS, "h", 2),
]
"""For each bound in turn."""
TRANSFORM: Final = [
    Part(("transform",), "slots", coefficients.COEFFICIENT_SLOTS, "H", -1),
    Part(("transform",), "weights", coefficients.COEFFICIENT_WEIGHTS, "h", 6),
    Part(("transform",), "signs", coefficients.SIGN_SLOTS, "H", -1),
    Part(("transform",), "means", coefficients.PREVIOUS, "i"),
    Part(("transform",), "rest", coefficients.REST_SIZE, "H", -1),
    Part(("transform",), "beats", BEATS_MODEL, "H", -1),
    Part(("transform",), "corrections", kernel_updates.CORRECTION_SLOTS, "H", -1),
    Part(("transform",), "sizes", kernel_updates.CORRECTION_REST, "H", -1),
    Part(("transform",), "level", NUMBER_SIZE, "H", -1),
    Part(("transform",), "fixes", CORRECTIONS_SIZE, "H", -1),
]
"""Behind the predictive coder's."""


def packed(part: Part, values: list[int]) -> list[int]:
    """The values as the file keeps them."""
    if part.shift < 0:
        return [
            (value >> (COUNT_BITS + CHANCE_SHIFT)) * CHANCE_COUNT + (value & COUNT_MASK)
            for value in values
        ]
    if not part.shift:
        return values
    return [min(max(value >> part.shift, -32768), 32767) for value in values]


def unpacked(part: Part, values: list[int]) -> list[int]:
    """The values of a store from those of the file, in the middle of what was not kept."""
    if part.shift < 0:
        middle = 1 << (CHANCE_SHIFT - 1)
        return [
            (((value // CHANCE_COUNT << CHANCE_SHIFT) + middle) << COUNT_BITS)
            + value % CHANCE_COUNT
            for value in values
        ]
    return [(value << part.shift) + (1 << part.shift >> 1) for value in values]


def layout() -> list[tuple[int, Part]]:
    """Bound and part, in the order of the file."""
    exact = [(bound, part) for bound in range(BOUNDS) for part in PREDICTIVE]
    return exact + [(0, part) for part in TRANSFORM]


@cache
def _read() -> bytes:
    return lzma.decompress(Path(__file__).with_name("start.bin").read_bytes())


def start_values(coder: str, bound: int = 0) -> dict[str, list[int]]:
    """The stores of a trained coder, a preset or "transform", by name; unpacked each time."""
    data, at, found = _read(), 0, {}
    for number, part in layout():
        form = f"<{part.size}{part.kind}"
        if number == bound and coder in part.coders:
            found[part.name] = unpacked(part, list(struct.unpack_from(form, data, at)))
        at += struct.calcsize(form)
    return found
