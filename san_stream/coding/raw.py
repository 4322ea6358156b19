"""Samples as they are, for signals that no model shortens (docs/format-coding.md, "Layer 3")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from san_stream.coding.numbers import bit_length, code_plain

if TYPE_CHECKING:
    from san_stream.coding.store import Integers, Octets

WIDTH_BITS: Final = 6
WIDEST: Final = 32


def raw_width(samples: Integers, valid: Integers) -> tuple[int, int]:
    """Bits of two's complement that hold every valid sample (at least 1), and their number."""
    reach = 0
    number = 0
    for t in range(len(samples)):
        if valid[t] == 1:
            number += 1
            reach = max(reach, samples[t] if samples[t] >= 0 else -1 - samples[t])
    return bit_length(reach) + 1, number


def code_raw(
    state: Integers, buffer: Octets, samples: Integers, valid: Integers, width: int
) -> None:
    """Code the valid `samples`, `width` bits each, two's complement."""
    half = 1 << (width - 1)
    for t in range(len(samples)):
        if valid[t] == 1:
            samples[t] = code_plain(state, buffer, samples[t] + half, width) - half
