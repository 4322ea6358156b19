"""One trial: what defines it, and how it is run wherever it is run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import torch

import san_stream
import san_training
from san_stream.errors import SanStreamError
from san_training.compiled_fit import evaluate_compiled, fit_compiled
from san_training.fitting import FitSettings, fit, pick_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_training.fitting import FitResult
    from san_training.paper import PaperWindows
    from san_training.quality import ModelQuality
    from san_training.sweep.signals import Signal

TrialEngine = Literal["compiled", "torch"]
TRIAL_ENGINES: tuple[TrialEngine, ...] = get_args(TrialEngine)
"""``compiled`` trains on one core of the CPU, ``torch`` on the device of the settings."""

DONE: Final = "done"
REFUSED: Final = "refused"
FAILED: Final = "failed"
LOST: Final = "lost"
"""Status of a row. Refused by the trainer: it would be refused again. Failed by an error that
nobody expected, or lost with its process: the next run tries these again."""
FINAL: Final = (DONE, REFUSED)

PARTS: Final = ("validation", "test")
FIGURES: Final = ("flithos", "inverse_compression_ratio", "normalized_loss")
"""φ̄, CR⁻¹ and L̃, as rows name them."""
LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One training of a sweep.

    Attributes:
        signal: what it trains on.
        settings: how.
        engine: by which trainer.
    """

    signal: Signal
    settings: FitSettings
    engine: TrialEngine

    def definition(self) -> dict[str, Any]:
        """All that the figures follow from, JSON values."""
        return {
            "signal": self.signal.name,
            "content": self.signal.content,
            "windows": [list(part.shape) for part in self.signal.windows],
            "settings": asdict(self.settings),
            "engine": self.engine,
            "trainer": trainer_code(),
        }

    def key(self) -> str:
        """Hash of the definition."""
        text = json.dumps(self.definition(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def trainer_code() -> str:
    """Hash of the sources that figures come from.

    All of this package's but those that only say what is trained and what is shown of it:
    rather some trials run again than figures of two programs in one table.
    """
    folder = Path(san_training.__file__).parent
    others = (folder / "reproduce", folder / "sweep")
    sources = [path for path in sorted(folder.rglob("*.py")) if path.parent not in others]
    sources += [Path(__file__), Path(san_stream.__file__).with_name("flithos.py")]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def run_trial(windows: PaperWindows, settings: FitSettings, engine: TrialEngine) -> dict[str, Any]:
    """Train and judge; whatever goes wrong is the row's status.

    Returns:
        ``status`` and ``seconds``; if done also ``epoch`` (from 1), and ``validation`` and
        ``test`` with `FIGURES` of the best epoch's kernels; else ``reason``.
    """
    began = perf_counter()
    try:
        if engine == "torch":
            pick_device(settings.device)
    except SanStreamError as error:
        # The next machine may have it.
        return {"status": FAILED, "reason": one_line(str(error)), "seconds": 0.0}
    try:
        row = _figures(windows, settings, engine)
    except SanStreamError as error:
        row = {"status": REFUSED, "reason": one_line(str(error))}
    except Exception as error:  # noqa: BLE001 a sweep does not die of one trial, whatever it is
        row = {"status": FAILED, "reason": one_line(f"{type(error).__name__}: {error}")}
    return row | {"seconds": round(perf_counter() - began, 4)}


def _figures(windows: PaperWindows, settings: FitSettings, engine: TrialEngine) -> dict[str, Any]:
    train = fit_compiled if engine == "compiled" else fit
    result: FitResult = train(
        windows.training, windows.validation, settings, callback=lambda *_: None
    )
    if engine == "compiled":
        # The type in which the windows were trained on.
        test = torch.from_numpy(windows.test.astype(np.float32))
        tested = evaluate_compiled(result.kernels, test, settings)
    else:
        tested = result.evaluate(windows.test)
    row: dict[str, Any] = {"status": DONE, "epoch": result.epoch + 1, "torch": torch.__version__}
    for part, quality in zip(PARTS, (result.validation, tested), strict=True):
        row[part] = _rounded(quality)
        if not all(np.isfinite(value) for value in row[part].values()):
            return {"status": REFUSED, "reason": f"{part} windows: φ̄ is no number"}
    return row


def _rounded(quality: ModelQuality) -> dict[str, float]:
    values = (quality.phi, quality.inverse_ratio, quality.loss)
    return {name: float(f"{value:.9g}") for name, value in zip(FIGURES, values, strict=True)}


def warm() -> None:
    """Compile the trainer, or find it compiled, before processes all start to."""
    rng = np.random.default_rng(0)
    training, validation, test = (rng.normal(size=(1, 8)) for _ in range(3))
    settings = FitSettings((2,), epochs=1)
    result = fit_compiled(training, validation, settings, callback=lambda *_: None)
    evaluate_compiled(result.kernels, torch.from_numpy(test.astype(np.float32)), settings)


def run_chunk(
    windows: PaperWindows,
    trials: Sequence[tuple[FitSettings, TrialEngine]],
    code: str,
) -> list[dict[str, Any]]:
    """Trials of one signal on another machine, whose trainer must be that of ``code``."""
    torch.set_num_threads(1)
    if trainer_code() != code:
        reason = "the node has another version of san_training: install the same on all nodes"
        return [{"status": FAILED, "reason": reason, "seconds": 0.0} for _ in trials]
    return [run_trial(windows, settings, engine) for settings, engine in trials]


def lost(reason: str) -> dict[str, Any]:
    """The row of a trial whose process ended under it."""
    return {"status": LOST, "reason": one_line(reason), "seconds": 0.0}


def one_line(text: str) -> str:
    """Without line breaks, and not endless."""
    return " ".join(text.split())[:LONGEST_REASON]
