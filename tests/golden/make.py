"""Writes the golden files: ``python -m tests.golden.make``, from the repository's root.

Each is a small stream file for one feature of the format. The manifest beside them says what
every one must decode to, by digest. A change of the format's version 0, or of what the encoder
chooses, changes them on purpose: run this script, and say so in the changelog.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from san_runtime.compiled import compiled_core
from san_stream import Decoder, Lossless, Signal, Spikes
from san_stream.profiles import PRESETS, Bounded, Profile, Quality
from san_stream.types import Chunk, Event, Gap
from tests.golden import signals

FILES = Path(__file__).with_name("files")
MANIFEST = FILES / "manifest.json"


def _broken_run(first: int = 5) -> list[Any]:
    x = signals.beats(600, 2)
    return [
        Gap(first, 30, "not connected"),
        Chunk(first + 30, x[:200]),
        Gap(first + 230, 1),
        Chunk(first + 231, x[200:500]),
        Gap(first + 531, 2**33, "off for years"),
        Chunk(first + 531 + 2**33, x[500:]),
    ]


def _invalid(n: int = 500) -> list[Any]:
    x = signals.beats(n, 2)
    valid = signals.invalid_where(
        x.shape,
        lambda t, lead: t // 50 == 3 or (lead == 1 and (t < 20 or (t % 7 == 0 and t > n // 2))),
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


def _far() -> list[Any]:
    """First samples of runs far from the baseline, of one lead late and in another block."""
    x = signals.beats(240, 2) + np.array([7_000_000, -90_000], np.int32)
    valid = signals.invalid_where(x.shape, lambda t, lead: lead == 1 and (t < 60 or t == 150))
    return [
        Chunk(0, x[:130], valid[:130]),
        Gap(130, 3),
        Chunk(133, x[130:], valid[130:]),
    ]


def _noisy() -> list[Any]:
    """Noise in the middle of a signal: blocks that are sent as they are, and what follows."""
    x = signals.beats(260, 2).copy()
    x[80:130, 0] = signals.noise(50, 1, bits=32)[:, 0]
    x[140:200, 1] = signals.noise(60, 1, bits=14)[:, 0]
    valid = signals.invalid_where(x.shape, lambda t, lead: lead == 0 and 110 <= t < 115)
    return [Chunk(0, x, valid)]


LIVE: Final[dict[str, Any]] = {"block": 50, "window": 100, "reset": 250}
FILE: Final[dict[str, Any]] = {**LIVE, "pack": 200}
DELAYED: Final[dict[str, Any]] = {"delay": 2.0, "window": 100, "reset": 500}


def _lossless() -> dict[str, bytes]:
    info, lean, beats = signals.stream_info(2), Lossless(), signals.beats(600, 2)
    marked = signals.stream_info(2, invalid=-401, baseline=11)
    many = signals.stream_info(11, 25)
    wide = signals.mixtures(76, 11)
    found = {}
    for preset in PRESETS:
        profile, name = Lossless(preset), f"lossless-{preset}"
        found[name] = signals.encode([beats[:350]], info, profile, **FILE)
        found[f"{name}-noisy"] = signals.encode(_noisy(), marked, profile, **LIVE)
    ecg, record = signals.stream_info(2, 360, baseline=1024), signals.recording(1300)
    for preset in ("tiny", "fast", "lean"):
        name = f"lossless-{preset}-recording"
        found[name] = signals.encode([record], ecg, Lossless(preset), pack=800)
    for preset in ("lean", "max"):
        name = f"lossless-{preset}-many-leads"
        found[name] = signals.encode([wide], many, Lossless(preset), block=10, window=30)
    noise = signals.noise(600, 2, bits=32)
    return found | {
        "lossless-frames": signals.encode([noise], info, Lossless("tiny"), block=600),
        "lossless-live": signals.encode([beats[:400]], info, lean, **LIVE),
        "lossless-gaps": signals.encode(_broken_run(), info, lean, **FILE),
        "lossless-invalid": signals.encode(_invalid(), marked, lean, **FILE),
        "lossless-far": signals.encode(_far(), marked, lean, **LIVE),
        "lossless-slow": signals.encode([beats[:200]], signals.stream_info(2, 5), lean, **LIVE),
        "lossless-raw": signals.encode([signals.noise(150, 2, bits=32)], info, lean, **LIVE),
        "lossless-extremes": signals.encode([signals.extremes(200, 2)], info, lean, **LIVE),
        "lossless-untrained": signals.encode([record], ecg, lean, pack=800, trained=False),
        "events": signals.encode(_annotated(), info, lean, **LIVE),
        "two-streams": signals.encode([beats[:200]], info, lean, **LIVE)
        + signals.encode([beats[:100]], signals.stream_info(2, 25, stream=7), lean, block=25),
    }


def _bounded() -> dict[str, bytes]:
    info, beats = signals.stream_info(2), signals.beats(350, 2)
    marked = signals.stream_info(2, invalid=-401, baseline=11)
    found = {
        f"bounded-2-{preset}": signals.encode([beats], info, Bounded(2, preset), **FILE)
        for preset in PRESETS
    }
    return found | {
        "bounded-1": signals.encode([beats], info, Bounded(1), **LIVE),
        "bounded-0-2-gaps": signals.encode(_broken_run(), marked, Bounded((0, 2)), **FILE),
        "bounded-1-invalid": signals.encode(_invalid(), marked, Bounded(1), **FILE),
        "bounded-1-far": signals.encode(_far(), marked, Bounded(1), **LIVE),
        "bounded-2-noisy": signals.encode(_noisy(), marked, Bounded(2), **LIVE),
    }


def _transformed() -> dict[str, bytes]:
    marked = signals.stream_info(2, minimum=-900, maximum=900, bits=11, invalid=-901, baseline=11)
    beats = signals.beats(1200, 2)
    profiles: dict[str, Profile] = {
        "quality-step": Quality(step=6.5),
        "quality-prdn": Quality(prdn=9.0),
        "quality-bps": Quality(bps=1.5),
        "bounded-10": Bounded(10),
        "bounded-3-40": Bounded((3, 40)),
    }
    found = {
        name: signals.encode([beats], marked, profile, **DELAYED)
        for name, profile in profiles.items()
    }
    mixed, calm = signals.two_shapes(2000, 2), {**DELAYED, "reset": 5000}
    for name in ("quality-step", "bounded-10"):
        found[f"{name}-two-shapes"] = signals.encode([mixed], marked, profiles[name], **calm)
    again, long = signals.two_shapes(5000, 2), {**DELAYED, "reset": 4500}
    found["quality-step-given"] = signals.encode([again], marked, profiles["quality-step"], **long)
    ecg, quick = signals.stream_info(2, 360, minimum=-1024, maximum=1023), {"pack": 2000}
    record = signals.recording(5400)
    found["quality-recording"] = signals.encode([record], ecg, profiles["quality-step"], **quick)
    found["bounded-recording"] = signals.encode([record], ecg, profiles["bounded-10"], **quick)
    untrained = {**quick, "trained": False}
    found["quality-untrained"] = signals.encode(
        [record[:2500]], ecg, profiles["quality-step"], **untrained
    )
    waves, eeg = signals.rhythm(3000, 2), signals.stream_info(2, 160, minimum=-2000, maximum=2000)
    broken = {**quick, "reset": 1500}
    found["quality-rhythm"] = signals.encode([waves], eeg, Quality(step=20.0), **broken)
    found["bounded-rhythm"] = signals.encode([waves], eeg, profiles["bounded-10"], **broken)
    slow = signals.stream_info(2, 15)
    found["quality-slow"] = signals.encode([beats[:300]], slow, profiles["quality-step"])
    for name in ("quality-step", "bounded-10"):
        profile = profiles[name]
        found[f"{name}-gaps"] = signals.encode(_broken_run(), marked, profile, **DELAYED)
        found[f"{name}-invalid"] = signals.encode(_invalid(700), marked, profile, **DELAYED)
    return found


def _spikes() -> dict[str, bytes]:
    beats = signals.beats(600, 2)
    clipped = signals.stream_info(2, minimum=-400, maximum=400, bits=11, invalid=-401)
    tied = {
        tie: Spikes(signals.zero_sum_kernels(tie)) for tie in ("adjoint", "convolution")
    }  # fmt: skip
    fixed = Spikes(signals.fixed_kernels())
    return {
        "spikes-adjoint": signals.encode([beats], clipped, tied["adjoint"], **LIVE),
        "spikes-convolution": signals.encode([beats], clipped, tied["convolution"], **FILE),
        "spikes-fixed-baseline": signals.encode([beats], clipped, fixed, **FILE),
        "spikes-gaps": signals.encode(_broken_run(), clipped, tied["adjoint"], **FILE),
        "spikes-invalid": signals.encode(_invalid(), clipped, tied["adjoint"], **FILE),
    }


def cases() -> dict[str, bytes]:
    """Name and bytes of every golden file."""
    return _lossless() | _bounded() | _transformed() | _spikes()


def summary(data: bytes) -> dict[str, Any]:
    """What a file decodes to: digests of samples and validity, and everything else in words."""
    decoder = Decoder(compiled_core())
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
    for path in FILES.glob("*.san"):
        path.unlink()
    manifest = {}
    for name, data in cases().items():
        (FILES / f"{name}.san").write_bytes(data)
        manifest[name] = summary(data)
    MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
