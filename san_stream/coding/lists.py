"""What plain Python does with whole lists, where compiled code has loops."""

from __future__ import annotations


def clipped(values: list[int], limit: int) -> list[int]:
    """The values (one or more) inside ±limit; few are outside, so a look first is quicker."""
    if max(values) > limit or min(values) < -limit:
        return [min(max(value, -limit), limit) for value in values]
    return values
