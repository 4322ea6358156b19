"""SAN2d beside direct sums, and training on images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from san_stream.errors import SampleError, SettingError
from san_training.activations import ACTIVATIONS
from san_training.fitting import FitSettings, fit
from san_training.init import INITS, start_kernels
from san_training.losses import LOSSES, reconstruction_loss
from san_training.model import SAN2d, correlate, place
from san_training.quality import evaluate


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def direct(x, w, before, sign):
    """Σ_jk w[j, k] · x[r + sign (j - before), c + sign (k - before)], zeros outside."""
    h, width, m = *x.shape, len(w)
    out = np.zeros((h, width))
    for r in range(h):
        for c in range(width):
            for j in range(m):
                for k in range(m):
                    row, column = r + sign * (j - before), c + sign * (k - before)
                    if 0 <= row < h and 0 <= column < width:
                        out[r, c] += w[j, k] * x[row, column]
    return out


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7])
def test_similarity_and_both_ties_are_the_direct_sums(m):
    x, w = randn(5, 6, seed=m), randn(m, m, seed=m + 9)
    centre = (m - 1) // 2
    expected = direct(x.numpy(), w.numpy(), centre, 1)
    assert np.allclose(correlate(x[None], w)[0].numpy(), expected)
    expected = direct(x.numpy(), w.numpy(), centre, -1)
    assert np.allclose(place(x[None], w)[0].numpy(), expected)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_the_taps_by_finite_differences(activation, tie, loss):
    x = randn(2, 7, 8, seed=5)
    model = SAN2d([randn(3, 3, seed=6), randn(2, 2, seed=7)], activation=activation, tie=tie)

    def value():
        return reconstruction_loss(loss, model(x).signal, x)

    value().backward()
    step = 1e-7
    for taps in model.taps:
        for place_ in np.ndindex(*taps.shape):
            with torch.no_grad():
                taps[place_] += step
                above = value().item()
                taps[place_] -= 2 * step
                below = value().item()
                taps[place_] += step
            assert taps.grad[place_].item() == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_figures_count_three_numbers_a_spike_and_the_side_of_a_kernel():
    x = randn(3, 9, 10)
    model = SAN2d([randn(3, 3, seed=1), randn(2, 2, seed=2)])
    figures = evaluate(model, x)
    spikes = [int((a != 0).sum()) for a in model(x).activations]
    assert model.weights == 5
    assert figures.inverse_ratios == pytest.approx([(5 + 3 * a) / 90 for a in spikes])
    assert model.numbers == 13
    charged = evaluate(model, x, weights=model.numbers)
    assert charged.inverse_ratios == pytest.approx([(13 + 3 * a) / 90 for a in spikes])
    assert charged.losses == figures.losses


def dots(count, seed):
    """Images of 5 bumps each, every one 5 x 5 samples."""
    rng = np.random.default_rng(seed)
    bump = np.outer(np.hanning(7)[1:-1], np.hanning(7)[1:-1])
    images = 0.01 * rng.normal(size=(count, 24, 24))
    for image in images:
        for r, c in rng.integers(0, 19, (5, 2)):
            image[r : r + 5, c : c + 5] += bump
    return images


@pytest.mark.parametrize("init", INITS)
def test_learns_a_bump(init):
    settings = FitSettings(
        (5,), init=init, epochs=15, batch=4, border_tolerance=2, tie="adjoint", device="cpu"
    )
    result = fit(dots(20, 0), dots(6, 1), settings)
    assert result.kernels[0].shape == (5, 5)
    assert isinstance(result.model(), SAN2d)
    assert result.evaluate(dots(6, 2)).loss < 0.4


@pytest.mark.parametrize("init", INITS)
def test_starts_of_images(init):
    windows = torch.tensor(dots(8, 3))
    kernels = start_kernels(init, (5, 5, 3), windows, torch.Generator().manual_seed(1))
    assert [tuple(kernel.shape) for kernel in kernels] == [(5, 5), (5, 5), (3, 3)]
    assert not torch.allclose(kernels[0], kernels[1])
    if init == "constant":
        assert torch.allclose(kernels[0], torch.full((5, 5), 0.1, dtype=torch.float64))
        assert abs(float((kernels[0] * kernels[1]).sum())) < 1e-9
    if init == "data":
        assert kernels[0].norm().item() == pytest.approx(1)
        pieces = windows.unfold(1, 5, 1).unfold(2, 5, 1).flatten(3)
        match = (pieces @ kernels[0].flatten()) / pieces.norm(dim=3)
        assert match.max().item() == pytest.approx(1)


def test_kernels_and_images_of_another_shape():
    with pytest.raises(SettingError, match=r"kernel of shape \(2, 3\): must be \[m, m\]"):
        SAN2d([torch.ones(2, 3)])
    with pytest.raises(SettingError, match=r"kernel of shape \(3,\): must be \[m, m\]"):
        SAN2d([torch.ones(3)])
    with pytest.raises(SampleError, match=r"shape \(4, 9\), expected \[batch, h, w\]"):
        SAN2d([torch.ones(3, 3)])(torch.zeros(4, 9))
    with pytest.raises(SettingError, match="kernel of 6 taps: windows have 5 samples"):
        fit(np.ones((2, 5, 8)), np.ones((2, 5, 8)), FitSettings((6,)))
