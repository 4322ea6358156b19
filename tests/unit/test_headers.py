"""HEADER contents: what is written is read, and every limit holds before anything is allocated."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream import Decoder, Spikes
from san_stream.errors import FormatError
from san_stream.fields import optional, text, varint, zigzag
from san_stream.headers import Header, pack_header, unpack_header
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import (
    AIM_LIMITS,
    PREDICTED_ERROR,
    PRESETS,
    Bounded,
    Lossless,
    Profile,
    Quality,
)
from san_stream.types import Lead, StreamInfo
from san_stream.wire import pack_message

INT32 = st.integers(-(2**31), 2**31 - 1)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=16)


@st.composite
def leads(draw: st.DrawFn) -> Lead:
    low, high = sorted((draw(INT32), draw(INT32)))
    gain = draw(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
    unit = draw(NAMES.filter(lambda name: len(name.encode()) <= 16))
    return Lead(
        draw(NAMES), unit, gain, draw(INT32), draw(st.integers(1, 32)), low, high,
        draw(st.none() | INT32),
    )  # fmt: skip


@st.composite
def kernel_sets(draw: st.DrawFn) -> KernelSet:
    scale = draw(st.integers(0, 24))
    baseline = draw(st.none() | INT32)
    kernels = []
    for _ in range(draw(st.integers(1, 4))):
        taps = draw(st.lists(st.integers(-2000, 2000), min_size=1, max_size=15))
        taps += [-sum(taps)] if baseline is None else []
        kernels.append(Kernel(tuple(taps), draw(st.integers(1, 2**16))))
    return KernelSet(tuple(kernels), scale, draw(st.integers(0, 2 * scale)), baseline)


@st.composite
def bounds(draw: st.DrawFn, leads: int) -> Bounded:
    """Held by prediction, with a preset, or by transform and corrections, without."""
    most = draw(st.sampled_from((0, PREDICTED_ERROR, PREDICTED_ERROR + 1, 2**24)))
    errors = tuple(draw(st.integers(0, most)) for _ in range(leads))
    if max(errors) <= PREDICTED_ERROR:
        return Bounded(errors, draw(st.sampled_from(PRESETS)))
    return Bounded(errors)


@st.composite
def qualities(draw: st.DrawFn) -> Quality:
    aim = draw(st.sampled_from(sorted(AIM_LIMITS)))
    return Quality(**{aim: draw(st.floats(*AIM_LIMITS[aim]))})


@st.composite
def headers(draw: st.DrawFn) -> Header:
    rate = Fraction(draw(st.integers(1, 2**31 - 1)), draw(st.integers(1, 2**31 - 1)))
    chosen = tuple(draw(st.lists(leads(), min_size=1, max_size=4)))
    origin = draw(st.none() | st.datetimes(timezones=st.just(UTC)))
    info = StreamInfo(rate, chosen, origin, draw(st.integers(0, 255)))
    profile: Profile
    assignment: tuple[int, ...] = ()
    late = 0
    kind = draw(st.sampled_from((Lossless, Bounded, Quality, Spikes)))
    if kind is Lossless:
        profile = Lossless(draw(st.sampled_from(PRESETS)))
    elif kind is Bounded:
        profile = draw(bounds(len(chosen)))
        late = 0 if profile.predicted else draw(st.integers(0, 4096))
    elif kind is Quality:
        profile, late = draw(qualities()), draw(st.integers(0, 4096))
    else:
        sets = tuple(draw(st.lists(kernel_sets(), min_size=1, max_size=3)))
        units = {lead.unit for lead in chosen}
        unit = units.pop() if len(units) == 1 else ""
        tie = draw(st.sampled_from(("adjoint", "convolution")))
        profile = Spikes(Kernels(sets, rate, unit, tie))
        assignment = tuple(draw(st.integers(0, len(sets) - 1)) for _ in chosen)
    block = draw(st.integers(1, 32768 // len(chosen)))
    window = draw(st.integers(16, 2**20))
    start, repeat = draw(st.integers(0, 2**62 - 1)), draw(st.booleans())
    tables = 0 if kind is Spikes else draw(st.integers(0, 1))
    return Header(info, profile, block, window, start, repeat, assignment, late, tables)


@given(headers())
def test_round_trip(header: Header) -> None:
    content = pack_header(header)
    assert unpack_header(content, header.info.stream) == header
    assert pack_header(unpack_header(content, header.info.stream)) == content


@given(headers(), st.data())
def test_truncated_or_changed_it_is_read_or_refused(header: Header, data: st.DataObject) -> None:
    content = bytearray(pack_header(header))
    at = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(FormatError):
        unpack_header(bytes(content[:at]), 0)
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        read = unpack_header(bytes(content), 0)
    except FormatError:
        return
    assert isinstance(read, Header)


# -- limits: a header built field by field, one of them off ---------------------------------


def lead_fields(**change: Any) -> bytes:
    value: dict[str, Any] = {
        "name": text("I"),
        "unit": text("mV"),
        "gain": struct.pack("<d", 200.0),
        "baseline": zigzag(0),
        "bits": bytes((11,)),
        "minimum": zigzag(-1024),
        "maximum": zigzag(1023),
        "invalid": optional(None),
    }
    return b"".join((value | change).values())


def fields(**change: bytes) -> bytes:
    value = {
        "magic": b"SAN\0",
        "repeat": b"\0",
        "start": varint(0),
        "numerator": varint(360),
        "denominator": varint(1),
        "origin": optional(None),
        "leads": varint(1),
        "lead": lead_fields(),
        "profile": b"\0",
        "block": varint(360),
        "window": varint(1000),
        "tables": varint(0),
        "fields": b"\2",  # of the profile: lossless says its preset
        "extensions": b"",
    }
    return b"".join((value | change).values())


def kernel_fields(**change: bytes) -> dict[str, bytes]:
    """A model of one set of one kernel; its taps are all 0 and their coded bytes empty."""
    value = {
        "tie": b"\0",
        "delay": b"\4",
        "sets": varint(1),
        "scale": b"\x08",
        "step": b"\x04",
        "baseline": optional(None),
        "number": varint(1),
        "med": varint(10),
        "taps": varint(3),
        "coded": varint(0),
        "assignment": b"\0",
    }
    # All ones in the code are zeros on the wire: taps that are 0 are bits 0, so bytes 0xFF.
    value["coded"] = varint(1) + b"\xff"
    return {"profile": b"\1", "fields": b"".join((value | change).values())}


def test_the_fields_are_right() -> None:
    assert unpack_header(fields(), 0).info.rate == 360
    assert unpack_header(fields(), 0).profile == Lossless("lean")
    header = unpack_header(fields(**kernel_fields()), 0)
    assert isinstance(header.profile, Spikes)
    assert header.profile.kernels.sets[0].kernels == (Kernel((0, 0, 0), 10),)


TOO_LARGE = (2**16 - 1, 2**32 - 1, 2**62, 2**63 - 1)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("start", (0, 1, 2**62 - 1), (2**62, 2**63 - 1)),
        ("numerator", (1, 2**31 - 1), (0, 2**31, 2**32 - 1)),
        ("denominator", (1, 7), (0, 2, 2**31, 2**32 - 1)),
        ("leads", (1,), (0, 2, 255, 256, *TOO_LARGE)),
        ("block", (1, 32768), (0, 32769, *TOO_LARGE)),
        ("window", (16, 2**20), (0, 1, 15, 2**20 + 1, 2**32 - 1)),
        ("tables", (0, 1), (2, 3, *TOO_LARGE)),
    ],
)
def test_numbers(field: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    for value in good:
        unpack_header(fields(**{field: varint(value)}), 0)
    for value in bad:
        with pytest.raises(FormatError):
            unpack_header(fields(**{field: varint(value)}), 0)


def test_spikes_have_no_tables_to_start_from() -> None:
    with pytest.raises(FormatError, match="initial tables 1"):
        unpack_header(fields(**kernel_fields(), tables=varint(1)), 0)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", (text(""), text("x" * 64)), (text("x" * 65), varint(2**32 - 1), text("\n"))),
        ("unit", (text(""), text("x" * 16)), (text("x" * 17), b"\1\xff", text("\x1b"))),
        (
            "gain",
            (struct.pack("<d", -5e-324),),
            tuple(struct.pack("<d", g) for g in (0.0, -0.0, float("inf"), float("nan"))),
        ),
        ("baseline", (zigzag(2**31 - 1),), (zigzag(2**31), zigzag(-(2**62)))),
        ("bits", (b"\1", b"\x20"), (b"\0", b"\x21", b"\xff")),
        ("minimum", (zigzag(-(2**31)), zigzag(1023)), (zigzag(1024), zigzag(-(2**31) - 1))),
        ("maximum", (zigzag(2**31 - 1),), (zigzag(2**31), zigzag(-1025))),
        ("invalid", (optional(-(2**31)),), (optional(2**31), b"\2", b"\xff")),
    ],
)
def test_fields_of_a_lead(field: str, good: tuple[bytes, ...], bad: tuple[bytes, ...]) -> None:
    for value in good:
        unpack_header(fields(lead=lead_fields(**{field: value})), 0)
    for value in bad:
        with pytest.raises(FormatError):
            unpack_header(fields(lead=lead_fields(**{field: value})), 0)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("tie", (b"\0", b"\1"), (b"\2", b"\xff")),
        ("delay", (b"\4",), (b"\0", b"\3", b"\5")),
        ("sets", (), tuple(map(varint, (0, 2, 255, 256, *TOO_LARGE)))),
        ("scale", (b"\2", b"\x18"), (b"\0", b"\1", b"\x19", b"\xff")),
        ("step", (b"\0", b"\x10"), (b"\x11", b"\xff")),
        ("baseline", (optional(7),), (optional(2**31), b"\2")),
        ("number", (), tuple(map(varint, (0, 2, 16, 17, *TOO_LARGE)))),
        ("med", (varint(1), varint(2**16)), tuple(map(varint, (0, 2**16 + 1, 2**32 - 1)))),
        ("taps", (varint(1),), tuple(map(varint, (0, 1025, *TOO_LARGE)))),
        ("coded", (varint(2) + b"\xff\xff",), (varint(2**32 - 1), varint(5) + b"\0\0\0\0\0")),
        ("assignment", (), (b"", b"\1", b"\xff")),
    ],
)
def test_fields_of_kernels(field: str, good: tuple[bytes, ...], bad: tuple[bytes, ...]) -> None:
    for value in good:
        unpack_header(fields(**kernel_fields(**{field: value})), 0)
    for value in bad:
        with pytest.raises(FormatError):
            unpack_header(fields(**kernel_fields(**{field: value})), 0)


def aim(number: int, value: float, late: int = 0) -> bytes:
    return bytes((number,)) + struct.pack("<d", value) + varint(late)


@pytest.mark.parametrize(
    ("profile", "good", "bad"),
    [
        (0, (b"\0", b"\1", b"\2", b"\3"), (b"", b"\4", b"\xff")),
        (2, (b"\0\0", b"\2\3"), (b"", b"\0", b"\2\4", b"\2\xff")),
        (
            2,
            (varint(3) + varint(0), varint(2**24) + varint(4096)),
            (varint(3), varint(3) + varint(4097), varint(2**24 + 1) + b"\0", varint(2**62) + b"\0"),
        ),
        (
            3,
            (aim(0, 1 / 16), aim(0, 2.0**24), aim(1, 0.001, 4096), aim(1, 1000), aim(2, 32)),
            (aim(0, 9)[:-1], aim(0, 9, 4097), aim(3, 9), aim(255, 9)),
        ),
        (3, (aim(2, 0.001),), (aim(0, 0.06), aim(0, 2.0**24 + 1), aim(1, 0.0), aim(1, 1001))),
        (3, (), tuple(aim(2, v) for v in (0, -1, 33, float("inf"), float("nan"), -float("inf")))),
    ],
)
def test_fields_of_the_other_profiles(
    profile: int, good: tuple[bytes, ...], bad: tuple[bytes, ...]
) -> None:
    for value in good:
        unpack_header(fields(profile=bytes((profile,)), fields=value), 0)
    for value in bad:
        with pytest.raises(FormatError):
            unpack_header(fields(profile=bytes((profile,)), fields=value), 0)


@pytest.mark.parametrize(
    ("errors", "profile"),
    [
        ((0, 2), Bounded((0, 2), "max")),
        ((2, 3), Bounded((2, 3))),
        ((0, 2**24), Bounded((0, 2**24))),
    ],
)
def test_a_bound_of_each_lead(errors: tuple[int, ...], profile: Bounded) -> None:
    """One bound above 2 takes all leads to the transform coder."""
    own = b"".join(map(varint, errors)) + (b"\3" if profile.predicted else varint(300))
    two = {"leads": varint(2), "lead": lead_fields() * 2, "profile": b"\2", "fields": own}
    header = unpack_header(fields(**two), 0)
    assert header.profile == profile
    assert header.late == (0 if profile.predicted else 300)


@pytest.mark.parametrize(
    "change",
    [
        {"magic": b"san\0"},
        {"magic": b"SAN\1"},
        {"repeat": b"\2"},
        {"origin": b"\2"},
        {"origin": optional(2**61)},
        {"origin": optional(-(2**61))},
        {"profile": b"\4"},
        {"profile": b"\xff"},
        {"start": b"\x80" * 10 + b"\0"},
        {"extensions": varint(1)},
        {"extensions": varint(1) + varint(2**32)},
        {"extensions": varint(2) + varint(0)},
        {"extensions": b"\xff"},
    ],
)
def test_other_rules(change: dict[str, bytes]) -> None:
    with pytest.raises(FormatError):
        unpack_header(fields(**change), 0)


def test_origin_to_the_microsecond() -> None:
    for origin in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        microseconds = (origin - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert unpack_header(fields(origin=optional(microseconds)), 0).info.origin == origin


def test_blocks_of_many_leads() -> None:
    many = {"leads": varint(255), "lead": lead_fields() * 255}
    unpack_header(fields(**many, block=varint(128)), 0)
    with pytest.raises(FormatError, match="block of 129 samples of 255 leads"):
        unpack_header(fields(**many, block=varint(129)), 0)


def test_taps_in_all_are_limited() -> None:
    """A few bytes could else declare four million taps."""
    one = b"\x08\x04" + optional(None) + varint(16) + (varint(2**16) + varint(1024)) * 16
    for number, read in ((1, True), (2, False), (255, False)):
        sets = varint(number) + (one + varint(4) + b"\xff" * 4) * number
        content = fields(profile=b"\1", fields=b"\0\4" + sets + b"\0")
        start = time.process_time()
        if read:
            unpack_header(content, 0)
        else:
            with pytest.raises(FormatError, match="taps in all, at most 16384"):
                unpack_header(content, 0)
        assert time.process_time() - start < 1


def test_kernels_in_all_are_limited() -> None:
    kernels = Kernels((KernelSet((Kernel((0,), 1),) * 16, 1, 0),), 360)
    for count, read in ((64, True), (65, False)):
        info = StreamInfo(360, (Lead("I"),) * count)
        content = pack_header(Header(info, Spikes(kernels), 1, 16, assignment=(0,) * count))
        if read:
            unpack_header(content, 0)
        else:
            with pytest.raises(FormatError, match="1040 kernels over all leads"):
                unpack_header(content, 0)


def forged_counts() -> list[bytes]:
    sizes = (0, 1, 255, 256, 2**16 - 1, 2**32 - 1, 2**62)
    out = []
    for size in map(varint, sizes):
        out += [fields(**{name: size}) for name in ("leads", "block", "window", "start")]
        out += [
            fields(**kernel_fields(**{name: size})) for name in ("sets", "number", "taps", "coded")
        ]
        out.append(fields(lead=lead_fields(name=size)))
        out.append(fields(extensions=varint(1) + size))
    return out


def test_memory_of_forged_counts() -> None:
    contents = forged_counts()
    read: Callable[[bytes], object] = lambda c: Decoder().push(pack_message(1, 0, 0, 0, c))  # noqa: E731
    read(contents[0])
    for content in contents:
        tracemalloc.start()
        read(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20
