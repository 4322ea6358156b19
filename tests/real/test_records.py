"""Shared recordings through the whole path: lossless equal to the integer, others as promised.

The default run takes the first minute of each; the long run takes all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb

import san_runtime
from san_runtime.compiled import compiled_core
from san_runtime.encoder import Encoder
from san_runtime.sources import open_source
from san_stream import (
    Bounded,
    Chunk,
    Decoder,
    Kernels,
    Lead,
    Lossless,
    Quality,
    Spikes,
    StreamInfo,
    metrics,
)
from san_stream.profiles import Profile


def recordings() -> list[str]:
    """Names of all WFDB records below SAN_STREAM_DATA; one that skips where it is unset."""
    root = os.environ.get("SAN_STREAM_DATA")
    if not root:
        return ["none"]
    headers = sorted(Path(root).rglob("*.hea"))
    return [str(path.relative_to(root).with_suffix("")) for path in headers]


def columns(record: Path, seconds: float | None) -> list[np.ndarray]:
    """Digital samples of each signal, by wfdb itself."""
    header = wfdb.rdheader(str(record))
    stop = None if seconds is None else min(int(seconds * header.fs), header.sig_len)
    read = wfdb.rdrecord(str(record), physical=False, smooth_frames=False, sampto=stop)
    return [np.asarray(signal) for signal in read.e_d_signal]


def round_trip(
    record: Path, seconds: float | None, profile: Profile | None = None
) -> tuple[list[np.ndarray], int]:
    """Decoded columns of all leads in the source's order, and the size of the file."""
    encoders: dict[int, Encoder] = {}
    data: list[bytes] = []
    with open_source(f"wfdb:{record}", duration=seconds) as source:
        for info in source.infos:
            encoders[info.stream] = Encoder(info, profile, pack=Encoder.file_pack(info))
        for item in source:
            data += encoders[item.stream].push(item)
    for encoder in encoders.values():
        data += encoder.close()
    file = b"".join(data)
    decoder = Decoder(compiled_core())
    signals = decoder.push(file) + decoder.close()
    assert all(stream.digest_ok for stream in decoder.streams.values())
    parts = {number: [s.digital for s in signals if s.stream == number] for number in encoders}
    decoded = []
    for number in sorted(parts):
        rows = np.concatenate(parts[number])
        decoded += [rows[:, i] for i in range(rows.shape[1])]
    windows = [w for s in signals for w in s.windows]
    assert sum(w.bits for w in windows) == 8 * len(file)
    assert sum(decoder.counters.bits.values()) == 8 * len(file)
    return decoded, len(file)


def check(record: Path, seconds: float | None) -> None:
    expected = columns(record, seconds)
    decoded, _ = round_trip(record, seconds)
    unmatched = [column.tobytes() for column in (c.astype(np.int32) for c in expected)]
    assert sorted(c.tobytes() for c in decoded) == sorted(unmatched)


@pytest.mark.parametrize("name", recordings())
def test_the_first_minute_is_decoded_equal(data_root: Path, name: str) -> None:
    check(data_root / name, 60)


@pytest.mark.parametrize("name", recordings()[::6])
@pytest.mark.parametrize("error", [2, 10])
def test_a_bound_holds(data_root: Path, name: str, error: int) -> None:
    expected = columns(data_root / name, 20)
    decoded, _ = round_trip(data_root / name, 20, Bounded(error))
    left = [column.astype(np.int64) for column in expected]
    for lead in decoded:  # streams of one rate each: their leads stand in another order
        near = [
            i
            for i, column in enumerate(left)
            if len(column) == len(lead) and np.abs(column - lead).max() <= error
        ]
        assert near
        del left[near[0]]
    assert left == []


@pytest.mark.parametrize("prdn", [5.0, 9.0])
def test_prdn_is_what_was_asked_for(data: Callable[[str], Path], prdn: float) -> None:
    record = data("mitdb/100")
    decoded, size = round_trip(record, 180, Quality(prdn=prdn))
    for original, lead in zip(columns(record, 180), decoded, strict=True):
        assert metrics.prdn(original, lead) == pytest.approx(prdn, rel=0.05)
    assert 8 * size / sum(map(len, decoded)) < 1.2


@pytest.mark.long
@pytest.mark.parametrize("name", recordings())
def test_the_whole_record_is_decoded_equal(data_root: Path, name: str) -> None:
    check(data_root / name, None)


def test_bonn_segments_are_decoded_equal(data_root: Path) -> None:
    arrays = np.load(data_root / "bonn" / "bonn_int16.npz")
    for name in arrays.files:
        segments = arrays[name][:10].astype(np.int32).T.copy()
        info = StreamInfo(
            Fraction(17361, 100), tuple(_lead(str(i)) for i in range(segments.shape[1]))
        )
        encoder = Encoder(info, Lossless())
        file = b"".join(encoder.push(Chunk(0, segments)) + encoder.close())
        decoder = Decoder(compiled_core())
        rows = np.concatenate([s.digital for s in decoder.push(file)])
        assert np.array_equal(rows, segments)
        assert decoder.streams[0].digest_ok


def test_64_channel_eeg_is_decoded_equal(data_root: Path) -> None:
    edfio = pytest.importorskip("edfio")
    edf = edfio.read_edf(data_root / "eegmmidb" / "S001R02.edf")
    samples = np.stack([signal.digital for signal in edf.signals], axis=1).astype(np.int32)
    info = StreamInfo(Fraction(160), tuple(_lead(signal.label) for signal in edf.signals))
    encoder = Encoder(info, Lossless(), pack=Encoder.file_pack(info))
    file = b"".join(encoder.push(samples) + encoder.close())
    decoder = Decoder(compiled_core())
    rows = np.concatenate([s.digital for s in decoder.push(file)])
    assert np.array_equal(rows, samples)
    assert decoder.streams[0].digest_ok


def _lead(name: str) -> Lead:
    return Lead(name, "uV", 1.0, 0)


@pytest.mark.parametrize("columns_used", [[0], [1], [0, 1]])
def test_rates_of_the_spikes_profile(data: Callable[[str], Path], columns_used: list[int]) -> None:
    """30 minutes with the bundled model: all bytes of the file, and those that are no signal."""
    model = Kernels.load(Path(san_runtime.__file__).parent / "demo_data" / "100_kernels.json")
    with open_source(f"wfdb:{data('mitdb/100')}", channels=columns_used) as source:
        info = source.info
        encoder = Encoder(info, Spikes(model), pack=Encoder.file_pack(info))
        file = b"".join(message for item in source for message in encoder.push(item))
    file += b"".join(encoder.close())
    decoder = Decoder(compiled_core())
    samples = sum(signal.digital.size for signal in decoder.push(file))
    assert samples == 650_000 * len(columns_used)
    assert 8 * len(file) / samples < 0.15
    bits = decoder.counters.bits
    assert sum(bits.values()) == 8 * len(file)
    assert (bits["container"] + bits["statistics"]) / samples <= 0.012
