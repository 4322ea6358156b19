"""Tables II to IV beside the paper's figures: as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from importlib.resources import files
from statistics import mean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from san_training.reproduce.labelled import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from san_training.activations import Activation
    from san_training.reproduce.labelled import Outcome, Table

NEAR: Final = (0.02, 0.05)
"""Distances from the paper's figures that are counted."""
ROUNDING: Final = 0.005 + 1e-9
"""Half a unit of the paper's last digit."""

COLUMNS: Final = (
    "table",
    "split",
    "kernel_size",
    "activation",
    "paper_inverse_compression_ratio",
    "paper_normalized_loss",
    "paper_flithos",
    "paper_accuracy_difference_percent",
    "seeds",
    "seed",
    "epoch",
    "inverse_compression_ratio",
    "normalized_loss",
    "flithos",
    "largest_difference",
    "flithos_least",
    "flithos_largest",
    "inverse_compression_ratio_all_taps",
    "flithos_all_taps",
    "accuracy_percent",
    "baseline_accuracy_percent",
    "accuracy_difference_percent",
    "accuracy_difference_least",
    "accuracy_difference_largest",
    "missing",
)


class Printed(NamedTuple):
    """A cell as the paper prints it; the last in percent."""

    inverse_compression_ratio: float
    normalized_loss: float
    flithos: float
    accuracy_difference_percent: float


@dataclass(frozen=True, slots=True)
class LabelledCell:
    """A cell over its seeds.

    Attributes:
        seeds: how many were trained.
        seed, epoch: of the median model by φ̄, whose figures the next ones are.
        inverse_compression_ratio, normalized_loss, flithos: means of the test samples.
        ratio_all_taps, flithos_all_taps: with all m² numbers of a kernel charged; None for
            signals, where that is the same.
        spread: least and largest φ̄ of the seeds.
        accuracy, baseline: mean test accuracies in percent over the seeds.
        differences: of accuracy and baseline, percent points, one a seed.
    """

    seeds: int
    seed: int
    epoch: int
    inverse_compression_ratio: float
    normalized_loss: float
    flithos: float
    ratio_all_taps: float | None
    flithos_all_taps: float | None
    spread: tuple[float, float]
    accuracy: float
    baseline: float
    differences: tuple[float, ...]


def paper_labelled(table: Table) -> dict[tuple[str, int], Printed]:
    """A table of the paper by activation and kernel size."""
    text = (files("san_training.reproduce") / f"{table}_paper.csv").read_text(encoding="utf-8")
    return {
        (line["activation"], int(line["kernel_size"])): Printed(
            *(float(line[name]) for name in Printed._fields)
        )
        for line in csv.DictReader(io.StringIO(text))
    }


def gather(outcome: Outcome, split: str, activation: Activation, size: int) -> LabelledCell | None:
    """A cell over its seeds; None where each of them failed."""
    found = []
    for seed in range(outcome.settings.seeds):
        line = outcome.lines.get((split, seed, activation, size))
        base = outcome.lines.get((split, seed, BASELINE, 0))
        if line and base and "phi" in line:
            found.append((line["phi"], seed, line, base))
    if not found:
        return None
    found.sort(key=_by_phi)
    phi, seed, line, _ = found[(len(found) - 1) // 2]
    accuracies = [100 * entry["accuracy"] for _, _, entry, _ in found]
    baselines = [100 * base["accuracy"] for _, _, _, base in found]
    return LabelledCell(
        seeds=len(found),
        seed=seed,
        epoch=line["epoch"],
        inverse_compression_ratio=line["ratio"],
        normalized_loss=line["loss"],
        flithos=phi,
        ratio_all_taps=line.get("ratio_all_taps"),
        flithos_all_taps=line.get("phi_all_taps"),
        spread=(found[0][0], found[-1][0]),
        accuracy=mean(accuracies),
        baseline=mean(baselines),
        differences=tuple(a - b for a, b in zip(accuracies, baselines, strict=True)),
    )


def _by_phi(entry: tuple[float, int, Any, Any]) -> tuple[float, int]:
    return entry[:2]


def baselines(outcome: Outcome, split: str) -> list[float]:
    """Test accuracies of the classifier on the data themselves, percent, one a seed."""
    lines = (
        outcome.lines.get((split, seed, BASELINE, 0)) for seed in range(outcome.settings.seeds)
    )
    return [100 * line["accuracy"] for line in lines if line]


def labelled_lines(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """One flat line for each cell."""
    settings = outcome.settings
    paper = paper_labelled(settings.table)
    for split in settings.splits:
        for size in settings.sizes:
            for activation in settings.activations:
                printed = paper[activation, size]
                line: dict[str, Any] = dict.fromkeys(COLUMNS)
                line |= {"table": settings.experiment.number, "split": split}
                line |= {"kernel_size": size, "activation": activation}
                line |= {f"paper_{name}": value for name, value in printed._asdict().items()}
                cell = gather(outcome, split, activation, size)
                if cell is None:
                    yield line | {"missing": outcome.missing or "training failed with every seed"}
                else:
                    yield line | _figures(cell, printed)


def _figures(cell: LabelledCell, printed: Printed) -> dict[str, Any]:
    return {
        "seeds": cell.seeds,
        "seed": cell.seed,
        "epoch": cell.epoch,
        "inverse_compression_ratio": cell.inverse_compression_ratio,
        "normalized_loss": cell.normalized_loss,
        "flithos": cell.flithos,
        "largest_difference": round(largest_difference(cell, printed), 6),
        "flithos_least": cell.spread[0],
        "flithos_largest": cell.spread[1],
        "inverse_compression_ratio_all_taps": cell.ratio_all_taps,
        "flithos_all_taps": cell.flithos_all_taps,
        "accuracy_percent": round(cell.accuracy, 4),
        "baseline_accuracy_percent": round(cell.baseline, 4),
        "accuracy_difference_percent": round(mean(cell.differences), 4),
        "accuracy_difference_least": round(min(cell.differences), 4),
        "accuracy_difference_largest": round(max(cell.differences), 4),
    }


def largest_difference(cell: LabelledCell, printed: Printed) -> float:
    """The largest of |CR⁻¹|, |L̃| and |φ̄| less the paper's."""
    return max(
        abs(cell.inverse_compression_ratio - printed.inverse_compression_ratio),
        abs(cell.normalized_loss - printed.normalized_loss),
        abs(cell.flithos - printed.flithos),
    )


def labelled_agreement(outcome: Outcome) -> list[dict[str, Any]]:
    """For each split and activation: cells whose three figures all come near the paper's."""
    result = []
    lines = list(labelled_lines(outcome))
    for split in outcome.settings.splits:
        for activation in outcome.settings.activations:
            own = [
                line["largest_difference"]
                for line in lines
                if (line["split"], line["activation"]) == (split, activation)
                and line["largest_difference"] is not None
            ]
            result.append(
                {
                    "split": split,
                    "activation": activation,
                    "cells": len(own),
                    **{f"within_{near}": sum(d <= near + ROUNDING for d in own) for near in NEAR},
                    "largest_difference": max(own, default=None),
                }
            )
    return result


def labelled_csv(outcome: Outcome) -> str:
    """`labelled_lines` as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(labelled_lines(outcome))
    return out.getvalue()


def labelled_json(outcome: Outcome) -> dict[str, Any]:
    """`labelled_lines` with the settings, the baselines and the agreement."""
    settings = outcome.settings
    return {
        "table": settings.experiment.number,
        "settings": {
            **settings.basis(),
            "keep": settings.keep,
            "seeds": settings.seeds,
            "splits": list(settings.splits),
        },
        "missing": outcome.missing,
        "baselines_percent": {
            split: [round(value, 4) for value in baselines(outcome, split)]
            for split in settings.splits
        },
        "agreement": labelled_agreement(outcome),
        "lines": list(labelled_lines(outcome)),
    }


def labelled_text(outcome: Outcome) -> str:
    """The table for a terminal: the paper's figures, and ours, for each cell."""
    settings = outcome.settings
    if outcome.missing is not None:
        return f"table {settings.experiment.number}: not here: {outcome.missing}"
    paper = paper_labelled(settings.table)
    # In two dimensions φ̄ with all m² numbers of a kernel charged stands in a column of its own.
    flat = settings.table == "table2"
    heads = f"{'CR⁻¹':>5} {'L̃':>5} {'φ̄':>6}"
    all_taps = "" if flat else f"{'φ̄ m²':>6} "
    out = []
    for split in settings.splits:
        base = baselines(outcome, split)
        out += [
            (
                f"table {settings.experiment.number}, {settings.experiment.data}, split: {split}, "
                f"epoch kept: {settings.keep}"
            ),
            f"{'':<17}| the paper{'':<16}| {settings.seeds} seeds",
            (
                f"{'m':>2} {'activation':<14}| {heads} {'A%':>5} "
                f"| {heads} {all_taps}{'A%':>5} (least … largest)"
            ),
        ]
        for size in settings.sizes:
            for i, activation in enumerate(settings.activations):
                printed = paper[activation, size]
                line = f"{size if i == 0 else '':>2} {activation:<14}| {_three(*printed[:3])}"
                line += f"{printed.accuracy_difference_percent:>+5.1f} | "
                cell = gather(outcome, split, activation, size)
                if cell is None:
                    line += "failed"
                else:
                    line += _three(
                        cell.inverse_compression_ratio, cell.normalized_loss, cell.flithos
                    )
                    line += (
                        "" if cell.flithos_all_taps is None else f"{cell.flithos_all_taps:5.2f} "
                    )
                    line += f"{mean(cell.differences):>+5.1f} ({min(cell.differences):+.1f} … "
                    line += f"{max(cell.differences):+.1f})"
                out.append(line)
        out += [f"baseline: {_range(base)} % of the test part told right", ""]
    for entry in labelled_agreement(outcome):
        near = ", ".join(f"{entry[f'within_{n}']} within {n}" for n in NEAR)
        out.append(
            f"{entry['split']}, {entry['activation']}: CR⁻¹, L̃ and φ̄ of {entry['cells']} cells, "
            f"{near} of the paper's"
        )
    return "\n".join(out)


def _three(ratio: float, loss: float, phi: float) -> str:
    return f"{ratio:>5.2f} {loss:>4.2f} {phi:>5.2f} "


def _range(values: Sequence[float]) -> str:
    """Mean, least and largest."""
    if not values:
        return "none"
    return f"{mean(values):.1f} ({min(values):.1f} … {max(values):.1f})"
