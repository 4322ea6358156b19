"""Lossless and bounded hold their promise on every sample: real, synthetic and hostile ones.

A million samples by default; `make promises` goes through SAN_STREAM_SAMPLES of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from san_runtime import Encoder, compiled_core
from san_runtime.sources import open_source
from san_stream import Bounded, Decoder, Lead, Lossless, StreamInfo
from san_stream.profiles import Profile
from san_stream.types import Chunk

SAMPLES = int(os.environ.get("SAN_STREAM_SAMPLES", "1000000"))
LENGTH = 18_000
LOW, HIGH = -(2**31), 2**31 - 1
PROFILES: list[Profile] = [
    Lossless("tiny"),
    Bounded(5),
    Lossless("fast"),
    Bounded(1, "fast"),
    Bounded(20),
    Lossless("lean"),
    Bounded(2),
    Bounded(300),
    Lossless("max"),
    Bounded((0, 3)),
]


def hostile(rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Signals of one lead that no model expects, without end."""
    t = np.arange(LENGTH)
    reach = 2 ** int(rng.integers(1, 32)) - 1
    while True:
        yield rng.integers(-reach - 1, reach, LENGTH, endpoint=True)
        yield np.where(rng.random(LENGTH) < 0.01, rng.choice([LOW, HIGH], LENGTH), 0)
        yield np.repeat(rng.integers(LOW, HIGH, LENGTH // 100, endpoint=True), 100)
        yield (t % 2 * 2 - 1) * reach
        yield np.full(LENGTH, int(rng.integers(LOW, HIGH, endpoint=True)))
        yield np.cumsum(rng.integers(-50, 51, LENGTH))
        yield (reach * np.clip(1.5 * np.sin(t / rng.uniform(2, 60)), -1, 1)).astype(np.int64)
        yield np.where(t // 700 % 2 == 0, -reach, reach)
        reach = 2 ** int(rng.integers(1, 32)) - 1


def pairs(rng: np.random.Generator) -> Iterator[NDArray[np.int32]]:
    """Hostile signals, two leads at a time."""
    source = hostile(rng)
    while True:
        both = np.stack([next(source), next(source)], axis=1)
        yield np.clip(both, LOW, HIGH).astype(np.int32)


def pieces(record: Path) -> Iterator[NDArray[np.int32]]:
    """A record's first two leads in pieces."""
    with open_source(str(record), channels=["0", "1"]) as source:
        held = np.zeros((0, 2), np.int32)
        for item in source:
            if isinstance(item, Chunk):
                held = np.concatenate((held, item.samples))
                while len(held) >= LENGTH:
                    yield held[:LENGTH]
                    held = held[LENGTH:]


def check(profile: Profile, samples: NDArray[np.int32]) -> None:
    info = StreamInfo(Fraction(360), tuple(Lead(name) for name in ("one", "two")))
    encoder = Encoder(info, profile, pack=Encoder.file_pack(info))
    decoder = Decoder(core=compiled_core())
    got = [
        signal.digital
        for message in [*encoder.push(samples), *encoder.close()]
        for signal in decoder.push(message)
    ]
    shown = np.concatenate(got).astype(np.int64)
    assert shown.shape == samples.shape
    bounds = profile.errors(2) if isinstance(profile, Bounded) else (0, 0)
    assert (np.abs(shown - samples).max(axis=0) <= bounds).all()
    assert decoder.streams[0].digest_ok


@pytest.mark.compiled
def test_no_sample_breaks_a_promise(data_root: Path) -> None:
    records = sorted((data_root / "mitdb").glob("*.hea"))
    real = (piece for record in cycle(records) for piece in pieces(record.with_suffix("")))
    synthetic = pairs(np.random.default_rng(1))
    done = 0
    for profile, source in cycle((p, s) for s in (synthetic, real) for p in PROFILES):
        if done >= SAMPLES:
            break
        samples = next(source)
        check(profile, samples)
        done += samples.size
    assert done >= SAMPLES
