"""Table I beside the paper's figures: as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from san_training.activations import ACTIVATIONS
from san_training.reproduce.table1 import PICKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from san_training.reproduce.table1 import Row, Table1Settings

NEAR: Final = (0.02, 0.05)
"""Distances in φ̄ from the paper that are counted."""

COLUMNS: Final = (
    "database",
    "activation",
    "paper_kernel_size",
    "paper_inverse_compression_ratio",
    "paper_normalized_loss",
    "paper_flithos",
    "start",
    "picked_by",
    "kernel_size",
    "epoch",
    "seed",
    "inverse_compression_ratio",
    "normalized_loss",
    "flithos",
    "flithos_difference",
    "flithos_least",
    "flithos_largest",
    "missing",
)


class Printed(NamedTuple):
    """A cell as the paper prints it, two decimals."""

    kernel_size: int
    inverse_compression_ratio: float
    normalized_loss: float
    flithos: float


def paper_table() -> dict[tuple[str, str], Printed]:
    """The paper's Table I by database and activation."""
    text = (files("san_training.reproduce") / "table1_paper.csv").read_text(encoding="utf-8")
    return {
        (line["database"], line["activation"]): Printed(
            int(line["kernel_size"]),
            float(line["inverse_compression_ratio"]),
            float(line["normalized_loss"]),
            float(line["flithos"]),
        )
        for line in csv.DictReader(io.StringIO(text))
    }


def lines(rows: Sequence[Row], settings: Table1Settings) -> Iterator[dict[str, Any]]:
    """One flat line for each cell; for a database without figures one an activation."""
    paper = paper_table()
    for row in rows:
        for activation in ACTIVATIONS:
            printed = paper[row.database, activation]
            line: dict[str, Any] = dict.fromkeys(COLUMNS)
            line |= {"database": row.database, "activation": activation, "missing": row.missing}
            line |= {f"paper_{name}": value for name, value in printed._asdict().items()}
            if row.missing is not None:
                yield line
                continue
            for init in settings.inits:
                for pick in PICKS:
                    found = line | {"start": init, "picked_by": pick}
                    cell = row.cells.get((activation, init, pick))
                    if cell is None:
                        yield found | {"missing": "training diverged at every size"}
                        continue
                    yield found | {
                        "kernel_size": cell.kernel_size,
                        "epoch": cell.epoch,
                        "seed": cell.seed,
                        "inverse_compression_ratio": cell.inverse_compression_ratio,
                        "normalized_loss": cell.normalized_loss,
                        "flithos": cell.flithos,
                        "flithos_difference": round(cell.flithos - printed.flithos, 6),
                        "flithos_least": cell.spread[0],
                        "flithos_largest": cell.spread[1],
                    }


def as_csv(rows: Sequence[Row], settings: Table1Settings) -> str:
    """`lines` as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines(rows, settings))
    return out.getvalue()


def as_json(rows: Sequence[Row], settings: Table1Settings) -> dict[str, Any]:
    """`lines` with the settings and how many cells come near the paper."""
    return {
        "table": "I",
        "settings": {
            "starts": list(settings.inits),
            "seeds": settings.seeds,
            "sizes": [settings.sizes[0], settings.sizes[-1], len(settings.sizes)],
            "epochs": settings.epochs,
            "engine": settings.engine,
        },
        "agreement": agreement(rows, settings),
        "missing": {row.database: row.missing for row in rows if row.missing is not None},
        "lines": list(lines(rows, settings)),
    }


def agreement(rows: Sequence[Row], settings: Table1Settings) -> list[dict[str, Any]]:
    """For each start and pick: cells, and those that come near the paper's φ̄ or go below it."""
    result = []
    for init in settings.inits:
        for pick in PICKS:
            differences = [
                line["flithos_difference"]
                for line in lines(rows, settings)
                if (line["start"], line["picked_by"]) == (init, pick)
                and line["flithos_difference"] is not None
            ]
            # Half a unit of the paper's last digit is rounding.
            counts = {
                f"within_{near}": sum(abs(d) <= near + 0.005 for d in differences) for near in NEAR
            }
            result.append(
                {
                    "start": init,
                    "picked_by": pick,
                    "cells": len(differences),
                    **counts,
                    "lower": sum(d < -0.005 for d in differences),
                }
            )
    return result


def as_text(rows: Sequence[Row], settings: Table1Settings) -> str:
    """The table for a terminal: m, CR⁻¹, L̃ and φ̄ of the paper and of each start and pick."""
    paper = paper_table()
    kinds = [(init, pick) for init in settings.inits for pick in PICKS]
    heads = ["the paper", *(f"{init}, by {pick}" for init, pick in kinds)]
    figures = f"{'m':>4} {'CR⁻¹':>4} {'L̃':>5} {'φ̄':>5}"
    out = [
        f"{'':<28}" + "".join(f"| {head:<21}" for head in heads),
        f"{'database':<14}{'activation':<14}" + "".join(f"| {figures:<23}" for _ in heads),
    ]
    for row in rows:
        for i, activation in enumerate(ACTIVATIONS):
            name = row.database if i == 0 else ""
            line = f"{name:<14}{activation:<14}| {_figures(*paper[row.database, activation])} "
            if row.missing is not None:
                line += "| not here" if i == 0 else "|"
            else:
                for kind in kinds:
                    cell = row.cells.get((activation, *kind))
                    if cell is None:
                        line += f"| {'diverged':<20} "
                    else:
                        line += (
                            "| "
                            + _figures(
                                cell.kernel_size,
                                cell.inverse_compression_ratio,
                                cell.normalized_loss,
                                cell.flithos,
                            )
                            + " "
                        )
            out.append(line.rstrip())
    out.append("")
    for entry in agreement(rows, settings):
        near = ", ".join(f"{entry[f'within_{n}']} within {n}" for n in NEAR)
        out.append(
            f"{entry['start']}, by {entry['picked_by']}: φ̄ of {entry['cells']} cells, {near} of "
            f"the paper's, {entry['lower']} below it"
        )
    out += [f"{row.missing}" for row in rows if row.missing is not None]
    return "\n".join(out)


def _figures(size: int, ratio: float, loss: float, phi: float) -> str:
    return f"{size:>4} {ratio:>4.2f} {loss:>4.2f}  {phi:>4.2f}"
