"""Ours aimed at a PRDN, beside a peer that was given the whole record, at the PRDN reached.

The peer's figures come from a ledger that `run.py` wrote (codec "wavelet 9/7 + context" by
default); between its steps bits are interpolated on log-log axes.
"""

from __future__ import annotations

import argparse
import os
from math import exp, log
from pathlib import Path
from statistics import mean

import numpy as np
from codec import Decoded
from datasets import Signal, expand, load
from ledger import latest, read
from machine import machine
from measuring import distortion
from ours import info_of
from rate_distortion import rate_at

from san_runtime import Encoder, compiled_core
from san_stream import Decoder, Quality

AIMS = (5.0, 9.0, 15.0)
PEER = "wavelet 9/7 + context"


def encode(signal: Signal, prdn: float) -> tuple[float, float, float]:
    """Bits per sample of the payload and of the file, and the PRDN reached."""
    info = info_of(signal)
    encoder = Encoder(info, Quality(prdn=prdn), pack=Encoder.file_pack(info))
    column = np.ascontiguousarray(signal.samples[:, None], np.int32)
    data = b"".join(encoder.push(column) + encoder.close())
    decoder = Decoder(core=compiled_core())
    rows = [part.digital[:, 0] for part in decoder.push(data) + decoder.close()]
    assert decoder.streams[0].digest_ok
    payload = decoder.counters.bits["signal"]
    decoded = Decoded(np.concatenate(rows).astype(np.int64), payload)
    count = len(signal.samples)
    return payload / count, 8 * len(data) / count, distortion(signal, decoded)["prdn"]


def main() -> None:
    """Measure, print a line a lead and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("SAN_STREAM_DATA", "."))
    parser.add_argument("--records", default="report")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--peer", default=PEER)
    options = parser.parse_args()
    rows, _ = read(options.ledger)
    points: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in latest(rows).values():
        if (row["codec"], row["mode"], row["block"]) == (options.peer, "quality", "whole"):
            key = row["record"], row["lead"]
            points.setdefault(key, []).append((row["prdn"], row["bps"]))
    found: dict[float, list[tuple[float, float, float, float]]] = {aim: [] for aim in AIMS}
    for record in expand(options.records):
        for signal in load(options.data, record, options.minutes, None):
            known = points.get((signal.record, signal.lead))
            for aim in AIMS if known else ():
                payload, file, reached = encode(signal, aim)
                peer = rate_at(known or [], reached)
                found[aim].append((payload / peer, file / peer, reached / aim, peer))
            if known:
                told = [f"{aim:g} %: {found[aim][-1][0]:.3f}" for aim in AIMS]
                print(f"{signal.key} {' '.join(told)}", flush=True)
    print(machine())
    for aim, lines in found.items():
        ratio, whole = (exp(mean(log(line[i]) for line in lines)) for i in (0, 1))
        off = max(abs(line[2] - 1) for line in lines)
        print(
            f"PRDN {aim:g} %: {len(lines)} leads, payload {ratio:.3f} of {options.peer} "
            f"(worst {max(line[0] for line in lines):.3f}), file {whole:.3f}; "
            f"peer {mean(line[3] for line in lines):.3f} bps; "
            f"aim missed by {100 * off:.1f} % at most"
        )


if __name__ == "__main__":
    main()
