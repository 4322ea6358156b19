"""Corrections of kernels: when they are due, what they cost, what they mend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_runtime.compiled import compiled_core
from san_stream.coding import kernel_updates as updates
from san_stream.coding.adaptive_kernels import BEATS, NOTES_SIZE, SENT, USES
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.numbers import EVEN
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.wavelet import MOST_BANDS
from tests.unit.coding.quality_streams import CHECKED

LENGTH = 288
CORES = pytest.mark.parametrize("core", [PLAIN, compiled_core()], ids=["plain", "compiled"])


class Bench:
    """One kernel that has been used eight times, and its corrections' coder."""

    def __init__(self, core: Core, uses: int = 8) -> None:
        make = core.integers
        self.core = core
        self.kernels, self.notes = make(8 * LENGTH, 0), make(NOTES_SIZE, 0)
        self.notes[BEATS] = self.notes[USES] = uses
        self.models = (
            make(updates.CORRECTION_SLOTS, updates.FIRST_CHANCE),
            make(updates.CORRECTION_REST, EVEN),
            make(updates.CORRECTION_REST, 0),
        )
        self.room = [make(LENGTH, 0) for _ in range(3)]
        self.room += [make(MOST_BANDS + 1, 0), make(MOST_BANDS + 1, 0)]
        self.state = make(STATE_SIZE, 0)

    def code(self, buffer: Any, step: int, given: int, wanted: Any, weights: Any) -> int:
        return self._call(self.core.code_correction, buffer, step, given, wanted, weights)

    def give(self, buffer: Any, step: int, fineness: int, wanted: Any, weights: Any) -> int:
        return self._call(self.core.code_given, buffer, step, fineness, wanted, weights)

    def _call(self, function: Any, buffer: Any, step: int, *encoding: Any) -> int:
        known = (self.kernels, self.notes, 0, LENGTH, step, 5571)
        return int(function(self.state, buffer, *self.models, *known, *encoding, *self.room))

    def bands(self, values: Any) -> Any:
        room = (
            self.core.integers(LENGTH, 0),
            *(self.core.integers(MOST_BANDS + 1, 0) for _ in "123"),
        )
        self.core.kernel_bands(values, LENGTH, *room)
        return values


def difference(seed: int, size: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What a kernel lacks, 1/256 ADC unit."""
    places = np.arange(LENGTH)
    rng = np.random.default_rng(seed)
    out = size * np.exp(-(((places - 110) / 9) ** 2)) + rng.normal(0, size / 30, LENGTH)
    return np.rint(out * 256).astype(np.int64)


def test_due_at_powers_of_two() -> None:
    notes = [0] * NOTES_SIZE
    due = []
    for uses in range(1, 300):
        notes[BEATS] = notes[USES] = uses
        while PLAIN.correction_due(notes, 0):
            due.append(uses)
            notes[SENT] += 1
    assert due == [4, 8, 16, 32, 64, 128, 256]


def test_the_step_falls_with_the_root_of_uses_to_come() -> None:
    notes = [0] * NOTES_SIZE
    for uses, factor in ((4, 12), (8, 24), (16, 48), (32, 64), (1000, 64)):
        notes[USES] = uses
        step = PLAIN.correction_step(notes, 0, 16 * 40)
        assert step == pytest.approx(256 * 40 / factor**0.5, rel=0.001)
    assert PLAIN.correction_step(notes, 0, 1) == updates.FINEST


@CORES
@pytest.mark.parametrize("size", [40.0, 4000.0, 1e9])
def test_a_correction_mends_the_kernel_at_both_ends(core: Core, size: float) -> None:
    step = 16 * 30
    lacking = difference(1, size)
    encoder, decoder = Bench(core), Bench(core)
    buffer = core.octets(1 << 14)
    core.start_encoder(encoder.state)
    wanted = encoder.bands(core.listed(lacking))
    assert encoder.code(buffer, step, 1, wanted, core.integers(LENGTH, 65536)) == 1
    length = core.finish_encoder(encoder.state, buffer)
    core.start_decoder(decoder.state, buffer, length)
    nothing = core.integers(LENGTH, 0)
    assert decoder.code(buffer, step, 0, nothing, nothing) == 1
    assert list(decoder.kernels) == list(encoder.kernels)
    assert list(decoder.notes) == list(encoder.notes)
    if size < 1e6:
        left = np.array(encoder.kernels[:LENGTH]) - lacking
        fine = 256 * 30 / 24**0.5
        assert np.sqrt(np.mean(left**2)) < 0.6 * fine
        assert np.sqrt(np.mean(left**2)) < 0.2 * np.sqrt(np.mean(lacking**2))


def test_little_weight_sends_little() -> None:
    lacking = difference(2, 100)
    sizes = []
    for weight in (65536, 3000, 1):
        bench = Bench(PLAIN)
        buffer = PLAIN.octets(1 << 14)
        PLAIN.start_encoder(bench.state)
        bench.code(buffer, 480, 1, bench.bands(lacking.tolist()), [weight] * LENGTH)
        sizes.append(PLAIN.finish_encoder(bench.state, buffer))
    assert sizes[0] > 2 * sizes[1] > 2 * sizes[2]


def test_none_costs_a_bit_and_counts_as_sent() -> None:
    bench = Bench(PLAIN)
    buffer = PLAIN.octets(100)
    PLAIN.start_encoder(bench.state)
    assert bench.code(buffer, 480, 0, [0] * LENGTH, [0] * LENGTH) == 0
    assert bench.notes[SENT] == 1
    assert not any(bench.kernels)
    assert PLAIN.finish_encoder(bench.state, buffer) <= 1


@CORES
@pytest.mark.parametrize("fineness", [0, 1, 2, 3])
def test_a_given_kernel_is_the_same_at_both_ends(core: Core, fineness: int) -> None:
    step, shape = 16 * 30, difference(3, 400.0)
    encoder, decoder = Bench(core, 0), Bench(core, 0)
    buffer = core.octets(1 << 14)
    core.start_encoder(encoder.state)
    wanted = encoder.bands(core.listed(shape))
    weights = core.integers(LENGTH, 65536)
    assert encoder.give(buffer, step, fineness, wanted, weights) == 1
    length = core.finish_encoder(encoder.state, buffer)
    core.start_decoder(decoder.state, buffer, length)
    nothing = core.integers(LENGTH, 0)
    assert decoder.give(buffer, step, -1, nothing, nothing) == 1
    assert list(decoder.kernels) == list(encoder.kernels)
    assert list(decoder.notes) == list(encoder.notes)
    uses = int(encoder.notes[USES])
    assert (uses, encoder.notes[BEATS]) == (4**fineness, min(4**fineness, 59))
    assert not core.correction_due(encoder.notes, 0)
    encoder.notes[USES] = 2 * uses if fineness else 4
    assert core.correction_due(encoder.notes, 0)
    left = np.sqrt(np.mean((np.array(encoder.kernels[:LENGTH]) - shape) ** 2))
    assert 0.1 < left / (256 * 30 / 2**fineness) < 0.5


def test_no_given_kernel_costs_a_bit_alone() -> None:
    bench, buffer = Bench(PLAIN, 0), PLAIN.octets(100)
    PLAIN.start_encoder(bench.state)
    assert bench.give(buffer, 480, -1, [0] * LENGTH, [0] * LENGTH) == 0
    assert not any(bench.kernels)
    assert not any(bench.notes)
    assert PLAIN.finish_encoder(bench.state, buffer) <= 1


@given(st.binary(max_size=300), st.sampled_from([1, 480, 2**28]))
def test_damaged_given_kernels_stay_where_doubles_are_exact(data: bytes, step: int) -> None:
    bench = Bench(CHECKED, 0)
    PLAIN.start_decoder(bench.state, data, len(data))
    for _ in range(3):
        bench.give(data, step, -1, [0] * LENGTH, [0] * LENGTH)
    assert max(map(abs, bench.kernels)) < 2**38
    assert bench.state[ERROR] in (0, 1)


@given(st.binary(max_size=300), st.sampled_from([1, 480, 2**28]))
def test_damaged_bytes_stay_in_bounds(data: bytes, step: int) -> None:
    bench = Bench(PLAIN)
    PLAIN.start_decoder(bench.state, data, len(data))
    for _ in range(3):
        bench.code(data, step, 0, [0] * LENGTH, [0] * LENGTH)
    assert max(map(abs, bench.kernels)) < 2**38
    assert bench.state[ERROR] in (0, 1)
