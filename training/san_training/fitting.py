"""Training (Bizopoulos & Koutsouris, "Sparsely Activated Networks", algorithm 4)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from san_stream.errors import SampleError, SettingError
from san_stream.kernels import Tie
from san_training.activations import ACTIVATIONS
from san_training.init import INITS, start_kernels
from san_training.losses import LOSSES, reconstruction_loss
from san_training.model import SAN1d, SAN2d, default_med
from san_training.progress import progress
from san_training.quality import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from san_training.activations import Activation
    from san_training.init import Init
    from san_training.losses import Loss
    from san_training.model import SparselyActivatedNetwork
    from san_training.progress import ProgressCallback
    from san_training.quality import ModelQuality

DIVERGED = "learning rate {}: training diverged in every restart"


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a model is trained. The defaults are the paper's.

    Attributes:
        sizes: taps m of each kernel, for images of a side.
        activation: one of `san_training.activations.ACTIVATIONS`.
        tie: ``"convolution"`` or ``"adjoint"``.
        zero_sum: keep each kernel's sum at 0, projected after every optimiser step.
        init: ``"normal"``, ``"constant"`` or ``"data"``.
        restarts: how many starts are tried; φ̄ of the validation windows picks.
        seed: of starts and batch order.
        epochs, batch: passes over the training windows; windows in a batch.
        learning_rate: Adam's; β 0.9 and 0.999, ε 1e-8, no decay.
        loss: what is minimised, ``"mae"`` or ``"mse"``; φ always counts absolute errors.
        border_tolerance: med = max(m - border_tolerance, 1).
        device: ``"auto"`` (CUDA where there is one, else the CPU) or torch's name of one.
    """

    sizes: tuple[int, ...]
    activation: Activation = "extrema"
    tie: Tie = "convolution"
    zero_sum: bool = False
    init: Init = "normal"
    restarts: int = 1
    seed: int = 0
    epochs: int = 30
    batch: int = 2
    learning_rate: float = 0.01
    loss: Loss = "mae"
    border_tolerance: int = 3
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        for what, value in (
            ("restarts", self.restarts),
            ("epochs", self.epochs),
            ("batch", self.batch),
        ):
            if value < 1:
                raise SettingError(f"{what} {value}: must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise SettingError(f"seed {self.seed}: must be 0 to 2^63 - 1")
        if self.border_tolerance < 0:
            raise SettingError(f"border tolerance {self.border_tolerance}: must be 0 or more")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise SettingError(f"learning rate {self.learning_rate}: must be finite and above 0")
        if self.loss not in LOSSES:
            raise SettingError(f"loss {self.loss!r}: must be 'mae' or 'mse'")
        for what, name, known in (
            ("activation", self.activation, ACTIVATIONS),
            ("tie", self.tie, get_args(Tie)),
            ("init", self.init, INITS),
        ):
            if name not in known:
                raise SettingError(f"{what} {name!r}: must be one of {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the history.

    Attributes:
        restart, epoch: both from 0.
        training_loss: mean loss of its batches, each before its step.
        validation_phi: φ̄ of the validation windows after it.
    """

    restart: int
    epoch: int
    training_loss: float
    validation_phi: float


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """What training gives.

    Attributes:
        settings: as given.
        kernels: taps of the best epoch, float64 ``[m_i]`` or ``[m_i, m_i]``, read-only
            copies.
        last_kernels: taps of the last epoch of that restart, which the paper's program kept.
        validation: figures of the validation windows at the best epoch.
        restart, epoch: where it was.
        history: all epochs of all restarts, in order.
    """

    settings: FitSettings
    kernels: tuple[NDArray[np.float64], ...]
    last_kernels: tuple[NDArray[np.float64], ...]
    validation: ModelQuality
    restart: int
    epoch: int
    history: tuple[Epoch, ...]

    def model(self, device: str = "cpu") -> SparselyActivatedNetwork:
        """A fresh network with these kernels, float32."""
        kernels = [torch.tensor(taps, dtype=torch.float32) for taps in self.kernels]
        # Zero-sum kernels are so already: taking off a mean again would round them anew.
        settings = replace(self.settings, zero_sum=False)
        return build_model(kernels, settings).to(pick_device(device))

    def evaluate(self, windows: NDArray[np.floating], device: str = "cpu") -> ModelQuality:
        """Figures on windows of the shape of the training windows, x less its baseline."""
        signal = as_windows("windows", windows).to(pick_device(device))
        return evaluate(self.model(device), signal)


def build_model(kernels: Sequence[Tensor], settings: FitSettings) -> SparselyActivatedNetwork:
    """The network of some settings: `SAN1d` for kernels ``[m]``, `SAN2d` for ``[m, m]``."""
    network = SAN1d if kernels[0].ndim == 1 else SAN2d
    return network(
        kernels,
        activation=settings.activation,
        tie=settings.tie,
        zero_sum=settings.zero_sum,
        border_tolerance=settings.border_tolerance,
    )


def pick_device(name: str) -> torch.device:
    """The device of that name; ``"auto"`` is CUDA where there is one, else the CPU.

    Raises:
        SettingError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingError(f"device {name!r}: torch knows no such device") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingError(f"device {name!r}: {torch.cuda.device_count()} CUDA devices are here")
    if device.type not in ("cpu", "cuda"):
        raise SettingError(f"device {name!r}: must be 'auto', 'cpu' or 'cuda[:index]'")
    return device


def fit(
    training: NDArray[np.floating],
    validation: NDArray[np.floating],
    settings: FitSettings,
    *,
    callback: ProgressCallback | None = None,
    title: str = "training",
) -> FitResult:
    """Train, and keep the epoch with the lowest φ̄ on the validation windows.

    The same windows and settings give the same result on the same machine. Computed in
    float32, on the CPU in one thread.

    Args:
        training: x less its baseline, ``[windows, n]`` or images ``[windows, h, w]``, none of
            them all zero.
        validation: likewise, windows of the same shape.
        settings: how.
        callback: told after each epoch; without it a bar is drawn on a terminal.
        title: shown before the bar.

    Raises:
        SampleError: windows of another shape, none, not finite, or all zero.
        SettingError: a setting outside its limits; a kernel or a minimum extrema distance
            that is longer than a window.
    """
    device = pick_device(settings.device)
    train, check = as_windows_pair(training, validation, settings)
    here, check = train.to(device), check.to(device)
    history: list[Epoch] = []
    best: tuple[float, tuple[Tensor, ...], ModelQuality, int, int] | None = None
    last: tuple[Tensor, ...] = ()
    steps = settings.restarts * settings.epochs
    with repeatable(), progress(steps, title, callback) as advance:
        for restart in range(settings.restarts):
            kernels, orders = plan(train, settings, restart)
            model = build_model(kernels, settings).to(device)
            optimiser = torch.optim.Adam(
                model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.999), eps=1e-8
            )
            for epoch, order in enumerate(orders.to(device)):
                loss = _one_epoch(model, optimiser, here, settings, order)
                quality = evaluate(model, check)
                history.append(Epoch(restart, epoch, loss, quality.phi))
                # Once the taps are no numbers any more, φ is none either and never smaller.
                if quality.phi < (best[0] if best else inf):
                    best = quality.phi, model.copy_taps(), quality, restart, epoch
                advance(f"restart {restart + 1} epoch {epoch + 1}: φ̄ {quality.phi:.3f}")
            if best and best[3] == restart:
                last = model.copy_taps()
    if best is None:
        raise SettingError(DIVERGED.format(settings.learning_rate))
    _, taps, quality, restart, epoch = best
    return FitResult(
        settings,
        tuple(frozen(kernel) for kernel in taps),
        tuple(frozen(kernel) for kernel in last),
        quality,
        restart,
        epoch,
        tuple(history),
    )


@contextmanager
def repeatable() -> Iterator[None]:
    """The same arithmetic in each run.

    On CUDA TF32 would round the products, and a free choice of algorithms would not repeat
    itself. On the CPU sums depend on the number of threads; networks this small are also
    slower on several (batch 2, m = 216: 3 times on two threads beside other work).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def _one_epoch(
    model: SparselyActivatedNetwork,
    optimiser: torch.optim.Optimizer,
    windows: Tensor,
    settings: FitSettings,
    order: Tensor,
) -> float:
    """One pass over the windows in this order; mean loss of the windows."""
    total = torch.zeros((), dtype=torch.float64, device=windows.device)
    for rows in order.split(settings.batch):
        batch = windows[rows]
        optimiser.zero_grad()
        loss = reconstruction_loss(settings.loss, model(batch).signal, batch)
        loss.backward()
        optimiser.step()
        model.project()
        total += loss.detach() * len(rows)
    return total.item() / len(windows)


def plan(train: Tensor, settings: FitSettings, restart: int) -> tuple[list[Tensor], Tensor]:
    """All that chance decides in one restart, whoever trains.

    Returns:
        The starting kernels on the CPU, and the order of the windows in each epoch, int64
        ``[epochs, windows]``.
    """
    generator = _generator(settings.seed, restart)
    kernels = start_kernels(
        settings.init,
        settings.sizes,
        train,
        generator,
        zero_sum=settings.zero_sum,
        border_tolerance=settings.border_tolerance,
    )
    orders = [torch.randperm(len(train), generator=generator) for _ in range(settings.epochs)]
    return kernels, torch.stack(orders)


def _generator(seed: int, restart: int) -> torch.Generator:
    """Independent chance for each restart. torch uses 32 bits of a seed: mix them first."""
    mixed = np.random.SeedSequence([seed, restart]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(mixed))


def as_windows_pair(
    training: NDArray[np.floating], validation: NDArray[np.floating], settings: FitSettings
) -> tuple[Tensor, Tensor]:
    """Training and validation windows as float32 on the CPU, checked.

    Raises:
        SampleError, SettingError: see `fit`.
    """
    train = as_windows("training windows", training)
    check = as_windows("validation windows", validation)
    if train.shape[1:] != check.shape[1:]:
        raise SampleError(
            f"validation windows have shape {tuple(check.shape)}, those of training "
            f"{tuple(train.shape)}"
        )
    shortest = min(train.shape[1:])
    for size in settings.sizes:
        if size > shortest:
            raise SettingError(f"kernel of {size} taps: windows have {shortest} samples")
        med = default_med(size, settings.border_tolerance)
        if settings.activation == "extrema" and med >= shortest:
            raise SettingError(f"minimum extrema distance {med}: windows have {shortest} samples")
    return train, check


def as_windows(what: str, windows: NDArray[np.floating]) -> Tensor:
    """Windows or images as float32 on the CPU, checked.

    Raises:
        SampleError: not ``[windows, n]`` or ``[windows, h, w]``, empty, not finite, all zero.
    """
    array = np.asarray(windows)
    # Many images stay as they come: float64 would take twice their memory.
    array = array if array.dtype == np.float32 else array.astype(np.float64)
    if array.ndim not in (2, 3) or array.size == 0:
        raise SampleError(
            f"{what} have shape {array.shape}, expected [windows, n] or [windows, h, w], not empty"
        )
    if not np.isfinite(array).all():
        raise SampleError(f"{what}: a sample is not finite")
    flat = np.flatnonzero(~array.reshape(len(array), -1).any(axis=1))
    if len(flat):
        raise SampleError(f"{what}: window {flat[0]} is constant, its φ has no meaning")
    return torch.from_numpy(array.astype(np.float32))


def frozen(taps: Tensor) -> NDArray[np.float64]:
    """Taps as a read-only float64 copy."""
    array = taps.numpy().astype(np.float64)
    array.setflags(write=False)
    return array
