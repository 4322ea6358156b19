"""The ledger of windows: bits sum to what was booked, spoiled windows have no figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_stream.loss import loss_value
from san_stream.types import Window
from san_stream.windows import WindowLedger

LENGTH = 20


def samples(ledger: WindowLedger, first: int, count: int) -> None:
    ledger.add_samples(first, np.ones((count, len(ledger.bits)), np.bool_))


def test_figures_of_a_window() -> None:
    ledger = WindowLedger(LENGTH, (11, 12), (7, 9))
    ledger.add_overhead(100)
    ledger.add_message(0, 30, 300)
    valid = np.ones((30, 2), np.bool_)
    valid[3:6, 1] = False
    ledger.add_samples(0, valid)
    ledger.add_spikes(0, np.array([0, 5, 19, 20]))
    ledger.add_spikes(1, np.array([21]))
    window = ledger.close_window(0, (0, 224))
    assert window == Window(
        index=0,
        first_sample=0,
        length=LENGTH,
        bits=100 + 200,
        raw_bits=20 * 11 + 17 * 12,
        valid=(20, 17),
        losses=(0.0, loss_value(224)),
        spikes=(3, 0),
        weights=(7, 9),
    )
    (rest,) = ledger.close_stream(30, (255, 1))
    assert (rest.bits, rest.valid, rest.spikes, rest.losses[0]) == (100, (10, 10), (1, 1), None)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 10**4), st.integers(0, 500)), max_size=20
    ),
    st.integers(16, 60),
    st.integers(0, 100),
)
def test_bits_sum_to_what_was_booked(
    messages: list[tuple[int, int, int]], length: int, first: int
) -> None:
    """Messages of `count` samples (0: without samples), each behind the one before."""
    ledger = WindowLedger(length, (8,))
    booked, at, windows = 0, first, []
    for count, bits, _ in messages:
        booked += bits
        if count == 0:
            ledger.add_overhead(bits)
            continue
        ledger.add_message(at, count, bits)
        samples(ledger, at, count)
        ended = range(at // length, (at + count) // length)
        windows += [ledger.close_window(index, (0,)) for index in ended]
        at += count
    windows += ledger.close_stream(at, (0,))
    assert all(window is not None for window in windows)
    assert sum(window.bits for window in windows if window) == booked
    assert sum(window.valid[0] for window in windows if window) == at - first
    assert ledger.pending == 0


def test_window_without_samples_passes_its_bits_on() -> None:
    ledger = WindowLedger(LENGTH, (8,))
    ledger.add_message(0, LENGTH, 50)
    ledger.add_samples(0, np.zeros((LENGTH, 1), np.bool_))
    assert ledger.close_window(0, (0,)) is None
    assert ledger.pending == 50
    ledger.add_message(LENGTH, LENGTH, 70)
    samples(ledger, LENGTH, LENGTH)
    window = ledger.close_window(1, (0,))
    assert window is not None
    assert window.bits == 120


def test_bits_that_no_window_holds_come_last() -> None:
    ledger = WindowLedger(LENGTH, (8, 8), (3, 3))
    ledger.add_overhead(96)
    (window,) = ledger.close_stream(40, (0, 0))
    assert (window.index, window.bits, window.raw_bits, window.valid) == (2, 96, 0, (0, 0))
    assert window.loss is None
    assert window.phi is None
    assert window.phi_bits is None


@pytest.mark.parametrize(
    ("first", "count", "lost"),
    [(0, 5, 0), (0, 20, 1), (5, 15, 1), (5, 40, 2), (19, 1, 1), (20, 5, 0), (0, 61, 3)],
)
def test_spoiled_windows(first: int, count: int, lost: int) -> None:
    """Windows that end within the loss are gone, the one that goes on has no figures."""
    ledger = WindowLedger(LENGTH, (8,))
    if first:
        ledger.add_message(0, first, 10)
        samples(ledger, 0, first)
        for index in range(first // LENGTH):
            ledger.close_window(index, (0,))
    ledger.spoil(first, count)
    end = first + count
    assert ledger.lost == lost
    rest = -end % LENGTH
    if rest:
        samples(ledger, end, rest)
        assert ledger.close_window(end // LENGTH, (0,)) is None
        assert ledger.lost == lost + 1
    samples(ledger, end + rest, LENGTH)
    assert ledger.close_window((end + rest) // LENGTH, (0,)) is not None


def test_a_long_loss_costs_nothing() -> None:
    ledger = WindowLedger(16, (8,))
    ledger.spoil(3, 2**61)
    assert ledger.lost == (2**61 + 3) // 16
    assert len(ledger._open) == 1


def test_quality_figures() -> None:
    window = Window(0, 0, 100, 160, 800, (100, 0), (0.6, None), (30, 0), (20, 20))
    assert window.loss == 0.6
    assert window.phis == (pytest.approx(1.0), None)
    assert window.phi == pytest.approx(1.0)
    assert window.phi_bits == pytest.approx((0.2**2 + 0.6**2) ** 0.5)
    lossless = Window(0, 0, 100, 400, 800, (100,), (0.0,))
    assert lossless.phis == ()
    assert lossless.phi is None
    assert lossless.phi_bits == 0.5
