"""Contents of CODE, GAP, EVENTS and END: round trips, limits, and values that lie."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream import Decoder, Lossless, Signal, Spikes
from san_stream.coding.core import PLAIN
from san_stream.coding.layers import Block
from san_stream.coding.range_coder import ERROR
from san_stream.coding.stream import StreamCoder
from san_stream.errors import FormatError
from san_stream.fields import Scanner, text, varint, zigzag
from san_stream.headers import Header, pack_header
from san_stream.payloads import (
    End,
    pack_code,
    pack_end,
    pack_events,
    pack_gap,
    unpack_code,
    unpack_end,
    unpack_events,
    unpack_gap,
)
from san_stream.profiles import PRESETS
from san_stream.types import Event, Gap
from san_stream.wire import RESET, Kind, pack_message
from tests.golden import signals

POSITIONS = st.integers(0, 2**62 - 1)
LOSSES = st.none() | st.lists(st.integers(0, 255), min_size=3, max_size=3).map(tuple)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=16)
SIZES = (2**16 - 1, 2**32 - 1, 2**62, 2**63 - 1)


@given(st.integers(0, 2**63 - 1), st.integers(-(2**62), 2**62 - 1))
def test_numbers_round_trip(unsigned: int, signed: int) -> None:
    scan = Scanner(varint(unsigned) + zigzag(signed))
    assert (scan.varint(2**63), scan.zigzag()) == (unsigned, signed)
    scan.end()


def test_numbers_that_break_a_rule() -> None:
    for data in (b"", b"\x80", b"\x80" * 9, b"\xff" * 10 + b"\1"):
        with pytest.raises(FormatError):
            Scanner(data).varint()
    with pytest.raises(FormatError, match="above the limit 5"):
        Scanner(b"\6").varint(5)
    with pytest.raises(FormatError, match="1 bytes left over"):
        Scanner(b"\0").end()
    with pytest.raises(FormatError, match="not UTF-8"):
        Scanner(b"\2\xc3\x28").text(9)


@given(st.integers(0, 2**50), st.integers(1, 5000), st.integers(1, 700), st.booleans())
def test_code_prefix_round_trip(first: int, count: int, block: int, begins: bool) -> None:
    content = pack_code(first, count, block, frozenset((3, 5)), b"coded", run_begins=begins)
    prefix = unpack_code(content, first // block * block, block, 2)
    assert (prefix.first, prefix.count, prefix.run_begins) == (first, count, begins)
    assert prefix.layers == {3, 5}
    assert content[prefix.coded :] == b"coded"
    for cut in range(prefix.coded):
        with pytest.raises(FormatError):
            unpack_code(content[:cut], first // block * block, block, 2)


@pytest.mark.parametrize(
    ("leads", "block", "tiling", "fits"),
    [
        (1, 50, varint(0), False),
        (1, 50, varint(2), True),
        (1, 32768, varint(16), True),
        (1, 32768, varint(18), False),
        (255, 128, varint(1) + varint(1028), True),
        (255, 128, varint(1) + varint(1029), False),
        (1, 50, varint(99) + varint(1), True),
        (1, 50, varint(101) + varint(1), False),
        (1, 50, varint(1) + varint(0), False),
        *((1, 50, varint(size - size % 2), False) for size in SIZES),
        *((1, 50, varint(1) + varint(size), False) for size in SIZES[1:]),
        *((1, 50, varint(size) + varint(1), False) for size in SIZES[:2]),
    ],
)
def test_limits_of_code(leads: int, block: int, tiling: bytes, fits: bool) -> None:
    if fits:
        unpack_code(tiling + b"\x08", 0, block, leads)
    else:
        with pytest.raises(FormatError):
            unpack_code(tiling + b"\x08", 0, block, leads)


def test_extensions_of_code() -> None:
    one = bytes((5,)) + varint(3) + b"abc"
    prefix = unpack_code(b"\2\x88" + varint(16) + one * 16 + b"coded", 0, 50, 1)
    assert prefix.skipped == (5,) * 16
    assert prefix.layers == {3}
    for bad in (varint(17) + one * 17, varint(2) + one, varint(1) + b"\5" + varint(2**32 - 1)):
        with pytest.raises(FormatError):
            unpack_code(b"\2\x88" + bad, 0, 50, 1)


@given(POSITIONS, st.integers(1, 2**40), TEXTS, LOSSES, st.integers(1, 32768))
def test_gap_round_trip(
    first: int, count: int, reason: str, losses: tuple[int, ...] | None, block: int
) -> None:
    first = min(first, 2**62 - 1 - count)
    origin = first // block * block
    gap = Gap(first, count, reason, 7)
    assert unpack_gap(pack_gap(gap, origin, losses), origin, block, 3, 7) == (gap, losses)


@pytest.mark.parametrize(
    "content",
    [
        varint(50) + varint(1) + text("x") + b"\0",
        varint(0) + varint(0) + text("x") + b"\0",
        varint(0) + varint(2**62 - 100) + text("x") + b"\0",
        varint(0) + varint(1) + text("x" * 65) + b"\0",
        varint(0) + varint(1) + text("\r") + b"\0",
        varint(0) + varint(1) + text("x") + b"\2",
        varint(0) + varint(1) + text("x") + b"\1\0\0",
        varint(0) + varint(1) + text("x") + b"\0\0",
        *(varint(size) + varint(1) + text("x") + b"\0" for size in SIZES),
    ],
)
def test_gap_that_breaks_a_rule(content: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_gap(content, 100, 50, 3, 0)


@st.composite
def events(draw: st.DrawFn) -> Event:
    small = st.integers(-128, 127)
    return Event(
        draw(POSITIONS), draw(TEXTS.filter(lambda s: len(s.encode()) <= 8)),
        draw(st.integers(-1, 254)), draw(small), draw(small), draw(POSITIONS),
        draw(TEXTS), 3,
    )  # fmt: skip


@given(st.lists(events(), max_size=5), POSITIONS, POSITIONS)
def test_events_round_trip(listed: list[Event], before: int, origin: int) -> None:
    content = pack_events(listed, before, origin)
    assert unpack_events(content, origin, 255, 3) == (tuple(listed), before)
    for cut in range(0, len(content), 3):
        with pytest.raises(FormatError):
            unpack_events(content[:cut], origin, 255, 3)


ONE_EVENT = zigzag(5) + varint(0) + text("N")


@pytest.mark.parametrize(
    "content",
    [
        varint(2**12 + 1) + (ONE_EVENT + b"\0") * (2**12 + 1),
        varint(1) + ONE_EVENT + b"\x10",
        varint(1) + zigzag(-6) + varint(0) + text("N") + b"\0",
        varint(1) + zigzag(2**62) + varint(0) + text("N") + b"\0",
        varint(1) + zigzag(0) + varint(256) + text("N") + b"\0",
        varint(1) + zigzag(0) + varint(0) + text("123456789") + b"\0",
        varint(1) + ONE_EVENT + b"\4" + varint(2**62),
        varint(1) + ONE_EVENT + b"\x08" + text("x" * 1025),
        varint(1) + ONE_EVENT + b"\x08" + text("a\nb"),
        varint(1) + ONE_EVENT + b"\0\0",
        *(varint(size) for size in SIZES),
    ],
)
def test_events_that_break_a_rule(content: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_events(varint(0) + content, 0, 255, 0)


def test_most_events_of_a_message() -> None:
    content = varint(0) + varint(2**12) + (ONE_EVENT + b"\0") * 2**12
    assert len(unpack_events(content, 0, 255, 0)[0]) == 2**12


@given(
    st.builds(
        End,
        position=POSITIONS,
        samples=POSITIONS,
        gaps=POSITIONS,
        events=POSITIONS,
        losses=LOSSES,
        digest=st.binary(min_size=32, max_size=32),
    )
)
def test_end_round_trip(end: End) -> None:
    content = pack_end(end)
    assert unpack_end(content, 3) == end
    for bad in (content[:-1], content + b"\0"):
        with pytest.raises(FormatError):
            unpack_end(bad, 3)


# -- contents that keep the rules of bytes and lie about values ------------------------------

INFO = signals.stream_info(1, minimum=-2000, maximum=2000)
HEADERS = {
    **{preset: Header(INFO, Lossless(preset), 64, 64) for preset in PRESETS},
    "lossless": Header(INFO, Lossless("tiny"), 64, 64),  # the one whose stores are made soonest
    "spikes": Header(INFO, Spikes(signals.zero_sum_kernels()), 64, 64, assignment=(0,)),
}


def code(header: Header, **codes: Any) -> bytes:
    """A CODE message of one block, whatever its codes say."""
    coder = StreamCoder(header, PLAIN)
    coder.reset()
    coder.restart()
    coder.begin_message()
    try:
        coder.write(Block(0, 64, **codes), lambda: None)
    except FormatError:
        coder._state[ERROR] = 0  # what the writer refuses is what the reader has to meet
    content = pack_code(0, 64, 64, coder.layers, coder.end_message(), run_begins=True)
    return pack_message(Kind.CODE, RESET, 0, 0, content)


def spikes(**change: Any) -> bytes:
    none: list[Any] = [([], []), ([], [])]
    return code(
        HEADERS["spikes"],
        **({"baselines": [[0, 0, 0]], "spikes": [none], "losses": [[100]]} | change),
    )


def decode(kind: str, *messages: bytes) -> tuple[list[Signal], Decoder]:
    decoder = Decoder()
    got = decoder.push(pack_message(Kind.HEADER, 0, 0, 0, pack_header(HEADERS[kind])))
    for message in messages:
        got += decoder.push(message)
    return got + decoder.close(), decoder


def test_codes_that_keep_the_rules_are_read() -> None:
    got, _ = decode("spikes", spikes())
    assert sum(map(len, got)) == 64
    got, _ = decode("lossless", code(HEADERS["lossless"], samples=[[5] * 64]))
    assert sum(map(len, got)) == 64


@pytest.mark.parametrize(
    "message",
    [
        *(spikes(losses=[[x]]) for x in (-1, 256, 2**20, 2**33, -(2**33))),
        *(spikes(baselines=[[x, 0, 0]]) for x in (2**31, -(2**31) - 1, 2**33, -(2**33))),
        *(spikes(baselines=[[0, 0, x]]) for x in (2**31, -(2**31) - 1)),
        *(spikes(spikes=[[([3], [x]), ([], [])]]) for x in (0, 2**32 + 1, -(2**32) - 1)),
    ],
)
def test_codes_outside_their_limits_are_refused(message: bytes) -> None:
    got, decoder = decode("spikes", message)
    assert sum(map(len, got)) == 0
    assert [n for s in got for n in s.notices if "break a rule" in n]
    assert [(g.first, g.count) for s in got for g in s.gaps] == [(0, 64)]
    assert decoder.streams[0].complete is False


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**33, -(2**33)])
def test_samples_outside_int32_are_clipped(preset: str, value: int) -> None:
    got, _ = decode(preset, code(HEADERS[preset], samples=[[5] * 63 + [value]]))
    (signal,) = (s for s in got if len(s))
    assert signal.digital[:, 0].tolist() == [5] * 63 + [min(max(value, -(2**31)), 2**31 - 1)]


def test_coded_bytes_that_end_early() -> None:
    """Zeros past the end are part of the code, but no more than 8 of them."""
    whole = code(HEADERS["lossless"], samples=[[9999 * (i % 2) + i * i for i in range(64)]])
    content = whole[8:-4]
    for cut in range(len(content) - 2):
        short = pack_message(Kind.CODE, RESET, 0, 0, content[: len(content) - cut])
        got, _ = decode("lossless", short)
        told = sum(g.count for s in got for g in s.gaps)
        assert told + sum(map(len, got)) == 64
        assert (told == 64) or cut <= 8
    assert len(content) > 40


def far_gaps(count: int) -> list[bytes]:
    """Gaps that would lead beyond 2^62, one behind the other."""
    out, at = [], 0
    for _ in range(count):
        content = pack_gap(Gap(at % 64, 2**62 - 1), 0, None)
        out.append(pack_message(Kind.GAP, 0, 0, at // 64, content))
        at += 2**62 - 1
    return out


@pytest.mark.parametrize("count", [1, 2, 3])
def test_positions_stay_below_the_limit(count: int) -> None:
    message = code(HEADERS["lossless"], samples=[[5] * 64])
    got, decoder = decode("lossless", *far_gaps(count), message)
    assert decoder.streams[0].position < 2**62
    assert all(g.first + g.count < 2**62 for s in got for g in s.gaps)


@pytest.mark.parametrize("start", [2**61, 2**62 - 1, 2**62])
def test_repeated_header_far_ahead(start: int) -> None:
    header = Header(INFO, Lossless(), 64, 64, start, repeat=True)
    got, decoder = decode("lossless", pack_message(Kind.HEADER, 0, 0, 0, pack_header(header)))
    refused = start == 2**62
    assert decoder.streams[0].position == (0 if refused else start)
    assert bool([n for s in got for n in s.notices if "refused" in n]) == refused


def test_end_that_lies_far_ahead() -> None:
    for position in (2**62 - 1, 2**62):
        end = pack_end(End(position, 0, 0, 0, None, bytes(32)))
        got, decoder = decode("lossless", pack_message(Kind.END, 0, 0, 0, end))
        assert decoder.streams[0].digest_ok is None
        assert sum(g.count for s in got for g in s.gaps) == (position if position < 2**62 else 0)


def test_memory_of_forged_counts() -> None:
    contents = [(Kind.CODE, varint(size - size % 2) + b"\x08") for size in SIZES]
    contents += [(Kind.CODE, varint(2 * 4096) + b"\x08" + b"\x55" * 40)]
    contents += [(Kind.GAP, varint(0) + varint(1) + varint(size)) for size in SIZES]
    contents += [(Kind.EVENTS, varint(0) + varint(size)) for size in SIZES]
    contents += [(Kind.END, varint(size) * 4 + b"\0" + bytes(32)) for size in SIZES]
    for kind, content in contents:
        tracemalloc.start()
        decode("lossless", pack_message(kind, RESET, 0, 0, content))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20
