"""Values check themselves: each limit at its edge, one line that names the value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from san_stream.errors import MissingExtraError, SampleError, SanStreamError, SettingError
from san_stream.types import Chunk, Event, Gap, Lead, Signal, StreamInfo

LEAD = Lead("I")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", ("", "x" * 64, "é" * 32), ("x" * 65, "é" * 33, "a\nb", "\x1b[2J", "\ud800")),
        ("unit", ("", "x" * 16, "µV"), ("x" * 17, "m\0V")),
        ("gain", (1e-300, -200.0, 5e-324), (0.0, -0.0, float("inf"), float("nan"))),
        ("baseline", (2**31 - 1, -(2**31)), (2**31, -(2**31) - 1)),
        ("bits", (1, 32), (0, 33, -1)),
        ("minimum", (-(2**31), 2**15 - 1), (-(2**31) - 1, 2**15)),
        ("maximum", (2**31 - 1, -(2**15)), (2**31, -(2**15) - 1)),
        ("invalid", (None, 0, -(2**31)), (2**31, -(2**31) - 1)),
    ],
)
def test_lead(field: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    for value in good:
        assert getattr(Lead(**({"name": "I"} | {field: value})), field) == value
    for value in bad:
        with pytest.raises(SettingError) as caught:
            Lead(**({"name": "I"} | {field: value}))
        assert "\n" not in str(caught.value)


def test_lead_to_physical() -> None:
    lead = Lead("I", gain=-200.0, baseline=1024)
    values = lead.to_physical(np.array([1024, 824, 2**31 - 1], np.int32))
    np.testing.assert_array_equal(values, [0.0, 1.0, (2**31 - 1 - 1024) / -200.0])


@pytest.mark.parametrize("rate", [1, Fraction(1, 2**31 - 1), 2**31 - 1, 128.5])
def test_rates(rate: Any) -> None:
    assert StreamInfo(rate, (LEAD,)).rate == rate


@pytest.mark.parametrize("rate", [0, -1, 2**31, Fraction(1, 2**33)])
def test_rates_outside_the_limits(rate: Any) -> None:
    with pytest.raises(SettingError, match="must be above 0 and below"):
        StreamInfo(rate, (LEAD,))


def test_stream_info() -> None:
    info = StreamInfo(360, [LEAD, Lead("II", bits=11)])  # type: ignore[arg-type]
    assert info.leads == (LEAD, Lead("II", bits=11))
    assert info.raw_bits == 27
    east = timezone(timedelta(hours=2))
    moved = StreamInfo(1, (LEAD,), datetime(2020, 1, 1, 1, tzinfo=east))
    assert moved.origin == datetime(2019, 12, 31, 23, tzinfo=UTC)
    assert moved.origin.tzinfo is UTC
    for bad in (
        {"leads": ()},
        {"leads": (LEAD,) * 256},
        {"stream": -1},
        {"stream": 256},
        {"origin": datetime(2020, 1, 1)},  # noqa: DTZ001
    ):
        with pytest.raises(SettingError):
            StreamInfo(**({"rate": 1, "leads": (LEAD,)} | bad))  # type: ignore[arg-type]


def test_chunk() -> None:
    assert len(Chunk(0, np.zeros((5, 2), np.int32))) == 5
    with pytest.raises(SampleError, match=r"shape \(5,\), expected \[n, leads\]"):
        Chunk(0, np.zeros(5, np.int32))
    with pytest.raises(SampleError, match=r"valid has shape \(5, 1\)"):
        Chunk(0, np.zeros((5, 2), np.int32), np.ones((5, 1), np.bool_))


@pytest.mark.parametrize(("first", "count"), [(0, 1), (2**62 - 1, 1), (0, 2**62 - 1)])
def test_gap(first: int, count: int) -> None:
    assert Gap(first, count).count == count


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (2**62, 1), (0, 0), (0, -1), (0, 2**62)])
def test_gap_outside_the_limits(first: int, count: int) -> None:
    with pytest.raises(SampleError, match=f"gap of {count} samples at {first}"):
        Gap(first, count)


def test_reason_of_a_gap() -> None:
    with pytest.raises(SettingError, match="gap reason"):
        Gap(0, 1, "x" * 65)
    with pytest.raises(SettingError, match="printable"):
        Gap(0, 1, "a\tb")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("sample", (0, 2**62 - 1), (-1, 2**62)),
        ("symbol", ("", "N", "12345678"), ("123456789", "\n")),
        ("lead", (-1, 254), (-2, 255)),
        ("subtype", (-128, 127), (-129, 128)),
        ("num", (-128, 127), (-129, 128)),
        ("duration", (0, 2**62 - 1), (-1, 2**62)),
        ("text", ("", "x" * 1024), ("x" * 1025, "a\x07")),
    ],
)
def test_event(field: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    for value in good:
        assert getattr(Event(**({"sample": 1, "symbol": "N"} | {field: value})), field) == value
    for value in bad:
        with pytest.raises(SanStreamError):
            Event(**({"sample": 1, "symbol": "N"} | {field: value}))


def test_signal() -> None:
    info = StreamInfo(100, (Lead("I", gain=2.0), Lead("II", gain=-4.0, baseline=1)), stream=9)
    digital = np.array([[2, 5], [4, 9]], np.int32)
    signal = Signal(info, 50, digital, np.array([[True, False], [True, True]]))
    np.testing.assert_array_equal(signal.samples, [[1.0, np.nan], [2.0, -2.0]])
    assert (signal.stream, len(signal)) == (9, 2)


def test_errors() -> None:
    error = MissingExtraError("pylsl", "lsl", "source lsl:")
    assert str(error) == "source lsl: needs the package 'pylsl': pip install 'san-stream[lsl]'"
    assert isinstance(error, ImportError)
    assert isinstance(error, SanStreamError)
