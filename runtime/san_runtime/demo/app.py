"""The command ``san-stream demo``."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from san_runtime.cli.console import say
from san_runtime.cli.options import Number
from san_runtime.demo.live import heading, show
from san_runtime.demo.process import EncoderProcess
from san_runtime.demo.receive import Receiver
from san_runtime.demo.record import MODEL, RECORD, load_record
from san_runtime.figures import figures, is_equal
from san_stream.profiles import Lossless, Quality, Spikes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from san_runtime.coded import Coded
    from san_runtime.demo.record import DemoRecord
    from san_runtime.figures import Figure

PRDN: Final = 9.0
"""Percent: what the quality profile is asked for."""
PROFILES: Final = {
    "lossless": ("--profile", "lossless"),
    "quality": ("--profile", "quality", "--prdn", f"{PRDN:g}"),
    "spikes": ("--profile", "spikes", "--model", str(MODEL)),
}
WARM_SECONDS: Final = 6
NOT_EQUAL: Final = 1


@click.command(name="demo", short_help="Show everything on a minute of ECG.")
@click.option(
    "--speed",
    type=Number(above=True, word="max"),
    default="15",
    metavar="X",
    help="Seconds of ECG in a second: 1 is real time, 15 the default; max: without pause.",
)
@click.option(
    "--report",
    "path",
    default="san-stream-demo.html",
    metavar="FILE",
    help="Where the report goes; san-stream-demo.html. Replaces an older report.",
)
@click.option("--force", is_flag=True, help="Replace FILE even if it is no report.")
def command(speed: float | str, path: str, *, force: bool) -> int:
    """Replay a bundled minute of real ECG as a live stream, and write a report.

    An encoder process plays the record into a TCP socket; this process decodes what
    comes out: first lossless, then quality, steered to a PRDN of 9 % with kernels that both
    ends learn on the way, then spikes, the sparse code of kernels that were trained on
    another part of the record. The live line shows running means of φ (the paper's count)
    and φ_bits (bits on the wire), all bits per sample, the compression ratio (CR) to the
    ADC's resolution, PRDN (mean of the leads), spikes of trained kernels per second, and the
    delay: the age of the oldest sample just decoded, in seconds of signal.
    """
    from san_runtime.demo.about import make_report
    from san_runtime.report import check_target, write

    target = Path(path)
    check_target(target, force=force)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a console that has no φ shows a ?
    console = Console()
    pace = None if isinstance(speed, str) else float(speed)
    record = load_record()
    say(_introduction(record, pace))
    codings = _play(console, record, pace)
    rows = figures(record.samples, codings)
    console.print()
    console.print(_table(rows, [coded.profile for coded in codings]))
    write(make_report(record, codings, rows), target)
    good = _say_checks(record, codings)
    say(f"report: {target.resolve()}")
    return 0 if good else NOT_EQUAL


def _introduction(record: DemoRecord, pace: float | None) -> str:
    leads = " and ".join(lead.name for lead in record.info.leads)
    seconds = len(record.samples) / record.info.rate
    speed = "without pause" if pace is None else f"at {pace:g} times real time"
    return (
        f"MIT-BIH record 100, leads {leads}, {float(seconds):g} s at {record.info.rate} Hz, {speed}"
    )


def _play(console: Console, record: DemoRecord, pace: float | None) -> list[Coded]:
    """All profiles, one after the other, each from an encoder process of its own."""
    speed = "max" if pace is None else f"{pace:.17g}"
    codings = []
    with ExitStack() as stack:
        encoders = {
            name: stack.enter_context(EncoderProcess(str(RECORD), speed, options))
            for name, options in PROFILES.items()
        }
        _warm_up(record)  # while they start
        for i, (name, encoder) in enumerate(encoders.items()):
            url = encoder.address()
            if i == 0:
                say(f"encoder process {encoder.identity} -> {url} -> this process, which decodes")
                say()
                say(heading())
            receiver = Receiver(record.samples, record.info, pace)
            show(console, name, receiver, receiver.follow(url))
            coded = receiver.result()
            sent = encoder.finish()["bytes"]
            if sent != receiver.decoder.counters.bytes_in:
                say(f"{name}: {sent} bytes sent, {receiver.decoder.counters.bytes_in} received")
            codings.append(coded)
    return codings


def _warm_up(record: DemoRecord) -> None:
    """Compile once, so that no stream waits for it; what is compiled is kept on disk."""
    from san_runtime.encoder import Encoder
    from san_runtime.files import make_decoder

    some = record.samples[: int(WARM_SECONDS * record.info.rate)]
    for profile in (Lossless(), Quality(prdn=PRDN), Spikes(record.kernels)):
        encoder, decoder = Encoder(record.info, profile), make_decoder()
        for message in [*encoder.push(some), *encoder.close()]:
            decoder.push(message)


def _table(rows: Sequence[Figure], names: Sequence[str]) -> Table:
    table = Table(title="All profiles", title_justify="left", highlight=False)
    table.add_column("figure")
    for name in names:
        table.add_column(name, justify="right")
    group = ""
    for row in rows:
        if not row.brief:
            continue
        if group and row.group != group:
            table.add_section()
        lead = row.group.partition("Distortion, ")[2]
        group = row.group
        table.add_row(f"{lead} {row.name}".strip(), *row.values)
    return table


def _say_checks(record: DemoRecord, codings: Sequence[Coded]) -> bool:
    """Whether what must agree does, in words."""
    good = True
    for coded in codings:
        if coded.profile == "lossless":
            equal = is_equal(record.samples, coded)
            digest = hashlib.sha256(coded.digital.astype("<i4").tobytes()).hexdigest()
            what = "equal the record's" if equal else "DIFFER from the record's"
            say(f"lossless: all {coded.digital.size:,} samples {what}, SHA-256 {digest[:16]}…")
            good &= equal
        if coded.digest_ok is not True:
            say(f"{coded.profile}: the digest of END DIFFERS from what was decoded")
            good = False
    if good:
        say("all: the decoded samples have the digest that the encoder put into END")
    return good
