"""Models and segments for the comparisons between implementations."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from san_stream.kernels import Kernel, Kernels, KernelSet, Tie

MODELS_PER_CLASS = 5
SEGMENTS_PER_MODEL = 2000
BATCHES = 4


@dataclass(frozen=True)
class BoundClass:
    """How large similarities can become: samples, taps, and the limit they just stay below."""

    name: str
    bits: int
    low: int
    high: int
    weight: int  # largest Σ |w|
    step: tuple[int, ...]  # quantisation of each model's amplitudes


CLASSES = (
    BoundClass("2^24", 24, -(2**11), 2**11 - 1, 2**13 - 1, (0, 1, 4, 7, 12)),
    BoundClass("2^31", 31, -(2**15), 2**15 - 1, 2**16 - 1, (4, 5, 9, 12, 15)),
    BoundClass("2^53", 53, -(2**31), 2**31 - 1, 2**22 - 1, (30, 31, 33, 36, 40)),
)


@dataclass(frozen=True)
class Case:
    """One model and the batches of segments it meets, int32 ``[segment, sample]`` each."""

    bound: BoundClass
    number: int
    kernels: Kernels
    batches: tuple[NDArray[np.int32], ...]


@pytest.fixture(
    scope="session",
    params=[(bound, number) for bound in CLASSES for number in range(MODELS_PER_CLASS)],
    ids=lambda case: f"{case[0].name}-{case[1]}",
)
def case(request) -> Case:
    bound, number = request.param
    rng = np.random.default_rng([bound.bits, number])
    kernels = _model(rng, bound, number)
    lengths = rng.integers(1, 97, BATCHES)
    rows = SEGMENTS_PER_MODEL // BATCHES
    batches = tuple(_segments(rng, bound, kernels, rows, int(n)) for n in lengths)
    return Case(bound, number, kernels, batches)


def _model(rng: np.random.Generator, bound: BoundClass, number: int) -> Kernels:
    """Even numbers: kernels that sum to zero; odd: a declared baseline. One to three kernels."""
    tie: Tie = "adjoint" if number % 3 else "convolution"
    baseline = int(rng.integers(-9, 10)) if number % 2 else None
    # A baseline off the middle makes samples reach a little farther.
    weight = bound.weight if baseline is None else bound.weight * 9 // 10
    kernels = []
    for k in range(1 + number % 3):
        # Only long kernels of large taps come near the largest bound; short ones give ties.
        m = int(rng.integers(140, 200)) if k == 0 and bound.bits == 53 else int(rng.integers(1, 25))
        med = int(rng.integers(max(1, m // 8), m + 8))
        kernels.append(Kernel(_taps(rng, m, weight, baseline is None), med))
    chosen = KernelSet(tuple(kernels), 24, bound.step[number], baseline)
    return Kernels((chosen,), Fraction(360), tie=tie)


def _taps(rng: np.random.Generator, m: int, weight: int, zero_sum: bool) -> tuple[int, ...]:
    """Random taps with Σ |w| at most, and near, `weight`."""
    signs = rng.permutation(np.where(np.arange(m) % 2 == 0, 1, -1))
    sizes = rng.uniform(0.8, 1.0, m)
    taps = np.trunc(signs * sizes * weight / sizes.sum())
    taps = np.clip(taps, -(2**15), 2**15 - 1).astype(np.int64)
    if zero_sum:
        # Take the surplus off the taps of its own sign, so that Σ |w| only shrinks.
        for i in np.flatnonzero(np.sign(taps) == np.sign(taps.sum())):
            surplus = int(taps.sum())
            taps[i] -= np.sign(surplus) * min(abs(surplus), abs(int(taps[i])))
    return tuple(int(w) for w in taps)


def _segments(
    rng: np.random.Generator, bound: BoundClass, kernels: Kernels, rows: int, n: int
) -> NDArray[np.int32]:
    """Segments of seven kinds, by turns, all within the class's range."""
    low, high = bound.low, bound.high
    t = np.arange(n)
    taps = np.array(kernels.sets[0].kernels[0].taps)
    out = np.empty((rows, n), dtype=np.int64)
    for i in range(rows):
        kind = i % 7
        if kind == 0:  # ties: few small values
            out[i] = rng.integers(-2, 3, n)
        elif kind == 1:  # plateaus, some of them at the ends of the range
            levels = rng.choice([0, 0, 1, -1, low, high, int(rng.integers(low, high))], n)
            out[i] = np.repeat(levels, rng.integers(1, 9, n))[:n]
        elif kind == 2:  # zeros, at most a few other samples
            out[i] = 0
            out[i, rng.integers(0, n, 2)] = rng.choice([0, 1, low, high], 2)
        elif kind == 3:  # full range
            out[i] = rng.integers(low, high + 1, n)
        elif kind == 4:  # the extreme that fits a kernel best, or its opposite
            best = np.where(np.resize(taps, n) > 0, high, low)
            out[i] = np.roll(best if i % 2 else low + high - best, int(rng.integers(0, n)))
        elif kind == 5:  # trains that rise in magnitude from peak to valley to peak
            period = int(rng.integers(1, 9))
            out[i] = np.where(t // period % 2, 1, -1) * (t + 1) * (high // (n + 1))
        else:  # a wave, clipped
            wave = np.sin(t * rng.uniform(0.05, 2.5)) * rng.uniform(0.2, 2.0) * high
            out[i] = np.clip(np.round(wave), low, high)
    return np.clip(out, low, high).astype(np.int32)
