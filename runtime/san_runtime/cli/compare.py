"""``san-stream compare ORIGINAL DECODED``."""

from __future__ import annotations

import click

from san_runtime.cli.console import say, say_json, table
from san_runtime.cli.options import Number, channel_list, json_option


@click.command(name="compare", short_help="Compare two files or records, lead by lead.")
@click.argument("original")
@click.argument("decoded")
@click.option("--channels", metavar="A,B", help="Signals of a record, if not all were encoded.")
@click.option("--start", type=Number(), default=0.0, metavar="S", help="Seconds of a record; 0.")
@click.option("--duration", type=Number(above=True), metavar="S", help="Seconds of a record; all.")
@json_option
def command(
    original: str,
    decoded: str,
    channels: str | None,
    start: float,
    duration: float | None,
    as_json: bool,
) -> int:
    """Compare DECODED with ORIGINAL; each is a stream file or a WFDB record.

    PRD keeps the ADC offset, PRD-baseline takes the lead's baseline off, PRDN the mean.
    Only samples that are valid in both count.
    """
    from san_runtime.compare import compare, rows

    found = compare(
        original, decoded, channels=channel_list(channels), start=start, duration=duration
    )
    if as_json:
        say_json(found)
        return 0
    for line in table(list(rows(found))):
        say(line)
    missing = sum(lead["missing_in_one"] for lead in found["leads"])
    if missing:
        say(f"{missing:,} values of all leads are missing in one of the two and not counted")
    say("equal: every sample" if found["equal"] else "not equal")
    return 0
