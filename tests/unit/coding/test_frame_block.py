"""Blocks through the cosine transform: both directions, all forms, quality, damage."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.frame_block import FRAME_ROOM, FRAMES_MEMORY, MARGIN, SIZE
from san_stream.coding.frame_choice import cheapest_halvings
from san_stream.coding.quality_state import (
    cosine_work,
    frame_models,
    transform_models,
    transform_work,
    whole_frame_log,
)
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from tests.unit.coding.quality_streams import CHECKED

COMPILED = compiled_core()
STRENGTH = 5571  # λ = 0.085 steps² a bit
LOWEST, HIGHEST = -(2**31) * 16, (2**31 - 1) * 16

Signal = NDArray[np.int64]
Block = tuple[Signal, int]
"""Target, step."""


@dataclass
class Lead:
    """Models of one lead in one direction; `coded`: bytes to decode, None to encode."""

    core: Core
    coded: bytes | None = None
    longest: int = 6

    def __post_init__(self) -> None:
        core = self.core
        self.state = core.integers(STATE_SIZE, 0)
        if self.coded is None:
            self.buffer = core.octets(1 << 17)
            core.start_encoder(self.state)
        else:
            self.buffer = core.loaded(self.coded)
            core.start_decoder(self.state, self.buffer, len(self.coded))
        self.models = (*transform_models(core)[:-1], *frame_models(core))
        self.coded_blocks = 0

    def code(self, block: Block, strength: int = STRENGTH) -> Signal:
        """One block; a decoder does not see its target, only its length.

        Frames are halved 0, 1, 2, 3, 0, ... times.
        """
        core, (target, step) = self.core, block
        size = len(target)
        output = core.integers(size, 0)
        seen = core.listed(target) if self.coded is None else core.integers(size, 0)
        halvings = self.coded_blocks % 4 if self.coded is None else 0
        self.coded_blocks += 1
        core.code_cosine_block(
            self.state, self.buffer, seen, self.longest, halvings, step, strength, output,
            *self.models, *cosine_work(transform_work(size, core)),
        )  # fmt: skip
        return np.array(output, np.int64)

    def finish(self) -> bytes:
        return bytes(self.buffer[: self.core.finish_encoder(self.state, self.buffer)])


def encode(core: Core, blocks: list[Block], strength: int = STRENGTH) -> tuple[bytes, list[Signal]]:
    lead = Lead(core)
    shown = [lead.code(block, strength) for block in blocks]
    assert lead.state[ERROR] == 0
    return lead.finish(), shown


def decode(core: Core, coded: bytes, blocks: list[Block]) -> tuple[int, list[Signal]]:
    lead = Lead(core, coded)
    shown = [lead.code((np.zeros_like(target), step)) for target, step in blocks]
    return int(lead.state[ERROR]), shown


def rms_error(blocks: list[Block], shown: list[Signal]) -> float:
    errors = np.concatenate([s - t for s, (t, _) in zip(shown, blocks, strict=True)])
    return float(np.sqrt(np.mean(np.square(errors.astype(float)))))


def split(signal: Signal, step: int, size: int = 512) -> list[Block]:
    return [(signal[i : i + size], step) for i in range(0, len(signal), size)]


def rhythm(length: int, seed: int) -> Signal:
    """A waxing 10 Hz rhythm in coloured noise, as an EEG at 174 Hz has."""
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.normal(0, 12, length + 7), np.ones(8) / 2, "valid")
    places = np.arange(length)
    wave = 40 * np.sin(places / 300) * np.sin(2 * np.pi * places * 10 / 174)
    return np.rint(16 * (wave + noise)).astype(np.int64)


def hostile_blocks(seed: int) -> list[Block]:
    rng = np.random.default_rng(seed)
    blocks = []
    for number in range(7):
        size = int(rng.choice([1, 2, 3, 63, 64, 65, 130]))
        kinds = [
            rng.integers(LOWEST, HIGHEST, size, endpoint=True),
            np.full(size, LOWEST),
            np.where(np.arange(size) % 2 == 0, LOWEST, HIGHEST),
            rng.integers(-900, 900, size),
            np.zeros(size, np.int64),
        ]
        target = kinds[(number + seed) % len(kinds)]
        blocks.append((target, int(rng.choice([1 << 14, 1 << 20, 1 << 28, 99_999]))))
    return blocks


@pytest.mark.parametrize("seed", range(5))
def test_hostile_blocks_decode_to_what_the_encoder_shows(seed: int) -> None:
    blocks = hostile_blocks(seed)
    coded, shown = encode(COMPILED, blocks)
    plain_coded, plain_shown = encode(PLAIN, blocks)
    assert coded == plain_coded
    for core in (PLAIN, COMPILED):
        error, read = decode(core, coded, blocks)
        assert error == 0
        for a, b, c in zip(shown, plain_shown, read, strict=True):
            assert np.array_equal(a, b)
            assert np.array_equal(a, c)


@pytest.mark.parametrize("length", [1, 3, 64, 100, 555])
def test_error_without_rate_is_that_of_rounding(length: int) -> None:
    rng = np.random.default_rng(length)
    step = 4096
    blocks = [(rng.integers(-(10**6), 10**6, length), step)] * 2
    _, shown = encode(COMPILED, blocks, strength=0)
    assert rms_error(blocks, shown) <= 0.54 * step
    if length > 500:
        assert rms_error(blocks, shown) == pytest.approx(step / np.sqrt(12), rel=0.1)


def test_cost_falls_and_error_grows_with_the_step() -> None:
    costs, errors = [], []
    for step in (32, 64, 128, 256, 512, 1024):
        blocks = split(rhythm(4096, 1), step)
        coded, shown = encode(COMPILED, blocks)
        costs.append(len(coded))
        errors.append(rms_error(blocks, shown))
    assert costs == sorted(costs, reverse=True)
    assert errors == sorted(errors)


def test_what_frames_have_in_common_is_learned() -> None:
    """White noise costs more than noise of the same size in a narrow band."""
    rng = np.random.default_rng(2)
    white = np.rint(rng.normal(0, 1000, 8192)).astype(np.int64)
    narrow = np.convolve(white, np.cos(np.arange(64)) * np.hanning(64), "same")
    narrow = np.rint(narrow * white.std() / narrow.std()).astype(np.int64)
    sizes = [len(encode(COMPILED, split(signal, 512))[0]) for signal in (white, narrow)]
    assert 2 * sizes[1] < sizes[0]


def test_silence_costs_next_to_nothing() -> None:
    assert len(encode(COMPILED, split(np.zeros(20_480, np.int64), 128))[0]) < 60


@pytest.mark.parametrize("core", [PLAIN, COMPILED], ids=["plain", "compiled"])
def test_damaged_bytes_end_in_order(core: Core) -> None:
    blocks = split(rhythm(600, 3), 128, 300) + hostile_blocks(0)[:3]
    coded, _ = encode(COMPILED, blocks)
    rng = np.random.default_rng(4)
    cases = [rng.bytes(int(rng.integers(0, 400))) for _ in range(8)] + [b"", b"\xff" * 300]
    for _ in range(8):
        damaged = bytearray(coded)
        damaged[int(rng.integers(len(coded)))] ^= 1 << int(rng.integers(8))
        cases.append(bytes(damaged))
    for case in cases:
        _, shown = decode(core, case, blocks)
        assert all(np.abs(block).max() <= 2**38 for block in shown)


def test_damaged_bytes_mean_the_same_to_both_forms() -> None:
    blocks = split(rhythm(600, 5), 128, 300) + hostile_blocks(1)[:3]
    rng = np.random.default_rng(6)
    for _ in range(6):
        case = rng.bytes(300)
        error, shown = decode(PLAIN, case, blocks)
        other_error, other_shown = decode(COMPILED, case, blocks)
        assert error == other_error
        for a, b in zip(shown, other_shown, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("seed", range(5))
def test_every_number_stays_below_2_to_53(seed: int) -> None:
    """Hostile signals and hostile bytes, with integers that check themselves."""
    signs = np.random.default_rng(seed).integers(0, 2, 300) * 2 - 1
    blocks = [*hostile_blocks(seed), (signs * HIGHEST, 1 << (14 + 2 * seed)), (signs, 1)]
    coded, shown = encode(CHECKED, blocks)
    assert coded == encode(COMPILED, blocks)[0]
    for a, b in zip(shown, decode(CHECKED, coded, blocks)[1], strict=True):
        assert np.array_equal(a, b)
    decode(CHECKED, np.random.default_rng(seed).bytes(200), blocks[::-1])


@pytest.mark.parametrize(
    ("rate", "samples"),
    [(1, 16), (10, 16), (50, 64), (100, 128), (127, 128), (128, 256), (174, 256), (5000, 256)],
)
def test_a_whole_frame_lasts_less_than_two_seconds(rate: int, samples: int) -> None:
    assert 1 << whole_frame_log(Fraction(rate)) == samples
    assert 1 << whole_frame_log(Fraction(2 * rate + 1, 2)) == samples


@pytest.mark.parametrize(("old", "new"), [(3, 3), (3, 5), (5, 3), (0, 8), (8, 0), (8, 7)])
def test_last_frames_are_stretched_or_keep_the_largest(old: int, new: int) -> None:
    rng = np.random.default_rng(old)
    frames = PLAIN.integers(FRAMES_MEMORY, 0)
    frames[SIZE] = old
    rows = rng.integers(-9, 10, (2, 1 << old))
    for row, base in zip(rows, (MARGIN, MARGIN + FRAME_ROOM), strict=True):
        frames[base : base + (1 << old)] = row.tolist()
    PLAIN.fit_frames(frames, new)
    assert frames[SIZE] == new
    for row, base in zip(rows, (MARGIN, MARGIN + FRAME_ROOM), strict=True):
        if new >= old:
            expected = np.repeat(row, 1 << (new - old)).tolist()
        else:
            expected = [max(group.tolist(), key=abs) for group in row.reshape(1 << new, -1)]
        room = frames[base - MARGIN : base - MARGIN + FRAME_ROOM]
        assert room == [0, 0, *expected, *[0] * (FRAME_ROOM - 2 - len(expected))]


def test_an_encoder_halves_frames_around_a_click() -> None:
    """A click in silence takes the shortest, a slow swell the longest; models stay."""
    places = np.arange(512)
    click = np.where(places == 200, 30_000, 0)
    tone = np.rint(8000 * np.hanning(512) * np.sin(places * 0.4)).astype(np.int64)
    for signal, expected in ((click, 3), (tone, 0)):
        lead = Lead(COMPILED)
        before = [store.copy() for store in lead.models]
        work = cosine_work(transform_work(512, COMPILED))
        found = cheapest_halvings(
            COMPILED.listed(signal), 8, 400, STRENGTH, lead.models, work, COMPILED
        )
        assert found == expected
        for store, kept in zip(lead.models, before, strict=True):
            np.testing.assert_array_equal(store, kept)
