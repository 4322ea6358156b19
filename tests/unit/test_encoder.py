"""What the encoder takes, what it refuses, and what it may not do to later messages."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from san_runtime.encoder import Encoder
from san_stream import (
    Chunk,
    Decoder,
    Event,
    Gap,
    Kernel,
    Kernels,
    KernelSet,
    Lead,
    SampleError,
    SettingError,
    Spikes,
    StreamInfo,
)
from san_stream.coding.stream import MAX_MODEL_BYTES, model_bytes
from san_stream.headers import Header, pack_header, unpack_header
from san_stream.profiles import PRESETS, Bounded, Lossless, Preset, Profile, Quality
from san_stream.wire import Kind, pack_message

ECG = Lead("ECG", gain=200.0, baseline=1024, bits=11, minimum=-2048, maximum=2047)
BEAT = Kernel((-3, 1, 9, -4, -5, 2), med=4)
MODEL = Kernels((KernelSet((BEAT,), scale=4, step=3),), Fraction(100))


def info(*leads: Lead, rate: Fraction = Fraction(100), stream: int = 0) -> StreamInfo:
    return StreamInfo(rate, leads or (ECG,), stream=stream)


def noise(count: int, leads: int = 1) -> np.ndarray:
    return np.random.default_rng(5).integers(-99, 99, (count, leads), np.int32)


@given(
    st.one_of(
        st.floats(1e-6, 2**31 - 1),
        st.fractions(Fraction(1, 10**6), 2**31 - 1),
        st.sampled_from([125.123456789, 256.41025641, 173.61]),
    )
)
def test_every_rate_survives_the_header(rate: float | Fraction) -> None:
    """Rates come as decimals and floats; what is written can be read."""
    given_info = StreamInfo(rate, (ECG,))  # type: ignore[arg-type]
    header = Header(given_info, Lossless(), 100, 1000)
    assert unpack_header(pack_header(header), 0).info == given_info
    assert abs(given_info.rate - Fraction(rate)) <= Fraction(rate) / 10**6


def spikes_of(samples: np.ndarray, valid: np.ndarray, lead: Lead = ECG) -> list[tuple[int, int]]:
    encoder = Encoder(info(lead), Spikes(MODEL), block=50)
    data = b"".join(encoder.push(Chunk(0, samples, valid)) + encoder.close())
    decoder = Decoder()
    signals = decoder.push(data)
    assert decoder.streams[0].digest_ok
    return [(s.sample, s.amplitude) for signal in signals for s in signal.spikes]


@pytest.mark.parametrize("missing", [0, 1, 40, 60, 130, 400])
def test_an_offset_moves_no_spike_where_the_run_begins_without_a_value(missing: int) -> None:
    samples = noise(400)
    valid = np.arange(400)[:, None] >= missing
    expected = spikes_of(samples, valid)
    assert spikes_of(samples + 500, valid) == expected
    assert all(sample >= missing for sample, _ in expected)
    assert bool(expected) == (missing < 400)


@pytest.mark.parametrize("missing", [0, 1, 40, 60, 130, 400])
@pytest.mark.parametrize("step", [1, 7, 50])
def test_late_values_give_the_same_bytes_in_any_chunks(missing: int, step: int) -> None:
    samples = noise(400)
    valid = np.arange(400)[:, None] >= missing
    whole = Encoder(info(), Spikes(MODEL), block=50)
    expected = whole.push(Chunk(0, samples, valid)) + whole.close()
    pieces = Encoder(info(), Spikes(MODEL), block=50)
    got: list[bytes] = []
    for at in range(0, 400, step):
        part = slice(at, at + step)
        got += pieces.push(Chunk(at, samples[part], valid[part]))
    assert got + pieces.close() == expected


def test_a_lead_without_values_holds_nothing_up() -> None:
    two = (ECG, Lead("off", baseline=2**31 - 1, minimum=0, maximum=1))
    encoder = Encoder(info(*two), Spikes(MODEL), block=50)
    valid = np.repeat([[True, False]], 300, axis=0)
    messages = encoder.push(Chunk(0, noise(300, 2), valid))
    assert encoder.decided >= 200
    decoder = Decoder()
    signals = decoder.push(b"".join(messages + encoder.close()))
    assert not np.concatenate([s.valid for s in signals])[:, 1].any()
    assert decoder.streams[0].digest_ok


def test_an_event_of_a_lead_that_is_not_there_is_refused() -> None:
    encoder = Encoder(info())
    with pytest.raises(SampleError, match="event of lead 1, the stream has 1"):
        encoder.push(Event(5, "N", lead=1))
    assert encoder.push(Event(5, "N", lead=0)) == []


@pytest.mark.parametrize("count", [2**62 - 2001, 2**62 - 2000, 2**62 - 1])
def test_positions_beyond_the_limit_are_refused(count: int) -> None:
    encoder = Encoder(info())
    encoder.push(noise(2000))
    if count == 2**62 - 2001:
        encoder.push(Gap(2000, count))
        with pytest.raises(SampleError, match="positions must be below 2\\^62"):
            encoder.push(noise(1))
    else:
        with pytest.raises(SampleError, match="positions must be below 2\\^62"):
            encoder.push(Gap(2000, count))
        assert encoder.position == 2000


def test_positions_stay_right_when_a_gap_of_many_blocks_is_lost() -> None:
    """Block numbers repeat after 65,536: a long gap is followed by HEADER and RESET."""
    encoder = Encoder(info(), block=1)
    before = encoder.push(noise(10))
    after = encoder.push(Gap(10, 70_000)) + encoder.push(noise(10)) + encoder.close()
    gap_messages = [m for m in after if m[1] >> 4 == Kind.GAP]
    assert len(gap_messages) == 1
    decoder = Decoder()
    kept = [m for m in before + after if m not in gap_messages]
    signals = decoder.push(b"".join(kept)) + decoder.close()
    rows = {signal.first_sample: len(signal) for signal in signals if len(signal)}
    assert list(rows) == [*range(10), *range(70_010, 70_020)]
    assert [g.count for s in signals for g in s.gaps] == [70_000]


def test_a_block_that_no_message_holds_is_refused() -> None:
    kernels = (Kernel((-30000, 30000), med=1),) * 16
    dense = Kernels((KernelSet(kernels, scale=8, step=0),), Fraction(100))
    with pytest.raises(SettingError, match="block of 32768 samples: must be 1 to 2048"):
        Encoder(info(), Spikes(dense), block=32768)
    encoder = Encoder(info(), Spikes(dense), block=2048)
    samples = np.random.default_rng(1).integers(-2048, 2047, (4096, 1), np.int32)
    decoder = Decoder()
    decoder.push(b"".join(encoder.push(samples) + encoder.close()))
    assert decoder.streams[0].digest_ok


def predicted_bytes(preset: Preset, leads: int, block: int, template: int) -> int:
    """What docs/format.md says ("Limits") that the models of a predicted stream take."""
    own = {"lean": (24, 16, 32), "max": (16, 48, 16, 24, 2, 16, 32)}
    beat = {"lean": (1, 0, 1), "max": (1, 0, 0, 1, 0, 1, 1)}
    others = {"lean": (1, 1, 1), "max": (1, 1, 1, 1, 0, 1, 1)}
    total = 0
    for lead in range(leads):
        total += 2352 + 8 * (block + 4)
        if preset in ("tiny", "fast"):
            total += 12_096 + 8 * (template // 2) if preset == "tiny" else 50_080 + 8 * template
            continue
        regressors = min(lead, 8) * (2 if lead > 3 else (0, 4, 4, 3)[lead])
        sizes = [
            min(of_lead + 1 + regressors * with_others + 4 * with_beat, 64)
            for of_lead, with_beat, with_others in zip(
                own[preset], beat[preset], others[preset], strict=True
            )
        ]
        sizes.append(len(sizes))
        total += 8 * (sum(n * n + 3 * n for n in sizes) + 3 * template + 600)
        total += {"lean": 320_100, "max": 332_340}[preset]
    return total


@pytest.mark.parametrize("preset", PRESETS)
def test_models_take_what_the_format_says(preset: Preset) -> None:
    for count in (1, 2, 4, 9, 64):
        leads = tuple(Lead(str(i)) for i in range(count))
        header = Header(info(*leads), Lossless(preset), 70, 1000)
        assert model_bytes(header) == predicted_bytes(preset, count, 70, 130)


@pytest.mark.parametrize("preset", ["lean", "max"])
def test_models_of_all_streams_have_one_limit(preset: Preset) -> None:
    leads = tuple(Lead(str(i)) for i in range(255))
    fitting = MAX_MODEL_BYTES // predicted_bytes(preset, 255, 100, 130)
    decoder = Decoder()
    for stream in range(fitting + 2):
        header = Header(info(*leads, stream=stream), Lossless(preset), 100, 1000)
        decoder.push(pack_message(Kind.HEADER, 0, stream, 0, pack_header(header)))
    assert len(decoder.streams) == fitting
    assert fitting > 0


@pytest.mark.parametrize(
    "profile", [Lossless("max"), Bounded((2,) * 255, "max"), Quality(bps=1), Bounded((9,) * 255)]
)
@pytest.mark.parametrize("count", [1, 255])
def test_one_stream_alone_is_inside_the_limit(profile: Profile, count: int) -> None:
    """Whatever its rate: the longest templates and kernels, the largest block."""
    if isinstance(profile, Bounded):
        profile = Bounded(profile.errors(255)[:count], profile.preset)
    leads = tuple(Lead(str(i)) for i in range(count))
    header = Header(info(*leads, rate=Fraction(2**31 - 1)), profile, 32768 // count, 2**20)
    assert model_bytes(header) <= MAX_MODEL_BYTES


def test_models_that_no_decoder_would_take_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("san_runtime.encoder.MAX_MODEL_BYTES", 2**22)
    leads = tuple(Lead(str(i)) for i in range(16))
    needed = predicted_bytes("lean", 16, 100, 130) >> 20
    message = f"models of 16 leads take {needed} MiB, decoders allow 4; a lighter preset or fewer"
    with pytest.raises(SettingError, match=message):
        Encoder(info(*leads), Lossless("lean"))
    with pytest.raises(SettingError, match=message):
        Encoder(info(*leads), Bounded(2))
    Encoder(info(*leads), Lossless("tiny"))
    Encoder(info(*leads[:4]), Lossless("lean"))


def test_a_model_is_saved_beside_no_ones_file(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (tmp_path / "m.json.partial").symlink_to(victim)
    MODEL.save(tmp_path / "m.json")
    assert victim.read_text(encoding="utf-8") == "mine"
    assert Kernels.load(tmp_path / "m.json") == MODEL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.json.partial", "victim"]
