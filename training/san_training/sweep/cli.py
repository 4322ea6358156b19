"""``san-stream sweep``."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from san_stream.errors import MissingExtraError, SettingError
from san_training.activations import ACTIVATIONS
from san_training.command_line import data_option, json_option, make_folder, output_option, write
from san_training.fitting import FitSettings, pick_device
from san_training.init import INITS
from san_training.ledger import Ledger
from san_training.many_fits import cores
from san_training.physionet import FIRST_RECORDS
from san_training.sweep.grid import OPTIONS, make_grid, read_file
from san_training.sweep.plot import picture
from san_training.sweep.report import as_csv, as_json, as_text
from san_training.sweep.run import BASIS, run_sweep
from san_training.sweep.signals import Cut, read_signals
from san_training.sweep.trial import TRIAL_ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable

    from san_training.sweep.grid import Grid
    from san_training.sweep.run import Runner

CUT: Final = ("lead", "start", "window", "windows")
HELP: Final = {
    "activation": ", ".join(ACTIVATIONS),
    "tie": "convolution, adjoint",
    "loss": "mae, mse",
    "init": f"{', '.join(INITS)}: where kernels start",
    "device": "auto, cpu, cuda",
    "seed": "Of start and batch order, such as 0-4",
    "restarts": "Starts of each training",
    "epochs": "Passes over the training windows",
    "batch": "Windows of a step",
    "learning_rate": "Adam's",
    "zero_sum": "yes, no: kernels of sum 0",
    "border_tolerance": "med = max(m - N, 1)",
}
"""Of options whose name does not say enough."""


def setting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each of a training's settings."""
    defaults = FitSettings((1,))
    for name in reversed(OPTIONS):
        text = HELP.get(name, name.replace("_", " ").capitalize())
        default = getattr(defaults, name)
        shown = ("no", "yes")[default] if isinstance(default, bool) else default
        option = click.option(
            f"--{name.replace('_', '-')}", name, metavar="LIST", help=f"{text}; {shown}."
        )
        function = option(function)
    return function


@click.command("sweep", help="Train over a grid of settings; the same command goes on.")
@click.argument("records", nargs=-1, metavar="[RECORD|FOLDER]...")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="Options as TOML or JSON.")
@output_option("sweep", "the ledger, by which a sweep goes on, trials.csv, summary.png")
@data_option
@click.option(
    "--database",
    "databases",
    type=click.Choice(tuple(FIRST_RECORDS)),
    multiple=True,
    metavar="NAME",
    help="One of the paper's, cut as in the paper; may be given several times.",
)
@click.option("--lead", metavar="NAME", help="Name or number of a record's lead; 0, the first.")
@click.option("--start", type=float, metavar="S", help="Seconds into each record; 0.")
@click.option("--window", type=int, metavar="N", help="Samples of a window; 1000.")
@click.option("--windows", type=int, metavar="N", help="Windows, split 6 : 2 : 4; 12.")
@click.option("--sizes", metavar="LIST", help="Kernel sizes, such as 5,10,20-100:10.")
@click.option("--kernels", metavar="LIST", help="Kernels of a model; 1.")
@setting_options
@click.option(
    "--engine", type=click.Choice(TRIAL_ENGINES), help="compiled: CPU; torch: --device; compiled."
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes here; all cores.")
@click.option("--cluster", metavar="ADDRESS", help="Run as Ray tasks: HOST:PORT or auto.")
@click.option(
    "--gpus-per-trial",
    type=float,
    default=0.0,
    metavar="G",
    help="Share of a GPU each task reserves; with --engine torch.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Of a trial whose process or machine ended under it.",
)
@json_option
def command(
    records: tuple[str, ...],
    file: Path | None,
    output: Path,
    data: Path | None,
    *,
    jobs: int | None,
    cluster: str | None,
    gpus_per_trial: float,
    retries: int,
    as_json_text: bool,
    **options: Any,
) -> None:
    """Run what the ledger lacks, write the tables and the picture, and show the best."""
    chosen = read_file(file) if file else {}
    chosen |= {name: value for name, value in options.items() if value not in (None, ())}
    cut = Cut(**{name: chosen[name] for name in CUT if name in chosen})
    grid = make_grid(chosen)
    run = runner(grid, jobs, cluster, gpus_per_trial, retries)
    signals, missing = read_signals(
        records or chosen.get("records", ()), chosen.get("databases", ()), data, cut
    )
    trials = grid.trials(signals)
    make_folder(output)
    path = output / "ledger.jsonl"
    with Ledger(path, BASIS) as ledger:
        try:
            sweep = run_sweep(trials, ledger, run, missing=missing)
        except KeyboardInterrupt:
            done = sum(ledger.get(trial.key()) is not None for trial in trials)
            click.echo(
                f"stopped: {done} of {len(trials)} trials are in {path}; the same command goes on "
                "from there",
                err=True,
            )
            raise
    write(output / "trials.csv", as_csv(sweep))
    write(output / "summary.png", picture(sweep))
    if as_json_text:
        click.echo(json.dumps(as_json(sweep), ensure_ascii=False))
    else:
        click.echo(as_text(sweep))
        click.echo(f"{output / 'trials.csv'}\n{output / 'summary.png'}")


def runner(grid: Grid, jobs: int | None, cluster: str | None, gpus: float, retries: int) -> Runner:
    """Where trials run, checked before anything is read.

    Raises:
        SettingError: options that exclude each other, or no such device here.
        MissingExtraError: matplotlib is not installed.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "train", "the summary's picture")
    if not (math.isfinite(gpus) and gpus >= 0) or (gpus > 1 and gpus != int(gpus)):
        raise SettingError(f"--gpus-per-trial {gpus}: must be 0 to 1, or a whole number")
    if cluster is None:
        if gpus:
            raise SettingError("--gpus-per-trial: is of --cluster; here --device says where")
        for device in grid.options.get("device", ()):
            pick_device(device)
        from san_training.sweep.local import run_local

        return partial(run_local, jobs=jobs or cores(), retries=retries)
    if jobs is not None:
        raise SettingError("--jobs: is of this machine, --cluster uses what the cluster has")
    if gpus and grid.engine == "compiled":
        raise SettingError("--gpus-per-trial: the compiled engine runs on the CPU, --engine torch")
    from san_training.sweep.cluster import run_cluster

    return partial(run_cluster, address=cluster, gpus_per_trial=gpus, retries=retries)
