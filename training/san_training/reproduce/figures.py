"""What the paper's figures show, gathered from the ledgers of the tables and the data.

A ledger of table I holds figures and no kernels: the models that are drawn are trained again,
which gives the very kernels, as a training depends on its samples and settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from san_stream.errors import SanStreamError, SourceError
from san_training.activations import ACTIVATIONS
from san_training.batched_fit import Job
from san_training.fitting import FitSettings
from san_training.init import INITS
from san_training.ledger import read_ledger
from san_training.many_fits import fit_all
from san_training.paper import digest
from san_training.physionet import FIRST_RECORDS, database_windows
from san_training.reproduce.labelled import (
    EXPERIMENTS,
    LabelledSettings,
    Outcome,
    read_splits,
)
from san_training.reproduce.table1 import pick_cell

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from san_training.activations import Activation
    from san_training.datasets import Splits
    from san_training.reproduce.labelled import Keep, Table
    from san_training.reproduce.table1 import Cell, Pick


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """A model of table I.

    Attributes:
        cell: its figures.
        kernel: its taps ``[m]``.
        phis: φ̄ of the validation windows after each epoch.
    """

    cell: Cell
    kernel: NDArray[np.float64]
    phis: tuple[float, ...]


@dataclass(slots=True, eq=False)
class Material:
    """All that the page draws.

    Attributes:
        pick: how models of table I are picked.
        sweeps: lines of table I's ledger by database and activation.
        picked: their picked models.
        outcomes: tables II to IV.
        samples: data of tables II to IV, where they are here.
        missing: table or database -> why it is not shown.
    """

    pick: Pick
    sweeps: dict[tuple[str, Activation], dict[str, Any]] = field(default_factory=dict)
    picked: dict[tuple[str, Activation], Picked] = field(default_factory=dict)
    outcomes: dict[Table, Outcome] = field(default_factory=dict)
    samples: dict[Table, Splits] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def gather_material(
    root: str | PathLike[str], folder: str | PathLike[str], *, pick: Pick, keep: Keep
) -> Material:
    """Read the ledgers in ``folder/table1`` … ``table4``, and the data that belong to them.

    What is not there is left out and named.
    """
    material = Material(pick)
    place = Path(folder)
    try:
        _table1(root, place / "table1" / "ledger.jsonl", material)
    except SanStreamError as error:
        material.missing["table1"] = str(error)
    for table in EXPERIMENTS:
        try:
            material.samples[table] = read_splits(root, LabelledSettings(table))(
                EXPERIMENTS[table].splits[0], 0
            )
        except SanStreamError as error:
            material.missing[EXPERIMENTS[table].data] = str(error)
        try:
            outcome = _labelled(table, place / table / "ledger.jsonl", keep)
        except SanStreamError as error:
            material.missing[table] = str(error)
            continue
        material.outcomes[table] = outcome
    return material


def _table1(root: str | PathLike[str], path: Path, material: Material) -> None:
    settings, lines = read_ledger(path)
    # The paper's start where it was run, else the one that was.
    run = {key[1] for key in lines}
    init = next((name for name in INITS if name in run), None)
    if init is None:
        raise SourceError(f"ledger {path}: holds no results yet")
    for database in FIRST_RECORDS:
        try:
            windows = database_windows(root, database)
        except SanStreamError as error:
            material.missing[database] = str(error)
            continue
        cells: dict[Activation, Cell] = {}
        for activation in ACTIVATIONS:
            sweep = lines.get((database, init, 0, activation))
            if sweep is None or sweep.get("windows") != digest(windows):
                continue
            cell = pick_cell([sweep], material.pick, settings["epochs"])
            if cell is not None:
                material.sweeps[database, activation] = sweep
                cells[activation] = cell
        if not cells:
            material.missing[database] = f"{database}: the ledger holds no sweep of these samples"
            continue
        jobs = [
            Job(
                windows.training,
                windows.validation,
                FitSettings(
                    (cell.kernel_size,),
                    activation=activation,
                    init=init,
                    epochs=settings["epochs"],
                    device="cpu",
                ),
            )
            for activation, cell in cells.items()
        ]
        for (activation, cell), result in zip(
            cells.items(), fit_all(jobs, callback=lambda *_: None), strict=True
        ):
            if not isinstance(result, SanStreamError):
                kernels = result.last_kernels if material.pick == "test" else result.kernels
                phis = tuple(epoch.validation_phi for epoch in result.history)
                material.picked[database, activation] = Picked(cell, kernels[0], phis)


def _labelled(table: Table, path: Path, keep: Keep) -> Outcome:
    settings, lines = read_ledger(path)
    if settings.get("table") != table:
        raise SourceError(f"ledger {path}: is of {settings.get('table')}, not of {table}")
    found = {
        (str(key[0]), int(key[1]), str(key[2]), int(key[3])): value
        for key, value in lines.items()
        if key[4] == keep
    }
    if not found:
        raise SourceError(f"ledger {path}: holds no results with {keep} epochs kept")
    known = EXPERIMENTS[table]
    chosen = LabelledSettings(
        table,
        splits=tuple(name for name in known.splits if name in {key[0] for key in found}),
        sizes=tuple(size for size in known.sizes if size in {key[3] for key in found}),
        seeds=1 + max(key[1] for key in found),
        keep=keep,
        epochs=settings["epochs"],
        samples=settings["samples"],
        scale=settings["scale"],
    )
    return Outcome(chosen, None, found)


def kernels_of(outcome: Outcome, activation: Activation, size: int) -> list[NDArray[np.float64]]:
    """Both kernels of the first seed and split, ``[m]`` or ``[m, m]``; none of a failed cell."""
    line = outcome.lines.get((outcome.settings.splits[0], 0, activation, size), {})
    axes = 1 if outcome.settings.table == "table2" else 2
    return [np.array(taps).reshape((size,) * axes) for taps in line.get("kernels", [])]
