"""Make san_stream/coding/tables.bin: the integer tables of the coder, rounded from exact values.

Run it after a change, and write the checksums that it prints into docs/format-coding.md and
tests/unit/coding/test_tables.py. Decimal arithmetic with 40 digits, so that no library's
rounding of exp and log takes part.
"""

from __future__ import annotations

import struct
import zlib
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

getcontext().prec = 40
TARGET: Final = Path(__file__).parents[1] / "san_stream" / "coding" / "tables.bin"
TWO: Final = Decimal(2)


def rounded(value: Decimal) -> int:
    """To the nearest integer."""
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def clipped(value: int, low: int, high: int) -> int:
    """Into [low, high]."""
    return min(max(value, low), high)


def log8(i: int) -> int:
    """8 · log2(i)."""
    return rounded(8 * Decimal(i).ln() / TWO.ln()) if i else 0


def softplus(i: int) -> int:
    """256 · ln(1 + e^-z), z = (i - 4096) / 256."""
    return rounded(256 * (1 + (Decimal(4096 - i) / 256).exp()).ln())


def log_expm1(i: int) -> int:
    """256 · ln(e^d - 1), d = i / 256, half a step for 0."""
    return rounded(256 * ((max(Decimal(i), Decimal("0.5")) / 256).exp() - 1).ln())


def squash(i: int) -> int:
    """65536 / (1 + e^-z), z = (i - 2048) / 256, kept 16 away from 0 and 65536."""
    return clipped(rounded(65536 / (1 + (Decimal(2048 - i) / 256).exp())), 16, 65519)


def stretch(i: int) -> int:
    """256 · ln(p / (1 - p)), p = (i + 1/2) / 4096."""
    odds = (Decimal(i) + Decimal("0.5")) / (Decimal("4095.5") - i)
    return clipped(rounded(256 * odds.ln()), -2047, 2047)


def mantissa(i: int) -> int:
    """1.6 · 2^14 · 2^(-i/8): the reciprocal of a scale, for the logistic law."""
    return rounded(Decimal("26214.4") * TWO ** (-Decimal(i) / 8))


def gain(i: int) -> int:
    """2^14 · 2^(-i/8)."""
    return rounded(16384 * TWO ** (-Decimal(i) / 8))


def rate(n: int) -> int:
    """65536 / (n + 1.6): the step of an adaptive probability that has seen n bits."""
    return rounded(65536 / (n + Decimal("1.6")))


TABLES: Final[list[tuple[str, int, Callable[[int], int]]]] = [
    ("LOG8", 4096, log8),
    ("MANTISSA", 8, mantissa),
    ("GAIN", 8, gain),
    ("SOFTPLUS", 8193, softplus),
    ("LOG_EXPM1", 4096, log_expm1),
    ("SQUASH", 4096, squash),
    ("STRETCH", 4096, stretch),
    ("RATES", 256, rate),
]


def main() -> None:
    """Write the file and print each table's length and CRC-32 (of int32, little-endian)."""
    packed = b""
    for name, size, value in TABLES:
        raw = struct.pack(f"<{size}i", *(value(i) for i in range(size)))
        print(f"{name} {size} 0x{zlib.crc32(raw):08X}")
        packed += raw
    TARGET.write_bytes(zlib.compress(packed, 9))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
