"""The plain oracle: slow, short, and close to the sentences that define the code.

Every other implementation (numba, torch, ONNX) is tested against this file. It uses
exact integers (or, for the activations alone, whatever numbers it is given) and makes
no attempt to be fast. Definitions: Bizopoulos & Koutsouris, "Sparsely Activated
Networks", and docs/format.md, "Kernels". With c = (m - 1) // 2, m taps w, n samples x:

    similarity      s[p] = Σ_j w[j] · x[p + j - c]
    activation map  α: zero but for the kept positions, where it equals s
    reconstruction  x̂[t] = Σ_p α[p] · w[t - p + c]        tie="adjoint"
                    x̂[t] = Σ_j w[j] · α[t + j - c]        tie="convolution"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from san_stream.errors import SettingError
from san_stream.kernels import footprint_offset, placed_taps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from san_stream.kernels import Kernel, KernelSet, Tie

Number = TypeVar("Number", np.int64, np.float64)

# -- similarity and reconstruction ------------------------------------------------------


def correlate(samples: NDArray[Number], taps: NDArray[Number]) -> NDArray[Number]:
    """s[p] = Σ_j taps[j] · samples[p + j] wherever the taps fit: ``[n - m + 1]``, n >= m."""
    length = len(samples) - len(taps) + 1
    total = np.zeros(length, dtype=samples.dtype)
    for j, tap in enumerate(taps):
        total += tap * samples[j : j + length]
    return total


def similarity(samples: NDArray[Number], taps: NDArray[Number]) -> NDArray[Number]:
    """s[p] = Σ_j taps[j] · samples[p + j - c], zeros outside the signal: ``[n]``."""
    left = (len(taps) - 1) // 2
    return correlate(np.pad(samples, (left, len(taps) - 1 - left)), taps)


def reconstruct(
    activation_map: NDArray[Number], taps: NDArray[Number], tie: Tie
) -> NDArray[Number]:
    """Place the taps at each non-zero of an activation map; clipped to the signal: ``[n]``."""
    n, m = len(activation_map), len(taps)
    centre = (m - 1) // 2
    placed = np.zeros(n, dtype=activation_map.dtype)
    for p in np.flatnonzero(activation_map):
        for j in range(m):
            t = p + j - centre if tie == "adjoint" else p - j + centre
            if 0 <= t < n:
                placed[t] += activation_map[p] * taps[j]
    return placed


# -- the five activations ---------------------------------------------------------------


def identity(s: NDArray[Number]) -> NDArray[Number]:
    """Every position is kept."""
    return s.copy()


def relu(s: NDArray[Number]) -> NDArray[Number]:
    """Positive similarities are kept."""
    return _keep(s, np.flatnonzero(s > 0))


def topk(s: NDArray[Number], m: int) -> NDArray[Number]:
    """The k = n // m largest |s| are kept; ties go to the lower index."""
    descending = np.argsort(-np.abs(s), kind="stable")
    return _keep(s, descending[: len(s) // m])


def extrema_pool(s: NDArray[Number], m: int) -> NDArray[Number]:
    """The largest |s| of each whole cell of m positions is kept; ties go to the lower index.

    A last cell of fewer than m positions keeps none.
    """
    cells = range(0, len(s) - m + 1, m)
    winners = [start + int(np.argmax(np.abs(s[start : start + m]))) for start in cells]
    return _keep(s, np.array(winners, dtype=np.int64))


def extrema(s: NDArray[Number], med: int) -> NDArray[Number]:
    """Peaks and valleys are kept by descending |s|, each more than `med` from the others."""
    return _keep(s, select(s, med))


def _keep(s: NDArray[Number], positions: NDArray[np.int64]) -> NDArray[Number]:
    activation_map = np.zeros_like(s)
    activation_map[positions] = s[positions]
    return activation_map


# -- extrema: candidates, and which of them are kept -------------------------------------


def candidates(s: NDArray[Number]) -> NDArray[np.int64]:
    """Positions of peaks and valleys, ascending.

    A position is a candidate if these three agree: it rises to the right,
    s[t + 1] > s[t]; it does not rise from the left, s[t] <= s[t - 1]; it is not positive.
    The first sample counts as not rising from the left, the last as not rising to the
    right: so a first sample can only be a valley and a last one only a peak.
    """
    if len(s) == 0:
        return np.zeros(0, dtype=np.int64)
    rises_right = np.append(s[1:] > s[:-1], False)
    no_rise_left = np.insert(s[1:] <= s[:-1], 0, True)
    not_positive = ~(s > 0)
    agree = (rises_right == no_rise_left) & (no_rise_left == not_positive)
    return np.flatnonzero(agree).astype(np.int64)


def greedy(positions: Sequence[int], magnitudes: Sequence[float], med: int) -> list[int]:
    """Keep positions by descending magnitude, dropping all within `med` of a kept one.

    Ties go to the earlier position. The result ascends.
    """
    order = sorted(range(len(positions)), key=lambda i: (-magnitudes[i], positions[i]))
    kept: list[int] = []
    barred: set[int] = set()
    for i in order:
        p = positions[i]
        if p not in barred:
            kept.append(p)
            barred.update(range(p - med, p + med + 1))
    return sorted(kept)


def select(s: NDArray[Number], med: int, max_delay: int | None = None) -> NDArray[np.int64]:
    """Positions of the extrema that are kept, ascending, int64.

    Without `max_delay` this is `greedy` over all candidates. With it the decision on a
    candidate is forced once it is `max_delay` samples old, from what is known by then.

    The known candidates that may still be kept form the chain: records, each of larger
    |s| than the one before. At each step the candidate at one more position is known:

    * A candidate that is larger than the newest record, or that finds the chain empty, is
      the new newest record; any other is dropped for good.
    * The chain closes when every candidate within `med` after its newest record is known:
      a closed chain is decided by `greedy`, and the next candidate finds it empty.
    * While the oldest record is `max_delay` old, the first position that `greedy` keeps of
      the chain as it stands is kept (the oldest record, or the one within `med` that drops
      it), and all records up to `med` after it are dropped.

    Args:
        s: similarity ``[n]``.
        med: minimum extrema distance, at least 1.
        max_delay: None, or at least 2 · `med`.

    Raises:
        SettingError: `max_delay` is below 2 · `med`.
    """
    known = [int(p) for p in candidates(s)]
    magnitude = [abs(value) for value in s.tolist()]

    def decide(records: Sequence[int]) -> list[int]:
        return greedy(records, [magnitude[p] for p in records], med)

    if max_delay is None:
        return np.array(decide(known), dtype=np.int64)
    if max_delay < 2 * med:
        raise SettingError(f"max_delay {max_delay}: must be at least 2 · med = {2 * med}")

    is_candidate = set(known)
    kept: list[int] = []
    chain: list[int] = []
    for now in range(len(s)):
        if now in is_candidate and (not chain or magnitude[now] > magnitude[chain[-1]]):
            chain.append(now)
        if chain and now >= chain[-1] + med:
            kept += decide(chain)
            chain = []
        while chain and now - chain[0] >= max_delay:
            first = decide(chain)[0]
            kept.append(first)
            chain = [p for p in chain if p > first + med]
    kept += decide(chain)
    return np.array(kept, dtype=np.int64)


# -- one run of one lead ----------------------------------------------------------------

RunSpikes = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Positions (ascending) and quantised amplitudes (none is 0) of one kernel, int64 ``[k]``."""


def pad_run(samples: NDArray[np.int64], kernel: Kernel, baseline: int | None) -> NDArray[np.int64]:
    """The run as the kernel meets it: ``[n + m - 1]``, n >= 1.

    Zero-sum kernels (`baseline` None) see the first and the last sample repeated beyond
    the ends, so an offset changes nothing and the ends make no step. With a declared
    baseline they see the samples less that baseline, and zeros beyond the ends.
    """
    left, right = kernel.centre, len(kernel.taps) - 1 - kernel.centre
    if baseline is None:
        return np.pad(samples, (left, right), mode="edge")
    return np.pad(samples - baseline, (left, right))


def quantise(s: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """α = (s + half) >> step with half = 2^(step - 1), or 0 where step is 0; same shape."""
    half = 1 << (step - 1) if step > 0 else 0
    return (s + half) >> step


def encode_run(
    x: NDArray[np.int32], kernel_set: KernelSet, max_delay: int | None = None
) -> tuple[RunSpikes, ...]:
    """Spikes of one run of one lead, for each kernel; positions count from the run's start.

    The tie plays no part: it says how kernels are placed, not how they are matched.
    Spikes whose quantised amplitude is 0 are left out, though they suppressed others.

    Args:
        x: ADC values ``[n]``, n >= 0.
        kernel_set: the lead's kernels.
        max_delay: as in `select`.
    """
    samples = x.astype(np.int64)
    code = []
    for kernel in kernel_set.kernels:
        if len(samples) == 0:
            code.append((np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)))
            continue
        padded = pad_run(samples, kernel, kernel_set.baseline)
        s = correlate(padded, np.array(kernel.taps, dtype=np.int64))
        positions = select(s, kernel.med, max_delay)
        amplitudes = quantise(s[positions], kernel_set.step)
        code.append((positions[amplitudes != 0], amplitudes[amplitudes != 0]))
    return tuple(code)


def decode_run(
    spikes: Sequence[RunSpikes],
    kernel_set: KernelSet,
    tie: Tie,
    baseline: NDArray[np.int64],
) -> NDArray[np.int64]:
    """x̂ = b + ((Σ α · w + half) >> shift) of one run, int64 ``[n]``.

    Args:
        spikes: for each kernel, as `encode_run` gives them.
        kernel_set: the lead's kernels.
        tie: how a kernel is placed.
        baseline: b ``[n]``; for sets that declare a baseline, that value throughout.
    """
    n = len(baseline)
    total = np.zeros(n, dtype=np.int64)
    for kernel, (positions, amplitudes) in zip(kernel_set.kernels, spikes, strict=True):
        taps = placed_taps(kernel, tie)
        for p, amplitude in zip(positions.tolist(), amplitudes.tolist(), strict=True):
            start = p - footprint_offset(kernel, tie)
            low, high = max(start, 0), min(start + len(taps), n)
            total[low:high] += amplitude * taps[low - start : high - start]
    return baseline + quantise(total, kernel_set.shift)
