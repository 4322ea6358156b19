"""Words and tables of docs/format-coding.md, from the formulas that stand there.

Decimal arithmetic of 40 digits rounds every entry the same on any machine; the CRC-32 that
the document gives for each table is checked on import.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext


def clip(x: int, low: int, high: int | None = None) -> int:
    """x kept in low … high, or in −low … low."""
    if high is None:
        low, high = -low, low
    return low if x < low else min(x, high)


def quotient(x: int, w: int) -> int:
    """x / w towards 0."""
    return x // w if x >= 0 else -(-x // w)


def int32(x: int) -> int:
    return clip(x, -(2**31), 2**31 - 1)


def _table(check: int, entries: Iterable[int], formula: Callable[[Decimal], Decimal]) -> list[int]:
    with localcontext() as context:
        context.prec = 40
        table = [
            int(formula(Decimal(i)).to_integral_value(rounding=ROUND_HALF_EVEN)) for i in entries
        ]
    assert zlib.crc32(struct.pack(f"<{len(table)}i", *table)) == check
    return table


def _log_odds(i: Decimal) -> Decimal:
    p = (i + Decimal("0.5")) / 4096
    return min(max(256 * (p / (1 - p)).ln(), Decimal(-2047)), Decimal(2047))


def _log_expm1(i: Decimal) -> Decimal:
    return 256 * (((i or Decimal("0.5")) / 256).exp() - 1).ln()


LOG8 = _table(0xE5298609, range(4096), lambda i: 8 * i.ln() / Decimal(2).ln() if i else i)
MANTISSA = _table(0x176235F9, range(8), lambda i: Decimal("26214.4") * Decimal(2) ** (-i / 8))
GAIN = _table(0x7BD3F62E, range(8), lambda i: 16384 * Decimal(2) ** (-i / 8))
SOFTPLUS = _table(
    0xC23F5850, range(8193), lambda i: 256 * (1 + ((4096 - i) / 256).exp()).ln()
)  # fmt: skip
LOG_EXPM1 = _table(0xA7565CBE, range(4096), _log_expm1)
SQUASH = _table(0x761C8FCF, range(4096), lambda i: 65536 / (1 + ((2048 - i) / 256).exp()))
STRETCH = _table(0xCED71906, range(4096), _log_odds)
RATES = _table(0xB3FED48E, range(256), lambda i: 65536 / (i + Decimal("1.6")))


def log8(v: int) -> int:
    """8 · log2(v), rounded; 0 for 0."""
    octaves = 0
    while v >= 4096:
        v >>= 3
        octaves += 24
    return LOG8[v] + octaves
