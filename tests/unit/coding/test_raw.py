"""Samples as they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from san_stream.coding.range_coder import (
    ERROR,
    STATE_SIZE,
    finish_encoder,
    start_decoder,
    start_encoder,
)
from san_stream.coding.raw import code_raw, raw_width

samples_and_valid = st.lists(
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 1)), max_size=40
)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20))
def test_width_is_the_least_that_holds_all(samples: list[int]) -> None:
    width, number = raw_width(samples, [1] * len(samples))
    assert number == len(samples)
    assert all(-(1 << (width - 1)) <= x < 1 << (width - 1) for x in samples)
    if width > 1:
        assert not all(-(1 << (width - 2)) <= x < 1 << (width - 2) for x in samples)


@given(samples_and_valid)
def test_valid_samples_come_back_at_their_width(cases: list[tuple[int, int]]) -> None:
    samples, valid = [x for x, _ in cases], [v for _, v in cases]
    width, number = raw_width(samples, valid)
    assert number == sum(valid)
    state, buffer = [0] * STATE_SIZE, bytearray(300)
    start_encoder(state)
    code_raw(state, buffer, samples, valid, width)
    length = finish_encoder(state, buffer)
    assert length <= (width * number + 7) // 8 + 1
    start_decoder(state, buffer, length)
    read = [9] * len(samples)
    code_raw(state, buffer, read, valid, width)
    assert [x for x, v in zip(read, valid, strict=True) if v] == [x for x, v in cases if v]
    assert all(x == 9 for x, v in zip(read, valid, strict=True) if not v)
    assert state[ERROR] == 0
