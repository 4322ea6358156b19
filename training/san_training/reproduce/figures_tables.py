"""The tables of the page: ours beside the paper's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from san_training.activations import ACTIVATIONS
from san_training.physionet import FIRST_RECORDS
from san_training.reproduce.labelled_report import ROUNDING, baselines, labelled_lines
from san_training.reproduce.table1_report import paper_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from san_training.reproduce.figures import Material
    from san_training.reproduce.labelled import Table

NEAR, FAR = 0.02, 0.05
"""Distances in φ̄ from the paper's figure that are coloured."""


def table1_table(material: Material) -> str:
    """Table I; "" where there is no ledger."""
    if not material.picked:
        return ""
    paper = paper_table()
    rows = []
    for database in FIRST_RECORDS:
        for activation in ACTIVATIONS:
            printed = paper[database, activation]
            theirs = (f"{printed.kernel_size}", *(f"{value:.2f}" for value in printed[1:]))
            model = material.picked.get((database, activation))
            if model is None:
                rows.append((database, activation, *theirs, "not here", "", "", ""))
                continue
            cell = model.cell
            rows.append(
                (
                    database,
                    activation,
                    *theirs,
                    f"{cell.kernel_size}",
                    f"{cell.inverse_compression_ratio:.2f}",
                    f"{cell.normalized_loss:.2f}",
                    coloured(cell.flithos, printed.flithos),
                )
            )
    heads = ("database", "activation", "paper m", "CR⁻¹", "L̃", "φ̄", "ours m", "CR⁻¹", "L̃", "φ̄")
    return _table(heads, rows)


def labelled_table(material: Material, table: Table) -> str:
    """Table II, III or IV; "" where there is no ledger."""
    outcome = material.outcomes.get(table)
    if outcome is None:
        return ""
    heads = ("m", "activation", "paper CR⁻¹", "L̃", "φ̄", "A%", "ours CR⁻¹", "L̃", "φ̄",
             "φ̄ least … largest", "φ̄ (m² a kernel)", "A%", "A% least … largest")  # fmt: skip
    parts = []
    for split in outcome.settings.splits:
        rows = []
        for line in labelled_lines(outcome):
            if line["split"] != split:
                continue
            theirs = (
                f"{line['paper_inverse_compression_ratio']:.2f}",
                f"{line['paper_normalized_loss']:.2f}",
                f"{line['paper_flithos']:.2f}",
                f"{line['paper_accuracy_difference_percent']:+.1f}",
            )
            start = (str(line["kernel_size"]), line["activation"], *theirs)
            if line["missing"] is not None:
                rows.append((*start, "not here", *[""] * 6))
                continue
            whole = line["flithos_all_taps"]
            rows.append(
                (
                    *start,
                    f"{line['inverse_compression_ratio']:.2f}",
                    f"{line['normalized_loss']:.2f}",
                    coloured(line["flithos"], line["paper_flithos"]),
                    f"{line['flithos_least']:.2f} … {line['flithos_largest']:.2f}",
                    "" if whole is None else f"{whole:.2f}",
                    f"{line['accuracy_difference_percent']:+.1f}",
                    (
                        f"{line['accuracy_difference_least']:+.1f} … "
                        f"{line['accuracy_difference_largest']:+.1f}"
                    ),
                )
            )
        base = ", ".join(f"{value:.1f}" for value in baselines(outcome, split))
        note = f"Baseline, one figure a seed: {base or 'none'} % of the test part told right"
        parts.append(
            f"<h3>split: {split}</h3><p class='soft'>{note}; A% is the difference to it.</p>"
            + _table(heads, rows)
        )
    return "".join(parts)


def coloured(value: float, printed: float) -> str:
    """A figure, marked where it is near the paper's or far from it."""
    off = abs(value - printed)
    style = "near" if off <= NEAR + ROUNDING else "far" if off > FAR + ROUNDING else ""
    return f'<span class="{style}">{value:.2f}</span>'


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
