"""Exported encoders and decoders: what they compute and what they say of themselves."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_export import load_model, onnx_decoder, onnx_encoder, open_session, verify_onnx
from san_export.load import OPERATORS
from san_stream import reference
from san_stream.errors import MissingExtraError, ModelError, SampleError, SettingError
from san_stream.kernels import Kernel, Kernels, KernelSet

KERNELS = Kernels(
    (
        KernelSet((Kernel((1, 4, -3, -2), 3), Kernel((2, -2), 5)), 4, 2, leads=("MLII",)),
        KernelSet((Kernel((3, 1, 1), 2),), 4, 3, baseline=10),
    ),
    Fraction(360),
)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(-9, 9), min_size=1, max_size=12), st.integers(1, 14)),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 6),
    st.sampled_from([None, 2]),
    st.sampled_from(["adjoint", "convolution"]),
    st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=90), min_size=1, max_size=4),
)
def test_models_are_the_reference(kernels, step, baseline, tie, signals):
    chosen = KernelSet(
        tuple(
            Kernel((*taps, -sum(taps)) if baseline is None else tuple(taps), med)
            for taps, med in kernels
        ),
        4,
        step,
        baseline,
    )
    model = Kernels((chosen,), Fraction(1), tie=tie)
    runs = [np.array(signal, dtype=np.int32) for signal in signals]
    report = verify_onnx(onnx_encoder(model), onnx_decoder(model), model, runs)
    assert report.equal
    assert report.signals == len(runs)
    assert report.samples == sum(map(len, runs))


def test_a_silent_signal_has_no_spikes_and_gives_the_baseline():
    encoder, decoder = open_session(onnx_encoder(KERNELS)), open_session(onnx_decoder(KERNELS))
    batch = np.full((3, 70), 41, dtype=np.int32)
    places, amplitudes = encoder.run(None, {"samples": batch})
    assert places.shape == (0, 3)
    assert amplitudes.shape == (0,)
    (rebuilt,) = decoder.run(
        None,
        {"spikes": places, "amplitudes": amplitudes, "baseline": batch.astype(np.int64)},
    )
    assert np.array_equal(rebuilt, batch)


def test_longer_than_a_frame_and_shorter_than_a_kernel():
    rng = np.random.default_rng(0)
    long = Kernels(
        (KernelSet((Kernel(tuple(np.r_[rng.integers(-9, 9, 300), 0]), 80),), 8, 3, baseline=1),),
        Fraction(360),
    )
    runs = [rng.integers(-99, 99, n).astype(np.int32) for n in (1, 2, 63, 64, 65, 128, 1000)]
    report = verify_onnx(onnx_encoder(long), onnx_decoder(long), long, runs)
    assert report.equal
    assert report.spikes > 10


def test_metadata():
    data, metadata = load_model(onnx_encoder(KERNELS, 0, sample_range=(-100, 900)))
    assert metadata == {
        "format": "san-stream-onnx",
        "version": "1",
        "role": "encoder",
        "kernels": KERNELS.content_hash,
        "set": "0",
        "rate": "360/1",
        "unit": "mV",
        "leads": '["MLII"]',
        "med": "[3, 5]",
        "taps": "[4, 2]",
        "scale": "4",
        "step": "2",
        "tie": "adjoint",
        "activation": "extrema",
        "baseline": "null",
        "max_delay": "null",
        "sample_range": "[-100, 900]",
        "precision": "double",
    }
    assert json.loads(load_model(onnx_decoder(KERNELS, 1))[1]["baseline"]) == 10
    # onnxruntime hands the same to an application.
    assert open_session(data).get_modelmeta().custom_metadata_map == metadata


def test_the_same_kernels_give_the_same_bytes():
    assert onnx_encoder(KERNELS) == onnx_encoder(KERNELS)
    assert onnx_decoder(KERNELS, 1) == onnx_decoder(KERNELS, 1)


def test_size_and_operators():
    largest = Kernels(
        (KernelSet(tuple(Kernel((1, -1) * 512, 1000) for _ in range(16)), 4, 4),), Fraction(1)
    )
    seen = set()
    for build in (onnx_encoder, onnx_decoder):
        data = build(largest)
        assert len(data) < 150_000
        model = onnx.load_from_string(data)
        assert model.ir_version == 9
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
        seen |= {node.op_type for node in model.graph.node}
        for node in model.graph.node:
            for attribute in node.attribute:
                seen |= {inner.op_type for inner in attribute.g.node}
    assert seen <= OPERATORS


def test_a_model_that_would_be_too_large(monkeypatch):
    monkeypatch.setattr("san_export.metadata.MAX_MODEL_BYTES", 5000)
    with pytest.raises(ModelError, match=r"ONNX model of \d+ bytes: at most 5000"):
        onnx_encoder(KERNELS)


def test_bounds_are_checked():
    small = Kernels((KernelSet((Kernel((256, -256), 1),), 4, 0),), Fraction(1))
    onnx_encoder(small, sample_range=(0, 2**16 - 2**7), precision="float32")
    with pytest.raises(ModelError, match="could reach 16777216: exact in float32 only below"):
        onnx_encoder(small, sample_range=(0, 2**16 - 1), precision="float32")
    wide = Kernels((KernelSet((Kernel((2**15 - 1, 1 - 2**15) * 65, 200),), 24, 0),), Fraction(1))
    whole = (-(2**31), 2**31 - 1)
    with pytest.raises(ModelError, match=r"similarities could reach \d+: exact in double only"):
        onnx_encoder(wide, sample_range=whole)
    with pytest.raises(ModelError, match=r"a reconstruction could reach \d+: exact in double"):
        onnx_decoder(wide, sample_range=(-(2**23), 2**23))


def test_settings_are_checked():
    with pytest.raises(SettingError, match="precision 'half': must be 'double' or 'float32'"):
        onnx_encoder(KERNELS, precision="half")
    with pytest.raises(ModelError, match="kernel set 2: the model has 2, from 0"):
        onnx_encoder(KERNELS, 2)
    with pytest.raises(ModelError, match="sample range 5 to 4"):
        onnx_decoder(KERNELS, sample_range=(5, 4))


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("onnx", lambda: onnx_encoder(KERNELS), r"san-stream\[export\]"),
        ("onnxruntime", lambda: open_session(onnx_encoder(KERNELS)), r"san-stream\[onnx\]"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, package, call, extra):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=extra):
        call()


# -- verify


def test_verify_finds_differences():
    """An encoder of another minimum distance, under the first one's name."""
    far = Kernels((KernelSet((Kernel((1, 4, -3, -2), 9),), 4, 2),), Fraction(360))
    near = Kernels((KernelSet((Kernel((1, 4, -3, -2), 3),), 4, 2),), Fraction(360))
    model = onnx.load_from_string(onnx_encoder(far))
    for entry in model.metadata_props:
        if entry.key == "kernels":
            entry.value = near.content_hash
    x = np.random.default_rng(0).integers(-50, 50, 500).astype(np.int32)
    report = verify_onnx(model.SerializeToString(), onnx_decoder(near), near, [x])
    assert not report.equal
    assert report.differing_spikes > 20
    assert report.differing_samples > 100


def test_verify_counts_a_lost_spike():
    x = np.zeros(100, dtype=np.int32)
    x[50] = 100
    report = verify_onnx(onnx_encoder(KERNELS), onnx_decoder(KERNELS), KERNELS, [x])
    expected = reference.encode_run(x, KERNELS.sets[0])
    assert report.spikes == sum(len(positions) for positions, _ in expected) > 0


@pytest.mark.parametrize(
    ("encoder", "decoder", "message"),
    [
        (lambda: onnx_decoder(KERNELS), lambda: onnx_decoder(KERNELS), "role 'decoder', not"),
        (lambda: onnx_encoder(KERNELS), lambda: onnx_decoder(KERNELS, 1), r"kernel sets \[0, 1\]"),
        (
            lambda: onnx_encoder(Kernels(KERNELS.sets, Fraction(250))),
            lambda: onnx_decoder(KERNELS),
            "ONNX encoder is of kernels",
        ),
    ],
)
def test_verify_refuses_models_that_do_not_belong_together(encoder, decoder, message):
    with pytest.raises(ModelError, match=message):
        verify_onnx(encoder(), decoder(), KERNELS, [])


@pytest.mark.parametrize("signal", [[], [40_000]])
def test_verify_refuses_signals_it_cannot_judge(signal):
    with pytest.raises(SampleError, match="must have values -32768 to 32767"):
        verify_onnx(
            onnx_encoder(KERNELS),
            onnx_decoder(KERNELS),
            KERNELS,
            [np.array(signal, dtype=np.int32)],
        )
