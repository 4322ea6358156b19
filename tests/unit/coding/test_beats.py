"""The spike stream: round trips, costs against what is spent, damaged bytes, a second lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_runtime.compiled import compiled_core
from san_stream.coding import beats
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.quality_state import beat_settings
from san_stream.coding.range_coder import ERROR, OVERRUN, STATE_SIZE

BLOCK = 1152
SETTINGS = beat_settings(Fraction(360), 108, 8)
SHORTEST = SETTINGS[beats.SHORTEST]

Block = list[list[int]]


@dataclass
class Stream:
    """One lead's spike coder, and what both ends would know of its kernels."""

    core: Core
    live: list[int] = field(default_factory=lambda: [1] * 8)
    units: list[int] = field(default_factory=lambda: [1, 1, 1, 2, 2, 2, 3, 3])
    steep: list[int] = field(default_factory=lambda: [1, 0] * 4)

    def __post_init__(self) -> None:
        make = self.core.integers
        self.settings = self.core.listed(SETTINGS)
        self.model = make(beats.BEATS_MODEL, 0), make(beats.BEATS_MODEL, 0)
        self.memory = make(beats.BEAT_MEMORY, 0)
        self.core.start_beats(self.memory, *self.model, self.settings)
        self.rules = [self.core.listed(v) for v in (self.live, self.units, self.steep)]
        self.state = make(STATE_SIZE, 0)

    def code(self, buffer: Any, more: int, spike: Any, until: int) -> int:
        return int(
            self.core.code_beat(
                self.state,
                buffer,
                *self.model,
                self.memory,
                self.settings,
                *self.rules,
                more,
                until,
                spike,
            )
        )

    def write(self, blocks: list[Block]) -> bytes:
        buffer = self.core.octets(1 << 16)
        self.core.start_encoder(self.state)
        for block in blocks:
            for spike in block:
                self.code(buffer, 1, self.core.listed(spike), BLOCK + 108)
            self.code(buffer, 0, self.core.integers(4, 0), BLOCK + 108)
            self.core.slide_beats(self.memory, BLOCK)
        assert not self.state[ERROR]
        return bytes(buffer[: self.core.finish_encoder(self.state, buffer)])

    def read(self, data: bytes, number: int) -> list[Block]:
        buffer = self.core.loaded(data)
        self.core.start_decoder(self.state, buffer, len(data))
        blocks: list[Block] = []
        for _ in range(number):
            block: Block = []
            spike = self.core.integers(4, 0)
            while self.code(buffer, 0, spike, BLOCK + 108):
                block.append([int(v) for v in spike])
                if len(block) > BLOCK // SHORTEST + 2 or self.state[ERROR]:
                    return blocks
            self.core.slide_beats(self.memory, BLOCK)
            blocks.append(block)
        return blocks


def spike_blocks(seed: int, number: int, *, regular: bool = False, kernels: int = 8) -> list[Block]:
    """Spikes of blocks, each in the units of its kernel's amplitude."""
    rng = np.random.default_rng(seed)
    units = Stream(PLAIN).units
    last = [0] * 8
    at, out = 108, []
    for first in range(0, number * BLOCK, BLOCK):
        block: Block = []
        while at < first + BLOCK + 108:
            if at >= first + 108:
                kernel = int(rng.integers(kernels + (0 if regular else 1)))
                if kernel == beats.BIRTH:
                    block.append([at - first, kernel, 0, 0])
                else:
                    room = range(-2, 3) if regular else range(-9, 10)
                    change = int(rng.choice(room)) * units[kernel]
                    size = last[kernel] + change
                    if not beats.SMALLEST_SIZE <= size <= beats.LARGEST_SIZE:
                        size = last[kernel]
                    last[kernel] = size
                    quarter = int(rng.integers(4)) if Stream(PLAIN).steep[kernel] else 0
                    block.append([at - first, kernel, size, quarter])
            at += int(rng.normal(290, 8) if regular else rng.integers(SHORTEST, 900))
        out.append(block)
    return out


@pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])
@pytest.mark.parametrize("seed", range(5))
def test_what_was_written_is_read(core: Core, seed: int) -> None:
    blocks = spike_blocks(seed, 20)
    data = Stream(core).write(blocks)
    assert Stream(core).read(data, len(blocks)) == blocks
    assert data == Stream(PLAIN).write(blocks)


@given(st.integers(0, 2**32), st.integers(0, 6))
def test_round_trip_of_any_blocks(seed: int, number: int) -> None:
    blocks = spike_blocks(seed, number)
    writer, reader = Stream(PLAIN), Stream(PLAIN)
    assert reader.read(writer.write(blocks), number) == blocks
    assert reader.memory == writer.memory
    assert reader.model == writer.model


def test_regular_beats_are_cheap() -> None:
    """300 beats of one kernel, jitter 8 samples (3 s.d. = 5.2 bits of entropy)."""
    blocks = spike_blocks(1, 75, regular=True, kernels=1)
    spikes = sum(map(len, blocks))
    bits = 8 * len(Stream(PLAIN).write(blocks)) / spikes
    entropy = log2(8 * (2 * np.pi * np.e) ** 0.5) + log2(5) + 2  # time, amplitude, quarter
    assert entropy < bits < entropy + 1.6


def test_costs_are_what_is_spent() -> None:
    """Σ of the costs before each spike against the bytes that come out."""
    blocks = spike_blocks(3, 60)
    stream, core = Stream(PLAIN), PLAIN
    buffer = core.octets(1 << 16)
    core.start_encoder(stream.state)
    probability, memory, settings = stream.model[0], stream.memory, stream.settings
    total = 0
    for block in blocks:
        for spike in [*block, None]:
            index = core.more_index(memory, BLOCK + 108)
            total += core.bit_cost(probability, index, 0 if spike is None else 1)
            if spike is None:
                stream.code(buffer, 0, [0] * 4, BLOCK + 108)
                continue
            time, kernel, size, quarter = spike
            total += core.kernel_cost(probability, memory[beats.KERNEL], stream.live, kernel)
            total += core.place_cost(
                probability, memory, settings, stream.steep, kernel, time, quarter
            )
            if kernel != beats.BIRTH:
                change = (size - memory[beats.AMPLITUDE + kernel]) // stream.units[kernel]
                total += core.size_cost(probability, memory, kernel, change)
            stream.code(buffer, 1, list(spike), BLOCK + 108)
        core.slide_beats(memory, BLOCK)
    spent = 8 * core.finish_encoder(stream.state, buffer)
    assert total / 256 == pytest.approx(spent, rel=0.01)


@pytest.mark.parametrize("probability", [32, 100, 1000, 20000, 32768, 60000, 65504])
def test_cost_of_a_bit_is_its_logarithm(probability: int) -> None:
    for bit, part in ((1, probability / 65536), (0, 1 - probability / 65536)):
        cost = PLAIN.bit_cost([probability], 0, bit)
        assert cost == pytest.approx(-256 * log2(part), rel=0.04, abs=2)


@given(st.binary(max_size=200))
def test_damaged_bytes_end_and_stay_in_bounds(data: bytes) -> None:
    reader = Stream(PLAIN)
    for block in reader.read(data, 50):
        times = [spike[0] for spike in block]
        assert all(108 <= time < BLOCK + 108 for time in times)
        assert all(b - a >= SHORTEST for a, b in pairwise(times))
        for _, kernel, size, quarter in block:
            assert 0 <= kernel <= beats.BIRTH
            assert beats.SMALLEST_SIZE <= size <= beats.LARGEST_SIZE
            assert 0 <= quarter < 4


@pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])
def test_truncated_bytes_end(core: Core) -> None:
    data = Stream(core).write(spike_blocks(0, 20))
    for length in range(0, len(data), 7):
        reader = Stream(core)
        reader.read(data[:length], 10**6)
        assert reader.state[ERROR] or len(data) - length <= OVERRUN


def test_only_kernels_that_exist_are_read() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        reader = Stream(PLAIN, live=[1, 0, 1, 0, 0, 0, 0, 0])
        for block in reader.read(rng.bytes(40), 20):
            assert {spike[1] for spike in block} <= {0, 2, beats.BIRTH}


def test_spikes_without_end_are_an_error_not_a_hang() -> None:
    """Times that do not grow break a rule."""
    core, stream = PLAIN, Stream(PLAIN)
    buffer = core.octets(100)
    core.start_encoder(stream.state)
    stream.code(buffer, 1, [300, 0, 0, 0], BLOCK + 108)
    assert not stream.state[ERROR]
    stream.code(buffer, 1, [300 + SHORTEST - 1, 0, 0, 0], BLOCK + 108)
    assert stream.state[ERROR]


def test_a_later_lead_costs_less_with_the_first_one() -> None:
    blocks = spike_blocks(9, 60)
    sizes = []
    for guided in (False, True):
        stream, core = Stream(PLAIN), PLAIN
        buffer = core.octets(1 << 16)
        core.start_encoder(stream.state)
        for block in blocks:
            guide = [v for time, kernel, *_ in block for v in (time - 3, kernel, 0, 0)]
            number = len(block) if guided else 0
            for spike in [*block, None]:
                core.expect_beat(stream.memory, stream.settings, guide, 0, number)
                stream.code(buffer, int(spike is not None), list(spike or [0] * 4), BLOCK + 108)
                if spike is not None:
                    core.note_beat(stream.memory, stream.settings, guide, 0, number, spike)
            core.slide_beats(stream.memory, BLOCK)
        sizes.append(core.finish_encoder(stream.state, buffer))
    assert 12 <= stream.memory[beats.OFFSET] <= 15
    assert 2 * sizes[1] < sizes[0]


def test_a_later_lead_follows_the_first_one_to_the_quarter() -> None:
    """Steep kernels 7 or 8 quarters behind: two equal chances, so about a bit a spike."""
    rng = np.random.default_rng(4)
    blocks = spike_blocks(4, 60, regular=True, kernels=1)
    stream, core = Stream(PLAIN), PLAIN
    buffer = core.octets(1 << 16)
    core.start_encoder(stream.state)
    for block in blocks:
        guide = [v for time, kernel, _, quarter in block for v in (time, kernel, 0, quarter)]
        for spike in [*block, None]:
            core.expect_beat(stream.memory, stream.settings, guide, 0, len(block))
            own = [0] * 4
            if spike is not None:
                whole = 4 * spike[0] + spike[3] + 7 + int(rng.integers(2))
                own = [whole // 4, 0, 0, whole % 4]
            stream.code(buffer, int(spike is not None), own, BLOCK + 112)
            if spike is not None:
                core.note_beat(stream.memory, stream.settings, guide, 0, len(block), own)
        core.slide_beats(stream.memory, BLOCK)
    assert stream.memory[beats.OFFSET] in (7, 8)
    assert not stream.state[ERROR]
    bits = 8 * core.finish_encoder(stream.state, buffer) / sum(map(len, blocks))
    assert 1 < bits < 2


def test_a_slide_far_away_stays_bounded() -> None:
    stream = Stream(PLAIN)
    for _ in range(10):
        PLAIN.slide_beats(stream.memory, 2**40)
    assert stream.memory[beats.LAST] >= -beats.FAR
