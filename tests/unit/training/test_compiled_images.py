"""Training on images by numba beside training by torch, and its parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from san_training.activations import ACTIVATIONS, activation_mask
from san_training.compiled.images import keep_in_image
from san_training.compiled_fit import evaluate_compiled, fit_compiled, fit_restart
from san_training.compiled_images import rebuild_images
from san_training.fitting import FitSettings, _one_epoch, build_model, fit, plan
from san_training.quality import evaluate


def images(count=5, shape=(14, 19), seed=0):
    """Noise with a square now and then, float64."""
    rng = np.random.default_rng(seed)
    x = 0.2 * rng.normal(size=(count, *shape))
    for image in x:
        for _ in range(4):
            row, column = rng.integers(0, shape[0] - 4), rng.integers(0, shape[1] - 4)
            image[row : row + 4, column : column + 4] += np.outer(np.hanning(6), np.hanning(6))[1:5, 1:5]  # fmt: skip # noqa: E501
    return x


def settings(**options):
    return FitSettings(**{"sizes": (4,), "epochs": 4, "border_tolerance": 2, "device": "cpu", **options})  # fmt: skip # noqa: E501


@pytest.mark.parametrize("loss", ["mae", "mse"])
@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("sizes", "zero_sum"), [((4,), False), ((6, 3), True), ((1, 14), False)])
def test_trajectory_in_doubles(activation, tie, loss, sizes, zero_sum):
    how = settings(sizes=sizes, activation=activation, tie=tie, loss=loss, zero_sum=zero_sum)
    train, check = torch.tensor(images()), torch.tensor(images(3, seed=1))
    kernels, orders = plan(train, how, 0)
    model = build_model(kernels, how)
    optimiser = torch.optim.Adam(model.parameters(), lr=how.learning_rate)
    losses, phis, taps = [], [], []
    for order in orders:
        losses.append(_one_epoch(model, optimiser, train, how, order))
        phis.append(evaluate(model, check).phi)
        taps.append(model.copy_taps())
    run = fit_restart(train, check, kernels, orders, how)
    assert run.losses == pytest.approx(losses, rel=1e-9)
    assert run.phis == pytest.approx(phis, rel=1e-9)
    assert run.epoch == int(np.argmin(phis))
    for found, expected in ((run.kernels, taps[run.epoch]), (run.last_kernels, taps[-1])):
        for pair in zip(found, expected, strict=True):
            assert torch.allclose(*pair, rtol=1e-7, atol=1e-9)


def test_result_is_that_of_torch_and_repeats():
    first, second = (fit_compiled(images(), images(3), settings()) for _ in range(2))
    by_torch = fit(images(), images(3), settings())
    assert np.array_equal(first.kernels[0], second.kernels[0])
    assert first.kernels[0].shape == (4, 4)
    assert first.validation.phi == pytest.approx(by_torch.validation.phi, abs=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reconstructions_and_figures_are_those_of_the_network(activation):
    rng = np.random.default_rng(3)
    kernels = [rng.normal(size=(5, 5)), rng.normal(size=(3, 3))]
    how = settings(activation=activation)
    x = torch.tensor(images(7))
    network = build_model([torch.tensor(kernel) for kernel in kernels], how)
    quality, rebuilt = rebuild_images(kernels, x, how, keep=True)
    expected = evaluate(network, x)
    assert quality.spikes == expected.spikes
    assert quality.losses == pytest.approx(expected.losses)
    assert quality.inverse_ratios == pytest.approx(expected.inverse_ratios)
    assert np.allclose(rebuilt, network(x).signal.detach())
    assert evaluate_compiled(kernels, x, how) == quality


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 5),
    st.sampled_from(["topk", "extrema_pool", "extrema"]), st.data(),
)  # fmt: skip
def test_kept_positions_are_those_of_torch(height, width, density, name, data):
    count = height * width
    values = data.draw(st.lists(st.integers(-4, 4), min_size=count, max_size=count))
    similarity = np.array(values, np.float32)
    places, room = np.full(count, -1, np.int64), np.empty(count, np.int64)
    kind = ACTIVATIONS.index(name)
    kept = keep_in_image(kind, similarity, width, density, room, places)
    mask = activation_mask(
        name, torch.tensor(similarity).view(height, width), density, density, dimensions=2
    )
    assert sorted(places[:kept].tolist()) == mask.flatten().nonzero()[:, 0].tolist()
