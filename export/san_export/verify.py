"""Compare exported models with the plain oracle, on real signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from san_export.load import load_model, open_session
from san_export.metadata import chosen_set, set_and_range
from san_stream.errors import ModelError, SampleError
from san_stream.reference import decode_run, encode_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from san_stream.kernels import Kernels
    from san_stream.reference import RunSpikes


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found.

    Attributes:
        signals, samples: how much was compared.
        spikes: spikes of the oracle.
        differing_spikes: (stream, kernel, position, amplitude) that only one side has.
        differing_samples: reconstructed samples that are not equal.
    """

    signals: int
    samples: int
    spikes: int
    differing_spikes: int
    differing_samples: int

    @property
    def equal(self) -> bool:
        """Whether there is no difference at all."""
        return self.differing_spikes == 0 and self.differing_samples == 0


def verify_onnx(
    encoder: bytes, decoder: bytes, kernels: Kernels, signals: Iterable[NDArray[np.int32]]
) -> Report:
    """Run both models in onnxruntime and compare them with `san_stream.reference`.

    Args:
        encoder: bytes of an exported encoder.
        decoder: bytes of the decoder of the same kernel set.
        kernels: the model that both were made from.
        signals: runs of ADC values, int32 ``[n]`` or ``[stream, n]``, n >= 1.

    Raises:
        ModelError: a model is not of these kernels, or the two are of different sets.
        SampleError: a signal has no samples, or leaves the range the models are made for.
    """
    index, low, high = _check_models(encoder, decoder, kernels)
    chosen = kernels.sets[index]
    encode, decode = open_session(encoder), open_session(decoder)
    count = samples = spikes = differing_spikes = differing_samples = 0
    for signal in signals:
        batch = np.atleast_2d(signal)
        if batch.size == 0 or batch.min() < low or batch.max() > high:
            raise SampleError(f"signal of shape {batch.shape} must have values {low} to {high}")
        places, amplitudes = encode.run(None, {"samples": batch})
        expected = [encode_run(row, chosen) for row in batch]
        ours, theirs = _as_set(expected), set(map(tuple, np.c_[places, amplitudes].tolist()))
        baseline = _baseline(batch, chosen.baseline)
        (rebuilt,) = decode.run(
            None, {"spikes": places, "amplitudes": amplitudes, "baseline": baseline}
        )
        plain = [
            decode_run(code, chosen, kernels.tie, b)
            for code, b in zip(expected, baseline, strict=True)
        ]
        count += len(batch)
        samples += batch.size
        spikes += len(ours)
        differing_spikes += len(ours ^ theirs)
        differing_samples += int(np.count_nonzero(rebuilt != np.stack(plain)))
    return Report(count, samples, spikes, differing_spikes, differing_samples)


def _check_models(encoder: bytes, decoder: bytes, kernels: Kernels) -> tuple[int, int, int]:
    """Index of the kernel set and the smaller of both models' sample ranges."""
    indices, lows, highs = set(), [], []
    for data, role in ((encoder, "encoder"), (decoder, "decoder")):
        _, metadata = load_model(data)
        if metadata.get("role") != role:
            raise ModelError(f"ONNX model is of role {metadata.get('role')!r}, not {role!r}")
        if metadata.get("kernels") != kernels.content_hash:
            raise ModelError(
                f"ONNX {role} is of kernels {str(metadata.get('kernels'))[:12]}…, "
                f"not of {kernels.content_hash[:12]}…"
            )
        index, (low, high) = set_and_range(metadata)
        chosen_set(kernels, index)
        indices.add(index)
        lows.append(low)
        highs.append(high)
    if len(indices) != 1:
        raise ModelError(f"encoder and decoder are of kernel sets {sorted(indices)}, not of one")
    return indices.pop(), max(lows), min(highs)


def _as_set(code: Sequence[Sequence[RunSpikes]]) -> set[tuple[int, int, int, int]]:
    return {
        (stream, kernel, position, amplitude)
        for stream, run in enumerate(code)
        for kernel, (positions, amplitudes) in enumerate(run)
        for position, amplitude in zip(positions.tolist(), amplitudes.tolist(), strict=True)
    }


def _baseline(batch: NDArray[np.int32], declared: int | None) -> NDArray[np.int64]:
    """The declared baseline, else each run's mean rounded down: int64, the shape of `batch`."""
    if declared is not None:
        return np.full(batch.shape, declared, dtype=np.int64)
    mean = batch.sum(axis=1, dtype=np.int64, keepdims=True) // batch.shape[1]
    return np.broadcast_to(mean, batch.shape).copy()
