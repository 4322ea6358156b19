"""Reference = torch = numba = onnxruntime, to the bit, on 10,000 segments per bound class.

The segments hold ties, plateaus, zeros and the extremes of each class's range.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from san_export import onnx_decoder, onnx_encoder, open_session
from san_runtime.engine import encode_run as stream_run
from san_runtime.select import most_kept, new_chain, new_state, select
from san_stream import reference
from san_stream.errors import ModelError
from san_stream.types import Lead
from san_training.activations import extrema_mask
from san_training.model import correlate, place


@pytest.fixture(scope="session")
def decoded(case):
    """What the reference says of each segment: forced decisions off and on, x̂, b."""
    chosen, tie = case.kernels.sets[0], case.kernels.tie
    result = []
    for batch in case.batches:
        whole = [reference.encode_run(x, chosen) for x in batch]
        mean = batch.mean(axis=1, keepdims=True).astype(np.int64) + 0 * batch
        baseline = mean if chosen.baseline is None else np.full_like(mean, chosen.baseline)
        rebuilt = [
            reference.decode_run(spikes, chosen, tie, b)
            for spikes, b in zip(whole, baseline, strict=True)
        ]
        result.append((whole, baseline, np.stack(rebuilt)))
    return result


def flat(code) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Spikes of a batch as the ONNX encoder gives them: places ``[spike, 3]``, amplitudes."""
    rows = [
        np.c_[np.full(len(p), stream), np.full(len(p), kernel), p]
        for stream, run in enumerate(code)
        for kernel, (p, _) in enumerate(run)
    ]
    amplitudes = [a for run in code for _, a in run]
    return np.concatenate(rows), np.concatenate(amplitudes)


def test_the_classes_are_what_they_say(case, decoded):
    """Similarities come near the class's bound, and models and segments stay within it."""
    lead = Lead("", minimum=case.bound.low, maximum=case.bound.high)
    chosen = case.kernels.sets[0]
    assert chosen.bound(lead) < 2**case.bound.bits
    assert chosen.reconstruction_bound(lead) < 2**53
    largest = max(
        int(np.abs(reference.correlate(padded, np.array(kernel.taps))).max())
        for kernel in chosen.kernels
        for batch in case.batches
        for padded in (
            reference.pad_run(x.astype(np.int64), kernel, chosen.baseline) for x in batch[4::7]
        )
    )
    assert largest == 0 or largest > 2 ** (case.bound.bits - 3)
    assert sum(len(batch) for batch in case.batches) == 2000


def test_streaming_engine(case):
    chosen = case.kernels.sets[0]
    for batch in case.batches:
        for x in batch:
            plain = [
                reference.encode_run(x, single, 4 * single.kernels[0].med)[0]
                for single in (replace(chosen, kernels=(k,)) for k in chosen.kernels)
            ]
            for expected, found in zip(plain, stream_run(x, chosen), strict=True):
                assert np.array_equal(expected[0], found[0])
                assert np.array_equal(expected[1], found[1])


def test_streaming_selection_that_is_never_forced(case, decoded):
    """The chain alone is the greedy rule: with a delay beyond the run nothing is forced."""
    chosen = case.kernels.sets[0]
    for batch, (whole, _, _) in zip(case.batches, decoded, strict=True):
        delay = batch.shape[1] + 2 * max(kernel.med for kernel in chosen.kernels)
        chain = new_chain(delay)
        for x, run in zip(batch.astype(np.int64), whole, strict=True):
            for kernel, (positions, amplitudes) in zip(chosen.kernels, run, strict=True):
                padded = reference.pad_run(x, kernel, chosen.baseline)
                s = reference.correlate(padded, np.array(kernel.taps))
                kept = np.empty((2, most_kept(len(s), kernel.med, delay)), dtype=np.int64)
                count = select(s, 1, kernel.med, delay, new_state(), chain, kept)
                alpha = reference.quantise(kept[1, :count], chosen.step)
                assert np.array_equal(kept[0, :count][alpha != 0], positions)
                assert np.array_equal(alpha[alpha != 0], amplitudes)


def test_onnx(case, decoded):
    sample_range = (case.bound.low, case.bound.high)
    encoder = open_session(onnx_encoder(case.kernels, sample_range=sample_range))
    decoder = open_session(onnx_decoder(case.kernels, sample_range=sample_range))
    for batch, (whole, baseline, rebuilt) in zip(case.batches, decoded, strict=True):
        places, amplitudes = encoder.run(None, {"samples": batch})
        expected = flat(whole)
        assert np.array_equal(places, expected[0])
        assert np.array_equal(amplitudes, expected[1])
        (found,) = decoder.run(
            None, {"spikes": places, "amplitudes": amplitudes, "baseline": baseline}
        )
        assert np.array_equal(found, rebuilt)


def test_onnx_in_single_precision(case, decoded):
    """Exact for the smallest class, refused for the others."""
    sample_range = (case.bound.low, case.bound.high)
    if case.bound.bits > 24:
        with pytest.raises(ModelError, match="exact in float32 only below 16777216"):
            onnx_encoder(case.kernels, sample_range=sample_range, precision="float32")
        return
    model = onnx_encoder(case.kernels, sample_range=sample_range, precision="float32")
    encoder = open_session(model)
    for batch, (whole, _, _) in zip(case.batches, decoded, strict=True):
        places, amplitudes = encoder.run(None, {"samples": batch})
        expected = flat(whole)
        assert np.array_equal(places, expected[0])
        assert np.array_equal(amplitudes, expected[1])


def test_torch(case, decoded):
    """In float64, and in float32 too where that is exact."""
    chosen = case.kernels.sets[0]
    types = [torch.float64] + [torch.float32] * (case.bound.bits <= 24)
    for batch, (whole, baseline, rebuilt) in zip(case.batches, decoded, strict=True):
        for dtype in types:
            total = torch.zeros(batch.shape, dtype=torch.float64)
            for k, kernel in enumerate(chosen.kernels):
                padded = np.stack(
                    [reference.pad_run(x, kernel, chosen.baseline) for x in batch.astype(np.int64)]
                )
                taps = torch.tensor(kernel.taps, dtype=dtype)
                similarity = correlate(torch.tensor(padded, dtype=dtype), taps)
                inner = similarity[:, kernel.centre : kernel.centre + batch.shape[1]]
                kept = extrema_mask(inner, kernel.med).numpy()
                exact = inner.to(torch.int64).numpy()
                alpha = np.where(kept, reference.quantise(exact, chosen.step), 0)
                for row, run in zip(alpha, whole, strict=True):
                    assert np.array_equal(np.flatnonzero(row), run[k][0])
                    assert np.array_equal(row[row != 0], run[k][1])
                spikes = torch.tensor(alpha, dtype=torch.float64)
                wide = taps.to(torch.float64)
                total += (
                    place(spikes, wide)
                    if case.kernels.tie == "adjoint"
                    else correlate(spikes, wide)
                )
            sums = total.numpy().astype(np.int64)
            assert np.array_equal(baseline + reference.quantise(sums, chosen.shift), rebuilt)
