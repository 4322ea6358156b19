"""``san-stream reproduce table1``."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click

from san_stream.errors import SettingError, SinkError
from san_training.init import INITS
from san_training.many_fits import ENGINES
from san_training.physionet import FIRST_RECORDS
from san_training.reproduce.ledger import Ledger
from san_training.reproduce.table1 import Table1Settings, run_table1
from san_training.reproduce.table1_report import as_csv, as_json, as_text

DEFAULTS = Table1Settings()


@click.group("reproduce", help="Run the paper's experiments again, beside its figures.")
def command() -> None:
    """Group of the experiments."""


@command.command("table1", help="Five activations, 250 kernel sizes, 15 PhysioNet databases.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="SAN_STREAM_DATA",
    metavar="DIR",
    help="Folder with one folder a database; $SAN_STREAM_DATA.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("table1"),
    show_default=True,
    metavar="DIR",
    help="Takes table1.csv, table1.json and the ledger, by which a stopped run goes on.",
)
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
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=DEFAULTS.seeds,
    show_default=True,
    help="Seeds of each training; the table shows the median.",
)
@click.option("--sizes", default="1-250", show_default=True, metavar="A-B", help="Kernel sizes.")
@click.option(
    "--epochs", type=click.IntRange(1), default=DEFAULTS.epochs, show_default=True, help="Passes."
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=DEFAULTS.engine,
    show_default=True,
    help="All cores, or one torch program.",
)
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu or cuda.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Threads; all cores.")
@click.option("--json", "as_json_text", is_flag=True, help="Report as JSON.")
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
    if data is None:
        raise SettingError("--data: name the folder of the databases, or set SAN_STREAM_DATA")
    if not data.is_dir():
        raise SettingError(f"--data {data}: is no folder")
    settings = Table1Settings(
        databases=databases or DEFAULTS.databases, sizes=parse_sizes(sizes), **options
    )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"output {output}: {error.strerror or error}") from None
    with Ledger(output / "ledger.jsonl", settings.basis()) as ledger:
        rows = run_table1(data, ledger, settings)
    report = as_json(rows, settings)
    write_whole(output / "table1.csv", as_csv(rows, settings))
    write_whole(output / "table1.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if as_json_text:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        click.echo(as_text(rows, settings))
        click.echo(str(output / "table1.csv"))


def parse_sizes(text: str) -> tuple[int, ...]:
    """``A-B`` or ``A`` as sizes.

    Raises:
        SettingError: anything else.
    """
    found = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", text)
    if found is None:
        raise SettingError(f"--sizes {text!r}: must be A-B, such as 1-250")
    first, last = found.groups()
    return tuple(range(int(first), int(last or first) + 1))


def write_whole(path: Path, text: str) -> None:
    """Write a file as a whole or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SinkError(f"output {path}: {error.strerror or error}") from None
