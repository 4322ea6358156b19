"""``san-stream monitor SOURCE``: a live stream or a growing file in the terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from san_runtime.cli.console import clock, escape, figure, say
from san_runtime.cli.options import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from san_runtime.watch import Watch

PLAIN_WIDTH = 24
REFRESH_SECONDS = 0.1
LINE_SECONDS = 1.0


@click.command(name="monitor", short_help="Watch a live stream or a growing file.")
@click.argument("source")
@click.option("--duration", type=Number(above=True), metavar="S", help="Stop after S seconds.")
@click.option(
    "--once", is_flag=True, help="One report: on a file as it is now, or a stream's first second."
)
@click.option("--plain", is_flag=True, help="A line a second, even in a terminal.")
def command(source: str, duration: float | None, once: bool, plain: bool) -> int:
    """Watch SOURCE: tcp://HOST:PORT, or a file that may still grow.

    Shows the last 4 s of each lead, the running means of φ (the paper's count, where there
    are spikes) and φ_bits (bits on the wire), bits per sample of all that came, samples
    lost or missing, and the delay: how long ago the newest sample was due, at the
    stream's own rate, counted from the sample that came earliest.
    """
    from san_runtime.feeds import open_feed
    from san_runtime.files import make_decoder
    from san_runtime.watch import Watch

    watch = Watch(make_decoder())
    is_file = not source.startswith("tcp://")
    limit = 1.0 if once and not is_file and duration is None else duration
    items = _pumped(watch, open_feed(source, follow=not once), limit)
    try:
        if once:
            for _ in items:
                pass
        elif sys.stdout.isatty() and not plain:
            _live(watch, items)
        else:
            _lines(watch, items)
    except KeyboardInterrupt:
        pass
    watch.close(time.monotonic())
    for line in _report(watch, PLAIN_WIDTH):
        say(line)
    return 0


def _pumped(watch: Watch, feed: Iterator[bytes], limit: float | None) -> Iterator[float]:
    """Feed the decoder; yield the time after each piece, until the streams end."""
    start = time.monotonic()
    for data in feed:
        now = time.monotonic()
        watch.push(data, now)
        yield now
        if watch.ended or (limit is not None and now - start >= limit):
            return


def _lines(watch: Watch, items: Iterator[float]) -> None:
    """One line a stream a second."""
    due = time.monotonic() + LINE_SECONDS
    for now in items:
        if now >= due:
            due = max(due + LINE_SECONDS, now)
            for line in _report(watch, PLAIN_WIDTH):
                say(line)


def _live(watch: Watch, items: Iterator[float]) -> None:
    """The same picture, redrawn in place."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        due = 0.0
        for now in items:
            if now >= due:
                due = now + REFRESH_SECONDS
                text = Text("\n".join(_picture(watch, max(20, console.width - 16))))
                live.update(text, refresh=True)


def _picture(watch: Watch, width: int) -> Iterator[str]:
    for number in sorted(watch.streams):
        for name, line in watch.streams[number].lines(width):
            yield f"{escape(name)[:12]:12}  {line}"
        yield _figures(watch, number)
    for text in watch.notices:
        yield escape(text)
    if not watch.streams:
        yield "waiting for a stream"


def _report(watch: Watch, width: int) -> Iterator[str]:
    if not watch.streams:
        yield "no stream yet"
    for number in sorted(watch.streams):
        leads = "  ".join(f"{name} {line}" for name, line in watch.streams[number].lines(width))
        yield f"{_figures(watch, number)}  {leads}"


def _figures(watch: Watch, number: int) -> str:
    stream = watch.streams[number]
    name = f"stream {number}  " if len(watch.streams) > 1 else ""
    delay = stream.delay(time.monotonic())
    phi = f"φ {figure(stream.phi.mean)}  " if stream.phi.count else ""
    return (
        f"{name}{clock(float(stream.samples / stream.info.rate))}  {phi}"
        f"φ_bits {figure(stream.phi_bits.mean)}  "
        f"{figure(watch.bits_per_sample)} bits/sample  "
        f"lost {stream.lost:,}  delay {figure(delay, 2)} s"
    )
