"""How well quality's aims are met, and at what price, lead by lead.

PRDN: cumulative at every block's end after the first minute, against the aim; and bits of the
file over those of the fixed step that reaches the same final PRDN (a line through the five
steps around it on log-log axes). How far the cumulative PRDN of that fixed step strays tells a
steady lead from one whose spread changes: where a constant step strays by more than 5 %, the
aim costs bits. Rates: bits of the whole file against the aim.

    python benchmarks/aims.py [--records mitdb/100:0,...] [--minutes 10]
"""

from __future__ import annotations

import argparse
import os
from math import exp, log
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Final

import numpy as np
from _machine import describe
from resets import load

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_stream import Decoder, Quality
from san_stream.coding.steps import step_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream import StreamInfo

AIMS: Final = (5.0, 9.0, 15.0)
RATES: Final = (0.25, 0.5, 1.0)
RECORDS: Final = (100, 101, 103, 106, 111, 118, 122, 200, 207, 213, 220, 231)
SPACING: Final = 4  # indices between fixed steps, quarters of an octave
LIMIT: Final = 0.05


class Measured:
    """One lead, encoded by any setting of quality."""

    def __init__(self, info: StreamInfo, samples: NDArray[np.int32]) -> None:
        self._info, self._samples = info, samples
        self._fixed: dict[int, tuple[NDArray[np.float64], int]] = {}

    def encode(self, profile: Quality) -> tuple[NDArray[np.float64], int]:
        """PRDN in % at the end of every block from the first minute on, and bits of the file."""
        encoder = Encoder(self._info, profile, pack=Encoder.file_pack(self._info))
        data = b"".join(encoder.push(self._samples) + encoder.close())
        decoder = Decoder(compiled_core())
        shown = np.concatenate([part.digital[:, 0] for part in decoder.push(data)])
        x = self._samples[:, 0].astype(np.float64)
        error = np.cumsum((x - shown) ** 2)
        spread = np.cumsum(x * x) - np.cumsum(x) ** 2 / np.arange(1, len(x) + 1)
        block = encoder.header.block
        first = -(-round(60 * self._info.rate) // block) * block
        ends = np.append(np.arange(first, len(x), block), len(x)) - 1
        return 100 * np.sqrt(error[ends] / spread[ends]), 8 * len(data)

    def fixed(self, index: int) -> tuple[NDArray[np.float64], int]:
        """The same at a fixed step."""
        if index not in self._fixed:
            self._fixed[index] = self.encode(Quality(step=step_of(index) / 16))
        return self._fixed[index]

    def equal(self, prdn: float) -> tuple[float, float]:
        """Bits of the fixed step of this final PRDN, and by how much that one's PRDN strays."""
        index = 128
        while self.fixed(index)[0][-1] >= prdn:
            index -= SPACING
        while self.fixed(index + SPACING)[0][-1] < prdn:
            index += SPACING
        near = [self.fixed(i) for i in range(index, index + SPACING + 1)]
        course = min((c for c, _ in near), key=lambda c: abs(c[-1] - prdn))
        apart = [log(c[-1] / prdn) for c, _ in near]
        line = np.polyfit(apart, [log(bits) for _, bits in near], 1)
        return exp(line[1]), float(np.abs(course / course[-1] - 1).max())


def main() -> None:
    """Measure; print a line a lead and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SAN_STREAM_DATA", "."))
    names = [f"mitdb/{record}:{lead}" for record in RECORDS for lead in (0, 1)]
    parser.add_argument("--records", default=",".join(names))
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    found: dict[float, list[tuple[float, float, float, float]]] = {aim: [] for aim in AIMS}
    rates: dict[float, list[float]] = {rate: [] for rate in RATES}
    for name in options.records.split(","):
        record, lead = name.split(":")
        info, samples = load(str(Path(options.data) / record), int(lead), options.minutes)
        measured = Measured(info, samples)
        cells = []
        for aim, rows in found.items():
            course, bits = measured.encode(Quality(prdn=aim))
            equal, strays = measured.equal(float(course[-1]))
            off = course / aim - 1
            rows.append((float(off.min()), float(off.max()), bits / equal - 1, strays))
            low, high, more, _ = (f"{100 * value:.1f}" for value in rows[-1])
            cells.append(f"{aim:g} %: {low} to {high}, bits {more} (fixed ±{100 * strays:.0f})")
        for rate, misses in rates.items():
            misses.append(measured.encode(Quality(bps=rate))[1] / len(samples) / rate - 1)
        print(f"{name} {'; '.join(cells)}", flush=True)
    print(describe("numpy", "numba"))
    print("| aim | lowest | highest | above +5 % | steady leads | bits there | elsewhere |")
    print("| --- " * 7 + "|")
    for aim, rows in found.items():
        steady = [more for _, _, more, strays in rows if strays <= LIMIT]
        others = [more for _, _, more, strays in rows if strays > LIMIT]
        tell = [
            f"{100 * min(low for low, *_ in rows):.1f} %",
            f"{100 * max(row[1] for row in rows):.1f} %",
            f"{sum(row[1] > LIMIT for row in rows)} of {len(rows)}",
            str(len(steady)),
            f"{100 * mean(steady):.1f} %" if steady else "",
            f"{100 * median(others):.1f} % (median)" if others else "",
        ]
        print(f"| {aim:g} % | {' | '.join(tell)} |")
    for rate, misses in rates.items():
        print(f"{rate:g} bits/sample: missed by {100 * max(map(abs, misses)):.1f} % at most")


if __name__ == "__main__":
    main()
