"""``san-stream verify FILE``: 0 whole, 1 damaged, 2 not readable at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from san_runtime.cli.console import say, say_json
from san_runtime.cli.options import report_options

if TYPE_CHECKING:
    from san_stream.types import Gap

DAMAGED = 1
MAX_LISTED = 1000


@click.command(name="verify", short_help="Check a file: checksums, continuity, digest.")
@click.argument("file")
@report_options
def command(file: str, as_json: bool, quiet: bool) -> int:
    """Check every checksum of FILE, that no sample is missing, and the digest of all samples.

    Exit status: 0 whole, 1 damaged (and which samples are lost), 2 no such file or format.
    A gap that the source had is no damage.
    """
    from san_runtime.files import all_streams, damage_of, make_decoder, read_signals

    decoder = make_decoder()
    lost: dict[tuple[int, int], list[Gap]] = {}
    notices: list[str] = []
    for signal in read_signals(file, decoder):
        found = lost.setdefault((signal.segment, signal.stream), [])
        found += [gap for gap in signal.gaps if gap.damage]
        notices += signal.notices[: MAX_LISTED - len(notices)]
    damage = damage_of(file, decoder)
    streams: list[dict[str, Any]] = []
    for stream in all_streams(decoder):
        gaps = lost.get((stream.segment, stream.header.info.stream), [])
        streams.append(
            {
                "segment": stream.segment,
                "stream": stream.header.info.stream,
                "samples": stream.samples,
                "gaps": stream.gaps,
                "events": stream.events,
                "ended": stream.ended,
                "digest": {None: "not checked", True: "ok", False: "differs"}[stream.digest_ok],
                "lost_samples": stream.lost,
                "lost": [
                    {"first": g.first, "count": g.count, "reason": g.reason}
                    for g in gaps[:MAX_LISTED]
                ],
            }
        )
    counters = decoder.counters
    if as_json:
        say_json(
            {
                "file": file,
                "ok": damage is None,
                "bytes": counters.bytes_in,
                "damaged_bytes": counters.damaged_bytes + counters.broken_bytes,
                "unused_bytes": counters.dropped_bytes,
                "messages": counters.messages,
                "streams": streams,
                "notices": notices,
            }
        )
    elif not quiet:
        _print(file, damage, streams, notices)
    return 0 if damage is None else DAMAGED


def _print(
    file: str, damage: str | None, streams: list[dict[str, Any]], notices: list[str]
) -> None:
    for stream in streams:
        name = f"stream {stream['stream']}"
        if stream["segment"]:
            name += f", segment {stream['segment']}"
        say(
            f"{name}: {stream['samples']:,} samples a lead, {stream['gaps']} gaps, "
            f"{stream['events']} events, digest {stream['digest']}"
            + ("" if stream["ended"] else ", no END")
        )
        for gap in stream["lost"]:
            last = gap["first"] + gap["count"] - 1
            say(f"  lost: samples {gap['first']} to {last} ({gap['count']:,}; {gap['reason']})")
    for text in notices:
        say(f"  {text}")
    say(f"{file}: ok" if damage is None else f"damaged: {damage}")
