"""The quantiser's steps: sixteen an octave, from 1/16 ADC unit up (docs/format.md)."""

from __future__ import annotations

from typing import Final

STEPS_AN_OCTAVE: Final = 16
MAX_STEP_INDEX: Final = 28 * STEPS_AN_OCTAVE
"""2^24 ADC units."""
UNIT_STEP: Final = 4 * STEPS_AN_OCTAVE
"""Index of one ADC unit."""
STRENGTH: Final = 5571
"""Of an encoder's choices: λ = 0.085 steps² a bit, in 1/65536."""
# round(4096 * 2^(i / 16))
_MANTISSAS: Final = [
    4096, 4277, 4467, 4664, 4871, 5087, 5312, 5547,
    5793, 6049, 6317, 6597, 6889, 7194, 7512, 7845,
]  # fmt: skip


def step_of(index: int) -> int:
    """Step of an index 0 to `MAX_STEP_INDEX`, in 1/16 ADC units, at least 1."""
    octave, place = divmod(index, STEPS_AN_OCTAVE)
    return max(((_MANTISSAS[place] << octave) + 2048) >> 12, 1)


def index_of(step: int) -> int:
    """The index whose step, in 1/16 ADC units, is the nearest to `step` by ratio."""
    index = 0
    while index < MAX_STEP_INDEX and step_of(index + 1) * step_of(index) <= step * step:
        index += 1
    return index
