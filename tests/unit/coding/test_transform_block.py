"""Blocks through the transform coder: both directions, both forms, quality, damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.band_prediction import BAND_MEMORY, BAND_WORK
from san_stream.coding.coefficients import (
    COEFFICIENT_MAPS,
    COEFFICIENT_SLOTS,
    COEFFICIENT_WEIGHTS,
    CONTEXTS,
    MEANS_SIZE,
    REST_SIZE,
    SIGN_SLOTS,
)
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.transform_block import FOUND_SIZE
from san_stream.coding.wavelet import MOST_BANDS
from tests.unit.coding.quality_streams import CHECKED

OUTSIDE = 62  # the phase of samples that are in no beat
STRENGTH = 5571  # λ = 0.085 steps² a bit
EVEN = 32768
LOWEST, HIGHEST = -(2**31), 2**31 - 1

Signal = NDArray[np.int64]


@dataclass
class Lead:
    """Models and memory of one lead, in one direction.

    Attributes:
        core: plain or compiled. coded: bytes to decode; None to encode.
        distortion: of the last block.
    """

    core: Core
    coded: bytes | None = None
    distortion: int = 0
    models: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        core = self.core
        self.state = core.integers(STATE_SIZE, 0)
        if self.coded is None:
            self.buffer = core.octets(1 << 16)
            core.start_encoder(self.state)
        else:
            self.buffer = core.loaded(self.coded)
            core.start_decoder(self.state, self.buffer, len(self.coded))
        self.models = {
            "slots": core.words(COEFFICIENT_SLOTS, 0),
            "weights": core.integers(COEFFICIENT_WEIGHTS, 0),
            "maps": core.integers(COEFFICIENT_MAPS, 0),
            "signs": core.words(SIGN_SLOTS, 0),
            "means": core.integers(MEANS_SIZE, 0),
            "rest": core.integers(REST_SIZE, EVEN),
            "rest_count": core.integers(REST_SIZE, 0),
            "band": core.integers(BAND_MEMORY, 0),
        }
        core.start_coefficients(*list(self.models.values())[:5])
        core.start_band(self.models["band"])

    def code(
        self,
        target: Signal,
        prediction: Signal,
        phases: Signal,
        step: int,
        strength: int = STRENGTH,
    ) -> Signal:
        """One block; a decoder does not see `target`, only its length."""
        core, size = self.core, len(target)
        output = core.integers(size, 0)
        given_target = core.listed(target) if self.coded is None else core.integers(size, 0)
        room = [core.integers(size, 0) for _ in range(5)]
        bands = [core.integers(MOST_BANDS, 0) for _ in range(2)]
        found = core.integers(FOUND_SIZE, 0)
        inputs = core.integers(CONTEXTS, 0)
        work = [core.integers(n, 0) for n in (BAND_WORK, 16, 4)]
        self.distortion = int(
            core.code_block(
                self.state, self.buffer, given_target, core.listed([*prediction, 5]),
                core.listed([*phases, 7]), step, strength, output, *self.models.values(), *room,
                *bands, found, inputs, *work,
            )
        )  # fmt: skip
        return np.array(output, np.int64)

    def finish(self) -> bytes:
        return bytes(self.buffer[: self.core.finish_encoder(self.state, self.buffer)])

    def memory(self) -> list[list[int]]:
        return [[int(value) for value in store] for store in self.models.values()]


@dataclass(frozen=True)
class Block:
    target: Signal
    prediction: Signal
    phases: Signal
    step: int

    @classmethod
    def plain(cls, target: Signal, step: int) -> Block:
        """A block without spikes."""
        target = np.asarray(target, np.int64)
        return cls(target, np.zeros_like(target), np.full_like(target, OUTSIDE), step)


def encode(core: Core, blocks: list[Block], strength: int = STRENGTH) -> tuple[Lead, list[Signal]]:
    lead = Lead(core)
    shown = [lead.code(b.target, b.prediction, b.phases, b.step, strength) for b in blocks]
    assert lead.state[ERROR] == 0
    return lead, shown


def decode(core: Core, coded: bytes, blocks: list[Block]) -> tuple[Lead, list[Signal]]:
    lead = Lead(core, coded)
    blank = [np.zeros_like(block.target) for block in blocks]
    shown = [
        lead.code(empty, b.prediction, b.phases, b.step)
        for empty, b in zip(blank, blocks, strict=True)
    ]
    return lead, shown


def bytes_of(core: Core, blocks: list[Block], strength: int = STRENGTH) -> int:
    return len(encode(core, blocks, strength)[0].finish())


def root_mean_square(signal: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=float))))


def noise(rng: np.random.Generator, length: int, reach: int) -> Signal:
    return rng.integers(-reach, reach, length, endpoint=True)


def hostile_blocks(seed: int) -> list[Block]:
    """Blocks of changing length, step and kind, up to the limits of 32 bits."""
    rng = np.random.default_rng(seed)
    blocks = []
    for number in range(8):
        size = int(rng.choice([1, 2, 3, 7, 33, 64, 100, 131]))
        full = [
            noise(rng, size, 1) * HIGHEST * 16,
            np.full(size, LOWEST * 16),
            noise(rng, size, HIGHEST * 16),
            np.where(np.arange(size) % 2 == 0, LOWEST * 16, HIGHEST * 16),
            noise(rng, size, 800),
            np.zeros(size, np.int64),
        ]
        target = full[(number + seed) % len(full)]
        prediction = full[int(rng.integers(len(full)))]
        phases = rng.integers(0, 63, size)
        step = int(rng.choice([1 << 12, 1 << 16, 1 << 20, 1 << 28, 100_000]))
        blocks.append(Block(target, prediction, phases, step))
    return blocks


def heart(seconds: int, seed: int, offset: int = 0) -> list[Block]:
    """Beats of one shape on a wandering baseline with noise, 384 samples a block, step 8 ADC."""
    rng = np.random.default_rng(seed)
    size = seconds * 360 // 384 * 384
    places = np.arange(size)
    phase = (places + 37) % 288
    beat = 300 * np.exp(-(((phase - 120) / 6.0) ** 2)) - 90 * np.exp(-(((phase - 134) / 9.0) ** 2))
    signal = beat + 60 * np.exp(-(((phase - 200) / 25.0) ** 2)) + 40 * np.sin(places / 400)
    target = np.rint(16 * (signal + rng.normal(0, 4, size) + offset)).astype(np.int64)
    return [Block.plain(target[i : i + 384], 128) for i in range(0, size, 384)]


@pytest.mark.parametrize("seed", range(6))
def test_hostile_blocks_decode_to_what_the_encoder_shows(seed: int) -> None:
    blocks = hostile_blocks(seed)
    lead, shown = encode(compiled_core(), blocks)
    coded = lead.finish()
    other, plain_shown = encode(PLAIN, blocks)
    assert other.finish() == coded
    for core in (PLAIN, compiled_core()):
        reader, read = decode(core, coded, blocks)
        assert reader.state[ERROR] == 0
        assert reader.memory() == lead.memory() == other.memory()
        for a, b, c in zip(shown, plain_shown, read, strict=True):
            assert np.array_equal(a, b)
            assert np.array_equal(a, c)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(LOWEST * 16, HIGHEST * 16), min_size=1, max_size=40),
            st.integers(4096, 1 << 28),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_blocks_decode_to_what_the_encoder_shows(cases: list[tuple[list[int], int]]) -> None:
    blocks = [Block.plain(np.array(values, np.int64), step) for values, step in cases]
    lead, shown = encode(PLAIN, blocks)
    _, read = decode(PLAIN, lead.finish(), blocks)
    for a, b in zip(shown, read, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("length", [1, 2, 5, 31, 32, 100, 384, 1000])
@pytest.mark.parametrize("reach", [2000, 1 << 20, HIGHEST * 16])
def test_error_without_rate_is_half_a_step_a_coefficient(length: int, reach: int) -> None:
    """With λ = 0 levels are rounded: half a step in each coefficient, nearly orthonormal."""
    rng = np.random.default_rng(length)
    step = max(reach // 200, 16)
    blocks = [Block.plain(noise(rng, length, reach), step) for _ in range(3)]
    _, shown = encode(compiled_core(), blocks, strength=0)
    errors = np.concatenate([a - b.target for a, b in zip(shown, blocks, strict=True)])
    assert root_mean_square(errors) <= 0.53 * 1.1 * step + 8
    assert np.abs(errors).max() <= 2.5 * step + 16
    if length >= 384:
        assert root_mean_square(errors) == pytest.approx(step / np.sqrt(12), rel=0.1)


def test_distortion_is_that_of_the_signal() -> None:
    blocks = heart(8, 1)
    lead = Lead(compiled_core())
    for block in blocks:
        shown = lead.code(block.target, block.prediction, block.phases, block.step)
        error = float(np.sum(np.square(block.target - shown, dtype=float)))
        assert lead.distortion / 65536 * block.step**2 == pytest.approx(error, rel=0.15)


def test_cost_falls_and_error_grows_with_the_step() -> None:
    costs, errors = [], []
    for step in (16, 32, 64, 128, 256, 512, 1024):
        blocks = [Block.plain(b.target, step) for b in heart(8, 2)]
        lead, shown = encode(compiled_core(), blocks)
        costs.append(len(lead.finish()))
        both = zip(shown, blocks, strict=True)
        errors.append(root_mean_square(np.concatenate([a - b.target for a, b in both])))
    assert costs == sorted(costs, reverse=True)
    assert errors == sorted(errors)
    assert costs[0] > 8 * costs[-1]


def test_cost_falls_and_error_grows_with_the_strength() -> None:
    blocks = heart(8, 3)
    costs, errors = [], []
    for strength in (0, 2000, STRENGTH, 20_000):
        lead, shown = encode(compiled_core(), blocks, strength)
        costs.append(len(lead.finish()))
        both = zip(shown, blocks, strict=True)
        errors.append(root_mean_square(np.concatenate([a - b.target for a, b in both])))
    assert costs == sorted(costs, reverse=True)
    assert errors == sorted(errors)


def test_decided_levels_beat_rounded_ones_at_equal_cost() -> None:
    """λ is worth it: rounding with a coarser step costs as much and errs more."""
    blocks = heart(16, 4)
    lead, shown = encode(compiled_core(), blocks)
    cost = len(lead.finish())
    error = root_mean_square(
        np.concatenate([a - b.target for a, b in zip(shown, blocks, strict=True)])
    )
    for step in range(128, 400, 4):
        coarser = [Block.plain(b.target, step) for b in blocks]
        rounded, seen = encode(compiled_core(), coarser, strength=0)
        if len(rounded.finish()) <= cost:
            break
    errors = np.concatenate([a - b.target for a, b in zip(seen, blocks, strict=True)])
    assert root_mean_square(errors) > 1.03 * error


def test_silence_costs_next_to_nothing() -> None:
    blocks = [Block.plain(np.zeros(384, np.int64), 128) for _ in range(40)]
    lead, shown = encode(compiled_core(), blocks)
    assert not any(block.any() for block in shown)
    assert len(lead.finish()) < 60  # 15,360 samples


def test_noise_costs_its_entropy() -> None:
    """White noise 20 steps wide: log2 of 20 √(2πe) bits a sample; learning costs some percent."""
    rng = np.random.default_rng(7)
    step = 1024
    blocks = [
        Block.plain(np.rint(rng.normal(0, 20 * step, 1152)).astype(np.int64), step)
        for _ in range(10)
    ]
    entropy = np.log2(20 * np.sqrt(2 * np.pi * np.e))
    assert 8 * bytes_of(compiled_core(), blocks, strength=0) / 11520 < 1.05 * entropy


def test_models_learn() -> None:
    """Blocks coded in a row cost less than the same blocks each from the initial models."""
    blocks = heart(40, 5)
    apart = sum(bytes_of(compiled_core(), blocks[i : i + 1]) for i in range(len(blocks)))
    assert bytes_of(compiled_core(), blocks) < 0.9 * apart


def test_prediction_and_phase_tell_where_and_which_way() -> None:
    """What is left is half of what was predicted: contexts of the prediction see it coming."""
    told = []
    for block in heart(30, 6):
        half = block.target // 2
        told.append(Block(half, half, block.phases, block.step))
    alone = [Block.plain(block.target, block.step) for block in told]
    assert bytes_of(compiled_core(), told) < 0.85 * bytes_of(compiled_core(), alone)
    phased = []
    for number, block in enumerate(alone):
        places = (np.arange(384) + 384 * number + 37) % 288
        phases = np.minimum(places * 62 // 288, 61)
        phased.append(Block(block.target, block.prediction, phases, block.step))
    assert bytes_of(compiled_core(), phased) < 0.93 * bytes_of(compiled_core(), alone)


def test_an_offset_costs_once() -> None:
    level, far = heart(20, 8), heart(20, 8, offset=4000)
    cost = bytes_of(compiled_core(), level)
    assert bytes_of(compiled_core(), far) < cost + 40


@pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])
def test_damaged_bytes_end_in_order(core: Core) -> None:
    """Bits turned and bytes at random: the decoder stays in bounds, says so or shows something."""
    blocks = heart(4, 9)[:2] + hostile_blocks(0)[:3]
    coded = encode(compiled_core(), blocks)[0].finish()
    rng = np.random.default_rng(9)
    cases = [rng.bytes(int(rng.integers(0, 400))) for _ in range(12)]
    cases += [b"", b"\xff" * 300, b"\x00" * 300]
    for _ in range(12):
        damaged = bytearray(coded)
        damaged[int(rng.integers(len(coded)))] ^= 1 << int(rng.integers(8))
        cases.append(bytes(damaged[: int(rng.integers(1, len(coded) + 1))]))
    for case in cases:
        _, shown = decode(core, case, blocks)
        assert all(np.abs(block).max() < 2**53 for block in shown)


def test_damaged_bytes_mean_the_same_to_both_forms() -> None:
    blocks = heart(4, 10)[:2] + hostile_blocks(1)[:3]
    rng = np.random.default_rng(10)
    for _ in range(8):
        case = rng.bytes(300)
        plain, plain_shown = decode(PLAIN, case, blocks)
        other, shown = decode(compiled_core(), case, blocks)
        assert plain.state[ERROR] == other.state[ERROR]
        for a, b in zip(plain_shown, shown, strict=True):
            assert np.array_equal(a, b)


def test_recording_costs_what_was_measured(data: Callable[[str], Path]) -> None:
    """58 s of mitdb/100 without spikes, at a step of 16 ADC units."""
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(data("mitdb/100")), physical=False, sampto=18 * 1152)
    signal = (record.d_signal[:, 0].astype(np.int64) - 1024) * 16
    blocks = [Block.plain(signal[i : i + 1152], 256) for i in range(0, len(signal), 1152)]
    lead, shown = encode(compiled_core(), blocks)
    error = root_mean_square(np.concatenate(shown) - signal) / 16
    cost = len(lead.finish())
    assert cost == pytest.approx(1228, rel=0.015)
    assert error == pytest.approx(2.787, rel=0.015)


@pytest.mark.parametrize("seed", range(6))
def test_every_number_stays_below_2_to_53(seed: int) -> None:
    """Hostile signals and hostile bytes, with integers that check themselves."""
    signs = np.random.default_rng(seed).integers(0, 2, 1024) * 2 - 1
    blocks = [*hostile_blocks(seed), Block.plain(signs * HIGHEST * 16, 1 << (14 + 2 * seed))]
    lead, shown = encode(CHECKED, blocks)
    coded = lead.finish()
    assert coded == encode(compiled_core(), blocks)[0].finish()
    for a, b in zip(shown, decode(CHECKED, coded, blocks)[1], strict=True):
        assert np.array_equal(a, b)
    decode(CHECKED, np.random.default_rng(seed).bytes(200), blocks[::-1])
