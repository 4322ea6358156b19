"""Measure codecs on recordings; what has been measured is not measured again.

    python benchmarks/compression/run.py --data DIR --records report --out LEDGERS

One thread. Every stream is decoded and compared. The rows go to OUT/ledger.jsonl.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from codec import MODES
from datasets import SETS, expand, load
from ledger import Ledger
from machine import machine
from measuring import OK, Cell, measure
from rate_distortion import sweep
from registry import build

if TYPE_CHECKING:
    from codec import Codec, Mode
    from datasets import Signal

BOUNDS: Final = (1, 2, 5, 10, 20)
TARGETS: Final = (2.0, 5.0, 9.0, 15.0, 30.0, 50.0)
WARM_SAMPLES: Final = 2000


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument("--data", type=Path, default=os.environ.get("SAN_STREAM_DATA"))
    out.add_argument(
        "--records", default="report", help=f"sets ({', '.join(SETS)}) and records, by commas"
    )
    out.add_argument("--minutes", type=float, default=10.0)
    out.add_argument("--leads", default="0,1", help="indices by commas, or 'all'")
    out.add_argument("--codecs", default="", help="parts of names by ';' (default: all)")
    out.add_argument("--modes", default=",".join(MODES))
    out.add_argument("--blocks", default="whole,4s,1s")
    out.add_argument("--bounds", default=",".join(map(str, BOUNDS)), help="ADC units")
    out.add_argument("--targets", default="2,5,9,15,30,50", help="PRDN in percent")
    out.add_argument("--out", type=Path, required=True, help="folder of ledger.jsonl")
    out.add_argument(
        "--keep", action="store_true", help="count rows of other versions of a codec as measured"
    )
    out.add_argument("--list", action="store_true", help="only list the codecs")
    return out


class Run:
    """The cells of one codec after another, skipping those that have a row.

    Args:
        ledger: of the rows. stamp: machine and time, for every row.
        keep: a row of another version of the codec counts as well.
    """

    def __init__(self, ledger: Ledger, stamp: dict[str, str], *, keep: bool) -> None:
        self._ledger = ledger
        self._stamp = stamp
        self._keep = keep
        self._warm: set[tuple[str, str]] = set()
        self.measured = 0

    def cell(self, codec: Codec, cell: Cell, signal: Signal) -> dict[str, Any]:
        """The row of a cell, measured if need be."""
        row = self._ledger.get(cell)
        if row is None or not (self._keep or row["version"] == codec.version):
            self._warm_up(codec, cell, signal)
            row = measure(codec, cell, signal) | self._stamp
            self._ledger.add(row)
            self.measured += 1
            if row["status"] != OK:
                print(f"{cell.key}: {row['status']}", flush=True)
        return row

    def _warm_up(self, codec: Codec, cell: Cell, signal: Signal) -> None:
        """Compile and load before the clock runs."""
        if (codec.name, cell.mode) not in self._warm:
            self._warm.add((codec.name, cell.mode))
            measure(codec, cell, signal.cut(WARM_SAMPLES))

    def missing(self, codec: Codec, signal: Signal, block: str, minutes: float) -> None:
        """A row for what is not here."""
        for mode in codec.modes:
            cell = Cell(codec.name, mode, 0.0, signal.record, signal.lead, minutes, block)
            fields = {name: getattr(cell, name) for name in Cell.__slots__}
            self._ledger.add(fields | {"status": f"missing: {codec.missing}"} | self._stamp)


def _measure_lead(
    run: Run, codec: Codec, mode: Mode, signal: Signal, block: str, options: argparse.Namespace
) -> None:
    def row(parameter: float) -> dict[str, Any]:
        place = (signal.record, signal.lead, options.minutes, block)
        return run.cell(codec, Cell(codec.name, mode, parameter, *place), signal)

    if mode == "lossless":
        row(0.0)
    elif mode == "bound":
        for bound in options.bounds.split(","):
            row(float(bound))
    else:
        deviation = float(np.std(signal.samples))
        targets = [float(target) for target in options.targets.split(",")]
        if deviation > 0:
            sweep(lambda step: row(step).get("prdn", nan), deviation, targets)


def main() -> None:
    """Run what the command line asks for."""
    options = parser().parse_args()
    codecs = build()
    wanted = [part.strip().lower() for part in options.codecs.split(";") if part.strip()]
    chosen = [
        codec
        for name, codec in codecs.items()
        if not wanted or any(part in name.lower() for part in wanted)
    ]
    if options.list:
        for codec in chosen:
            print(f"{codec.name:24} {', '.join(codec.modes):24} {codec.missing or codec.version}")
        return
    if options.data is None:
        raise SystemExit("--data DIR, or SAN_STREAM_DATA, must name the recordings")
    leads = None if options.leads == "all" else tuple(map(int, options.leads.split(",")))
    stamp = {"machine": machine(), "when": datetime.now(UTC).isoformat(timespec="seconds")}
    print(stamp["machine"], flush=True)
    with Ledger(options.out / "ledger.jsonl") as ledger:
        run = Run(ledger, stamp, keep=options.keep)
        for record in expand(options.records):
            for signal in load(options.data, record, options.minutes, leads):
                for block in options.blocks.split(","):
                    for codec in chosen:
                        if codec.missing:
                            run.missing(codec, signal, block, options.minutes)
                            continue
                        for mode in codec.modes:
                            if mode in options.modes.split(","):
                                _measure_lead(run, codec, mode, signal, block, options)
                print(f"{signal.key}: {run.measured} measured", flush=True)


if __name__ == "__main__":
    main()
