"""``san-stream replay RECORD --to SINK``: a record as if it were live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from san_runtime.cli.console import note, progress
from san_runtime.cli.encode import make_settings, report, signal_seconds
from san_runtime.cli.options import (
    Number,
    channel_list,
    force_option,
    report_options,
    source_options,
)
from san_runtime.cli.profiles import profile_options, take_profile
from san_stream.errors import SettingError

if TYPE_CHECKING:
    from san_stream.protocols import Sink


@click.command(name="replay", short_help="Replay a record as if it were live.")
@click.argument("record")
@click.option(
    "--to",
    "urls",
    multiple=True,
    required=True,
    metavar="SINK",
    help="file:PATH, -, tcp://HOST:PORT or tcp-listen://HOST:PORT; repeatable.",
)
@click.option(
    "--speed",
    type=Number(above=True, word="max"),
    default="1",
    metavar="X",
    help="1 is real time (default); max: without pause.",
)
@click.option(
    "--repeat", type=click.IntRange(min=0), default=1, metavar="N", help="Passes; 0: no end."
)
@click.option("--wait", is_flag=True, help="Start when each tcp-listen sink has a client.")
@click.option("--live", is_flag=True, help="One message a block into files too.")
@click.option(
    "--insecure", is_flag=True, help="Serve on addresses that other machines reach, unencrypted."
)
@profile_options
@source_options
@force_option
@report_options
def command(
    record: str,
    urls: tuple[str, ...],
    speed: float | str,
    repeat: int,
    channels: str | None,
    start: float,
    duration: float | None,
    annotator: str | None,
    wait: bool,
    live: bool,
    insecure: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Replay RECORD at a true pace through an encoder into one or more sinks.

    The bytes do not depend on the speed. Into files alone, blocks are packed as by
    encode; where a socket listens, each block is sent at once.
    """
    from san_runtime.pipeline import run
    from san_runtime.sinks.serve import ServingSink
    from san_runtime.sources import open_source

    aside = "-" in urls
    if aside and as_json:
        raise SettingError("--json and output '-' both want standard output")
    choice = take_profile(options)

    def opened(url: str, sink: Sink) -> None:
        del url
        if isinstance(sink, ServingSink) and not quiet:
            host, port = sink.address
            note(f"listening on tcp://{f'[{host}]' if ':' in host else host}:{port}")

    with (
        open_source(
            record,
            speed="max" if isinstance(speed, str) else speed,
            repeat=repeat,
            channels=channel_list(channels),
            start=start,
            duration=duration,
            annotator=annotator,
        ) as source,
        progress(record, signal_seconds(source, repeat), quiet=quiet) as update,
    ):
        summary = run(
            source,
            choice.of,
            urls,
            settings=make_settings(
                **options, model=choice.begin_with(), live=True if live else None
            ),
            force=force,
            insecure=insecure,
            wait=wait,
            progress=update,
            opened=opened,
        )
    report(summary, f"{record} -> {', '.join(urls)}", as_json=as_json, quiet=quiet, aside=aside)
    return summary.interrupted
