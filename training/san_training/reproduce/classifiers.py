"""The paper's two classifiers, and how well one tells the classes of a test set.

A classifier sees samples or what a SAN made of them, and never the SAN's kernels: these are
trained before and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from san_stream.errors import SampleError, SettingError

if TYPE_CHECKING:
    from san_training.datasets import Splits

Classifier = Literal["cnn", "dense"]
CLASSIFIERS: tuple[Classifier, ...] = get_args(Classifier)
KERNEL = 5
"""Taps of the CNN's convolutions."""
AT_ONCE = 2048
"""Samples that are judged together."""


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """How a classifier is trained. The defaults are the paper's.

    Attributes:
        network: ``"cnn"`` for signals: two convolutions (3 and 16 filters of 5 taps), each
            with ReLU and max-pool 2, and three dense layers (120, 84, classes);
            ``"dense"``: one dense layer.
        epochs, batch, learning_rate: of Adam.
        seed: of start and batch order.
        keep_last: take the last epoch and not the one with the best validation accuracy.
    """

    network: Classifier
    epochs: int = 5
    batch: int = 64
    learning_rate: float = 0.01
    seed: int = 0
    keep_last: bool = False


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of right answers, 0 to 1, of the epoch that was kept; it counts from 1."""

    epoch: int
    validation: float
    test: float


def build_classifier(
    network: Classifier, length: int, classes: int, generator: torch.Generator
) -> nn.Module:
    """A fresh classifier for samples of that many numbers.

    Weights and biases start uniformly within ±1/√(inputs of a unit), torch's own rule, but
    drawn from a generator: several may be built at the same time.

    Raises:
        SettingError: unknown network, or signals too short for the CNN.
    """
    if network == "dense":
        model = nn.Sequential(nn.Flatten(), nn.Linear(length, classes))
    elif network == "cnn":
        first = (length - (KERNEL - 1)) // 2
        second = (first - (KERNEL - 1)) // 2
        if second < 1:
            raise SettingError(f"signals of {length} samples: the CNN needs 16")
        model = nn.Sequential(
            nn.Unflatten(1, (1, length)),
            nn.Conv1d(1, 3, KERNEL),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(3, 16, KERNEL),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Flatten(),
            nn.Linear(16 * second, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        )
    else:
        raise SettingError(f"classifier {network!r}: must be one of {', '.join(CLASSIFIERS)}")
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear | nn.Conv1d):
                bound = layer.weight[0].numel() ** -0.5
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)
    return model


def train_classifier(splits: Splits, settings: ClassifierSettings) -> Accuracy:
    """Train on the training part, choose the epoch on validation, report test.

    Float32 on the CPU. The same samples and settings give the same result on the same machine
    as long as torch's number of threads stays the same.

    Raises:
        SampleError: a sample is not finite.
        SettingError: see `build_classifier`.
    """
    parts = [splits.training, splits.validation, splits.test]
    if not all(np.isfinite(part.samples).all() for part in parts):
        raise SampleError("classifier: a sample is not finite")
    generator = torch.Generator().manual_seed(settings.seed)
    (x, y), validation, test = (
        (torch.from_numpy(part.samples).flatten(1), torch.from_numpy(part.labels)) for part in parts
    )
    model = build_classifier(settings.network, x.shape[1], len(splits.classes), generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    best: Accuracy | None = None
    for epoch in range(1, settings.epochs + 1):
        for rows in torch.randperm(len(x), generator=generator).split(settings.batch):
            optimiser.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
        now = Accuracy(epoch, _share(model, *validation), _share(model, *test))
        if best is None or settings.keep_last or now.validation > best.validation:
            best = now
    if best is None:
        raise SettingError(f"epochs {settings.epochs}: must be at least 1")
    return best


@torch.no_grad()
def _share(model: nn.Module, samples: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of samples whose largest output is that of their class."""
    right = sum(
        int((model(x).argmax(dim=1) == y).sum())
        for x, y in zip(samples.split(AT_ONCE), labels.split(AT_ONCE), strict=True)
    )
    return right / len(labels)
