"""`Signal.beats`: the spikes of adapted kernels are the beats that cardiologists marked."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from san_runtime import Encoder, compiled_core
from san_stream import Beat, Bounded, Decoder, Lead, Quality, StreamInfo
from san_stream.profiles import Profile

RATE, SECONDS = 360, 120
BEAT_SYMBOLS = set("NLRBAaJSVrFejnE/fQ?")
NEAR = 0.15 * RATE
"""As far from its mark a beat is taken for found (ANSI/AAMI EC57)."""


def beats_of(samples: np.ndarray, profile: Profile, step: int) -> list[Beat]:
    """Beats that the decoder tells when the bytes come in pieces."""
    leads = tuple(Lead(f"{i}", gain=200.0, bits=11, baseline=1024) for i in range(samples.shape[1]))
    encoder = Encoder(StreamInfo(Fraction(RATE), leads), profile)
    data = b"".join(encoder.push(samples) + encoder.close())
    decoder = Decoder(core=compiled_core())
    found: list[Beat] = []
    for at in range(0, len(data), step):
        for signal in decoder.push(data[at : at + step]):
            found += signal.beats
    return found + [beat for signal in decoder.close() for beat in signal.beats]


@pytest.mark.parametrize("record", ["100", "200", "231"])
def test_beats_are_where_they_were_marked(record: str, data: Callable[[str], Path]) -> None:
    import wfdb

    path = str(data(f"mitdb/{record}"))
    count = RATE * SECONDS
    samples = wfdb.rdrecord(path, physical=False, sampto=count).d_signal[:, :1].astype(np.int32)
    marks = wfdb.rdann(path, "atr", sampto=count)
    pairs = zip(marks.sample, marks.symbol, strict=True)
    true = np.array([at for at, symbol in pairs if symbol in BEAT_SYMBOLS])
    beats = beats_of(samples, Quality(prdn=9), 1000)
    places = np.array([beat.position for beat in beats])
    assert (np.diff(places) > 0).all()
    missed = [at for at in true if np.abs(places - at).min() > NEAR]
    false = [at for at in places if np.abs(true - at).min() > NEAR]
    assert len(missed) <= 1 + 0.01 * len(true), missed
    assert len(false) <= 1 + 0.02 * len(true), false
    first, *others = beats
    assert first.kernel is None, "no shape is known before the first beat"
    assert sum(beat.kernel is not None for beat in others) > 0.9 * len(others)
    gains = [beat.gain for beat in beats if beat.kernel is not None]
    assert 0.5 < float(np.median(gains)) < 2


def test_pieces_and_profiles_do_not_matter(data: Callable[[str], Path]) -> None:
    import wfdb

    path = str(data("mitdb/100"))
    samples = wfdb.rdrecord(path, physical=False, sampto=RATE * 20).d_signal.astype(np.int32)
    whole = beats_of(samples, Bounded(10), 10**9)
    assert {beat.lead for beat in whole} == {0, 1}
    assert beats_of(samples, Bounded(10), 7) == whole
    assert beats_of(samples, Bounded(2), 1000) == []
