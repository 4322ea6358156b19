"""Table I: φ̄ of five activations over 250 kernel sizes on 15 PhysioNet databases.

One *sweep* is a database, a start, a seed and an activation over all kernel sizes. For each
size two models are judged on the test windows: that of the epoch with the lowest validation
φ̄, and that of the last epoch. The paper's program meant the first and kept the second, since
its best model was the same object that went on training; and of the sizes it took the one with
the lowest test φ̄, not validation φ̄. `PICKS` are these two rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from san_stream.errors import SanStreamError, SettingError
from san_stream.kernels import MAX_TAPS
from san_training.activations import ACTIVATIONS
from san_training.batched_fit import Job
from san_training.compiled_fit import evaluate_compiled
from san_training.fitting import FitSettings
from san_training.init import INITS
from san_training.many_fits import ENGINES, fit_all
from san_training.paper import WINDOW, digest
from san_training.physionet import FIRST_RECORDS, database_windows
from san_training.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from numpy.typing import NDArray

    from san_training.activations import Activation
    from san_training.fitting import FitResult
    from san_training.init import Init
    from san_training.ledger import Ledger
    from san_training.many_fits import Engine
    from san_training.paper import PaperWindows
    from san_training.progress import ProgressCallback

Pick = Literal["test", "validation"]
PICKS: tuple[Pick, ...] = get_args(Pick)


@dataclass(frozen=True, slots=True)
class Table1Settings:
    """What is run.

    Attributes:
        databases: of `FIRST_RECORDS`.
        inits: starts.
        seeds: how many seeds, from 0.
        sizes: kernel sizes, rising.
        epochs: of each training.
        engine, workers, device: see `fit_all` and `FitSettings`.
    """

    databases: tuple[str, ...] = tuple(FIRST_RECORDS)
    inits: tuple[Init, ...] = ("normal", "constant")
    seeds: int = 1
    sizes: tuple[int, ...] = tuple(range(1, 251))
    epochs: int = 30
    engine: Engine = "compiled"
    workers: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        for what, chosen, known in (
            ("database", self.databases, tuple(FIRST_RECORDS)),
            ("start", self.inits, INITS),
            ("engine", (self.engine,), ENGINES),
        ):
            for name in chosen:
                if name not in known:
                    raise SettingError(f"{what} {name!r}: must be one of {', '.join(known)}")
        if not self.databases or not self.inits:
            raise SettingError("databases and starts: at least one of each")
        if self.seeds < 1 or self.epochs < 1:
            raise SettingError(f"seeds {self.seeds}, epochs {self.epochs}: must be at least 1")
        if self.engine == "compiled" and self.device not in ("auto", "cpu"):
            raise SettingError(f"device {self.device!r}: the compiled engine runs on the CPU")
        limit = min(MAX_TAPS, WINDOW)
        if not self.sizes or min(self.sizes) < 1 or max(self.sizes) > limit:
            raise SettingError(f"kernel sizes: at least one, each 1 to {limit}")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise SettingError("kernel sizes: must rise")

    def basis(self) -> dict[str, Any]:
        """What the lines of a ledger rest on beside their keys."""
        return {"sizes": list(self.sizes), "epochs": self.epochs, "engine": self.engine}


@dataclass(frozen=True, slots=True)
class Cell:
    """One model that a rule picked.

    Attributes:
        seed, kernel_size: of the model.
        epoch: its epoch, from 1.
        inverse_compression_ratio, normalized_loss, flithos: means of the test windows.
        spread: least and largest φ̄ over the seeds, each picked by the same rule.
    """

    seed: int
    kernel_size: int
    epoch: int
    inverse_compression_ratio: float
    normalized_loss: float
    flithos: float
    spread: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A database: what was found, or why nothing.

    Attributes:
        database: name.
        missing: why there are no figures; None where there are.
        cells: by activation, start and pick; without those where training diverged at every
            size.
    """

    database: str
    missing: str | None
    cells: dict[tuple[Activation, Init, Pick], Cell]


def run_table1(
    root: str | PathLike[str],
    ledger: Ledger,
    settings: Table1Settings,
    *,
    callback: ProgressCallback | None = None,
) -> list[Row]:
    """Run what the ledger does not hold yet, and gather the table.

    Args:
        root: folder with one folder a database, see `database_windows`.
        ledger: begun with ``settings.basis()``; takes each sweep as it is done.
        settings: what to run.
        callback: told after each training; without it a bar is drawn on a terminal.

    Raises:
        SinkError: the ledger cannot be written.
    """
    missing: dict[str, str] = {}
    windows: dict[str, PaperWindows] = {}
    for database in settings.databases:
        try:
            windows[database] = database_windows(root, database)
        except SanStreamError as error:
            missing[database] = str(error)
    todo = [
        (database, init, seed, activation)
        for database in windows
        for init in settings.inits
        for seed in range(settings.seeds)
        for activation in ACTIVATIONS
        if not _is_done(ledger, windows[database], database, init, seed, activation)
    ]
    with progress(len(todo) * len(settings.sizes), "table1", callback) as advance:
        for database, init, seed, activation in todo:
            value = _sweep(windows[database], init, seed, activation, settings, advance)
            ledger.put(value, database, init, seed, activation)
    return [
        _row(database, missing.get(database), ledger, settings) for database in settings.databases
    ]


def _is_done(
    ledger: Ledger, windows: PaperWindows, database: str, init: str, seed: int, activation: str
) -> bool:
    """Whether the ledger holds a sweep, of these very samples."""
    value = ledger.get(database, init, seed, activation)
    return value is not None and value.get("windows") == digest(windows)


def _sweep(
    windows: PaperWindows,
    init: Init,
    seed: int,
    activation: Activation,
    settings: Table1Settings,
    advance: Callable[[str], None],
) -> dict[str, Any]:
    """Train all sizes and judge them; a line of the ledger, one entry a size that was trained."""
    jobs = [
        Job(
            windows.training,
            windows.validation,
            FitSettings(
                (size,),
                activation=activation,
                init=init,
                seed=seed,
                epochs=settings.epochs,
                device=settings.device,
            ),
        )
        for size in settings.sizes
    ]
    results = fit_all(
        jobs,
        engine=settings.engine,
        workers=settings.workers,
        callback=lambda _done, _total, text: advance(f"{activation} {text}"),
    )
    test = torch.from_numpy(windows.test.astype(np.float32))
    value: dict[str, Any] = {
        "windows": digest(windows),
        "size": [],
        "epoch": [],
        "validation": [],
        "best": {"ratio": [], "loss": [], "phi": []},
        "last": {"ratio": [], "loss": [], "phi": []},
    }
    for result in results:
        if isinstance(result, SanStreamError):
            continue
        value["size"].append(result.settings.sizes[0])
        value["epoch"].append(result.epoch + 1)
        value["validation"].append(_rounded(result.validation.phi))
        for name, kernels in (("best", result.kernels), ("last", result.last_kernels)):
            figures = _judge(kernels, test, result)
            for what, number in zip(("ratio", "loss", "phi"), figures, strict=True):
                value[name][what].append(number)
    return value


def _judge(
    kernels: tuple[NDArray[np.float64], ...], test: torch.Tensor, result: FitResult
) -> tuple[float | None, float | None, float | None]:
    """CR⁻¹, L̃ and φ̄ of the test windows; None where the taps are no numbers."""
    if not all(np.isfinite(taps).all() for taps in kernels):
        return None, None, None
    quality = evaluate_compiled(kernels, test, result.settings)
    return _rounded(quality.inverse_ratio), _rounded(quality.loss), _rounded(quality.phi)


def _rounded(value: float) -> float | None:
    """Nine digits, or None for what is no number: JSON has no other."""
    return float(f"{value:.9g}") if np.isfinite(value) else None


def _row(database: str, missing: str | None, ledger: Ledger, settings: Table1Settings) -> Row:
    cells: dict[tuple[Activation, Init, Pick], Cell] = {}
    if missing is None:
        for activation in ACTIVATIONS:
            for init in settings.inits:
                sweeps = [ledger.get(database, init, s, activation) for s in range(settings.seeds)]
                for pick in PICKS:
                    cell = pick_cell([sweep for sweep in sweeps if sweep], pick, settings.epochs)
                    if cell is not None:
                        cells[activation, init, pick] = cell
    return Row(database, missing, cells)


def pick_cell(sweeps: list[dict[str, Any]], pick: Pick, epochs: int) -> Cell | None:
    """The model that a rule picks of each seed's sweep; of several seeds the median by φ̄.

    Args:
        sweeps: a line of the ledger for each seed, in their order.
        pick: ``"test"``: the last epoch of the size with the lowest test φ̄; ``"validation"``:
            the best epoch of the size with the lowest validation φ̄. Ties go to the smaller size.
        epochs: of each training.
    """
    picked: list[tuple[float, int, int, int, float, float]] = []
    for seed, sweep in enumerate(sweeps):
        figures = sweep["last" if pick == "test" else "best"]
        judged = figures["phi"] if pick == "test" else sweep["validation"]
        usable = [
            i for i, phi in enumerate(judged) if phi is not None and figures["phi"][i] is not None
        ]
        if usable:
            i = min(usable, key=lambda i: judged[i])
            epoch = epochs if pick == "test" else sweep["epoch"][i]
            ratio, loss, phi = (figures[what][i] for what in ("ratio", "loss", "phi"))
            picked.append((phi, seed, sweep["size"][i], epoch, ratio, loss))
    if not picked:
        return None
    picked.sort()
    phi, seed, size, epoch, ratio, loss = picked[(len(picked) - 1) // 2]
    return Cell(seed, size, epoch, ratio, loss, phi, (picked[0][0], picked[-1][0]))
