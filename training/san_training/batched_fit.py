"""Many trainings in one torch program: models side by side, kernels padded to one length.

Each model is a group of a grouped convolution and has windows, order, density and moments of
its own; what it computes does not depend on the models beside it. On a GPU nothing waits for
the device between the first epoch and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import conv1d, pad

from san_stream.errors import SettingError
from san_training.activations import ACTIVATIONS, build_activation
from san_training.fitting import (
    DIVERGED,
    Epoch,
    FitResult,
    as_windows_pair,
    frozen,
    pick_device,
    plan,
    repeatable,
)
from san_training.model import default_med
from san_training.quality import quality_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from san_training.activations import SparseActivation
    from san_training.fitting import FitSettings

SAMPLES_AT_ONCE: Final = 2**21
"""Activations that are held at once, some 500 bytes each in training."""

SHARED: Final = ("tie", "zero_sum", "epochs", "batch", "learning_rate", "loss", "device")
"""Settings that all trainings of one program share."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One training of many.

    Attributes:
        training, validation: windows ``[windows, n]`` as of `fit`.
        settings: how.
    """

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    settings: FitSettings


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """One restart of one job: what becomes one model of the program.

    Jobs on the same windows have the same number as `database`.
    """

    job: int
    restart: int
    database: int
    settings: FitSettings
    training: Tensor
    validation: Tensor
    kernels: Sequence[Tensor]
    orders: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Trained:
    """What the program made of one start, on the CPU; arguments as of `FitResult`."""

    losses: list[float]
    phis: list[float]
    epoch: int
    taps: tuple[Tensor, ...]
    last_taps: tuple[Tensor, ...]
    check_losses: list[float]
    check_spikes: list[int]


def fit_batched(
    jobs: Sequence[Job], *, dtype: torch.dtype = torch.float32
) -> list[FitResult | SettingError]:
    """What `fit` does for each job, all jobs in one torch program.

    Jobs may differ in windows (databases), kernel sizes, activation, start, seed, restarts and
    border tolerance. Results agree with `fit` to rounding, see `fit_compiled`.

    Args:
        jobs: windows ``[windows, n]`` of one shape, the same number of kernels in each, and
            the same `SHARED` settings.
        dtype: of the computation.

    Returns:
        One entry a job: its result, or the error that `fit` raises where training diverges.

    Raises:
        SampleError, SettingError: see `fit`; also jobs that cannot be trained together.
    """
    if not jobs:
        return []
    starts = list(_starts(jobs, dtype))
    for start in starts:
        _check_together(starts[0], start)
    # Models of one activation stand side by side, so that each mask is computed once.
    starts.sort(key=lambda start: ACTIVATIONS.index(start.settings.activation))
    settings = jobs[0].settings
    rows = max(min(settings.batch, len(starts[0].training)), len(starts[0].validation))
    per_model = rows * len(settings.sizes) * starts[0].training.shape[1]
    at_once = max(SAMPLES_AT_ONCE // per_model, 1)
    trained: dict[tuple[int, int], _Trained] = {}
    with repeatable():
        for i in range(0, len(starts), at_once):
            part = starts[i : i + at_once]
            for start, outcome in zip(part, _train(part), strict=True):
                trained[start.job, start.restart] = outcome
    return [_result(i, job, trained) for i, job in enumerate(jobs)]


def _starts(jobs: Sequence[Job], dtype: torch.dtype) -> Iterator[_Start]:
    known: dict[tuple[int, int], int] = {}
    for i, job in enumerate(jobs):
        pair = as_windows_pair(job.training, job.validation, job.settings)
        training, validation = (windows.to(dtype) for windows in pair)
        database = known.setdefault((id(job.training), id(job.validation)), len(known))
        for restart in range(job.settings.restarts):
            kernels, orders = plan(training, job.settings, restart)
            yield _Start(i, restart, database, job.settings, training, validation, kernels, orders)


def _check_together(first: _Start, other: _Start) -> None:
    for name in SHARED:
        ours, theirs = getattr(first.settings, name), getattr(other.settings, name)
        if ours != theirs:
            raise SettingError(f"{name} {theirs!r} and {ours!r}: one program trains with one")
    shapes = [(start.training.shape, start.validation.shape) for start in (first, other)]
    if shapes[0] != shapes[1] or len(shapes[0][0]) != 2:
        raise SettingError(
            f"windows of shape {tuple(shapes[1][0])} and {tuple(shapes[0][0])}: one program "
            "trains on [windows, n] of one shape"
        )
    counts = [len(start.kernels) for start in (first, other)]
    if counts[0] != counts[1]:
        raise SettingError(f"{counts[1]} and {counts[0]} kernels: one program trains one number")


class _Program:
    """The models of some starts, ``[models, kernels, width]`` taps, as one computation."""

    def __init__(self, starts: Sequence[_Start], device: torch.device) -> None:
        settings = starts[0].settings
        dtype = starts[0].training.dtype
        self.adjoint = settings.tie == "adjoint"
        self.squares = settings.loss == "mse"
        self.width = max(size for start in starts for size in start.settings.sizes)
        self.centre = (self.width - 1) // 2
        shape = (len(starts), len(settings.sizes), self.width)
        taps, used = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)
        for g, start in enumerate(starts):
            for k, kernel in enumerate(start.kernels):
                own = self.place_of(len(kernel))
                taps[g, k, own] = kernel.to(dtype)
                used[g, k, own] = 1
        self.used = used.to(device)
        self.taps = taps.to(device).requires_grad_()
        self.parts = list(self._activations(starts, device))
        if settings.zero_sum:
            self.project()

    def place_of(self, size: int) -> slice:
        """Where the taps of a kernel stand, its centre upon the common one."""
        begin = self.centre - (size - 1) // 2
        return slice(begin, begin + size)

    def _activations(
        self, starts: Sequence[_Start], device: torch.device
    ) -> Iterator[tuple[slice, SparseActivation]]:
        """Each activation with the channels that it serves."""
        first = 0
        for name in ACTIVATIONS:
            own = [start for start in starts if start.settings.activation == name]
            sizes = [size for start in own for size in start.settings.sizes]
            meds = [
                default_med(size, start.settings.border_tolerance)
                for start in own
                for size in start.settings.sizes
            ]
            if own:
                module = build_activation(name, sizes, meds).to(device)
                yield slice(first, first + len(sizes)), module
            first += len(sizes)

    @torch.no_grad()
    def project(self) -> None:
        """Take each kernel's mean off it."""
        own = self.taps * self.used
        mean = own.sum(dim=2, keepdim=True) / self.used.sum(dim=2, keepdim=True)
        self.taps.sub_(mean * self.used)

    def __call__(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """x̂ ``[rows, models, n]`` and α ``[rows, models · kernels, n]`` of such windows as x̂."""
        models, kernels, width = self.taps.shape
        # Taps that a kernel does not have are 0 and stay so: no gradient reaches them.
        taps = self.taps * self.used
        around = (self.centre, width - 1 - self.centre)
        weight = taps.reshape(models * kernels, 1, width)
        similarities = conv1d(pad(windows, around), weight, groups=models)
        maps = torch.cat([keep(similarities[:, own]) for own, keep in self.parts], dim=1)
        if self.adjoint:
            taps, around = taps.flip(2), (around[1], around[0])
        return conv1d(pad(maps, around), taps, groups=models), maps

    def errors(self, rebuilt: Tensor, windows: Tensor) -> Tensor:
        """Mean loss of each model, ``[models]``."""
        off = rebuilt - windows
        return (off * off if self.squares else off.abs()).mean(dim=(0, 2))


def _train(starts: Sequence[_Start]) -> Iterator[_Trained]:
    """Train the models of some starts together."""
    settings = starts[0].settings
    device = pick_device(settings.device)
    program = _Program(starts, device)
    distinct = {start.database: start for start in starts}
    index = {database: i for i, database in enumerate(distinct)}
    windows = torch.stack([start.training for start in distinct.values()]).to(device)
    checks = torch.stack([start.validation for start in distinct.values()]).to(device)
    own = torch.tensor([index[start.database] for start in starts]).to(device)
    checks = checks[own].transpose(0, 1)
    size = checks.abs().sum(dim=2)
    weights = torch.tensor([float(sum(start.settings.sizes)) for start in starts]).to(device)
    # [epochs, windows, models]
    orders = torch.stack([start.orders for start in starts], dim=2).to(device)
    optimiser = torch.optim.Adam(
        [program.taps], lr=settings.learning_rate, betas=(0.9, 0.999), eps=1e-8
    )
    losses, phis = [], []
    best_phi = torch.full((len(starts),), torch.inf, dtype=torch.float64, device=device)
    best_epoch = torch.full((len(starts),), -1, device=device)
    best_taps = program.taps.detach().clone()
    best_losses, best_spikes = torch.zeros_like(size), torch.zeros_like(size, dtype=torch.int64)
    for epoch, order in enumerate(orders):
        total = torch.zeros_like(best_phi)
        for rows in order.split(settings.batch):
            batch = windows[own, rows]
            optimiser.zero_grad()
            errors = program.errors(program(batch)[0], batch)
            errors.sum().backward()
            optimiser.step()
            if settings.zero_sum:
                program.project()
            total += errors.detach() * len(rows)
        losses.append(total / orders.shape[1])
        with torch.no_grad():
            rebuilt, maps = program(checks)
            check_losses = (rebuilt - checks).abs().sum(dim=2) / size
            spikes = (maps != 0).sum(dim=2).view(len(checks), len(starts), -1).sum(dim=2)
        ratios = (weights + 2 * spikes.double()) / checks.shape[2]
        phi = torch.hypot(ratios, check_losses.double()).mean(dim=0)
        phis.append(phi)
        better = phi < best_phi
        best_phi = torch.where(better, phi, best_phi)
        best_epoch = torch.where(better, epoch, best_epoch)
        best_taps = torch.where(better[:, None, None], program.taps.detach(), best_taps)
        best_losses = torch.where(better, check_losses, best_losses)
        best_spikes = torch.where(better, spikes, best_spikes)
    lines = torch.stack(losses).T.tolist(), torch.stack(phis).T.tolist()
    epochs: list[int] = best_epoch.tolist()
    best, last = best_taps.cpu(), program.taps.detach().cpu()
    for g, start in enumerate(starts):
        places = [program.place_of(m) for m in start.settings.sizes]
        yield _Trained(
            losses=lines[0][g],
            phis=lines[1][g],
            epoch=epochs[g],
            taps=tuple(best[g, k, place].clone() for k, place in enumerate(places)),
            last_taps=tuple(last[g, k, place].clone() for k, place in enumerate(places)),
            check_losses=best_losses[:, g].tolist(),
            check_spikes=best_spikes[:, g].tolist(),
        )


def _result(i: int, job: Job, trained: dict[tuple[int, int], _Trained]) -> FitResult | SettingError:
    """The best restart of a job."""
    settings = job.settings
    runs = [trained[i, restart] for restart in range(settings.restarts)]
    usable = [r for r, run in enumerate(runs) if run.epoch >= 0 and isfinite(run.phis[run.epoch])]
    if not usable:
        return SettingError(DIVERGED.format(settings.learning_rate))
    restart = min(usable, key=lambda r: runs[r].phis[runs[r].epoch])
    run = runs[restart]
    length = job.training.shape[1]
    return FitResult(
        settings,
        tuple(frozen(taps) for taps in run.taps),
        tuple(frozen(taps) for taps in run.last_taps),
        quality_of(run.check_losses, run.check_spikes, sum(settings.sizes), length),
        restart,
        run.epoch,
        tuple(
            Epoch(r, e, loss, phi)
            for r, each in enumerate(runs)
            for e, (loss, phi) in enumerate(zip(each.losses, each.phis, strict=True))
        ),
    )
