"""Leads of the cosine kind: the product's coder and the document's decoder read the same."""

from __future__ import annotations

from fractions import Fraction
from math import cos, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.layers import Block, Wire
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.starts import COSINE, ECG, UNTRAINED
from san_stream.coding.transform_layer import TransformLayer
from san_stream.types import Lead
from tests.golden.spec_cosine import frame_lengths, from_frames
from tests.golden.spec_range import RangeDecoder
from tests.golden.spec_transform import LeadFacts, TransformReader

CORE = compiled_core()
FACTS = {"baseline": 100, "minimum": -2000, "maximum": 2500}


def rhythm(count: int, leads: int) -> NDArray[np.int64]:
    """Rhythms that come and go, in noise, with a jump; int64 ``[count, leads]``."""
    rng = np.random.default_rng(3)
    t = np.arange(count)[:, None]
    wave = 300 * np.sin(t / 90) * np.sin(t / (2.5 + np.arange(leads))) + 200 * (t > count // 2)
    return np.rint(wave + rng.normal(0, 20, (count, leads))).astype(np.int64)


def write(
    signal: NDArray[np.int64],
    layer: TransformLayer,
    counts: list[int],
    runs: set[int],
    resets: set[int],
) -> tuple[bytes, list[NDArray[np.int64]]]:
    """Blocks of so many samples at changing steps; what the encoder shows of each."""
    state, buffer = CORE.integers(STATE_SIZE, 0), CORE.octets(8 * signal.size + 4096)
    CORE.start_encoder(state)
    wire = Wire(CORE, state, buffer, False, True, True, {})
    shown, first = [], 0
    for number, count in enumerate(counts):
        if number in resets:
            layer.reset()
        if number in runs | resets:
            layer.restart()
        columns = [CORE.listed(column) for column in signal[first : first + count].T]
        steps = [120 + 3 * (number % 4) + lead for lead in range(len(columns))]
        block = Block(first, count, samples=columns, steps=steps)
        layer.code(block, wire)
        assert not state[ERROR]
        shown.append(np.array(block.samples, np.int64))
        first += count
    return bytes(buffer[: CORE.finish_encoder(state, buffer)]), shown


@pytest.mark.parametrize("rate", [Fraction(160), Fraction(173611, 1000), Fraction(40), Fraction(9)])
@pytest.mark.parametrize("bounds", [(), (3, 9)], ids=["quality", "bounded"])
@pytest.mark.parametrize(
    "starts",
    [(COSINE, COSINE), (UNTRAINED, COSINE), (COSINE, ECG)],
    ids=["same", "mixed", "trained"],
)
def test_samples_are_those_of_the_document(
    rate: Fraction, bounds: tuple[int, ...], starts: tuple[int, ...]
) -> None:
    leads = [Lead("x", **FACTS) for _ in starts]
    layer = TransformLayer(rate, leads, 512, 10, bounds, CORE, trained=True)
    layer.quality.starts = [(start,) for start in starts]
    counts, runs, resets = [512, 300, 56, 1, 512, 64, 7, 33], {2, 4}, {0, 5}
    signal = rhythm(sum(counts), len(starts))
    data, shown = write(signal, layer, counts, runs, resets)
    facts = [LeadFacts(**FACTS, bound=bound) for bound in bounds or (None,) * len(starts)]
    reader = TransformReader(rate, 512, 10, facts, tables=1)
    source = RangeDecoder(data)
    for number, count in enumerate(counts):
        if number in resets:
            reader.reset()
        if number in runs | resets:
            reader.restart()
        read = reader.read(source, [[1] * count for _ in starts])
        np.testing.assert_array_equal(np.array(read), shown[number])
    if bounds:
        error = np.abs(np.concatenate(shown, axis=1) - signal.T).max(axis=1)
        assert tuple(error) == bounds


@pytest.mark.parametrize("count", [1, 2, 5, 100, 300])
def test_the_document_undoes_the_transform_it_names(count: int) -> None:
    """Each coefficient alone gives its windowed cosine."""
    lengths, size = frame_lengths(count, 64), 100_000
    number = len(lengths) // 2
    begin, n = sum(lengths[:number]), lengths[number]
    before = min(lengths[number - 1], n) // 2 if number else 0
    behind = min(lengths[number + 1], n) // 2 if number + 1 < len(lengths) else 0
    for k in {0, n // 3, n - 1}:
        frames = [[0] * length for length in lengths]
        frames[number][k] = size
        expected = np.zeros(count)
        for t in range(begin - before, begin + n + behind):
            x = t - begin + 0.5
            rise = np.sin(pi * (x + before) / (4 * before)) if x < before else 1.0
            fall = cos(pi * (x - n + behind) / (4 * behind)) if x > n - behind else 1.0
            if number + 1 < len(lengths):
                wave = cos(pi / n * (k + 0.5) * x)
            else:
                wave = cos(pi / n * k * x) * (1 if k else sqrt(0.5))
            expected[t] = size * sqrt(2 / n) * wave * rise * fall
        np.testing.assert_allclose(from_frames(frames), expected, atol=4)
