from __future__ import annotations

import numpy as np
import pytest
import torch

from san_stream.errors import SampleError, SettingError
from san_stream.flithos import flithos
from san_training import fitting
from san_training.fitting import FitSettings, fit, pick_device
from san_training.progress import progress

PULSE = np.hanning(25) - 0.3 * np.hanning(25)[::-1].cumsum() / 12


def pulse_windows(count=6, length=200, seed=0):
    rng = np.random.default_rng(seed)
    x = 0.02 * rng.normal(size=(count, length))
    for row in x:
        for p in range(int(rng.integers(0, 10)), length - 25, 45):
            row[p : p + 25] += PULSE
    return x - x.mean(axis=1, keepdims=True)


def settings(**options):
    return FitSettings(**{"sizes": (25,), "init": "data", "epochs": 8, "device": "cpu", **options})


def run(**options):
    return fit(pulse_windows(), pulse_windows(3, seed=1), settings(**options))


def test_learns_a_pulse():
    result = run(epochs=25, tie="adjoint")
    figures = result.evaluate(pulse_windows(3, seed=2))
    assert figures.loss < 0.35
    assert all(3 <= count <= 6 for count in figures.spikes)
    losses = [line.training_loss for line in result.history]
    assert losses[-1] < losses[0]


def test_figures_are_the_papers_count():
    result = run()
    test = pulse_windows(3, seed=2)
    figures = result.evaluate(test)
    out = result.model()(torch.tensor(test, dtype=torch.float32))
    for i, x in enumerate(test):
        error = np.abs(x - out.signal[i].detach().numpy()).sum() / np.abs(x).sum()
        spikes = int((out.activations[i] != 0).sum())
        assert figures.spikes[i] == spikes
        assert figures.losses[i] == pytest.approx(error, rel=1e-4)
        assert figures.phis[i] == pytest.approx(flithos((25 + 2 * spikes) / 200, error), rel=1e-4)
    assert figures.phi == pytest.approx(np.mean(figures.phis))
    assert figures.inverse_ratio == pytest.approx(np.mean(figures.inverse_ratios))


@pytest.mark.parametrize("init", ["normal", "constant", "data"])
def test_same_seed_same_result(init):
    first, second = run(init=init, restarts=2), run(init=init, restarts=2)
    assert first.history == second.history
    assert np.array_equal(first.kernels[0], second.kernels[0])
    other = run(init=init, restarts=2, seed=1)
    assert not np.array_equal(first.kernels[0], other.kernels[0])


def test_number_of_threads_does_not_matter_and_stays():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first = run(epochs=2)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert np.array_equal(first.kernels[0], run(epochs=2).kernels[0])
    finally:
        torch.set_num_threads(before)


def test_chance_elsewhere_is_neither_used_nor_disturbed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert np.array_equal(first.kernels[0], run().kernels[0])


def test_best_epoch_is_kept_as_it_was_then():
    # A high rate makes later epochs worse than the first, by far.
    result = run(init="data", learning_rate=0.3, epochs=3, seed=2)
    phis = [line.validation_phi for line in result.history]
    assert result.epoch == 0
    assert min(phis[1:]) > phis[0] + 0.05
    assert result.validation.phi == min(phis)
    assert result.evaluate(pulse_windows(3, seed=1)).phi == pytest.approx(min(phis), abs=1e-6)


def test_result_does_not_follow_the_model():
    result = run()
    before = result.kernels[0].copy()
    model = result.model()
    with torch.no_grad():
        model.taps[0].zero_()
    assert np.array_equal(result.kernels[0], before)
    with pytest.raises(ValueError, match="read-only"):
        result.kernels[0][0] = 1.0


def test_restarts_are_picked_by_validation():
    result = run(init="normal", restarts=4, epochs=3)
    best = min(result.history, key=lambda line: line.validation_phi)
    assert (result.restart, result.epoch) == (best.restart, best.epoch)
    assert [(line.restart, line.epoch) for line in result.history] == [
        (r, e) for r in range(4) for e in range(3)
    ]
    # The first restart is what a single one would have been.
    assert run(init="normal", epochs=3).history == result.history[:3]


@pytest.mark.parametrize("tie", ["adjoint", "convolution"])
def test_zero_sum_holds_after_training(tie):
    result = run(zero_sum=True, tie=tie, sizes=(25, 12))
    for taps in result.kernels:
        assert abs(taps.sum()) < 1e-5
        assert np.abs(taps).max() > 0.01


def test_mse_trains_by_squares():
    result = run(loss="mse", epochs=1, batch=100)
    start = run(loss="mae", epochs=1, batch=100)
    assert result.history[0].training_loss != start.history[0].training_loss
    assert result.history[0].training_loss < start.history[0].training_loss


def test_first_training_loss_is_that_of_the_start():
    seen = []
    original = fitting.start_kernels

    def spy(*args, **options):
        seen.extend(kernels := original(*args, **options))
        return kernels

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "start_kernels", spy)
        result = run(epochs=1, batch=100)
    x = torch.tensor(pulse_windows(), dtype=torch.float32)
    model = fitting.SAN1d(seen)
    expected = (model(x).signal - x).abs().mean().item()
    assert result.history[0].training_loss == pytest.approx(expected, rel=1e-5)


def test_callback_is_told_of_every_epoch():
    told = []
    fit(
        pulse_windows(),
        pulse_windows(3),
        settings(restarts=2, epochs=3),
        callback=lambda done, total, text: told.append((done, total, text)),
    )
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5, 6]
    assert {total for _, total, _ in told} == {6}
    assert told[-1][2].startswith("restart 2 epoch 3: φ̄ ")


def test_bar_on_a_terminal_alone(monkeypatch, capfd):
    with progress(2, "training") as advance:
        advance("one")
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress(2, "training") as advance:
        advance("one")
        advance("two")
    shown = capfd.readouterr()
    assert "training" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs 0: must be at least 1"),
        ({"batch": 0}, "batch 0"),
        ({"restarts": 0}, "restarts 0"),
        ({"seed": -1}, "seed -1"),
        ({"border_tolerance": -1}, "border tolerance -1"),
        ({"learning_rate": 0.0}, "learning rate 0.0"),
        ({"learning_rate": float("nan")}, "learning rate nan"),
        ({"loss": "huber"}, "loss 'huber'"),
        ({"init": "zeros"}, "init 'zeros'"),
    ],
)
def test_settings_outside_their_limits(options, message):
    with pytest.raises(SettingError, match=message):
        settings(**options)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (np.zeros((0, 5)), r"training windows have shape \(0, 5\)"),
        (np.zeros(5), r"training windows have shape \(5,\)"),
        (np.array([[1.0, np.nan]]), "training windows: a sample is not finite"),
        (np.array([[1.0, -1.0], [0.0, 0.0]]), "training windows: window 1 is constant"),
    ],
)
def test_windows_that_cannot_be_used(windows, message):
    with pytest.raises(SampleError, match=message):
        fit(windows, pulse_windows(), settings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (201,)}, "kernel of 201 taps: windows have 200 samples"),
        (
            {"sizes": (200,), "border_tolerance": 0},
            "minimum extrema distance 200: windows have 200 samples",
        ),
    ],
)
def test_kernels_that_do_not_fit_the_windows(options, message):
    with pytest.raises(SettingError, match=message):
        run(**options)
    assert run(sizes=(200,), epochs=1).settings.sizes == (200,)


def test_validation_windows_of_another_length():
    with pytest.raises(SampleError, match=r"validation windows have shape \(3, 50\)"):
        fit(pulse_windows(), pulse_windows(3, length=50), settings())


def test_divergence_is_an_error():
    with pytest.raises(SettingError, match="training diverged in every restart"):
        run(learning_rate=1e30)


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(SettingError, match="device 'gpu': torch knows no such device"):
        pick_device("gpu")
    with pytest.raises(SettingError, match="device 'meta': must be"):
        pick_device("meta")
    with pytest.raises(SettingError, match=r"device 'cuda:99': \d+ CUDA devices"):
        pick_device("cuda:99")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_trains_like_the_cpu():
    cpu, cuda = run(epochs=3), run(epochs=3, device="cuda")
    assert np.allclose(cpu.kernels[0], cuda.kernels[0], atol=1e-3)


def test_no_bar_without_rich(monkeypatch, capfd):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("san_training.progress.find_spec", lambda _: None)
    with progress(1, "training") as advance:
        advance("one")
    assert capfd.readouterr().err == ""
