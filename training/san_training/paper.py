"""The paper's protocol on one record (Bizopoulos & Koutsouris, section IV-A)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from san_stream.errors import SourceError
from san_training.data import read_first_signal
from san_training.fitting import FitSettings, fit

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from san_training.activations import Activation
    from san_training.fitting import FitResult
    from san_training.init import Init
    from san_training.progress import ProgressCallback
    from san_training.quality import ModelQuality

WINDOW = 1000
TRAINING, VALIDATION, TEST = 6, 2, 4


class PaperWindows(NamedTuple):
    """Windows of one record, float64; the paper's ``[6, 1000]``, ``[2, 1000]``, ``[4, 1000]``."""

    training: NDArray[np.float64]
    validation: NDArray[np.float64]
    test: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PaperResult:
    """One cell of the paper's Table I.

    Attributes:
        fit: the training run, with its kernel, history and validation figures.
        test: figures of the four test windows.
    """

    fit: FitResult
    test: ModelQuality

    @property
    def phi(self) -> float:
        """φ̄ of the test windows."""
        return self.test.phi

    @property
    def inverse_ratio(self) -> float:
        """Mean CR⁻¹ of the test windows."""
        return self.test.inverse_ratio

    @property
    def loss(self) -> float:
        """Mean L̃ of the test windows."""
        return self.test.loss


def paper_windows(record: str | PathLike[str]) -> PaperWindows:
    """The first 12,000 samples of the first signal, each window z-scored by itself.

    Raises:
        SourceError: the record cannot be read, is shorter, or a window is constant or
            misses a sample.
        MissingExtraError: wfdb is not installed.
    """
    count = TRAINING + VALIDATION + TEST
    windows = read_first_signal(record, count * WINDOW).reshape(count, WINDOW)
    return paper_split(windows, record)


def paper_split(windows: NDArray[np.float64], record: str | PathLike[str]) -> PaperWindows:
    """Z-score each window by itself, and split them in their order as 6 : 2 : 4.

    Args:
        windows: ``[windows, n]``, at least 6; NaN where a sample is missing.
        record: where they are from, for the message.

    Raises:
        SourceError: a window is constant or misses a sample.
    """
    for i, window in enumerate(windows):
        # A missing sample makes both NaN, and neither is above the other.
        if not window.max() > window.min():
            raise SourceError(
                f"record {record}: window {i} "
                f"(samples {i * window.size} to {(i + 1) * window.size - 1}) "
                "is constant or misses samples"
            )
    centred = windows - windows.mean(axis=1, keepdims=True)
    scored = centred / windows.std(axis=1, keepdims=True)
    training = len(windows) * TRAINING // (TRAINING + VALIDATION + TEST)
    validation = len(windows) * VALIDATION // (TRAINING + VALIDATION + TEST)
    return PaperWindows(*np.split(scored, [training, training + validation]))


def digest(windows: PaperWindows) -> str:
    """Of the samples that a training rests on."""
    return hashlib.sha256(b"".join(part.tobytes() for part in windows)).hexdigest()[:16]


def run_paper_protocol(
    record: str | PathLike[str],
    m: int,
    activation: Activation = "extrema",
    init: Init = "normal",
    seed: int = 0,
    *,
    epochs: int = 30,
    batch: int = 2,
    restarts: int = 1,
    border_tolerance: int = 3,
    device: str = "auto",
    callback: ProgressCallback | None = None,
) -> PaperResult:
    """Train one kernel as the paper does and report the test windows.

    Args:
        record: path of a WFDB record, without suffix.
        m: taps of the kernel, 1 to 250 in the paper.
        activation: one of `san_training.activations.ACTIVATIONS`.
        init: ``"normal"`` is the paper's; long kernels often fail from it.
        seed: of starts and batch order.
        epochs, batch, restarts, border_tolerance, device: see `FitSettings`.
        callback: told after each epoch.

    Raises:
        SourceError, MissingExtraError: see `paper_windows`.
        SettingError: a setting outside its limits.
    """
    training, validation, test = paper_windows(record)
    settings = FitSettings(
        sizes=(m,),
        activation=activation,
        tie="convolution",
        init=init,
        restarts=restarts,
        seed=seed,
        epochs=epochs,
        batch=batch,
        border_tolerance=border_tolerance,
        device=device,
    )
    result = fit(training, validation, settings, callback=callback, title=f"m = {m}")
    return PaperResult(result, result.evaluate(test))
