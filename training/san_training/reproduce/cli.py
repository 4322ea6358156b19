"""``san-stream reproduce``: the paper's tables and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from san_stream.errors import SettingError
from san_training.activations import ACTIVATIONS
from san_training.bonn import Scale
from san_training.command_line import (
    data_option,
    json_option,
    make_folder,
    output_option,
    parse_numbers,
    write,
)
from san_training.init import INITS
from san_training.ledger import Ledger
from san_training.many_fits import ENGINES
from san_training.physionet import FIRST_RECORDS
from san_training.reproduce.figures import gather_material
from san_training.reproduce.figures_page import render
from san_training.reproduce.labelled import EXPERIMENTS, KEEPS, LabelledSettings, run_labelled
from san_training.reproduce.labelled_report import labelled_csv, labelled_json, labelled_text
from san_training.reproduce.table1 import PICKS, Table1Settings, run_table1
from san_training.reproduce.table1_report import as_csv, as_json, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from san_training.reproduce.labelled import Keep, Table
    from san_training.reproduce.table1 import Pick

DEFAULTS = Table1Settings()
LABELLED = LabelledSettings("table2")


workers_option = click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Threads; all cores."
)


def table_option(table: str) -> Callable[[Any], Any]:
    """``--output`` of a table's command."""
    return output_option(
        table, f"{table}.csv, {table}.json and the ledger, by which a stopped run goes on"
    )


def count_option(name: str, default: int, text: str) -> Callable[[Any], Any]:
    """An option that takes a whole number from 1."""
    return click.option(name, type=click.IntRange(1), default=default, show_default=True, help=text)


@click.group("reproduce", help="Run the paper's experiments again, beside its figures.")
def command() -> None:
    """Group of the experiments."""


@command.command("table1", help="Five activations, 250 kernel sizes, 15 PhysioNet databases.")
@data_option
@table_option("table1")
@click.option(
    "--database",
    "databases",
    type=click.Choice(tuple(FIRST_RECORDS)),
    multiple=True,
    metavar="NAME",
    help="One of the paper's; may be given several times; all.",
)
@click.option(
    "--start",
    "inits",
    type=click.Choice(INITS),
    multiple=True,
    default=DEFAULTS.inits,
    show_default=True,
    help="Where kernels start; may be given several times.",
)
@count_option("--seeds", DEFAULTS.seeds, "Seeds of each training; the table shows the median.")
@click.option("--sizes", default="1-250", show_default=True, metavar="LIST", help="Kernel sizes.")
@count_option("--epochs", DEFAULTS.epochs, "Passes of each training.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=DEFAULTS.engine,
    show_default=True,
    help="All cores, or one torch program.",
)
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu or cuda.")
@workers_option
@json_option
def table1(
    data: Path | None,
    output: Path,
    databases: tuple[str, ...],
    sizes: str,
    *,
    as_json_text: bool,
    **options: Any,
) -> None:
    """Run what the ledger lacks, write the table, and show it."""
    data = data_folder(data)
    settings = Table1Settings(
        databases=databases or DEFAULTS.databases, sizes=parse_numbers("--sizes", sizes), **options
    )
    make_folder(output)
    with Ledger(output / "ledger.jsonl", settings.basis()) as ledger:
        rows = run_table1(data, ledger, settings)
    report = as_json(rows, settings)
    write(output / "table1.csv", as_csv(rows, settings))
    finish(output / "table1", report, as_text(rows, settings), as_json_text=as_json_text)


def labelled_command(table: Table) -> None:
    """Add the command of table II, III or IV."""
    known = EXPERIMENTS[table]

    @command.command(
        table,
        help=f"Two kernels and a classifier on {known.data}: five activations, "
        f"{known.sizes[0]} to {known.sizes[-1]} taps.",
    )
    @data_option
    @table_option(table)
    @click.option(
        "--split",
        "splits",
        type=click.Choice(known.splits),
        multiple=True,
        help="How the data are parted; may be given several times; all.",
    )
    @click.option(
        "--activation",
        "activations",
        type=click.Choice(ACTIVATIONS),
        multiple=True,
        default=ACTIVATIONS,
        help="May be given several times; all.",
    )
    @click.option("--sizes", metavar="LIST", help="Kernel sizes; the paper's.")
    @count_option(
        "--seeds",
        LABELLED.seeds,
        "Seeds of each training; the table shows the median, and the accuracies' spread.",
    )
    @click.option(
        "--keep",
        type=click.Choice(KEEPS),
        default=LABELLED.keep,
        show_default=True,
        help="Whose epoch counts: the best on validation, or the last, as in the paper's program.",
    )
    @count_option("--epochs", LABELLED.epochs, "Passes of each training.")
    @click.option(
        "--samples",
        type=click.IntRange(0),
        default=LABELLED.samples,
        show_default=True,
        metavar="N",
        help="Train on the first N samples alone; 0: on all.",
    )
    @workers_option
    @json_option
    @scale_option(table)
    def run(
        data: Path | None,
        output: Path,
        sizes: str | None,
        *,
        as_json_text: bool,
        **options: Any,
    ) -> None:
        data = data_folder(data)
        settings = LabelledSettings(
            table, sizes=parse_numbers("--sizes", sizes) if sizes is not None else (), **options
        )
        make_folder(output)
        with Ledger(output / "ledger.jsonl", settings.basis()) as ledger:
            outcome = run_labelled(data, ledger, settings)
        write(output / f"{table}.csv", labelled_csv(outcome))
        text = labelled_text(outcome)
        finish(output / table, labelled_json(outcome), text, as_json_text=as_json_text)


def scale_option(table: Table) -> Callable[[Any], Any]:
    """``--scale`` where the data have one."""
    if table != "table2":
        return lambda function: function
    return click.option(
        "--scale",
        type=click.Choice(get_args(Scale)),
        default=LABELLED.scale,
        show_default=True,
        help="-1 to 1, which meets the paper's figures, or 0 to 1, as its text says.",
    )


for _table in EXPERIMENTS:
    labelled_command(_table)


@command.command("figures", help="One page with the paper's figures and tables.")
@data_option
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Holds the folders table1 to table4 that the other commands wrote; here.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("figures.html"),
    show_default=True,
    metavar="FILE",
    help="Takes the page.",
)
@click.option(
    "--pick",
    type=click.Choice(PICKS),
    default="validation",
    show_default=True,
    help="What picks the models of table I: test is what the paper's program did.",
)
@click.option(
    "--keep",
    type=click.Choice(KEEPS),
    default=LABELLED.keep,
    show_default=True,
    help="Which runs of tables II to IV are shown.",
)
def figures(data: Path | None, results: Path, output: Path, pick: Pick, keep: Keep) -> None:
    """Draw from the ledgers; models of table I that are shown are trained again."""
    material = gather_material(data_folder(data), results, pick=pick, keep=keep)
    write(output, render(material))
    for reason in material.missing.values():
        click.echo(f"not here: {reason}")
    click.echo(str(output))


def data_folder(data: Path | None) -> Path:
    """The folder of ``--data``.

    Raises:
        SettingError: not given, or no folder.
    """
    if data is None:
        raise SettingError("--data: name the folder of the databases, or set SAN_STREAM_DATA")
    if not data.is_dir():
        raise SettingError(f"--data {data}: is no folder")
    return data


def finish(path: Path, report: dict[str, Any], text: str, *, as_json_text: bool) -> None:
    """Write the report beside the CSV file, and show it."""
    write(path.with_suffix(".json"), json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if as_json_text:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        click.echo(text)
        click.echo(str(path.with_suffix(".csv")))
