"""Writes the golden files: ``python -m tests.golden.make``, from the repository's root.

Each is a small stream file for one feature of the format, of signals made from integers. The
manifest beside them says what every one must decode to, by digest. A change of the format's
version 0 changes them on purpose: run this script, and say so in the changelog.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from san_stream import Decoder, Lossless, Signal, Spikes
from san_stream.types import Chunk, Event, Gap
from tests.golden import signals

FILES = Path(__file__).with_name("files")
MANIFEST = FILES / "manifest.json"


def _broken_run() -> list[Any]:
    x = signals.beats(600, 2)
    return [
        Gap(5, 30, "not connected"),
        Chunk(35, x[:200]),
        Gap(235, 1),
        Chunk(236, x[200:500]),
        Gap(536, 2**33, "off for years"),
        Chunk(536 + 2**33, x[500:]),
    ]


def _invalid() -> list[Any]:
    x = signals.beats(500, 2)
    valid = signals.invalid_where(
        x.shape, lambda t, lead: t // 50 == 3 or (lead == 1 and t % 7 == 0 and t > 250)
    )
    return [Chunk(0, x, valid)]


def _annotated() -> list[Any]:
    events = [
        Event(0, "+", text="(N"),
        Event(61, "N", 0),
        Event(140, "V", 1, -1, 2),
        Event(140, '"', duration=33, text="µ ∆"),
    ]
    return [*events, signals.beats(300, 2)]


def cases() -> dict[str, bytes]:
    """Name and bytes of every golden file."""
    lossless, info = Lossless(), signals.stream_info(2)
    clipped = signals.stream_info(2, minimum=-400, maximum=400, bits=11, invalid=-401)
    tied = {
        tie: Spikes(signals.zero_sum_kernels(tie)) for tie in ("adjoint", "convolution")
    }  # fmt: skip
    fixed = Spikes(signals.fixed_kernels())
    live: dict[str, Any] = {"block": 50, "window": 100, "reset": 250}
    file: dict[str, Any] = {**live, "pack": 200}
    beats = signals.beats(600, 2)
    return {
        "lossless-live": signals.encode([beats], info, lossless, **live),
        "lossless-file": signals.encode([beats], info, lossless, **file),
        "lossless-gaps": signals.encode(_broken_run(), info, lossless, **file),
        "lossless-invalid": signals.encode(_invalid(), clipped, lossless, **file),
        "lossless-raw": signals.encode([signals.noise(150, 2, bits=32)], info, lossless, **live),
        "lossless-extremes": signals.encode([signals.extremes(200, 2)], info, lossless, **live),
        "spikes-adjoint": signals.encode([beats], clipped, tied["adjoint"], **live),
        "spikes-convolution": signals.encode([beats], clipped, tied["convolution"], **file),
        "spikes-fixed-baseline": signals.encode([beats], clipped, fixed, **file),
        "spikes-gaps": signals.encode(_broken_run(), clipped, tied["adjoint"], **file),
        "spikes-invalid": signals.encode(_invalid(), clipped, tied["adjoint"], **file),
        "events": signals.encode(_annotated(), info, lossless, **live),
        "two-streams": signals.encode([beats[:200]], info, lossless, **live)
        + signals.encode([beats[:100]], signals.stream_info(2, 25, stream=7), lossless, block=25),
    }


def summary(data: bytes) -> dict[str, Any]:
    """What a file decodes to: digests of samples and validity, and everything else in words."""
    decoder = Decoder()
    got = decoder.push(data) + decoder.close()
    return {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "streams": {
            str(number): _stream(decoder, [s for s in got if s.stream == number])
            for number in sorted(decoder.streams)
        },
    }


def _stream(decoder: Decoder, got: list[Signal]) -> dict[str, Any]:
    rows = np.concatenate([signal.digital for signal in got])
    valid = np.concatenate([signal.valid for signal in got])
    stream = decoder.streams[got[0].stream]
    return {
        "samples": len(rows),
        "digital": hashlib.sha256(rows.astype("<i4").tobytes()).hexdigest(),
        "valid": hashlib.sha256(np.packbits(valid).tobytes()).hexdigest(),
        "gaps": [[gap.first, gap.count, gap.reason] for s in got for gap in s.gaps],
        "events": [
            [e.sample, e.lead, e.symbol, e.subtype, e.num, e.duration, e.text]
            for s in got
            for e in s.events
        ],
        "windows": [
            [w.index, w.bits, list(w.valid), list(w.spikes)] for s in got for w in s.windows
        ],
        "digest_ok": stream.digest_ok,
        "position": stream.position,
    }


def main() -> None:
    """Write the files and the manifest."""
    FILES.mkdir(exist_ok=True)
    manifest = {}
    for name, data in cases().items():
        (FILES / f"{name}.san").write_bytes(data)
        manifest[name] = summary(data)
    MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
