"""How a delay is divided into block and look-ahead."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_runtime.latency import MIN_BLOCK, plan, whole_blocks
from san_stream import SettingError


def test_default_at_360_hz() -> None:
    found = plan(Fraction(360), None, 32768)
    assert (found.block, found.ahead, found.late) == (1152, 396, 108)  # 3.2 s + 1.1 s, 0.3 s


@given(
    st.fractions(40, 4000),
    st.floats(0.5, 8),
    st.integers(64, 32768),
)
def test_never_longer_than_asked(rate: Fraction, delay: float, most: int) -> None:
    found = plan(rate, delay, most)
    assert found.block + found.ahead <= delay * rate
    assert MIN_BLOCK <= found.block <= most
    assert 0 <= found.late <= found.ahead
    assert found.block == whole_blocks(found.block)


@pytest.mark.parametrize("delay", [0.1, 0.499, 8.1, -1.0])
def test_delay_outside_its_limits(delay: float) -> None:
    with pytest.raises(SettingError, match=f"delay {delay:g} s: must be 0.5 to 8 s"):
        plan(Fraction(360), delay, 32768)


def test_delay_of_too_few_samples() -> None:
    with pytest.raises(SettingError, match="4 samples at 8 Hz, at least 16"):
        plan(Fraction(8), 0.5, 32768)


@pytest.mark.parametrize("rate", [Fraction(1, 60), Fraction(1), Fraction(37, 10)])
def test_default_of_slow_signals_is_the_least_that_can_be_coded(rate: Fraction) -> None:
    found = plan(rate, None, 32768)
    assert MIN_BLOCK <= found.block <= 2 * MIN_BLOCK - found.ahead
    assert 0 <= found.late <= found.ahead
