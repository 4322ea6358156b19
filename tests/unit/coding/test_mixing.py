"""Adaptive slots, the final map and logarithms, against floating point."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from san_stream.coding.mixing import (
    COUNT_MASK,
    MAP_POINTS,
    SLOT_HALF,
    clip,
    log8,
    map_probability,
    slot_logit,
    start_map,
    update_map,
    update_slot,
)
from san_stream.coding.tables import SQUASH

INT32 = 2**31 - 1


@given(st.integers(1, 2**53))
def test_log8_is_near_the_logarithm_and_never_falls(value: int) -> None:
    assert abs(log8(value) - 8 * math.log2(value)) <= 0.55
    assert log8(value) <= log8(value + 1)


@given(st.integers(-100, 100), st.integers(-50, 0), st.integers(0, 50))
def test_clip(value: int, low: int, high: int) -> None:
    assert clip(value, low, high) == sorted((low, value, high))[1]


@given(st.lists(st.integers(0, 1), max_size=400), st.integers(1, 1000))
def test_a_slot_counts_and_stays_a_probability_in_31_bits(bits: list[int], limit: int) -> None:
    limit = min(limit, 255)
    slots = [SLOT_HALF]
    for bit in bits:
        before = slots[0] >> 10
        update_slot(slots, 0, bit, limit)
        after = slots[0] >> 10
        assert 0 <= slots[0] <= INT32
        assert after >= before if bit else after <= before
    assert slots[0] & COUNT_MASK == min(len(bits), limit)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=200))
def test_a_slot_is_the_mean_of_its_bits_with_half_a_bit_of_doubt(bits: list[int]) -> None:
    """Rate 1 / (n + 1.6): the first bit counts 1/1.6, the n-th as one of n + 0.6."""
    slots, mean = [SLOT_HALF], 0.5
    for n, bit in enumerate(bits):
        update_slot(slots, 0, bit, 250)
        mean += (bit - mean) / (n + 1.6)
    assert abs((slots[0] >> 10) / 2**20 - mean) < 0.002


def test_slot_logit_follows_the_probability() -> None:
    for percent in (1, 10, 50, 90, 99):
        p = percent / 100
        slot = int(p * 2**20) << 10
        assert abs(slot_logit(slot) - 256 * math.log(p / (1 - p))) < 8


def test_a_new_map_changes_nothing_at_its_points() -> None:
    points = [0] * (MAP_POINTS + 2)
    start_map(points, 1)
    assert points[0] == points[-1] == 0
    for logit in range(-2047, 2048):
        assert abs(map_probability(points, 1, logit) - SQUASH[logit + 2048]) <= 220
    for i in range(MAP_POINTS - 1):
        assert map_probability(points, 1, 128 * i - 2048) == SQUASH[128 * i]


def test_a_map_learns_what_a_logit_is_worth() -> None:
    """Logit 600 says 91 %, but is right in one of four cases; what lies far from it stays."""
    points = [0] * MAP_POINTS
    start_map(points, 0)
    random.seed(3)
    for _ in range(20000):
        update_map(points, 0, 600, 1 if random.random() < 0.25 else 0)
    assert abs(map_probability(points, 0, 600) / 65536 - 0.25) < 0.05
    assert map_probability(points, 0, -1500) == map_probability(
        [SQUASH[min(128 * i, 4095)] for i in range(MAP_POINTS)], 0, -1500
    )


@given(st.lists(st.tuples(st.integers(-2047, 2047), st.integers(0, 1)), max_size=300))
def test_a_map_stays_inside_16_bits(steps: list[tuple[int, int]]) -> None:
    points = [0] * MAP_POINTS
    start_map(points, 0)
    for logit, bit in steps:
        update_map(points, 0, logit, bit)
        assert 0 <= map_probability(points, 0, logit) <= 65536
    assert all(0 <= point <= 65536 for point in points)
