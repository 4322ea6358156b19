"""The integer lapped cosine transform, against its definition in doubles."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.cosine_tables import COSINES, FRAME_SCALES, LONGEST_FRAME
from san_stream.coding.wavelet import COEFFICIENT_REACH
from tests.unit.coding.quality_streams import CHECKED

COMPILED = compiled_core()
LENGTHS = [*range(1, 40), 63, 64, 65, 127, 128, 191, 200, 255, 256, 257, 512, 555, 1152]


def there(core: Core, samples: list[int], longest: int) -> list[int]:
    values = core.listed(samples)
    core.transform_cosine(values, len(values), longest, core.integers(LONGEST_FRAME, 0))
    return [int(value) for value in values]


def back(core: Core, coefficients: list[int], longest: int) -> list[int]:
    values = core.listed(coefficients)
    core.restore_cosine(values, len(values), longest, core.integers(LONGEST_FRAME, 0))
    return [int(value) for value in values]


def frames_of(length: int, longest: int) -> list[int]:
    """Lengths of the frames of a block, counted down from the definition."""
    out: list[int] = []
    size = 1 << longest
    while sum(out) < length:
        while sum(out) + size > length:
            size //= 2
        out.append(size)
    return out


def basis(length: int, longest: int) -> NDArray[np.float64]:
    """The transform as a matrix in doubles, row after row: window times cosine."""
    sizes = frames_of(length, longest)
    rows = []
    for number, size in enumerate(sizes):
        begin = sum(sizes[:number])
        last = number == len(sizes) - 1
        before = min(sizes[number - 1], size) // 2 if number else 0
        behind = 0 if last else min(sizes[number + 1], size) // 2
        t = np.arange(begin - before, begin + size + behind) - begin + 0.5
        window = np.ones(len(t))
        if before:
            rising = t < before
            window[rising] = np.sin(np.pi * (t[rising] + before) / (4 * before))
        if behind:
            falling = t > size - behind
            window[falling] = np.cos(np.pi * (t[falling] - size + behind) / (4 * behind))
        for k in range(size):
            row = np.zeros(length)
            if last:
                wave = np.cos(np.pi / size * k * t) * (np.sqrt(0.5) if k == 0 else 1)
            else:
                wave = np.cos(np.pi / size * (k + 0.5) * t)
            row[begin - before : begin + size + behind] = window * wave * np.sqrt(2 / size)
            rows.append(row)
    return np.array(rows)


def test_tables_are_what_the_document_says() -> None:
    assert len(COSINES) == 2048
    assert zlib.crc32(struct.pack("<2048i", *COSINES)) == 0xACF462AB
    exact = 2**17 * np.cos(np.pi * np.arange(2048) / 1024)
    assert np.abs(np.array(COSINES) - exact).max() <= 0.5
    scales = [2**17 * np.sqrt(2 / 2**size) for size in range(9)]
    assert np.abs(np.array(FRAME_SCALES) - scales).max() <= 0.5


def test_inner_frames_are_the_mdct() -> None:
    """A frame between two of its length is Σ w[n] x[n] cos(π/N (n + 1/2 - N/2)(k + 1/2))."""
    size = 64
    samples = np.random.default_rng(1).integers(-30_000, 30_000, 5 * size)
    found = np.array(there(PLAIN, samples.tolist(), 6), float)
    n, k = np.arange(2 * size), np.arange(size)[:, None]
    kernel = np.sin(np.pi * (n + 0.5) / (2 * size)) * np.cos(
        np.pi / size * (n + 0.5 - size / 2) * (k + 0.5)
    )
    for frame in (1, 2, 3):
        middle = frame * size
        part = samples[middle - size // 2 : middle + size + size // 2]
        exact = np.sqrt(2 / size) * kernel @ part
        assert np.abs(found[middle : middle + size] - exact).max() < 3


@pytest.mark.parametrize("longest", [4, 6, 8])
@pytest.mark.parametrize("length", [1, 2, 3, 17, 56, 64, 100, 255, 300, 555])
def test_all_frames_are_the_definition(length: int, longest: int) -> None:
    matrix = basis(length, longest)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(length), atol=1e-12)
    samples = np.random.default_rng(length).integers(-(10**6), 10**6, length)
    error = np.array(there(PLAIN, samples.tolist(), longest)) - matrix @ samples
    assert np.abs(error).max() < 60  # 10^6 · 256 factors, each 2^-18 off, by chance
    shown = np.array(back(PLAIN, samples.tolist(), longest)) - matrix.T @ samples
    assert np.abs(shown).max() < 60


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("longest", [4, 7, 8])
def test_signals_come_back(length: int, longest: int) -> None:
    rng = np.random.default_rng(length)
    for reach in (100, 2**20, 2**27, 2**35):
        signal = rng.integers(-reach, reach, length, endpoint=True)
        coefficients = there(COMPILED, signal.tolist(), longest)
        error = np.array(back(COMPILED, coefficients, longest)) - signal
        assert np.abs(error).max() <= 4 + reach / 2**14


@pytest.mark.parametrize("length", [1, 2, 31, 64, 96, 257, 300])
def test_all_forms_agree_on_hostile_values(length: int) -> None:
    """Also the form whose integers refuse to leave ±2^53."""
    rng = np.random.default_rng(length)
    limit = COEFFICIENT_REACH
    signals = [
        rng.integers(-limit, limit, length, endpoint=True),
        np.where(rng.random(length) < 0.5, -limit, limit),
        np.full(length, limit),
        np.full(length, 2**27 - 1),
        np.where(np.arange(length) == length // 2, limit, 1),
    ]
    for signal in signals:
        values = [int(value) for value in signal]
        coefficients = there(CHECKED, values, 8)
        assert coefficients == there(COMPILED, values, 8) == there(PLAIN, values, 8)
        shown = back(CHECKED, values, 8)
        assert shown == back(COMPILED, values, 8) == back(PLAIN, values, 8)
        assert max(abs(value) for value in shown) <= COEFFICIENT_REACH


@given(st.lists(st.integers(-(2**35), 2**35), min_size=1, max_size=150))
def test_any_signal_comes_back_to_fourteen_bits(signal: list[int]) -> None:
    error = np.array(back(PLAIN, there(PLAIN, signal, 6), 6)) - np.array(signal)
    assert np.abs(error).max() <= 4 + max(abs(value) for value in signal) / 2**14


def test_a_constant_is_in_the_lowest_lines() -> None:
    """The last frame's second kind is even at the block's end: no jump spreads over it."""
    coefficients = np.abs(there(PLAIN, [10_000] * (3 * 64), 6))
    assert coefficients[2 * 64 + 8 :].max() < 0.02 * coefficients.max()
