"""A sweep's figures: the best by validation, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from san_training.sweep.grid import AXES, OPTIONS
from san_training.sweep.trial import DONE, FIGURES, PARTS

if TYPE_CHECKING:
    from san_training.sweep.run import Sweep

COLUMNS: Final = (
    "signal",
    "kernel_size",
    "kernels",
    *OPTIONS,
    "engine",
    "status",
    *(f"{part}_{name}" for part in PARTS for name in FIGURES),
    "epoch",
    "seconds",
    "reason",
)
MOST_REASONS: Final = 10
"""Reasons that are told on a terminal; `trials.csv` has all."""


def best(sweep: Sweep) -> list[dict[str, Any]]:
    """For each signal and activation the trial with the lowest validation φ̄.

    Of equal ones the first of the grid counts; ``is_best`` marks the best activation of a
    signal. The test windows have no part in it.
    """
    picked = _lowest(sweep, "signal", "activation")
    leaders = _lowest(sweep, "signal").values()
    return [row | {"is_best": any(row is leader for leader in leaders)} for row in picked.values()]


def _lowest(sweep: Sweep, *names: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """The row with the lowest validation φ̄ for each combination of these columns."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in sweep.done():
        place = tuple(row[name] for name in names)
        if place not in found or row["validation_flithos"] < found[place]["validation_flithos"]:
            found[place] = row
    return found


def as_csv(sweep: Sweep) -> str:
    """All trials, one a line."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sweep.rows)
    for name, reason in sweep.missing.items():
        writer.writerow({"signal": name, "status": "unreadable", "reason": reason})
    return out.getvalue()


def as_json(sweep: Sweep) -> dict[str, Any]:
    """The best ones and the counts."""
    return {
        "trials": len(sweep.rows),
        "ran": sweep.ran,
        "status": dict(sweep.count()),
        "reasons": reasons(sweep),
        "missing": dict(sweep.missing),
        "damaged_lines": sweep.damaged,
        "best": best(sweep),
    }


def reasons(sweep: Sweep) -> dict[str, int]:
    """Why trials have no figures, the most frequent first."""
    return dict(
        Counter(
            f"{row['status']}: {row['reason']}" for row in sweep.rows if row["status"] != DONE
        ).most_common()
    )


def as_text(sweep: Sweep) -> str:
    """A table for a terminal: of the settings those that have several values."""
    count, why = sweep.count(), reasons(sweep)
    told = ", ".join(f"{number} {status}" for status, number in sorted(count.items()))
    lines = [f"{len(sweep.rows)} trials, {sweep.ran} of them run now: {told}"]
    lines += [f"{number} × {reason}" for reason, number in list(why.items())[:MOST_REASONS]]
    if len(why) > MOST_REASONS:
        lines.append(f"{len(why) - MOST_REASONS} more reasons: see trials.csv")
    lines += [f"unreadable: {reason}" for reason in sweep.missing.values()]
    if sweep.damaged:
        lines.append(f"lines of the ledger that cannot be read and do not count: {sweep.damaged}")
    rows = best(sweep)
    if not rows:
        return "\n".join(lines)
    swept = [
        name for name in AXES
        if name not in ("sizes", "activation") and len({row[name] for row in sweep.done()}) > 1
    ]  # fmt: skip
    head = ["", "signal", "activation", "m", *(name.replace("_", " ") for name in swept)]
    table = [[*head, "epoch", "validation φ̄", "test φ̄", "CR⁻¹", "L̃"]]
    for row in rows:
        figures = ("validation_flithos", *(f"test_{name}" for name in FIGURES))
        table.append(
            [
                "*" if row["is_best"] else "",
                *(str(row[name]) for name in ("signal", "activation", "kernel_size", *swept)),
                str(row["epoch"]),
                *(f"{row[name]:.4f}" for name in figures),
            ]
        )
    legend = "lowest φ̄ of the validation windows; * the best of its signal"
    return "\n".join([*_aligned(table, left=3), "", legend, *lines])


def _aligned(table: list[list[str]], left: int) -> list[str]:
    """Lines of a table, the first columns flush left and the others right."""
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = []
        for i, (text, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(text))
            cells.append(text + space if i < left else space + text)
        lines.append(" ".join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    """Places that a text takes: an accent over its letter takes none."""
    return sum(not unicodedata.combining(letter) for letter in text)
