"""``san-stream decode IN OUT``."""

from __future__ import annotations

from pathlib import Path

import click

from san_runtime.cli.console import note, progress, say, say_json
from san_runtime.cli.options import force_option, report_options


@click.command(name="decode", short_help="Decode a file into a WFDB record, CSV or NumPy array.")
@click.argument("file")
@click.argument("out")
@click.option(
    "--digital/--physical",
    default=None,
    help="ADC integers or physical units; .hea: integers, .csv and .npy: physical.",
)
@click.option("--salvage", is_flag=True, help="Decode what is left of a damaged file.")
@force_option
@report_options
def command(
    file: str,
    out: str,
    digital: bool | None,
    salvage: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Decode FILE (- is standard input) into OUT, whose suffix says what is written.

    .hea: a WFDB record (with .dat, and .atr where there are annotations); missing samples
    and gaps become WFDB's missing samples. .csv: a row a sample with its index in the
    stream; gaps leave rows out.
    .npy: one array, NaN where no value is known. Several streams: OUT, OUT-1, OUT-2.
    """
    from san_runtime.decoding import decode_file

    path = Path(file)
    size = float(path.stat().st_size) if path.is_file() else None
    with progress(file, size, quiet=quiet) as update:
        result = decode_file(
            file, out, force=force, digital=digital, salvage=salvage, progress=update
        )
    if result.damage is not None:
        note(f"san-stream: warning: {result.damage}")
    for notice in result.notices:
        note(f"san-stream: warning: {notice}")
    if as_json:
        say_json(
            {
                "files": [str(path) for path in result.paths],
                "samples": result.samples,
                "damage": result.damage,
            }
        )
    elif not quiet:
        counts = ", ".join(f"{count:,}" for count in result.samples)
        names = ", ".join(str(path) for path in result.paths)
        say(f"{file} -> {names}: {counts} samples a lead")
        if len(result.samples) > 1:
            say(f"{len(result.samples)} streams, each in its own output")
    return 0
