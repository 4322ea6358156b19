"""Bits of both profiles, where they go, and what a reset costs.

Every figure is bits of the whole file (or live stream) over values (samples · leads);
each stream is decoded and its digest checked.

    python benchmarks/rates.py [RECORD [MODEL]]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _machine import BUNDLED_MODEL, BUNDLED_RECORD

from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_runtime.sources import open_source
from san_stream import Chunk, Decoder, Kernels, Lossless, Spikes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from san_stream import StreamInfo
    from san_stream.profiles import Profile

RESETS = (10, 30, 60, 300, 1800)


def stream(
    info: StreamInfo, samples: NDArray[np.int32], profile: Profile, reset: int | None, *, live: bool
) -> bytes:
    """One encoded stream; `reset` in seconds."""
    encoder = Encoder(
        info,
        profile,
        reset=None if reset is None else round(reset * info.rate),
        pack=None if live else Encoder.file_pack(info),
    )
    return b"".join(encoder.push(samples) + encoder.close())


def split(data: bytes) -> dict[str, int]:
    """Bits by purpose, after checking that the stream decodes whole."""
    decoder = Decoder(compiled_core())
    decoder.push(data)
    decoder.close()
    if not all(part.digest_ok for part in decoder.streams.values()):
        raise SystemExit("a stream did not decode to its digest")
    return decoder.counters.bits


def main() -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", nargs="?", default=BUNDLED_RECORD)
    parser.add_argument("model", nargs="?", type=Path, default=BUNDLED_MODEL)
    options = parser.parse_args()
    model = Kernels.load(options.model)
    with open_source(options.record) as source:
        info = source.info
        rows = np.concatenate([c.samples for c in source if isinstance(c, Chunk)])

    print("| leads | profile | bits/sample | signal | statistics | container | model |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    profiles: tuple[Profile, ...] = (Lossless(), Spikes(model))
    parts = [(f"{lead.name}", [i]) for i, lead in enumerate(info.leads)]
    parts.append(("all", list(range(len(info.leads)))))
    for name, columns in parts:
        part = replace(info, leads=tuple(info.leads[i] for i in columns))
        samples = np.ascontiguousarray(rows[:, columns])
        for profile in profiles:
            data = stream(part, samples, profile, None, live=False)
            bits = split(data)
            shares = [bits[key] for key in ("signal", "statistics", "container", "model")]
            figures = " | ".join(f"{b / samples.size:.4f}" for b in (8 * len(data), *shares))
            print(f"| {name} | {profile.name} | {figures} |")

    print(
        "\n| reset every | "
        + " | ".join(f"{p.name}, {h}" for p in profiles for h in ("file", "live"))
    )
    print("| --- " * (1 + 2 * len(profiles)) + "|")
    first = replace(info, leads=info.leads[:1])
    samples = np.ascontiguousarray(rows[:, :1])
    for reset in RESETS:
        cells = [
            f"{8 * len(stream(first, samples, p, reset, live=live)) / samples.size:.4f}"
            for p in profiles
            for live in (False, True)
        ]
        print(f"| {reset} s | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
