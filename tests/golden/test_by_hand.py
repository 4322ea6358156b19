"""A whole stream written out by hand from docs/format.md, byte by byte.

One lead "A" in "V", preset lean, one sample a block, the sample -3 in a raw block, an event, a
gap, the end.
The coded bytes are 0x71 0x05: bits at probability one half come out inverted, so the raw flag 1,
the width 7 + 1 as 000111 and -3 + 128 as 01111101 are 0 111000 10000010, and a last 1 keeps
clear of the interval's ends.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from san_stream import Decoder, Gap, Lossless
from san_stream.headers import Header, pack_header
from san_stream.payloads import End, pack_end, pack_events, pack_gap
from san_stream.types import Event, Lead, StreamInfo
from san_stream.wire import FIRST, LAST, RESET, Frame, Kind, crc8, pack_frame, pack_message
from tests.golden import spec_decoder, spec_frames

HEADER = """d3 13 05 00 00 22 00 77  53 41 4e 00  00 00  01 01  00  01
    01 41  01 56  00 00 00 00 00 00 f0 3f  00 08 ff 01 fe 01 00  00 01 10 00 02  d1 eb 7f 9b"""
CODE = "d3 27 05 00 00 04 00 30  02 09  71 05  ca a3 81 af"
EVENTS = "d3 43 05 00 00 08 00 ab  00 01  00 00 01 4e 01 ff  fd 4a 16 82"
GAP = "d3 33 05 01 00 09 00 90  00 ac 02  04 6c 6f 73 74  00  d2 37 3b 93"
END = """d3 73 05 2d 01 26 00 f0  ad 02 01 01 01 00
    23 e9 82 9b fb 4e 23 fb d3 c4 84 8b aa 03 5a f1
    5d 73 bc b8 3e 51 0f 7f 09 7f 90 a2 1a 42 80 d2  1f ab 78 93"""
STREAM = bytes.fromhex(HEADER + CODE + EVENTS + GAP + END)
LEAD = Lead("A", "V", 1.0, 0, 8, -128, 127)


def test_decoder_reads_it() -> None:
    decoder = Decoder()
    got = decoder.push(STREAM) + decoder.close()
    assert [signal.digital.tolist() for signal in got if len(signal)] == [[[-3]]]
    assert [gap for signal in got for gap in signal.gaps] == [Gap(1, 300, "lost", 5)]
    assert [e for signal in got for e in signal.events] == [Event(0, "N", -1, -1, stream=5)]
    assert decoder.streams[5].digest_ok is True
    assert decoder.streams[5].position == 301
    assert got[0].info == StreamInfo(Fraction(1), (LEAD,), stream=5)


def test_decoder_of_the_document_reads_it() -> None:
    (stream,) = spec_decoder.decode(STREAM)
    assert stream.samples == [[-3]]
    assert stream.gaps == [(1, 300, "lost")]
    assert stream.ended


def test_the_product_writes_these_bytes() -> None:
    info = StreamInfo(Fraction(1), (LEAD,), stream=5)
    content = pack_header(Header(info, Lossless(), 1, 16))
    assert pack_message(Kind.HEADER, 0, 5, 0, content) == bytes.fromhex(HEADER)
    content = pack_events([Event(0, "N", subtype=-1)], 0, 0)
    assert pack_message(Kind.EVENTS, 0, 5, 0, content) == bytes.fromhex(EVENTS)
    assert pack_message(Kind.GAP, 0, 5, 1, pack_gap(Gap(1, 300), 1, None)) == bytes.fromhex(GAP)
    digest = bytes.fromhex(END)[-36:-4]
    content = pack_end(End(301, 1, 1, 1, None, digest))
    assert pack_message(Kind.END, 0, 5, 301, content) == bytes.fromhex(END)


def test_frame_of_code() -> None:
    payload = bytes.fromhex("02 09 71 05")
    assert pack_frame(2, FIRST | LAST | RESET, 5, 0, payload) == bytes.fromhex(CODE)
    assert Frame(2, 7, 5, 0, payload).size == len(bytes.fromhex(CODE))


@pytest.mark.parametrize(
    ("data", "check"),
    # Published values of the CRC-8 of AUTOSAR's profile H2F.
    [
        ("00 00 00 00", 0x12),
        ("f2 01 83", 0xC2),
        ("0f aa 00 55", 0xC6),
        ("00 ff 55 11", 0x77),
        ("33 22 55 aa bb cc dd ee ff", 0x11),
        ("92 6b 55", 0x33),
        ("ff ff ff ff", 0x6C),
        ("31 32 33 34 35 36 37 38 39", 0xDF),
    ],
)
def test_crc8_against_published_values(data: str, check: int) -> None:
    assert crc8(bytes.fromhex(data)) == check == spec_frames.crc8(bytes.fromhex(data))
