"""The integer tables: pinned by checksum, and compared with floating point."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable

import pytest

from san_stream.coding import tables

CHECKSUMS = {
    "LOG8": (4096, 0xE5298609),
    "MANTISSA": (8, 0x176235F9),
    "GAIN": (8, 0x7BD3F62E),
    "SOFTPLUS": (8193, 0xC23F5850),
    "LOG_EXPM1": (4096, 0xA7565CBE),
    "SQUASH": (4096, 0x761C8FCF),
    "STRETCH": (4096, 0xCED71906),
    "RATES": (256, 0xB3FED48E),
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_table_is_the_published_one(name: str) -> None:
    table = getattr(tables, name)
    size, checksum = CHECKSUMS[name]
    assert len(table) == size
    assert zlib.crc32(struct.pack(f"<{size}i", *table)) == checksum
    assert all(type(value) is int for value in table)


def _squash(i: int) -> float:
    return min(max(65536 / (1 + math.exp((2048 - i) / 256)), 16), 65519)


def _stretch(i: int) -> float:
    return min(max(256 * math.log((i + 0.5) / (4095.5 - i)), -2047), 2047)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG8", lambda i: 8 * math.log2(i) if i else 0),
        ("MANTISSA", lambda i: 1.6 * 2 ** (14 - i / 8)),
        ("GAIN", lambda i: 2 ** (14 - i / 8)),
        ("SOFTPLUS", lambda i: 256 * math.log1p(math.exp((4096 - i) / 256))),
        ("LOG_EXPM1", lambda i: 256 * math.log(math.expm1(max(i, 0.5) / 256))),
        ("SQUASH", _squash),
        ("STRETCH", _stretch),
        ("RATES", lambda n: 65536 / (n + 1.6)),
    ],
)
def test_every_entry_is_the_nearest_integer(name: str, value: Callable[[int], float]) -> None:
    for i, entry in enumerate(getattr(tables, name)):
        assert abs(entry - value(i)) <= 0.5 + 1e-6, (name, i)


def test_squash_undoes_stretch() -> None:
    for i in range(40, 4056):
        back = tables.SQUASH[tables.STRETCH[i] + 2048]
        assert abs(back - (16 * i + 8)) <= 40
