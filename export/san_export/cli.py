"""``san-stream export MODEL --to onnx -o FILE``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from san_export.files import export_model
from san_stream.errors import SourceError
from san_stream.kernels import Kernels


@click.command("export", help="Export a model for other runtimes.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--to", "target", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Format."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Names the files: m.onnx gives m.encoder.onnx and m.decoder.onnx.",
)
@click.option(
    "--sample-range",
    type=int,
    nargs=2,
    default=(-(2**15), 2**15 - 1),
    show_default=True,
    metavar="LOW HIGH",
    help="ADC values for which results must be exact.",
)
@click.option(
    "--precision",
    type=click.Choice(["double", "float32"]),
    default="double",
    show_default=True,
    help="Type that the graph computes in; float32 for small models only.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def command(
    model: Path,
    target: str,
    output: Path,
    sample_range: tuple[int, int],
    precision: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write encoder and decoder of each kernel set of a model file."""
    try:
        kernels = Kernels.load(model)
    except OSError as error:
        raise SourceError(f"{model}: {error.strerror}") from None
    files = export_model(
        kernels,
        output,
        sample_range=sample_range,
        precision="float32" if precision == "float32" else "double",
        force=force,
    )
    if as_json:
        report = {
            "format": target,
            "kernels": kernels.content_hash,
            "files": [{"path": str(file), "bytes": file.stat().st_size} for file in files],
        }
        click.echo(json.dumps(report))
    else:
        for file in files:
            click.echo(f"{file}  {file.stat().st_size} bytes")
