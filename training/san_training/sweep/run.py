"""A sweep from its ledger and back: run what is lacking, gather what is there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from san_training.progress import progress
from san_training.sweep.grid import OPTIONS
from san_training.sweep.trial import DONE, FIGURES, FINAL, PARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from san_training.ledger import Ledger
    from san_training.progress import ProgressCallback
    from san_training.sweep.local import Rows
    from san_training.sweep.trial import Trial

    Runner = Callable[[Sequence[Trial]], Iterator[Rows]]

BASIS: Final = {"kind": "sweep"}
"""Settings of the ledger's header. What a line rests on is all in its key."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found.

    Attributes:
        rows: for each trial of the grid its settings and what came of it, in one dict.
        missing: records and databases that gave no windows, and why.
        ran: how many trials were run this time.
        damaged: lines of the ledger that could not be read; their trials were run again.
    """

    rows: list[dict[str, Any]]
    missing: Mapping[str, str]
    ran: int
    damaged: int = 0

    def count(self) -> Counter[str]:
        """Rows of each status."""
        return Counter(row["status"] for row in self.rows)

    def done(self) -> list[dict[str, Any]]:
        """Rows with figures."""
        return [row for row in self.rows if row["status"] == DONE]


def run_sweep(
    trials: Sequence[Trial],
    ledger: Ledger,
    runner: Runner,
    *,
    missing: Mapping[str, str] | None = None,
    callback: ProgressCallback | None = None,
) -> Sweep:
    """Run the trials that the ledger holds no figures of.

    Args:
        trials: of `Grid.trials`.
        ledger: begun with `BASIS`; takes each trial as it ends.
        runner: `run_local` or `run_cluster` with their settings.
        missing: what to say of records that gave no trials.
        callback: told after each trial; without it a bar is drawn on a terminal.

    Raises:
        SinkError: the ledger cannot be written.
        SanStreamError: what the runner raises.
    """
    keys = {id(trial): trial.key() for trial in trials}
    # Two names of one thing are one trial.
    unique = list({keys[id(trial)]: trial for trial in trials}.values())
    todo = [trial for trial in unique if not is_final(ledger.get(keys[id(trial)]))]
    if todo:
        failures = 0
        with progress(len(todo), "sweep", callback) as advance:
            for rows in runner(todo):
                ledger.put_all(
                    {(keys[id(t)],): {"trial": t.definition(), **row} for t, row in rows}
                )
                for trial, row in rows:
                    failures += row["status"] != DONE
                    text = f"{trial.signal.name} {trial.settings.activation} "
                    text += f"m = {trial.settings.sizes[0]}"
                    advance(f"{text}, {failures} without figures" if failures else text)
    lines = [(trial, ledger.get(keys[id(trial)])) for trial in unique]
    found = [_row(trial, line) for trial, line in lines if line]
    return Sweep(found, missing or {}, len(todo), ledger.damaged)


def is_final(line: dict[str, Any] | None) -> bool:
    """Whether a ledger's line is whole and need not be run again."""
    if line is None or line.get("status") not in FINAL:
        return False
    return line["status"] != DONE or all(
        isinstance(_figure(line, part, name), float) for part in PARTS for name in FIGURES
    )


def _figure(line: dict[str, Any], part: str, name: str) -> Any:
    figures = line.get(part)
    return figures.get(name) if isinstance(figures, dict) else None


def _row(trial: Trial, line: dict[str, Any]) -> dict[str, Any]:
    """A trial and its line of the ledger as one dict, whose names are columns of `trials.csv`."""
    settings = trial.settings
    return {
        "signal": trial.signal.name,
        "kernel_size": settings.sizes[0],
        "kernels": len(settings.sizes),
        **{name: getattr(settings, name) for name in OPTIONS},
        "engine": trial.engine,
        "status": line["status"],
        **{f"{part}_{name}": _figure(line, part, name) for part in PARTS for name in FIGURES},
        **{name: line.get(name) for name in ("epoch", "seconds", "reason")},
    }
