"""Frames and messages as bytes: what is written can be read, and the limits hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream.errors import FormatError
from san_stream.reader import FrameReader, MessageReader
from san_stream.wire import (
    ANCILLARY,
    FIRST,
    HEADER_SIZE,
    LAST,
    MAX_FRAME,
    MAX_FRAMES,
    MAX_MESSAGE,
    MAX_PAYLOAD,
    OVERHEAD,
    RESET,
    SYNC,
    Frame,
    check_frame,
    crc8,
    pack_frame,
    pack_message,
    parse_head,
)

HEADS = st.tuples(st.integers(1, 15), st.integers(0, 15), st.integers(0, 255))


@given(HEADS, st.integers(0, 2**40), st.binary(max_size=300))
def test_frame_round_trip(head: tuple[int, int, int], block: int, payload: bytes) -> None:
    kind, flags, stream = head
    data = pack_frame(kind, flags, stream, block, payload)
    assert len(data) == OVERHEAD + len(payload)
    assert parse_head(data, 0) == (kind, flags, stream, block % 65536, len(payload))
    assert check_frame(data, 0, len(payload))
    frame = Frame(kind, flags, stream, block % 65536, payload)
    reader = FrameReader()
    assert reader.push(data) + reader.close() == [frame]
    assert pack_frame(frame.kind, frame.flags, frame.stream, frame.block, frame.payload) == data


@pytest.mark.parametrize("size", [0, 1, MAX_PAYLOAD - 1, MAX_PAYLOAD])
def test_payload_sizes(size: int) -> None:
    reader = FrameReader()
    (frame,) = reader.push(pack_frame(2, 3, 0, 0, bytes(size)))
    assert isinstance(frame, Frame)
    assert frame.payload == bytes(size)
    assert frame.size <= MAX_FRAME


def test_payload_above_the_limit_is_refused() -> None:
    with pytest.raises(FormatError, match="4097 bytes, at most 4096"):
        pack_frame(2, 3, 0, 0, bytes(MAX_PAYLOAD + 1))


@pytest.mark.parametrize("length", [MAX_PAYLOAD + 1, 2**15, 2**16 - 1])
def test_forged_length_is_no_head(length: int) -> None:
    head = bytes((SYNC, 0x23, 0, 0, 0)) + length.to_bytes(2, "little")
    assert parse_head(head + bytes((crc8(head),)), 0) is None


def test_kind_zero_is_no_head() -> None:
    head = bytes((SYNC, 0x03, 0, 0, 0, 0, 0))
    assert parse_head(head + bytes((crc8(head),)), 0) is None


@pytest.mark.parametrize("bit", range(8 * HEADER_SIZE))
def test_every_bit_of_a_head_is_checked(bit: int) -> None:
    data = bytearray(pack_frame(2, 3, 7, 300, b"abc"))
    data[bit // 8] ^= 1 << bit % 8
    assert parse_head(data, 0) is None


@pytest.mark.parametrize(
    ("size", "frames"),
    [
        (0, 1),
        (MAX_PAYLOAD, 1),
        (MAX_PAYLOAD + 1, 2),
        (2 * (MAX_PAYLOAD - 1), 2),
        (2 * (MAX_PAYLOAD - 1) + 1, 3),
        (MAX_MESSAGE, MAX_FRAMES),
    ],
)
def test_message_sizes(size: int, frames: int) -> None:
    content = bytes(i % 251 for i in range(size))
    data = pack_message(2, RESET, 3, 70000, content)
    (message,) = MessageReader().push(data)
    assert len(data) == size + frames * OVERHEAD + (frames if frames > 1 else 0)
    assert message.content == content
    assert (message.kind, message.stream, message.block) == (2, 3, 70000 - 65536)
    assert (message.reset, message.ancillary, message.size) == (True, False, len(data))


def test_message_above_the_limit_is_refused() -> None:
    with pytest.raises(FormatError, match=f"message of {MAX_MESSAGE + 1} bytes"):
        pack_message(2, 0, 0, 0, bytes(MAX_MESSAGE + 1))


def test_flags_of_a_long_message() -> None:
    reader = FrameReader()
    frames = reader.push(pack_message(6, ANCILLARY, 0, 0, bytes(9000)))
    assert [frame.flags for frame in frames] == [ANCILLARY | FIRST, ANCILLARY, ANCILLARY | LAST]
    assert [frame.payload[0] for frame in frames] == [0, 1, 2]
