"""SAN1d beside direct sums."""

from __future__ import annotations

import pytest
import torch

from san_stream.errors import SampleError, SettingError
from san_training.activations import ACTIVATIONS
from san_training.model import SAN1d, correlate, default_med, place


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def direct_similarity(x, w):
    n, m = len(x), len(w)
    c = (m - 1) // 2
    return [sum(w[j] * x[p + j - c] for j in range(m) if 0 <= p + j - c < n) for p in range(n)]


def direct_adjoint(a, w):
    n, m = len(a), len(w)
    c = (m - 1) // 2
    return [sum(a[p] * w[t - p + c] for p in range(n) if 0 <= t - p + c < m) for t in range(n)]


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 8, 30, 31, 45])
def test_similarity_and_both_ties_are_the_direct_sums(m):
    x, w = randn(30, seed=m), randn(m, seed=m + 100)
    got = correlate(x[None], w)[0]
    assert torch.allclose(got, torch.tensor(direct_similarity(x.tolist(), w.tolist())).to(got))
    placed = place(x[None], w)[0]
    assert torch.allclose(placed, torch.tensor(direct_adjoint(x.tolist(), w.tolist())).to(got))


@pytest.mark.parametrize("m", [5, 6])
def test_one_spike_gives_the_kernel_as_it_was_matched_or_reversed(m):
    w = torch.arange(1.0, m + 1, dtype=torch.float64)
    c = (m - 1) // 2
    spike = torch.zeros(1, 20, dtype=torch.float64)
    spike[0, 9] = 2
    assert place(spike, w)[0, 9 - c : 9 - c + m].tolist() == (2 * w).tolist()
    assert correlate(spike, w)[0, 9 - (m - 1 - c) : 9 + c + 1].tolist() == (2 * w.flip(0)).tolist()


@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_is_the_sum_over_kernels(activation, tie):
    x = randn(3, 50)
    kernels = [randn(7, seed=1), randn(4, seed=2)]
    model = SAN1d(kernels, activation=activation, tie=tie)
    out = model(x)
    assert model.sizes == (7, 4)
    assert model.meds == (4, 1)
    assert model.weights == 11
    assert out.activations.shape == out.similarities.shape == (3, 2, 50)
    rebuild = correlate if tie == "convolution" else place
    expected = sum(rebuild(out.activations[:, i], w) for i, w in enumerate(kernels))
    assert torch.allclose(out.signal, expected)
    for i, w in enumerate(kernels):
        assert torch.equal(out.similarities[:, i], correlate(x, w))
        kept = out.activations[:, i] != 0
        assert torch.equal(out.activations[:, i][kept], out.similarities[:, i][kept])


@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_the_taps_by_finite_differences(activation, tie):
    x = randn(2, 40, seed=5)
    model = SAN1d([randn(6, seed=6), randn(3, seed=7)], activation=activation, tie=tie)

    def loss():
        return ((model(x).signal - x) ** 2).mean()

    loss().backward()
    step = 1e-6
    for taps in model.taps:
        for j in range(len(taps)):
            with torch.no_grad():
                taps[j] += step
                above = loss().item()
                taps[j] -= 2 * step
                below = loss().item()
                taps[j] += step
            assert taps.grad[j].item() == pytest.approx((above - below) / (2 * step), abs=1e-6)


def test_scaling_the_signal_scales_the_reconstruction():
    x = randn(2, 60)
    model = SAN1d([randn(9, seed=3)], tie="adjoint")
    assert torch.allclose(model(x * 8).signal, model(x).signal * 8)


def test_zero_sum_is_projected_at_the_start_and_on_demand():
    model = SAN1d([torch.ones(4) + torch.arange(4.0)], zero_sum=True)
    assert model.taps[0].sum().item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        model.taps[0].add_(1)
    model.project()
    assert model.taps[0].tolist() == pytest.approx([-1.5, -0.5, 0.5, 1.5])
    free = SAN1d([torch.ones(4)])
    free.project()
    assert free.taps[0].tolist() == [1, 1, 1, 1]


def test_copies_are_true_copies():
    start = torch.ones(3)
    model = SAN1d([start])
    copy = model.copy_taps()[0]
    with torch.no_grad():
        model.taps[0].zero_()
    assert copy.tolist() == [1, 1, 1]
    assert start.tolist() == [1, 1, 1]


def test_own_minimum_distances():
    assert SAN1d([torch.ones(5), torch.ones(2)], meds=(9, 4)).meds == (9, 4)
    assert [default_med(m, 3) for m in (1, 4, 5, 229)] == [1, 1, 2, 226]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernels": []}, "0 kernels: must be 1 to 16"),
        ({"kernels": [torch.ones(1)] * 17}, "17 kernels: must be 1 to 16"),
        ({"kernels": [torch.ones(1025)]}, r"kernel of shape \(1025,\)"),
        ({"kernels": [torch.ones(2, 2)]}, r"kernel of shape \(2, 2\)"),
        ({"activation": "sigmoid"}, "activation 'sigmoid'"),
        ({"tie": "none"}, "tie 'none'"),
        ({"meds": (1, 2)}, r"minimum extrema distances \(1, 2\)"),
        ({"meds": (0,)}, r"minimum extrema distances \(0,\)"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(SettingError, match=message):
        SAN1d(**{"kernels": [torch.ones(4)], **arguments})


def test_signal_of_another_shape():
    with pytest.raises(SampleError, match=r"signal has shape \(1, 1, 9\), expected \[batch, n\]"):
        SAN1d([torch.ones(3)])(torch.zeros(1, 1, 9))
