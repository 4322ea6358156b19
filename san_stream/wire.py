"""Frames and messages: the bytes on the wire, both directions (docs/format.md, "Frames").

Pure functions and constants; reading with resynchronisation is in `san_stream.reader`,
the contents of messages in `san_stream.payloads`.
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from san_stream.errors import FormatError

SYNC: Final = 0xD3
HEADER_SIZE: Final = 8
TRAILER_SIZE: Final = 4
OVERHEAD: Final = HEADER_SIZE + TRAILER_SIZE
MAX_PAYLOAD: Final = 4096
MAX_FRAME: Final = OVERHEAD + MAX_PAYLOAD
MAX_FRAMES: Final = 64
MAX_MESSAGE: Final = MAX_FRAMES * (MAX_PAYLOAD - 1)
BLOCK_MODULUS: Final = 1 << 16

_HEAD = struct.Struct("<BBBHH")


class Kind(enum.IntEnum):
    """What a message is about."""

    HEADER = 1
    CODE = 2
    GAP = 3
    EVENTS = 4
    STATE = 5
    INDEX = 6
    END = 7
    SESSION = 8


FIRST: Final = 1
LAST: Final = 2
RESET: Final = 4
ANCILLARY: Final = 8


def _crc8_table(polynomial: int) -> bytes:
    table = bytearray(256)
    for i in range(256):
        value = i
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & 0x80 else value << 1) & 0xFF
        table[i] = value
    return bytes(table)


_CRC8 = _crc8_table(0x2F)


def crc8(data: bytes | bytearray | memoryview) -> int:
    """CRC-8 with polynomial 0x2F, initial value and final XOR 0xFF (AUTOSAR's H2F)."""
    value = 0xFF
    for byte in data:
        value = _CRC8[value ^ byte]
    return value ^ 0xFF


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame whose checksums are right.

    Attributes:
        kind: message kind, 1 to 15 (not only the known ones).
        flags: FIRST, LAST, RESET, ANCILLARY.
        stream: 0 to 255. block: 0 to 65535, modulo 65536.
        payload: 0 to 4,096 bytes.
    """

    kind: int
    flags: int
    stream: int
    block: int
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return OVERHEAD + len(self.payload)


def pack_frame(kind: int, flags: int, stream: int, block: int, payload: bytes) -> bytes:
    """One frame with its checksums.

    Raises:
        FormatError: the payload is longer than 4,096 bytes.
    """
    if len(payload) > MAX_PAYLOAD:
        raise FormatError(f"payload of {len(payload)} bytes, at most {MAX_PAYLOAD} fit a frame")
    head = _HEAD.pack(SYNC, kind << 4 | flags, stream, block % BLOCK_MODULUS, len(payload))
    body = head + bytes((crc8(head),)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def pack_message(kind: int, flags: int, stream: int, block: int, content: bytes) -> bytes:
    """All frames of one message.

    Args:
        kind: message kind. flags: RESET and ANCILLARY; FIRST and LAST are set here.
        stream: stream number. block: number of the block of its first sample.
        content: the message.

    Raises:
        FormatError: the content is longer than 64 frames hold.
    """
    if len(content) <= MAX_PAYLOAD:
        return pack_frame(kind, flags | FIRST | LAST, stream, block, content)
    if len(content) > MAX_MESSAGE:
        raise FormatError(f"message of {len(content)} bytes, at most {MAX_MESSAGE} are allowed")
    step = MAX_PAYLOAD - 1
    parts = [content[i : i + step] for i in range(0, len(content), step)]
    frames = []
    for number, part in enumerate(parts):
        place = (FIRST if number == 0 else 0) | (LAST if number == len(parts) - 1 else 0)
        frames.append(pack_frame(kind, flags | place, stream, block, bytes((number,)) + part))
    return b"".join(frames)


def parse_head(data: bytes | bytearray, at: int) -> tuple[int, int, int, int, int] | None:
    """Kind, flags, stream, block and payload length of the frame head at `at`.

    None where the eight bytes there are no head. The caller has checked their number.
    """
    sync, kind_flags, stream, block, length = _HEAD.unpack_from(data, at)
    if sync != SYNC or length > MAX_PAYLOAD or kind_flags < 16:  # cheap tests first
        return None
    if crc8(data[at : at + 7]) != data[at + 7]:
        return None
    return kind_flags >> 4, kind_flags & 15, stream, block, length


def check_frame(data: bytes | bytearray, at: int, length: int) -> bool:
    """Whether the CRC-32 behind a frame's payload of `length` bytes is right."""
    end = at + HEADER_SIZE + length
    stated = int.from_bytes(data[end : end + TRAILER_SIZE], "little")
    return zlib.crc32(memoryview(data)[at:end]) == stated
