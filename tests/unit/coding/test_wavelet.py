"""The integer wavelet, against its inverse and against the transform in doubles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN, Core
from san_stream.coding.wavelet import (
    FIRST,
    FOURTH,
    MOST_BANDS,
    MOST_LEVELS,
    SECOND,
    THIRD,
    band_step,
    find_bands,
    levels_of,
)

LIMIT = 2**35
"""Of a target in 1/16 ADC units: samples of 32 bits."""

# The lifting steps of Daubechies and Sweldens 1998, and the factor of the approximation.
STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
SCALE = 1.230174104914001


def there(core: Core, samples: list[int]) -> list[int]:
    values = core.listed(samples)
    core.transform(values, len(values), core.integers(len(values), 0))
    return [int(value) for value in values]


def back(core: Core, bands: list[int]) -> list[int]:
    values = core.listed(bands)
    core.restore(values, len(values), core.integers(len(values), 0))
    return [int(value) for value in values]


def bands_of(length: int) -> tuple[list[int], list[int]]:
    offsets, lengths = [0] * MOST_BANDS, [0] * MOST_BANDS
    bands = find_bands(length, offsets, lengths)
    return offsets[:bands], lengths[:bands]


def symmetric(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Neighbours to the left and right along the first axis, mirrored at the ends."""
    padded = np.pad(values, [(1, 1), *[(0, 0)] * (values.ndim - 1)], mode="reflect")
    return padded[:-2], padded[2:]


def lifted(values: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], float]]:
    """Each lifting step of each level in doubles: the sums of neighbours, and their factor.

    Afterwards `values` are the unscaled bands.
    """
    size = len(values)
    for _ in range(levels_of(size)):
        part = values[:size]
        for begin, factor in zip((1, 0, 1, 0), STEPS, strict=True):
            left, right = symmetric(part)
            sums = (left + right)[begin::2]
            yield sums, factor
            part[begin::2] += factor * sums
        values[:size] = np.concatenate([part[::2].copy(), part[1::2].copy()])
        size = (size + 1) // 2


def in_doubles(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    values = samples.copy()
    for _ in lifted(values):
        pass
    return values


def hostile(length: int, rng: np.random.Generator) -> list[list[int]]:
    """Signals at the limit: noise, alternation, steps, an impulse, a constant."""
    places = np.arange(length)
    signals = [
        rng.integers(-LIMIT, LIMIT, length, endpoint=True),
        np.where(rng.random(length) < 0.5, -LIMIT, LIMIT),
        np.where(places % 2 == 0, -LIMIT, LIMIT),
        np.where(places < length // 2, -LIMIT, LIMIT),
        np.where(places == length // 3, LIMIT, 0),
        np.full(length, -LIMIT),
    ]
    return [[int(value) for value in signal] for signal in signals]


def test_lifting_factors_are_those_of_the_filter() -> None:
    for factor, exact in zip((FIRST, SECOND, THIRD, FOURTH), STEPS, strict=True):
        assert abs(factor / 4096 - exact) < 1 / 4096


@pytest.mark.parametrize("length", [2, 3, 384, 1152])
def test_details_hardly_see_a_constant(length: int) -> None:
    """An offset of many steps would otherwise add to every detail."""
    bands = there(PLAIN, [1 << 20] * length)
    offsets, _ = bands_of(length)
    assert max(abs(value) for value in bands[offsets[1] :]) < (1 << 20) / 2000


@pytest.mark.parametrize("length", range(1, 601))
def test_bands_partition_the_block(length: int) -> None:
    offsets, lengths = bands_of(length)
    assert offsets[0] == 0
    assert offsets[1:] == list(np.cumsum(lengths))[:-1]
    assert sum(lengths) == length
    assert min(lengths) >= 1
    assert len(offsets) == levels_of(length) + 1 <= MOST_LEVELS + 1
    # a level halves, with the odd sample on the coarse side
    coarse = np.cumsum(lengths)
    assert all(fine in (c, c - 1) for c, fine in zip(coarse, lengths[1:], strict=False))


def test_depth_leaves_some_eight_coefficients() -> None:
    assert [levels_of(n) for n in (1, 2, 31, 32, 33, 63, 64, 1023, 1024, 1152, 1 << 20)] == [
        0, 1, 1, 2, 2, 2, 3, 6, 7, 7, 7,
    ]  # fmt: skip


def test_every_length_comes_back_exactly() -> None:
    rng = np.random.default_rng(1)
    core = compiled_core()
    for length in range(1, 601):
        for signal in hostile(length, rng):
            assert back(core, there(core, signal)) == signal, length


@pytest.mark.parametrize("length", [*range(1, 40), 64, 127, 128, 129, 600])
def test_plain_equals_compiled(length: int) -> None:
    core = compiled_core()
    for signal in hostile(length, np.random.default_rng(length)):
        bands = there(PLAIN, signal)
        assert bands == there(core, signal)
        assert back(PLAIN, bands) == signal
        # and for bands that no signal has
        assert back(PLAIN, signal) == back(core, signal)


@given(st.lists(st.integers(-LIMIT, LIMIT), min_size=1, max_size=80))
def test_any_signal_comes_back_exactly(signal: list[int]) -> None:
    assert back(PLAIN, there(PLAIN, signal)) == signal


@pytest.mark.parametrize("length", [1, 2, 3, 17, 100, 384, 600, 1152])
def test_agrees_with_the_transform_in_doubles(length: int) -> None:
    rng = np.random.default_rng(length)
    for reach in (100, 30_000, 2**24):
        signal = rng.integers(-reach, reach, length, endpoint=True)
        exact = in_doubles(signal.astype(float))
        found = np.array(there(PLAIN, [int(value) for value in signal]))
        # rounding of up to 28 steps, and factors of 12 bits
        assert np.abs(found - exact).max() <= 8 + reach / 500


@pytest.mark.parametrize("length", [256, 600, 1152])
def test_products_stay_below_2_to_53(length: int) -> None:
    """The largest product of any step is the L1 norm of what leads to it, times the limit."""
    responses = np.eye(length)  # row: a value; column: the sample it depends on
    largest = max(
        float(np.abs(sums).sum(axis=1).max() * abs(factor)) for sums, factor in lifted(responses)
    )
    assert 1 < largest * 4096 * LIMIT + 2048 < 2**53
    # the coefficients themselves: what a level may have to hold
    assert np.abs(responses).sum(axis=1).max() < 8


@pytest.mark.parametrize("length", [40, 384, 1152])
def test_steps_of_the_bands_stand_for_the_scale(length: int) -> None:
    """The factors of JPEG 2000 times √2 a level, which make the transform nearly orthonormal."""
    _, lengths = bands_of(length)
    low = np.sqrt(2) / SCALE  # of the approximation, a level
    step = 1 << 20
    for band in range(len(lengths)):
        levels = len(lengths) - max(band, 1)
        gain = low**levels if band == 0 else low ** (levels - 1) * SCALE / np.sqrt(2)
        assert band_step(step, band, len(lengths)) == pytest.approx(step / gain, rel=4e-4)
        assert band_step(1, band, len(lengths)) >= 1


def test_scaled_bands_are_nearly_orthonormal() -> None:
    """An error of one step in a coefficient is an error of some step in the signal, everywhere."""
    length = 1152
    offsets, lengths = bands_of(length)
    for band, (offset, size) in enumerate(zip(offsets, lengths, strict=True)):
        values = [0] * length
        step = 1 << 20
        values[offset + size // 2] = band_step(step, band, len(lengths))
        energy = float(np.sum(np.square(np.array(back(PLAIN, values), float))))
        assert 0.95 < np.sqrt(energy) / step < 1.1
