"""``san-stream encode RECORD OUT.san``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from san_runtime.cli.console import clock, figure, note, progress, say, say_json
from san_runtime.cli.options import (
    channel_list,
    force_option,
    report_options,
    source_options,
)
from san_runtime.cli.profiles import profile_options, take_profile
from san_stream.errors import SettingError

if TYPE_CHECKING:
    from san_runtime.pipeline import Summary


@click.command(name="encode", short_help="Encode a record into a file.")
@click.argument("record")
@click.argument("out")
@profile_options
@source_options
@force_option
@report_options
def command(
    record: str,
    out: str,
    channels: str | None,
    start: float,
    duration: float | None,
    annotator: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Encode RECORD (a WFDB record, or a URL such as wfdb:PATH) into the file OUT.

    OUT may be - for standard output. Profile lossless keeps every sample.
    """
    from san_runtime.pipeline import run
    from san_runtime.sources import open_source

    if out == "-" and as_json:
        raise SettingError("--json and output '-' both want standard output")
    choice = take_profile(options)
    with (
        open_source(
            record,
            channels=channel_list(channels),
            start=start,
            duration=duration,
            annotator=annotator,
        ) as source,
        progress(record, signal_seconds(source), quiet=quiet) as update,
    ):
        summary = run(
            source,
            choice.of,
            [out if out == "-" else f"file:{out}"],
            settings=make_settings(**options, model=choice.begin_with(), live=False),
            force=force,
            keep=False,
            progress=update,
        )
    report(summary, f"{record} -> {out}", as_json=as_json, quiet=quiet, aside=out == "-")
    return summary.interrupted


def make_settings(**options: Any) -> Any:
    """Encoder settings from options of the same names."""
    from san_runtime.pipeline import EncoderSettings

    return EncoderSettings(**options)


def signal_seconds(source: Any, repeat: int = 1) -> float | None:
    """Signal time of a record, or None where it has no end."""
    while hasattr(source, "source"):  # a paced source holds the record
        source = source.source
    if repeat == 0 or not hasattr(source, "total"):
        return None
    spans = zip(source.total, source.infos, strict=True)
    return repeat * max(float(n / info.rate) for n, info in spans)


def report(summary: Summary, what: str, *, as_json: bool, quiet: bool, aside: bool) -> None:
    """Say what a run did, on standard error where standard output holds the stream."""
    if as_json:
        say_json(summary.as_dict())
        return
    if quiet:
        return
    out = note if aside else say
    samples = sum(stream.values for stream in summary.streams)
    leads = sum(len(stream.info.leads) for stream in summary.streams)
    out(
        f"{what}: {clock(summary.seconds)}, {leads} lead{'s' * (leads != 1)}, {samples:,} samples; "
        f"{summary.bytes:,} bytes in {summary.messages:,} messages, "
        f"{figure(summary.bits_per_sample)} bits per sample, "
        f"ratio {figure(summary.compression_ratio, 2)} to raw at ADC resolution"
    )
    if summary.dropped:
        out(f"slow clients lost {summary.dropped:,} messages")
    if summary.interrupted:
        note("interrupted: what was encoded until then is whole and readable")
