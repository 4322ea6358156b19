"""Exported models against the oracle on real ECG, with made and with trained kernels."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
import wfdb

from san_export import onnx_decoder, onnx_encoder, verify_onnx
from san_stream.kernels import Kernel, Kernels, KernelSet


@pytest.mark.parametrize("record", ["mitdb/100", "mitdb/106"])
@pytest.mark.parametrize(("m", "tie"), [(16, "adjoint"), (64, "convolution"), (229, "adjoint")])
def test_made_kernels(data, record, m, tie):
    signals = _minute(data, record)
    rng = np.random.default_rng(m)
    taps = np.round(400 * np.sin(np.linspace(0, 9, m)) * np.hanning(m)).astype(np.int64)
    taps[m // 2] -= taps.sum()
    other = rng.integers(-200, 200, m // 2)
    other[0] -= other.sum()
    chosen = KernelSet((Kernel(tuple(taps), m - 3), Kernel(tuple(other), m)), 8, 8)
    declared = KernelSet((Kernel((300,) * m, m),), 8, 10, baseline=1024)
    kernels = Kernels((chosen, declared), Fraction(360), tie=tie)
    for index in (0, 1):
        report = verify_onnx(
            onnx_encoder(kernels, index), onnx_decoder(kernels, index), kernels, signals
        )
        assert report.equal
        assert report.samples == 2 * 21600
        assert report.spikes > 100


def test_bundled_model(data):
    path = files("san_runtime") / "demo_data"
    models = [entry for entry in path.iterdir() if entry.name.endswith(".json")]
    kernels = Kernels.from_json(models[0].read_text(encoding="utf-8"))
    for index in range(len(kernels.sets)):
        report = verify_onnx(
            onnx_encoder(kernels, index),
            onnx_decoder(kernels, index),
            kernels,
            _minute(data, "mitdb/100") + _minute(data, "mitdb/106"),
        )
        assert report.equal
        assert report.spikes > 100


def _minute(data, record):
    """The record's first minute: both leads, ADC values int32 ``[n]``."""
    read = wfdb.rdrecord(str(data(record)), sampto=21600, physical=False)
    return [read.d_signal[:, lead].astype(np.int32) for lead in range(read.n_sig)]
