"""The integer tables of the coder (docs/format-coding.md, "Tables"), made by tools/make_tables.py.

LOG8[i]       8 · log2(i)
MANTISSA[f]   1.6 · 2^(14 - f/8)      reciprocal of a scale, for the logistic law
GAIN[f]       2^(14 - f/8)            reciprocal of a scale
SOFTPLUS[i]   256 · ln(1 + e^-z),     z = (i - 4096) / 256
LOG_EXPM1[i]  256 · ln(e^d - 1),      d = i / 256
SQUASH[i]     65536 / (1 + e^-z),     z = (i - 2048) / 256
STRETCH[i]    256 · ln(p / (1 - p)),  p = (i + 1/2) / 4096
RATES[n]      65536 / (n + 1.6)
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final

_SIZES: Final = (4096, 8, 8, 8193, 4096, 4096, 4096, 256)


def _load() -> list[list[int]]:
    raw = zlib.decompress(Path(__file__).with_name("tables.bin").read_bytes())
    tables, at = [], 0
    for size in _SIZES:
        tables.append(list(struct.unpack_from(f"<{size}i", raw, at)))
        at += 4 * size
    return tables


LOG8, MANTISSA, GAIN, SOFTPLUS, LOG_EXPM1, SQUASH, STRETCH, RATES = _load()
