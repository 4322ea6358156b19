"""What a lossy link pays: bits against seconds lost, for every distance of resets.

Live streams of one lead, one message a block. In every other stretch between resets one CODE
message, drawn at random, is taken out; what the decoder then names as gap, over the number of
messages taken out, is what a loss costs. Quality's blocks are of 3.2 s, and so are its shortest
stretches.

    python benchmarks/resets.py [--records mitdb/100:0,...] [--minutes 10]
"""

from __future__ import annotations

import argparse
import os
import random
from dataclasses import replace
from fractions import Fraction
from math import ceil, exp, log
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Final

import numpy as np
from _machine import describe

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_runtime.sources import open_source
from san_stream import Chunk, Decoder, Lossless, Quality
from san_stream.wire import RESET, Kind, parse_head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream import StreamInfo
    from san_stream.profiles import Profile

INTERVALS: Final = (1, 2, 5, 10, 20, 60, 300)
DRAWS: Final = 5  # streams with losses, of each one encoded
LEADS: Final = "100:0,106:0,118:0,200:0,207:1,213:0,221:1,231:0"
PROFILES: Final[dict[str, Profile]] = {"lossless, lean": Lossless(), "quality 9 %": Quality(prdn=9)}


def load(record: str, lead: int, minutes: float) -> tuple[StreamInfo, NDArray[np.int32]]:
    """One lead as a stream of its own; samples ``[n, 1]``."""
    with open_source(record) as source:
        info = replace(source.info, leads=(source.info.leads[lead],))
        rows = np.concatenate([c.samples for c in source if isinstance(c, Chunk)])
    count = round(Fraction(minutes) * 60 * info.rate)
    return info, np.ascontiguousarray(rows[:count, lead : lead + 1], np.int32)


def thin(messages: list[bytes], rng: random.Random) -> tuple[list[bytes], int]:
    """The stream with one CODE message gone from every other stretch; and how many are gone."""
    stretches: list[list[int]] = []
    for place, message in enumerate(messages):
        head = parse_head(message, 0)
        if head is None or head[0] != Kind.CODE:
            continue
        if head[1] & RESET or not stretches:
            stretches.append([])
        stretches[-1].append(place)
    gone = {rng.choice(stretch) for stretch in stretches[::2]}
    return [m for place, m in enumerate(messages) if place not in gone], len(gone)


def measure(
    info: StreamInfo, samples: NDArray[np.int32], profile: Profile, seconds: int, rng: random.Random
) -> tuple[float, float]:
    """Bits per sample of the live stream, and seconds that a lost message costs."""
    encoder = Encoder(info, profile, reset=ceil(seconds * info.rate))
    messages = encoder.push(samples) + encoder.close()
    lost = gone = 0
    for _ in range(DRAWS):
        kept, missing = thin(messages, rng)
        decoder = Decoder(compiled_core())
        decoder.push(b"".join(kept))
        decoder.close()
        lost += sum(stream.lost for stream in (*decoder.finished, *decoder.streams.values()))
        gone += missing
    return 8 * len(b"".join(messages)) / len(samples), float(lost / info.rate / gone)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SAN_STREAM_DATA", "."))
    parser.add_argument("--records", default=",".join(f"mitdb/{name}" for name in LEADS.split(",")))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - trials, not secrets
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for name in options.records.split(","):
        record, lead = name.split(":")
        info, samples = load(str(Path(options.data) / record), int(lead), options.minutes)
        for label, profile in PROFILES.items():
            for seconds in INTERVALS:
                figures = measure(info, samples, profile, seconds, rng)
                found.setdefault((label, seconds), []).append(figures)
    print(describe("numpy", "numba"))
    cells = [f"{name}, {what}" for name in PROFILES for what in ("bits/sample", "more", "lost, s")]
    print(f"| reset every | {' | '.join(cells)} |")
    print("| --- " * (1 + len(cells)) + "|")
    for seconds in INTERVALS:
        row = []
        for label in PROFILES:
            here, rare = found[label, seconds], found[label, INTERVALS[-1]]
            more = exp(mean(log(a[0] / b[0]) for a, b in zip(here, rare, strict=True))) - 1
            row += [f"{mean(a[0] for a in here):.3f}", f"{100 * more:.1f} %"]
            row.append(f"{mean(a[1] for a in here):.1f}")
        print(f"| {seconds} s | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
