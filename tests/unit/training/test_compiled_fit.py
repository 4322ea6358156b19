"""Training by numba beside training by torch: the same trajectory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from san_stream.errors import SettingError
from san_training.activations import ACTIVATIONS
from san_training.compiled_fit import evaluate_compiled, fit_compiled, fit_restart
from san_training.fitting import FitSettings, _one_epoch, build_model, fit, plan
from san_training.quality import evaluate


def windows(count=5, length=64, seed=0):
    """Noise with a pulse now and then, float64."""
    rng = np.random.default_rng(seed)
    x = 0.2 * rng.normal(size=(count, length))
    for row in x:
        for p in range(int(rng.integers(0, 9)), length - 9, 17):
            row[p : p + 9] += np.hanning(9)
    return x - x.mean(axis=1, keepdims=True)


def settings(**options):
    return FitSettings(**{"sizes": (9,), "epochs": 4, "init": "normal", "device": "cpu", **options})


def torch_run(train, check, kernels, orders, how):
    """Kernels, losses and φ̄ after each epoch, in the type of the windows."""
    model = build_model(kernels, how)
    optimiser = torch.optim.Adam(model.parameters(), lr=how.learning_rate)
    lines = []
    for order in orders:
        loss = _one_epoch(model, optimiser, train, how, order)
        lines.append((model.copy_taps(), loss, evaluate(model, check)))
    return lines


@pytest.mark.parametrize("loss", ["mae", "mse"])
@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("sizes", "zero_sum"), [((9,), False), ((12, 5), True), ((1, 64), False)])
def test_trajectory_in_doubles(activation, tie, loss, sizes, zero_sum):
    how = settings(sizes=sizes, activation=activation, tie=tie, loss=loss, zero_sum=zero_sum)
    train, check = torch.tensor(windows()), torch.tensor(windows(3, seed=1))
    kernels, orders = plan(train, how, 0)
    lines = torch_run(train, check, kernels, orders, how)
    run = fit_restart(train, check, kernels, orders, how)
    assert run.losses == pytest.approx([loss for _, loss, _ in lines], rel=1e-9)
    assert run.phis == pytest.approx([figures.phi for _, _, figures in lines], rel=1e-9)
    assert run.epoch == int(np.argmin(run.phis))
    taps, _, figures = lines[run.epoch]
    for pair in zip(run.kernels, taps, strict=True):
        assert torch.allclose(*pair, rtol=1e-7, atol=1e-9)
    for pair in zip(run.last_kernels, lines[-1][0], strict=True):
        assert torch.allclose(*pair, rtol=1e-7, atol=1e-9)
    assert run.validation.spikes == figures.spikes
    assert run.validation.losses == pytest.approx(figures.losses)
    assert run.validation.inverse_ratios == figures.inverse_ratios


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_fit_gives(activation):
    how = settings(activation=activation, restarts=2, epochs=3, tie="adjoint")
    pair = windows(), windows(3, seed=1)
    expected, found = fit(*pair, how), fit_compiled(*pair, how)
    assert (found.restart, found.epoch) == (expected.restart, expected.epoch)
    assert found.settings == expected.settings
    for name in ("kernels", "last_kernels"):
        ours, theirs = getattr(found, name)[0], getattr(expected, name)[0]
        assert ours == pytest.approx(theirs, abs=1e-5)
        with pytest.raises(ValueError, match="read-only"):
            ours[0] = 1.0
    assert [(line.restart, line.epoch) for line in found.history] == [
        (line.restart, line.epoch) for line in expected.history
    ]
    for ours, theirs in zip(found.history, expected.history, strict=True):
        assert ours.training_loss == pytest.approx(theirs.training_loss, rel=1e-4)
        assert ours.validation_phi == pytest.approx(theirs.validation_phi, rel=1e-4)


@pytest.mark.parametrize("tie", ["convolution", "adjoint"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_figures_of_kernels(activation, tie):
    how = settings(sizes=(9, 4), activation=activation, tie=tie)
    test = torch.tensor(windows(4, seed=2))
    kernels, _ = plan(test, how, 0)
    expected = evaluate(build_model(kernels, how), test)
    found = evaluate_compiled([kernel.numpy() for kernel in kernels], test, how)
    assert found.spikes == expected.spikes
    assert found.phis == pytest.approx(expected.phis)


def test_same_settings_same_result():
    first, second = (fit_compiled(windows(), windows(3), settings()) for _ in range(2))
    assert first.history == second.history
    assert np.array_equal(first.kernels[0], second.kernels[0])


def test_callback_is_told_of_every_restart():
    told = []
    fit_compiled(
        windows(),
        windows(3),
        settings(restarts=3, epochs=1),
        callback=lambda done, total, text: told.append((done, total, text[:13])),
    )
    assert told == [(i, 3, f"restart {i}: φ̄"[:13]) for i in (1, 2, 3)]


@pytest.mark.compiled
def test_divergence():
    with pytest.raises(SettingError, match="training diverged in every restart"):
        fit_compiled(windows(), windows(3), settings(learning_rate=1e30))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "device 'cuda': compiled training runs on the CPU"),
        ({"activation": "tanh"}, "activation 'tanh': must be one of identity"),
        ({"sizes": (65,)}, "kernel of 65 taps: windows have 64 samples"),
    ],
)
def test_settings_that_it_does_not_take(options, message):
    with pytest.raises(SettingError, match=message):
        fit_compiled(windows(), windows(3), settings(**options))
