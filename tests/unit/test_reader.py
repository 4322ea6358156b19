"""Bytes to frames and messages: damage costs what it touches, and nothing else."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream.reader import Broken, Damage, FrameReader, Message, MessageReader
from san_stream.wire import (
    ANCILLARY,
    FIRST,
    HEADER_SIZE,
    LAST,
    MAX_FRAME,
    MAX_FRAMES,
    MAX_PAYLOAD,
    OVERHEAD,
    SYNC,
    Frame,
    check_frame,
    crc8,
    pack_frame,
    pack_message,
    parse_head,
)


def read(data: bytes, step: int | None = None) -> list[Frame | Damage]:
    reader = FrameReader()
    pieces = [data] if step is None else [data[i : i + step] for i in range(0, len(data), step)]
    return [item for piece in pieces for item in reader.push(piece)] + reader.close()


def frame(number: int, size: int = 20) -> bytes:
    """A frame whose payload tells its number and is full of sync bytes."""
    return pack_frame(2, 3, 1, number, bytes((number,)) + bytes((SYNC,)) * (size - 1))


def forged(length: int, kind: int = 2) -> bytes:
    """A frame head with a correct CRC-8 and nothing behind it."""
    head = bytes((SYNC, kind << 4 | 3, 0, 0, 0)) + length.to_bytes(2, "little")
    return head + bytes((crc8(head),))


def numbers(items: list[Frame | Damage]) -> list[int]:
    return [item.payload[0] for item in items if isinstance(item, Frame)]


def covered(items: list[Frame | Damage]) -> int:
    """Bytes told of: frames and damages tile the input."""
    return sum(item.size if isinstance(item, Frame) else item.count for item in items)


@pytest.mark.parametrize("step", [None, 1, 7, 13])
def test_truncated_at_every_byte(step: int | None) -> None:
    parts = [frame(i, 5 + 3 * i) for i in range(12)]
    data, ends = b"".join(parts), [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    for cut in range(len(data) + 1):
        items = read(data[:cut], step)
        whole = sum(end <= cut for end in ends) - 1
        assert numbers(items) == list(range(whole))
        assert covered(items) == cut


def test_every_bit_of_three_frames() -> None:
    parts = [frame(i) for i in range(3)]
    data = b"".join(parts)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        items = read(bytes(damaged))
        hit = bit // 8 // len(parts[0])
        assert numbers(items) == [i for i in range(3) if i != hit]
        assert [type(item) for item in items].index(Damage) == hit
        assert covered(items) == len(data)


def test_frames_that_follow_a_forged_length() -> None:
    """A forged head claims the frames behind it until it proves wrong; none of them is lost."""
    data = frame(1) + forged(MAX_PAYLOAD) + b"".join(frame(i, 200) for i in range(2, 30))
    items = read(data, 10)
    assert numbers(items) == list(range(1, 30))
    assert [item for item in items if isinstance(item, Damage)] == [Damage(len(frame(1)), 8)]


def test_incomplete_frame_at_the_end_is_searched() -> None:
    reader = FrameReader()
    assert reader.push(forged(MAX_PAYLOAD) + frame(5)) == []
    assert reader.close() == [Damage(0, 8), Frame(2, 3, 1, 5, bytes((5,)) + bytes((SYNC,)) * 19)]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_in_any_pieces(data: bytes, step: int) -> None:
    assert read(data, step) == read(data)
    assert covered(read(data)) == len(data)


@given(
    st.lists(
        st.sampled_from([bytes((SYNC,)), forged(3), forged(4096), frame(1), frame(2, 9), b"\0"])
    )
)
def test_any_mixture_in_pieces(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert read(data, 1) == read(data, 11) == read(data)
    assert covered(read(data)) == len(data)


def test_no_two_damages_in_a_row() -> None:
    data = b"x" * 50 + frame(1) + b"\xd3" * 30 + forged(50) + b"y" + frame(2) + b"z"
    for step in (None, 1, 3):
        items = read(data, step)
        assert not any(isinstance(a, Damage) and isinstance(b, Damage) for a, b in pairwise(items))
        assert numbers(items) == [1, 2]


def test_reader_holds_at_most_a_frame_and_a_push() -> None:
    reader = FrameReader()
    data = (forged(MAX_PAYLOAD) + bytes(MAX_PAYLOAD + 3)) * 20
    for at in range(0, len(data), 100):
        reader.push(data[at : at + 100])
        assert len(reader._buffer) <= MAX_FRAME + 100


def test_memory_of_hostile_input() -> None:
    data = forged(MAX_PAYLOAD) * 2000
    tracemalloc.start()
    reader = FrameReader()
    for at in range(0, len(data), 1000):
        reader.push(data[at : at + 1000])
    reader.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**16


@pytest.mark.parametrize(
    "unit",
    [bytes((SYNC,)), forged(0), forged(MAX_PAYLOAD), forged(300) + bytes(3)],
    ids=["all sync", "forged, empty", "forged, largest", "forged, short"],
)
def test_hostile_cost_is_linear(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most one head looked at a byte, and one CRC-32 of 4 KiB an 8-byte head."""
    work = {"heads": 0, "summed": 0}

    def look(data: bytearray, at: int) -> object:
        work["heads"] += 1
        return parse_head(data, at)

    def check(data: bytearray, at: int, length: int) -> bool:
        work["summed"] += HEADER_SIZE + length
        return check_frame(data, at, length)

    monkeypatch.setattr("san_stream.reader.parse_head", look)
    monkeypatch.setattr("san_stream.reader.check_frame", check)
    for size in (2**12, 2**16):
        work.update(heads=0, summed=0)
        reader = FrameReader()
        reader.push((unit * (size // len(unit) + 1))[:size])
        reader.close()
        assert 0 < work["heads"] <= size
        assert work["summed"] <= size // HEADER_SIZE * (HEADER_SIZE + MAX_PAYLOAD)


# -- messages ------------------------------------------------------------------------------


def join(*frames: bytes) -> list[Message | Broken | Damage]:
    reader = MessageReader()
    return reader.push(b"".join(frames)) + reader.close()


def split(content: bytes, kind: int = 2, flags: int = 0, stream: int = 0) -> list[bytes]:
    """The frames of a message."""
    data = pack_message(kind, flags, stream, 9, content)
    step = OVERHEAD + MAX_PAYLOAD
    return [data[i : i + step] for i in range(0, len(data), step)]


LONG = bytes(i % 253 for i in range(9000))


def contents(items: list[Message | Broken | Damage]) -> list[bytes]:
    return [item.content for item in items if isinstance(item, Message)]


def test_missing_middle_frame_loses_the_message() -> None:
    first, middle, last = split(LONG)
    items = join(first, last, *split(b"next"))
    assert contents(items) == [b"next"]
    assert items[0] == Broken(0, len(first) + len(last))
    assert len(middle) > 0


def test_missing_first_frame_loses_the_message() -> None:
    _, middle, last = split(LONG)
    items = join(middle, last, *split(b"next"))
    assert contents(items) == [b"next"]
    assert sum(item.size for item in items if isinstance(item, Broken)) == len(middle) + len(last)


def test_missing_last_frame_loses_the_message() -> None:
    first, middle, _ = split(LONG)
    items = join(first, middle, *split(b"next"))
    assert items[0] == Broken(0, len(first) + len(middle))
    assert contents(items) == [b"next"]


def test_unfinished_message_at_the_end() -> None:
    first, middle, _ = split(LONG)
    assert join(first, middle) == [Broken(0, len(first) + len(middle))]


def test_repeated_frame_loses_the_message() -> None:
    first, middle, last = split(LONG)
    assert contents(join(first, middle, middle, last, *split(b"next"))) == [b"next"]


def test_swapped_frames_lose_the_message() -> None:
    first, middle, last = split(LONG)
    assert contents(join(first, last, middle, *split(b"next"))) == [b"next"]


def test_frames_of_two_messages_do_not_mix() -> None:
    a, b = split(LONG), split(LONG[::-1], kind=4)
    assert contents(join(a[0], b[1], a[2])) == []
    assert contents(join(a[0], a[1], *b)) == [LONG[::-1]]


def test_ancillary_message_between_the_frames_of_a_critical_one() -> None:
    critical, ancillary = split(LONG), split(LONG[::-1], 6, ANCILLARY)
    mixed = [part for pair in zip(critical, ancillary, strict=True) for part in pair]
    items = join(*mixed)
    assert contents(items) == [LONG, LONG[::-1]]
    assert [item.ancillary for item in items if isinstance(item, Message)] == [False, True]


def test_streams_interleave() -> None:
    a, b = split(LONG, stream=1), split(LONG[::-1], stream=2)
    mixed = [part for pair in zip(a, b, strict=True) for part in pair]
    assert contents(join(*mixed)) == [LONG, LONG[::-1]]


def test_message_of_64_frames_and_no_more() -> None:
    parts = [pack_frame(2, FIRST, 0, 0, b"\0")]
    parts += [pack_frame(2, 0, 0, 0, bytes((i,))) for i in range(1, MAX_FRAMES - 1)]
    assert contents(join(*parts, pack_frame(2, LAST, 0, 0, bytes((MAX_FRAMES - 1,))))) == [b""]
    parts.append(pack_frame(2, 0, 0, 0, bytes((MAX_FRAMES - 1,))))
    assert contents(join(*parts, pack_frame(2, LAST, 0, 0, bytes((MAX_FRAMES,))))) == []


def test_frame_without_a_number_loses_the_message() -> None:
    assert contents(join(pack_frame(2, FIRST, 0, 0, b""), pack_frame(2, LAST, 0, 0, b"\1"))) == []


def test_every_byte_is_told_of() -> None:
    parts = [*split(LONG), b"junk", split(LONG)[1], *split(b"x"), split(LONG)[0]]
    items = join(*parts)
    told = sum(item.count if isinstance(item, Damage) else item.size for item in items)
    assert told == sum(map(len, parts))


def test_unfinished_messages_hold_at_most_4_mib_together() -> None:
    reader = MessageReader()
    body = bytes(MAX_PAYLOAD - 1)
    out: list[Message | Broken | Damage] = []
    for stream in range(256):
        for number in range(30):
            flags = FIRST if number == 0 else 0
            out += reader.push(pack_frame(2, flags, stream, 0, bytes((number,)) + body))
    broken = sum(item.size for item in out if isinstance(item, Broken))
    sent = 256 * 30 * (MAX_PAYLOAD + OVERHEAD)
    assert sent - 4 * 2**20 <= broken < sent
    rest = reader.close()
    assert sum(item.size for item in rest if isinstance(item, Broken)) == sent - broken
