"""Profiles: their limits, and bounds in physical units."""

from __future__ import annotations

from typing import Any

import pytest

from san_stream import SettingError
from san_stream.profiles import (
    Bounded,
    Lossless,
    Quality,
    is_exact,
    is_predicted,
    is_transformed,
)
from san_stream.types import Lead


def lead(gain: float = 200.0, unit: str = "mV") -> Lead:
    """A lead with this gain."""
    return Lead("II", unit, gain, 0, 11, -1024, 1023)


@pytest.mark.parametrize("preset", ["tiny", "fast", "lean", "max"])
def test_presets(preset: Any) -> None:
    assert Lossless(preset).preset == preset
    assert Bounded(1, preset).predicted


def test_unknown_preset_is_named() -> None:
    with pytest.raises(SettingError, match="preset 'huge': must be one of tiny, fast, lean, max"):
        Lossless("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (-1, "max error -1: must be 0 to 16777216 ADC units"),
        (2**24 + 1, "max error 16777217: must be 0 to 16777216 ADC units"),
        (1.5, "max error 1.5: must be a whole number of ADC units"),
        (True, "max error True: must be a whole number"),
        ((), "max error: no lead has one"),
        ((3, -2), "max error -2: must be 0 to"),
    ],
)
def test_bad_bounds_are_named(error: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Bounded(error)


def test_bounds_of_leads() -> None:
    assert Bounded(7).errors(3) == (7, 7, 7)
    assert Bounded((1, 2)).errors(2) == (1, 2)
    with pytest.raises(SettingError, match="2 for 3 leads"):
        Bounded((1, 2)).errors(3)


@pytest.mark.parametrize(
    ("text", "gain", "unit", "expected"),
    [
        ("50uV", 200.0, "mV", 10),
        ("50 µV", 200.0, "mV", 10),
        ("0.05mV", 200.0, "mV", 10),
        ("49.9uV", 200.0, "mV", 9),
        ("50uV", -200.0, "mV", 10),
        ("10uV", 1.0, "uV", 10),
        ("2e-5V", 1000.0, "mV", 20),
        ("0.1degC", 50.0, "degC", 5),
    ],
)
def test_physical_bounds(text: str, gain: float, unit: str, expected: int) -> None:
    assert Bounded.of(text, [lead(gain, unit)]).errors(1) == (expected,)


def test_bound_in_adc_units() -> None:
    assert Bounded.of("10", [lead(), lead(100.0)]) == Bounded(10)


@pytest.mark.parametrize("text", ["", "uV", "-3", "nan", "inf", "1.5", "ten", "1e999uV", "--5uV"])
def test_bad_texts_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="max error"):
        Bounded.of(text, [lead()])


def test_unit_that_a_lead_has_not() -> None:
    with pytest.raises(SettingError, match="lead 'II' is in 'degC'"):
        Bounded.of("50uV", [lead(1.0, "degC")])


@pytest.mark.parametrize(
    ("aims", "message"),
    [
        ({}, "needs one aim of prdn, bps and step; given: none"),
        ({"prdn": 9, "bps": 1}, "given: prdn, bps"),
        ({"prdn": 0}, "prdn 0: must be 0.001 to 1000"),
        ({"prdn": -3}, "prdn -3: must be"),
        ({"prdn": float("nan")}, "prdn nan: must be"),
        ({"bps": 33}, "bps 33: must be 0.001 to 32"),
        ({"step": 0.01}, "step 0.01: must be 0.0625 to"),
    ],
)
def test_bad_aims_are_named(aims: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Quality(**aims)  # type: ignore[arg-type]


def test_kinds() -> None:
    assert is_exact(Lossless())
    assert not is_exact(Bounded(0))
    assert is_predicted(Bounded(2))
    assert is_predicted(Bounded((0, 2)))
    assert is_transformed(Bounded((2, 3)))
    assert is_transformed(Quality(step=4))
    assert Quality(bps=0.5).aim == ("bps", 0.5)
