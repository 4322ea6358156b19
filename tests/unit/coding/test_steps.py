"""The grid of quantiser steps."""

from __future__ import annotations

import pytest

from san_stream.coding.steps import MAX_STEP_INDEX, UNIT_STEP, index_of, step_of


def test_whole_octaves_are_exact() -> None:
    assert [step_of(UNIT_STEP + 16 * k) for k in range(25)] == [16 << k for k in range(25)]


@pytest.mark.parametrize("index", range(UNIT_STEP, MAX_STEP_INDEX + 1, 7))
def test_steps_are_sixteen_an_octave(index: int) -> None:
    exact = 2 ** (index / 16)
    assert abs(step_of(index) - exact) <= 0.5 + exact / 4096
    assert index_of(step_of(index)) == index


def test_smallest_steps_grow_and_are_not_zero() -> None:
    steps = [step_of(i) for i in range(UNIT_STEP)]
    assert steps[0] == 1
    assert steps == sorted(steps)
