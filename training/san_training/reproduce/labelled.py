"""Tables II to IV: φ̄ of two kernels, and what a classifier still tells from what they rebuild.

One *cell* is a split of the data, a seed, an activation and a kernel size: a SAN with two
kernels of that size is trained, its kernels are frozen, and the paper's classifier is trained
on what it rebuilds. Beside the cells stand *baselines*: the same classifier on the data
themselves, one for each split and seed. The seed decides start and order of both trainings, and
of the epilepsy data also which rows train.

Which epoch counts is one rule for SAN and classifier: the best on the validation part (φ̄ or
accuracy), or the last, which is what the paper's program kept.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from san_stream.errors import SanStreamError, SettingError
from san_training.activations import ACTIVATIONS
from san_training.bonn import Scale, epilepsy_splits, read_bonn
from san_training.compiled_fit import fit_compiled, rebuild_compiled
from san_training.datasets import Labelled, Splits
from san_training.fitting import FitSettings, repeatable
from san_training.images import read_fashion_mnist, read_mnist
from san_training.many_fits import cores
from san_training.progress import progress
from san_training.quality import quality_of
from san_training.reproduce.classifiers import ClassifierSettings, train_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from san_training.activations import Activation
    from san_training.fitting import FitResult
    from san_training.ledger import Key, Ledger
    from san_training.progress import ProgressCallback
    from san_training.quality import ModelQuality
    from san_training.reproduce.classifiers import Accuracy, Classifier

Table = Literal["table2", "table3", "table4"]
TABLES: tuple[Table, ...] = get_args(Table)
Keep = Literal["validation", "last"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
KERNELS = 2
EPOCHS, BATCH, TOLERANCE = 5, 64, 2
BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is particular to one of the tables.

    Attributes:
        number: the paper's.
        data: name of the data, which is also its folder.
        sizes: kernel sizes.
        splits: ways to part the data; the first is that of the paper.
        network: the classifier.
    """

    number: str
    data: str
    sizes: tuple[int, ...]
    splits: tuple[str, ...]
    network: Classifier


EXPERIMENTS: dict[Table, Experiment] = {
    "table2": Experiment("II", "bonn", tuple(range(8, 16)), ("row", "recording"), "cnn"),
    "table3": Experiment("III", "mnist", tuple(range(1, 7)), ("published",), "dense"),
    "table4": Experiment("IV", "fashion-mnist", tuple(range(1, 7)), ("published",), "dense"),
}


@dataclass(frozen=True, slots=True)
class LabelledSettings:
    """What is run.

    Attributes:
        table: one of `TABLES`.
        splits: of the experiment; () for all of them.
        activations: of `ACTIVATIONS`.
        sizes: kernel sizes, rising; () for the paper's.
        seeds: how many seeds, from 0.
        keep: whose epoch counts: the best on validation, or the last.
        epochs: of the SAN and of the classifier each.
        samples: at most so many of the training part are used, its first ones; 0: all.
        scale: of the epilepsy data, see `epilepsy_splits`.
        workers: threads; None: one for each core.
    """

    table: Table
    splits: tuple[str, ...] = ()
    activations: tuple[Activation, ...] = ACTIVATIONS
    sizes: tuple[int, ...] = ()
    seeds: int = 3
    keep: Keep = "validation"
    epochs: int = EPOCHS
    samples: int = 0
    scale: Scale = "symmetric"
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.table not in EXPERIMENTS:
            raise SettingError(f"table {self.table!r}: must be one of {', '.join(TABLES)}")
        known = EXPERIMENTS[self.table]
        object.__setattr__(self, "splits", tuple(self.splits) or known.splits)
        object.__setattr__(self, "sizes", tuple(self.sizes) or known.sizes)
        for what, chosen, names in (
            ("split", self.splits, known.splits),
            ("activation", self.activations, ACTIVATIONS),
            ("kept epoch", (self.keep,), KEEPS),
            ("scale", (self.scale,), get_args(Scale)),
        ):
            for name in chosen:
                if name not in names:
                    raise SettingError(f"{what} {name!r}: must be one of {', '.join(names)}")
        if not self.activations:
            raise SettingError("activations: at least one")
        if self.seeds < 1 or self.epochs < 1 or (self.workers is not None and self.workers < 1):
            raise SettingError(
                f"seeds {self.seeds}, epochs {self.epochs}, workers {self.workers}: must be at "
                "least 1"
            )
        if self.samples < 0:
            raise SettingError(f"samples {self.samples}: must be 0 or more")
        if not set(self.sizes) <= set(known.sizes) or list(self.sizes) != sorted(set(self.sizes)):
            raise SettingError(
                f"kernel sizes {self.sizes}: must rise, from {known.sizes[0]} to {known.sizes[-1]}"
            )

    @property
    def experiment(self) -> Experiment:
        """What is particular to the table."""
        return EXPERIMENTS[self.table]

    def basis(self) -> dict[str, Any]:
        """What the lines of a ledger rest on beside their keys."""
        return {
            "table": self.table,
            "epochs": self.epochs,
            "samples": self.samples,
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ledger holds of a table.

    Attributes:
        settings: what was asked for.
        missing: why there are no data; None where there are.
        lines: by split, seed, activation and size; `BASELINE` and 0 for baselines.
    """

    settings: LabelledSettings
    missing: str | None
    lines: dict[tuple[str, int, str, int], dict[str, Any]]


def read_splits(
    root: str | PathLike[str], settings: LabelledSettings
) -> Callable[[str, int], Splits]:
    """The reader of a table's data: a function of split and seed.

    Raises:
        SourceError: data are missing or damaged; says what to download.
    """
    folder = Path(root) / settings.experiment.data
    if settings.table == "table2":
        table = read_bonn(folder)

        def splits(split: str, seed: int) -> Splits:
            by: Literal["row", "recording"] = "row" if split == "row" else "recording"
            found = epilepsy_splits(table, by=by, seed=seed, scale=settings.scale)
            return _cut(found, settings.samples)

        return splits
    read = read_mnist if settings.table == "table3" else read_fashion_mnist
    images = _cut(read(folder), settings.samples)
    return lambda _split, _seed: images


def run_labelled(
    root: str | PathLike[str],
    ledger: Ledger,
    settings: LabelledSettings,
    *,
    callback: ProgressCallback | None = None,
) -> Outcome:
    """Run what the ledger does not hold yet, and gather the table.

    Args:
        root: folder that holds ``bonn``, ``mnist`` or ``fashion-mnist``.
        ledger: begun with ``settings.basis()``; takes each cell as it is done.
        settings: what to run.
        callback: told after each cell; without it a bar is drawn on a terminal.

    Raises:
        SinkError: the ledger cannot be written.
    """
    try:
        splits = read_splits(root, settings)
    except SanStreamError as error:
        return Outcome(settings, str(error), {})
    lines: dict[tuple[str, int, str, int], dict[str, Any]] = {}
    total = len(settings.splits) * settings.seeds * len(list(_cells(settings)))
    pool = ThreadPoolExecutor(settings.workers or cores())
    with repeatable(), progress(total, settings.table, callback) as advance:
        try:
            for split in settings.splits:
                for seed in range(settings.seeds):
                    data = splits(split, seed)
                    mark = digest(data)
                    todo = []
                    for activation, size in _cells(settings):
                        line = ledger.get(*_key(split, seed, activation, size, settings.keep))
                        if line is not None and line.get("data") == mark:
                            lines[split, seed, activation, size] = line
                            advance("")
                        else:
                            todo.append((activation, size))
                    run = _runner(data, seed, settings)
                    for cell, value in zip(todo, pool.map(run, todo), strict=True):
                        line = {"data": mark, **value}
                        ledger.put(line, *_key(split, seed, *cell, settings.keep))
                        lines[split, seed, *cell] = line
                        advance(f"{cell[0]} m = {cell[1]}")
        finally:
            # After Ctrl-C what has not begun is not begun.
            pool.shutdown(cancel_futures=True)
    return Outcome(settings, None, lines)


def digest(splits: Splits) -> str:
    """Of all that a line rests on."""
    parts = (splits.training, splits.validation, splits.test)
    data = hashlib.sha256()
    for part in parts:
        data.update(part.samples.tobytes())
        data.update(part.labels.tobytes())
    return data.hexdigest()[:16]


def fit_settings(activation: Activation, size: int, seed: int, epochs: int) -> FitSettings:
    """How the SAN of a cell is trained."""
    return FitSettings(
        sizes=(size,) * KERNELS,
        activation=activation,
        seed=seed,
        epochs=epochs,
        batch=BATCH,
        border_tolerance=TOLERANCE,
        device="cpu",
    )


def _cells(settings: LabelledSettings) -> Iterator[tuple[str, int]]:
    """The baseline, and activations and sizes."""
    yield BASELINE, 0
    for activation in settings.activations:
        for size in settings.sizes:
            yield activation, size


def _key(split: str, seed: int, activation: str, size: int, keep: Keep) -> Key:
    return split, seed, activation, size, keep


def _runner(
    data: Splits, seed: int, settings: LabelledSettings
) -> Callable[[tuple[str, int]], dict[str, Any]]:
    """A function that runs one cell and gives its line."""
    classifier = ClassifierSettings(
        settings.experiment.network,
        epochs=settings.epochs,
        batch=BATCH,
        seed=seed,
        keep_last=settings.keep == "last",
    )

    def run(cell: tuple[str, int]) -> dict[str, Any]:
        activation, size = cell
        if activation == BASELINE:
            return _accuracies(train_classifier(data, classifier))
        how = fit_settings(_named(activation), size, seed, settings.epochs)
        try:
            result = fit_compiled(
                data.training.samples, data.validation.samples, how, callback=lambda *_: None
            )
            rebuilt, line = _rebuild(data, result, settings.keep)
            return line | _accuracies(train_classifier(rebuilt, classifier))
        except SanStreamError as error:
            return {"failed": str(error)}

    return run


def _named(activation: str) -> Activation:
    return next(name for name in ACTIVATIONS if name == activation)


def _rebuild(data: Splits, result: FitResult, keep: Keep) -> tuple[Splits, dict[str, Any]]:
    """What the kept kernels make of all parts, and their figures on the test part."""
    last = keep == "last"
    kernels = result.last_kernels if last else result.kernels
    parts, quality = [], result.validation
    # The test part comes last, so that its figures are those that stay.
    for part in (data.training, data.validation, data.test):
        quality, rebuilt = rebuild_compiled(
            kernels, torch.from_numpy(part.samples), result.settings
        )
        parts.append(Labelled(rebuilt.astype(np.float32, copy=False), part.labels))
    dimensions = data.test.samples.ndim - 1
    line = {
        "epoch": len(result.history) if last else result.epoch + 1,
        "validation": _rounded(result.validation.phi),
        **_figures(quality),
        "kernels": [[_rounded(tap) for tap in taps.flat] for taps in kernels],
    }
    if dimensions > 1:
        numbers = sum(taps.size for taps in kernels)
        length = data.test.samples[0].size
        whole = quality_of(quality.losses, quality.spikes, numbers, length, dimensions=dimensions)
        line |= {f"{name}_all_taps": value for name, value in _figures(whole).items()}
    return Splits(data.classes, *parts), line


def _figures(quality: ModelQuality) -> dict[str, float]:
    return {
        "ratio": _rounded(quality.inverse_ratio),
        "loss": _rounded(quality.loss),
        "phi": _rounded(quality.phi),
    }


def _accuracies(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "classifier_epoch": accuracy.epoch,
        "validation_accuracy": _rounded(accuracy.validation),
        "accuracy": _rounded(accuracy.test),
    }


def _rounded(value: float) -> float:
    """Nine digits."""
    return float(f"{value:.9g}")


def _cut(splits: Splits, samples: int) -> Splits:
    """With the first samples of the training part alone; 0: all of it."""
    if not samples:
        return splits
    part = splits.training
    training = Labelled(part.samples[:samples], part.labels[:samples])
    return Splits(splits.classes, training, splits.validation, splits.test)
