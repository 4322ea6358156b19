"""The product's decoder and one written from the documents alone read the same from every file."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import floor, log2
from typing import Any

import numpy as np
import pytest

from san_runtime.compiled import compiled_core
from san_stream import Decoder, Lossless, Spikes
from san_stream.loss import loss_value
from san_stream.profiles import PRESETS, Bounded, Preset, Profile, Quality
from san_stream.types import Chunk, Event, Gap, Lead, Signal, StreamInfo
from tests.golden import signals, spec_decoder, spec_frames

SPARSE: dict[str, Profile] = {
    "spikes": Spikes(signals.zero_sum_kernels()),
    "spikes-convolution": Spikes(signals.zero_sum_kernels("convolution")),
    "fixed-baseline": Spikes(signals.fixed_kernels()),
    "fixed-baseline-convolution": Spikes(signals.fixed_kernels("convolution")),
}
TINY = Lossless("tiny")
OPTIONS: dict[str, dict[str, Any]] = {
    "live": {"block": 64, "window": 100, "reset": 640},
    "packed": {"block": 64, "window": 100, "reset": 640, "pack": 400},
    "odd": {"block": 33, "window": 16, "reset": 99, "pack": 200},
    "single": {"block": 1, "window": 17, "reset": 300, "pack": 50},
    "long": {"block": 700, "window": 50, "reset": 700},
}
QUICK_OPTIONS: dict[str, dict[str, Any]] = {
    "live": {"block": 32, "window": 50, "reset": 160},
    "packed": {"block": 32, "window": 50, "reset": 160, "pack": 120},
    "odd": {"block": 33, "window": 16, "reset": 99, "pack": 200},
    "single": {"block": 1, "window": 17, "reset": 150, "pack": 50},
    "long": {"block": 350, "window": 50, "reset": 350},
}
PREDICTED: list[tuple[Profile, str]] = [
    *((Lossless("tiny"), options) for options in QUICK_OPTIONS),
    *((Lossless("fast"), options) for options in QUICK_OPTIONS),
    *((Lossless("lean"), options) for options in ("live", "odd", "single")),
    (Lossless("max"), "packed"),
    (Bounded(2, "tiny"), "live"),
    (Bounded((0, 1), "fast"), "odd"),
    (Bounded((1, 0), "lean"), "packed"),
    (Bounded((2, 1), "max"), "long"),
]
DELAYED: dict[str, dict[str, Any]] = {
    "live": {"delay": 2.0, "window": 100, "reset": 640},
    "packed": {"delay": 2.0, "window": 100, "reset": 10_000, "pack": 400},
    "hasty": {"delay": 0.5, "window": 16, "reset": 330, "pack": 50},
}
TRANSFORMED: dict[str, Profile] = {
    "step": Quality(step=5.0),
    "prdn": Quality(prdn=6.0),
    "fine": Bounded((3, 0, 1)),
    "coarse": Bounded((20, 9, 40)),
}


def items(leads: int, n: int = 1300) -> list[Any]:
    """Two runs of beats, gaps between and behind, invalid samples, events."""
    x, cut = signals.beats(n, leads), 4 * n // 13

    def missing(t: int, lead: int) -> bool:
        u = 1300 * t // n
        return (300 <= u < 340 and lead == 0) or 500 <= u < 700 or (u > 900 and u % 97 < 3)

    valid = signals.invalid_where(x.shape, missing)
    return [
        Chunk(7, x[:cut], valid[:cut]),
        Gap(cut + 7, 50, "disconnected"),
        Event(cut, "N"),
        Event(9 * n // 13, "V", leads - 1, -3, 4, 5, "hé"),
        Chunk(cut + 57, x[cut:], valid[cut:]),
        Gap(n + 57, 1),
        Gap(n + 58, 3000, "off"),
        Chunk(n + 3058, x[:20], valid[:20]),
    ]


def agree(data: bytes) -> tuple[list[spec_decoder.Stream], Decoder]:
    """Decode with both; every sample, gap, event, window and spike count must agree."""
    expected = spec_decoder.decode(data)
    decoder = Decoder(compiled_core())
    got = decoder.push(data) + decoder.close()
    assert not [notice for signal in got for notice in signal.notices]
    for stream in expected:
        number = stream.info["number"]
        compare(stream, [signal for signal in got if signal.stream == number])
        assert stream.ended
        assert decoder.streams[int(str(number))].digest_ok is True
    return expected, decoder


def compare(stream: spec_decoder.Stream, got: list[Signal]) -> None:
    rows = np.concatenate([signal.digital for signal in got])
    valid = np.concatenate([signal.valid for signal in got])
    where = [signal.first_sample + i for signal in got for i in range(len(signal))]
    assert where == stream.positions
    np.testing.assert_array_equal(rows, np.array(stream.samples))
    np.testing.assert_array_equal(valid, np.array(stream.valid, dtype=bool))
    gaps = [(gap.first, gap.count, gap.reason) for signal in got for gap in signal.gaps]
    assert gaps == stream.gaps
    events = [
        (e.sample, e.lead, e.symbol, e.subtype, e.num, e.duration, e.text)
        for signal in got
        for e in signal.events
    ]
    assert events == stream.events
    counts = Counter((at // stream.window, lead) for at, lead in stream.spikes)
    windows = [window for signal in got for window in signal.windows if any(window.valid)]
    for window in windows:
        sent = stream.losses.get(window.first_sample, [0] * len(stream.leads))
        losses = [loss_value(x) if n else None for x, n in zip(sent, window.valid, strict=True)]
        assert list(window.losses) == losses
        for lead, number in enumerate(window.spikes):
            assert number == counts[window.index, lead]
    held = {p // stream.window for p, ok in zip(where, stream.valid, strict=True) if any(ok)}
    assert [window.index for window in windows] == sorted(held)


def told(streams: list[spec_decoder.Stream], samples: int) -> None:
    """Nothing of `items` is missing."""
    assert len(streams[0].gaps) == 3
    assert len(streams[0].events) == 2
    assert len(streams[0].samples) == samples


@pytest.mark.parametrize(("profile", "options"), list(product(SPARSE, OPTIONS)))
@pytest.mark.parametrize("leads", [1, 3])
def test_spikes(profile: str, options: str, leads: int) -> None:
    limits = {"minimum": -300, "maximum": 280, "invalid": -999}
    info = signals.stream_info(leads, baseline=3, **limits)
    x = [
        Chunk(i.first_sample, i.samples.clip(-300, 280), i.valid) if isinstance(i, Chunk) else i
        for i in items(leads)
    ]
    streams, _ = agree(signals.encode(x, info, SPARSE[profile], **OPTIONS[options]))
    told(streams, 1320)
    assert streams[0].spikes


@pytest.mark.parametrize(("profile", "options"), PREDICTED)
def test_predicted_samples(profile: Lossless | Bounded, options: str) -> None:
    info = signals.stream_info(2, baseline=3, invalid=-999)
    x = items(2, 325)
    streams, _ = agree(signals.encode(x, info, profile, **QUICK_OPTIONS[options]))
    told(streams, 345)
    bounds = profile.errors(2) if isinstance(profile, Bounded) else (0, 0)
    chunks = [item for item in x if isinstance(item, Chunk)]
    errors = np.abs(streams[0].samples - np.concatenate([chunk.samples for chunk in chunks]))
    largest = np.where(np.concatenate([chunk.valid for chunk in chunks]), errors, 0).max(axis=0)
    assert tuple(largest) == bounds


@pytest.mark.parametrize(("profile", "options"), list(product(TRANSFORMED, DELAYED)))
def test_transformed_samples(profile: str, options: str) -> None:
    info = signals.stream_info(3, minimum=-300, maximum=330, baseline=3, invalid=-999)
    streams, _ = agree(signals.encode(items(3), info, TRANSFORMED[profile], **DELAYED[options]))
    told(streams, 1320)


@pytest.mark.parametrize(
    ("profile", "options"),
    [
        (Bounded(2, "tiny"), QUICK_OPTIONS["live"]),
        (Bounded(9), DELAYED["live"]),
        (Quality(step=7.0), DELAYED["hasty"]),
    ],
)
def test_loss_indices_are_those_of_the_document(profile: Profile, options: dict[str, Any]) -> None:
    x = items(2, 650)
    info = signals.stream_info(2, minimum=-300, maximum=400)
    (stream,), _ = agree(signals.encode(x, info, profile, **options))
    chunks = [item for item in x if isinstance(item, Chunk)]
    original = np.concatenate([chunk.samples for chunk in chunks]).astype(object)
    parts = [
        (run, t // stream.block)
        for run, chunk in enumerate(chunks)
        for t in range(chunk.first_sample, chunk.first_sample + len(chunk.samples))
    ]
    for lead in range(2):
        by_part: dict[tuple[int, int], list[int]] = {}
        sums: dict[int, list[int]] = {}
        valid = [i for i, row in enumerate(stream.valid) if row[lead]]
        for i in valid:
            by_part.setdefault(parts[i], []).append(original[i, lead])
        for i in valid:
            values = by_part[parts[i]]
            mean = (2 * sum(values) + len(values)) // (2 * len(values))
            window = sums.setdefault(stream.positions[i] // stream.window * stream.window, [0, 0])
            window[0] += abs(original[i, lead] - stream.samples[i][lead])
            window[1] += abs(original[i, lead] - mean)
        assert len(sums) > 5
        for first, (error, spread) in sums.items():
            index = min(max(floor(16 * log2(error / spread)) + 224, 1), 254) if error else 0
            assert stream.losses[first][lead] == index


@pytest.mark.parametrize("preset", PRESETS)
def test_extremes_and_raw_blocks(preset: Preset) -> None:
    info = signals.stream_info(2)
    parts = [signals.extremes(80, 2), signals.beats(60, 2), signals.noise(80, 2, bits=32)]
    streams, decoder = agree(signals.encode(parts, info, Lossless(preset), block=20))
    np.testing.assert_array_equal(streams[0].samples, np.concatenate(parts))
    assert streams[0].predicted is not None
    assert streams[0].predicted.raws > 6
    assert decoder.counters.damaged_bytes == 0


def test_extremes_within_a_bound() -> None:
    info = signals.stream_info(2)
    parts = [signals.extremes(80, 2), signals.noise(60, 2, bits=32), signals.beats(60, 2)]
    agree(signals.encode(parts, info, Bounded(2, "fast"), block=20))
    agree(signals.encode(parts, info, Bounded(3), delay=0.5))


@pytest.mark.parametrize("bits", [8, 12, 16, 32])
def test_raw_block_that_ends_at_the_upper_rail(bits: int) -> None:
    """Such samples are all ones, so that the message ends in many zero bytes."""
    rail = np.full((65, 1), 2 ** (bits - 1) - 1, np.int32)
    for tail in (1, 2, 3, 8, 9, 65):
        x = np.concatenate((signals.noise(64, 1, bits=bits), rail[:tail]))
        streams, _ = agree(signals.encode([x], signals.stream_info(1), TINY, block=len(x)))
        np.testing.assert_array_equal(streams[0].samples, x)


def test_clipping_to_the_declared_range() -> None:
    """Kernels overshoot a signal that was clipped: what leaves the lead's range is clipped too."""
    info = signals.stream_info(1, minimum=-40, maximum=60)
    x = signals.beats(900, 1).clip(-40, 60)
    streams, _ = agree(signals.encode([x], info, SPARSE["spikes"], block=64))
    values = [row[0] for row in streams[0].samples]
    assert (min(values), max(values)) == (-40, 60)
    assert values.count(60) > 20


def test_messages_of_several_frames() -> None:
    info = signals.stream_info(3)
    data = signals.encode([signals.noise(2500, 3, bits=32)], info, TINY, block=2500)
    assert sum(1 for m in spec_frames.messages(data) if len(m[4]) > 3 * 4096) == 1
    agree(data)


def test_two_streams_in_one_file() -> None:
    fast = signals.stream_info(2, 100, stream=0, minimum=-500, maximum=500)
    slow = signals.stream_info(1, 10, stream=9)
    a = signals.encode_messages(items(2), fast, SPARSE["spikes"], block=64)
    b = signals.encode_messages([signals.beats(500, 1)], slow, TINY, block=20)
    mixed = [part for pair in zip(a, b, strict=False) for part in pair]
    rest = a[len(b) :] + b[len(a) :]
    streams, _ = agree(b"".join(mixed + rest))
    assert [stream.info["number"] for stream in streams] == [0, 9]


def test_header_is_repeated_after_an_hour() -> None:
    info = signals.stream_info(1, rate=1)
    data = signals.encode([signals.beats(8000, 1)], info, TINY, block=32)
    headers = [m for m in spec_frames.messages(data) if m[0] == spec_frames.HEADER]
    assert [content[4] for *_, content in headers] == [0, 1, 1]
    agree(data)


def test_header_fields() -> None:
    from datetime import UTC, datetime

    lead = Lead("MLII ∆", "µV", -0.005, -12, 11, -1024, 1023, -2048)
    info = StreamInfo(Fraction(360), (lead,), datetime(1999, 12, 31, 23, 59, 59, 250000, UTC), 200)
    streams, _ = agree(signals.encode([signals.beats(50, 1)], info, Lossless(), window=20))
    (stream,) = streams
    told = stream.leads[0]
    assert (told.name, told.unit, told.gain, told.baseline) == ("MLII ∆", "µV", -0.005, -12)
    assert (told.bits, told.minimum, told.maximum, told.invalid) == (11, -1024, 1023, -2048)
    assert stream.info["rate"] == (360, 1)
    assert stream.info["origin"] == 946684799250000
    assert (stream.window, stream.block) == (20, 360)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (Lossless("fast"), {"preset": 1}),
        (Bounded((1, 2), "max"), {"errors": (1, 2), "preset": 3}),
        (Bounded((0, 300)), {"errors": (0, 300), "late": 30}),
        (Quality(step=6.5), {"aim": (0, 6.5), "late": 30}),
        (Quality(prdn=0.1), {"aim": (1, 0.1), "late": 30}),
        (Quality(bps=1.5), {"aim": (2, 1.5), "late": 30}),
    ],
)
def test_profile_fields(profile: Profile, told: dict[str, Any]) -> None:
    info = signals.stream_info(2, minimum=-1000, maximum=1000)
    streams, _ = agree(signals.encode([signals.beats(40, 2)], info, profile))
    assert streams[0].info == {"rate": (100, 1), "origin": None, "number": 0, **told}
