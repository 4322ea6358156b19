"""Many trainings in one program, and on all cores, beside each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from san_stream.errors import SampleError, SettingError
from san_training import batched_fit
from san_training.activations import ACTIVATIONS
from san_training.batched_fit import Job, fit_batched
from san_training.compiled_fit import fit_restart
from san_training.fitting import FitSettings, fit, plan
from san_training.many_fits import cores, fit_all

RNG = np.random.default_rng(0)
DATABASES = [(RNG.normal(size=(5, 50)), RNG.normal(size=(2, 50))) for _ in range(2)]


def job(database=0, **options):
    how = {"sizes": (7,), "epochs": 3, "device": "cpu", **options}
    return Job(*DATABASES[database], FitSettings(**how))


def mixed(**options):
    """Jobs that differ in everything that may differ."""
    return [
        job(d, sizes=(m,), activation=name, seed=m, init=init, border_tolerance=d, **options)
        for m, init in ((1, "normal"), (8, "constant"), (21, "normal"))
        for name in ACTIVATIONS
        for d in (0, 1)
    ]


def assert_same(found, expected):
    for ours, theirs in zip(found.kernels, expected.kernels, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tie": "adjoint", "zero_sum": True},
        {"loss": "mse", "batch": 1},
    ],
)
def test_each_model_is_what_it_would_be_alone(options):
    # Doubles: in floats a tie that rounding breaks moves a spike, and all that follows.
    jobs = [
        j for j in mixed(**options) if not (options.get("zero_sum") and j.settings.sizes == (1,))
    ]
    for found, alone in zip(fit_batched(jobs, dtype=torch.float64), jobs, strict=True):
        train, check = (
            torch.tensor(part.astype(np.float32)).double()
            for part in (alone.training, alone.validation)
        )
        kernels, orders = plan(train, alone.settings, 0)
        run = fit_restart(train, check, kernels, orders, alone.settings)
        assert found.settings == alone.settings
        assert found.epoch == run.epoch
        assert found.kernels[0] == pytest.approx(run.kernels[0].numpy(), rel=1e-6, abs=1e-9)
        assert found.last_kernels[0] == pytest.approx(run.last_kernels[0].numpy(), abs=1e-7)
        assert [line.validation_phi for line in found.history] == pytest.approx(run.phis)
        assert [line.training_loss for line in found.history] == pytest.approx(run.losses)
        assert found.validation.spikes == run.validation.spikes
        assert found.validation.losses == pytest.approx(run.validation.losses)


def test_single_models_of_torch_in_floats():
    jobs = [job(sizes=(6, 3), activation=name, restarts=2) for name in ACTIVATIONS]
    for found, alone in zip(fit_batched(jobs), jobs, strict=True):
        expected = fit(alone.training, alone.validation, alone.settings)
        assert (found.restart, found.epoch) == (expected.restart, expected.epoch)
        for ours, theirs in zip(found.kernels, expected.kernels, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-5)
        assert len(found.history) == len(expected.history) == 6


def test_how_many_are_trained_at_once_does_not_matter(monkeypatch):
    together = fit_batched(mixed(), dtype=torch.float64)
    monkeypatch.setattr(batched_fit, "SAMPLES_AT_ONCE", 7 * 2 * 50)
    for found, expected in zip(fit_batched(mixed(), dtype=torch.float64), together, strict=True):
        assert found.settings == expected.settings
        assert found.kernels[0] == pytest.approx(expected.kernels[0], rel=1e-9, abs=1e-12)


def test_divergence_is_the_matter_of_one_job():
    # A window of 1e38 has no sum of squares in float32.
    huge = np.where(np.arange(50) % 2, 3e38, -3e38) * np.ones((5, 1))
    jobs = [job(), Job(huge, huge[:2], job().settings), job(1)]
    results = fit_batched(jobs)
    assert isinstance(results[1], SettingError)
    assert "diverged" in str(results[1])
    assert_same(results[0], fit_batched([jobs[0]])[0])
    assert_same(results[2], fit_batched([jobs[2]])[0])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (job(epochs=4), "epochs 4 and 3: one program trains with one"),
        (job(loss="mse"), "loss 'mse' and 'mae'"),
        (job(sizes=(7, 7)), "2 and 1 kernels: one program trains one number"),
        (
            Job(np.ones((4, 50)), np.ones((2, 50)), job().settings),
            r"windows of shape \(4, 50\) and \(5, 50\)",
        ),
    ],
)
def test_jobs_that_cannot_be_trained_together(other, message):
    with pytest.raises(SettingError, match=message):
        fit_batched([job(), other])


def test_images_are_refused():
    images = np.ones((3, 9, 9))
    with pytest.raises(SettingError, match=r"one program trains on \[windows, n\]"):
        fit_batched([Job(images, images, FitSettings((3,)))])


@pytest.mark.parametrize("workers", [1, 3, None])
def test_on_all_cores_in_their_order(workers):
    jobs = mixed()
    told = []
    results = fit_all(jobs, workers=workers, callback=lambda *step: told.append(step[:2]))
    assert told == [(i + 1, 30) for i in range(30)]
    for found, alone in zip(results, jobs, strict=True):
        assert found.settings == alone.settings
    assert_same(results[7], fit_all([jobs[7]])[0])


def test_a_job_that_fails_does_not_stop_the_others():
    jobs = [job(), job(sizes=(51,)), Job(np.ones((2, 50)), np.zeros((1, 50)), job().settings)]
    good, long, flat = fit_all(jobs)
    assert good.settings == jobs[0].settings
    assert isinstance(long, SettingError)
    assert isinstance(flat, SampleError)


def test_engines_agree_and_nothing_is_nothing():
    jobs = mixed()[:10]
    for one, other in zip(fit_all(jobs), fit_all(jobs, engine="batched"), strict=True):
        assert one.kernels[0] == pytest.approx(other.kernels[0], abs=1e-5)
    assert fit_all([]) == fit_all([], engine="batched") == []
    assert cores() >= 1


def test_settings_outside_their_limits():
    with pytest.raises(SettingError, match="engine 'gpu': must be one of compiled, batched"):
        fit_all([], engine="gpu")
    with pytest.raises(SettingError, match="workers 0"):
        fit_all([], workers=0)
