"""``san-stream train RECORD... -o model.json``."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from san_stream.errors import SettingError, SinkError
from san_stream.kernels import MAX_KERNELS, MAX_TAPS
from san_training.init import INITS
from san_training.train import TrainSettings, train_model

if TYPE_CHECKING:
    from san_stream.kernels import Kernels

DEFAULTS = TrainSettings()


@click.command("train", help="Train kernels on WFDB records and write a model file.")
@click.argument("records", nargs=-1, required=True, metavar="RECORD...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Model file.")
@click.option("--channels", metavar="A,B", help="Names or numbers of leads; all.")
@click.option("--start", type=float, default=DEFAULTS.start, metavar="S", help="Seconds; 0.")
@click.option("--duration", type=float, metavar="S", help="Seconds; up to the end.")
@click.option(
    "--size",
    "sizes",
    type=click.IntRange(1, MAX_TAPS),
    multiple=True,
    metavar="M",
    help="Taps of a kernel; several are tried and validation picks; 0.4 to 0.7 s.",
)
@click.option(
    "--kernels",
    type=click.IntRange(1, MAX_KERNELS),
    default=DEFAULTS.kernels,
    show_default=True,
    help="Kernels of a lead.",
)
@click.option("--shared", is_flag=True, help="One set of kernels for all leads.")
@click.option(
    "--free",
    is_flag=True,
    help="Kernels may keep a sum; the model then declares a fixed baseline.",
)
@click.option(
    "--tie",
    type=click.Choice(["adjoint", "convolution"]),
    default=DEFAULTS.tie,
    show_default=True,
    help="How a kernel is placed.",
)
@click.option(
    "--init", type=click.Choice(INITS), default=DEFAULTS.init, show_default=True, help="Start."
)
@click.option(
    "--restarts",
    type=click.IntRange(1),
    default=DEFAULTS.restarts,
    show_default=True,
    help="Starts that are tried.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=DEFAULTS.epochs,
    show_default=True,
    help="Passes over the training windows.",
)
@click.option("--seed", type=click.IntRange(0), default=DEFAULTS.seed, show_default=True)
@click.option("--device", default=DEFAULTS.device, show_default=True, help="auto, cpu or cuda.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def command(
    records: tuple[str, ...],
    output: Path,
    channels: str | None,
    *,
    free: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train, write the model as a whole, and report φ̄ before and after quantising."""
    for name in ("start", "duration"):
        value = options[name]
        if value is not None and not (isfinite(value) and value >= 0):
            raise SettingError(f"--{name} {value}: must be finite and 0 or more")
    check_output(output, force=force)
    settings = TrainSettings(zero_sum=not free, **options)
    leads = None if channels is None else [part.strip() for part in channels.split(",")]
    model = train_model(records, leads, settings)
    try:
        model.save(output)
    except OSError as error:
        raise SinkError(f"output {output}: {error.strerror or error}") from None
    click.echo(json.dumps(report(model, output)) if as_json else summary(model, output))


def check_output(path: Path, *, force: bool) -> None:
    """Refuse an output before any work is done for it.

    Raises:
        SinkError: it exists and may not be replaced, or its folder does not exist.
    """
    if path.is_dir() or not path.name:
        raise SinkError(f"output {path}: is a folder")
    if path.exists() and not force:
        raise SinkError(f"output {path} exists: --force replaces it")
    if not path.parent.is_dir():
        raise SinkError(f"output {path}: there is no folder {path.parent}")


def report(model: Kernels, output: Path) -> dict[str, Any]:
    """What was trained, for programs."""
    return {
        "path": str(output),
        "hash": model.content_hash,
        "sizes": {"+".join(s.leads): [len(k.taps) for k in s.kernels] for s in model.sets},
        **model.provenance,
    }


def summary(model: Kernels, output: Path) -> str:
    """What was trained, one line a kernel set."""
    lines = []
    for kernel_set in model.sets:
        name = "+".join(kernel_set.leads)
        figures = model.provenance["figures"][name]
        sizes = ", ".join(str(len(kernel.taps)) for kernel in kernel_set.kernels)
        lines.append(
            f"{name}: {sizes} taps, validation φ {figures['validation_phi_float']:.3f}, "
            f"as integers {figures['validation_phi_integer']:.3f}; "
            f"test φ {figures['test_phi']:.3f}, "
            f"{figures['test_spikes_per_second']:.2f} spikes/s"
        )
    return "\n".join([*lines, str(output)])
