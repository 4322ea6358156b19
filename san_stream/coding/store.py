"""Types of the stores that the coding functions work on."""

from __future__ import annotations

from collections.abc import MutableSequence

Integers = MutableSequence[int]
"""A list of ints (plain Python) or an int64 array (compiled)."""
Octets = MutableSequence[int]
"""A bytearray (plain Python) or a uint8 array (compiled)."""
