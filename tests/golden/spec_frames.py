"""Frames, messages and field types, read as docs/format.md has them; undamaged bytes only."""

from __future__ import annotations

import struct
import zlib

HEADER, CODE, GAP, EVENTS, STATE, INDEX, END, SESSION = range(1, 9)
FIRST, LAST, RESET, ANCILLARY = 1, 2, 4, 8


def crc8(data: bytes) -> int:
    """Polynomial 0x2F, initial 0xFF, final XOR 0xFF, not reflected."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x12F if crc & 0x80 else 0)
    return crc ^ 0xFF


def messages(data: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """Messages of undamaged bytes as (kind, flags of the first frame, stream, block, content)."""
    found = []
    parts: dict[int, list[bytes]] = {}
    at = first_flags = 0
    while at < len(data):
        sync, kind_flags, stream, block, length, check = struct.unpack_from("<BBBHHB", data, at)
        end = at + 8 + length
        assert sync == 0xD3
        assert length <= 4096
        assert crc8(data[at : at + 7]) == check
        assert struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[at:end])
        kind, flags = kind_flags >> 4, kind_flags & 15
        payload = data[at + 8 : end]
        at = end + 4
        if flags & 3 == 3:
            found.append((kind, flags, stream, block, payload))
            continue
        if flags & FIRST:
            parts[stream] = []
            first_flags = flags
        assert payload[0] == len(parts[stream])
        parts[stream].append(payload[1:])
        if flags & LAST:
            found.append((kind, first_flags, stream, block, b"".join(parts[stream])))
    return found


class Fields:
    """The field types, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def float64(self) -> float:
        (value,) = struct.unpack("<d", self.take(8))
        return float(value)

    def optional(self) -> int | None:
        return self.zigzag() if self.byte() else None

    def text(self) -> str:
        return self.take(self.varint()).decode()
