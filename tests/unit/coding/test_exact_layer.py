"""The predictive coder: exact, inside its bound, the same bytes everywhere, never a waste."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from san_runtime.compiled import compiled_core
from san_stream.coding.core import PLAIN
from san_stream.profiles import Preset
from san_stream.types import INT32_MAX, INT32_MIN

PRESETS: tuple[Preset, ...] = get_args(Preset)
every_preset = pytest.mark.parametrize("preset", PRESETS)
every_bound = pytest.mark.parametrize("bound", [0, 1, 2])

RNG = np.random.default_rng(7)
T = np.arange(700)
HOSTILE = {
    "noise": RNG.integers(INT32_MIN, INT32_MAX + 1, len(T)),
    "alternation": np.where(T % 2, INT32_MAX, INT32_MIN),
    "square": np.where(T // 90 % 2, INT32_MAX, INT32_MIN),
    "step": np.where(T > 350, INT32_MAX, INT32_MIN),
    "lowest": np.full(len(T), INT32_MIN),
    "highest": np.full(len(T), INT32_MAX),
    "impulses": np.where(T % 170 == 0, INT32_MAX, 0),
    "two values": np.where(RNG.random(len(T)) < 0.5, INT32_MIN, INT32_MAX),
    "24 bits": RNG.integers(-(2**23), 2**23, len(T)),
    "quiet, then loud": np.where(T < 350, T % 3, RNG.integers(INT32_MIN, INT32_MAX, len(T))),
    "loud, then quiet": np.where(T < 350, RNG.integers(INT32_MIN, INT32_MAX, len(T)), T % 3),
    "sine": np.rint(8e6 * np.sin(T / 9)),
}


def ecg(length: int, leads: int = 1, seed: int = 1) -> np.ndarray:
    """Pulses with noise, a little different in each lead."""
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    wave = sum(300 * np.exp(-(((t - c) / 5) ** 2)) for c in range(150, length, 290))
    wave = wave + 60 * np.sin(t / 57) + 1000
    return np.rint(
        np.stack([wave * (1 + k / 4) + rng.normal(0, 3, length) for k in range(leads)], 1)
    ).astype(np.int64)


@every_preset
@every_bound
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_signals_stay_inside_the_bound(
    stream: Any, name: str, bound: int, preset: Preset
) -> None:
    signal = HOSTILE[name].astype(np.int64)
    stream.check(np.stack([signal, signal[::-1]], 1), preset, bound)


@every_preset
@every_bound
def test_plain_and_compiled_write_the_same_bytes(stream: Any, preset: Preset, bound: int) -> None:
    noise = HOSTILE["noise"][:90].reshape(-1, 1).repeat(3, 1)
    signal = np.concatenate([ecg(350, 3), noise, ecg(100, 3)])
    results = [
        stream(preset, [bound] * 3, core).encode(signal) for core in (PLAIN, compiled_core())
    ]
    assert results[0][0] == results[1][0]
    assert (results[0][1] == results[1][1]).all()
    shown = stream(preset, [bound] * 3, PLAIN).decode(results[0][0], len(signal))
    assert (shown == results[0][1]).all()


@given(
    st.sampled_from(PRESETS),
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.integers(1, 33),
    st.integers(1, 60),
    st.integers(1, 1000),
)
@settings(max_examples=60)
def test_any_signal_any_blocks_any_gaps(
    stream: Any, preset: Preset, bounds: list[int], seed: int, bits: int, block: int, rate: int
) -> None:
    rng = np.random.default_rng(seed)
    reach = 2 ** (bits - 1)
    signal = rng.integers(max(-reach, INT32_MIN), min(reach, INT32_MAX) + 1, (150, len(bounds)))
    if seed % 2:
        signal = np.clip(np.cumsum(signal, 0), INT32_MIN, INT32_MAX)
    valid = (rng.random(signal.shape) < rng.choice([0.1, 0.9, 1.0])).astype(np.int64)
    cuts = sorted(int(c) for c in rng.integers(1, 150, 3))
    core = compiled_core()
    data, shown = stream(preset, bounds, core, block=block, rate=rate).encode(signal, valid, cuts)
    reader = stream(preset, bounds, core, block=block, rate=rate)
    assert (reader.decode(data, len(signal), valid, cuts) == shown).all()
    assert not reader.failed
    assert (
        np.abs(shown - signal)[valid == 1] <= np.broadcast_to(bounds, signal.shape)[valid == 1]
    ).all()


@every_preset
def test_invalid_samples_repeat_the_last_one_at_no_cost(stream: Any, preset: Preset) -> None:
    signal = ecg(900)
    valid = np.ones_like(signal)
    valid[300:600] = 0
    data, shown = stream(preset, [0], compiled_core()).encode(signal, valid)
    assert (shown[300:600] == signal[299]).all()
    alone = stream(preset, [0], compiled_core()).encode(np.delete(signal, range(300, 600), 0))[0]
    assert len(data) < 1.1 * len(alone) + 8


@every_preset
def test_a_run_begins_far_from_the_baseline_for_a_few_bytes(stream: Any, preset: Preset) -> None:
    near = len(stream.check(ecg(400), preset, 0, baseline=1000))
    far = len(stream.check(ecg(400) + 2**30, preset, 0, baseline=1000))
    assert far - near <= 10


@every_preset
def test_restart_forgets_the_signal_but_not_what_was_learned(stream: Any, preset: Preset) -> None:
    signal = ecg(7200)
    coder, reader = (stream(preset, [0], compiled_core()) for _ in range(2))
    first, _ = coder.encode(signal[:6300])
    reader.decode(first, 6300)
    for each in (coder, reader):
        each.layer.restart()
    second, shown = coder.encode(signal[6300:])
    assert (reader.decode(second, 900) == shown).all()
    assert len(second) < 0.97 * len(stream.check(signal[6300:], preset, 0))


@every_preset
def test_reset_is_a_new_beginning(stream: Any, preset: Preset) -> None:
    signal = ecg(800, 3)
    coder = stream(preset, [0, 1, 2], compiled_core())
    first = coder.encode(signal)[0]
    assert coder.encode(signal)[0] != first
    coder.reset()
    assert coder.encode(signal)[0] == first


@every_preset
@pytest.mark.parametrize("bits", [1, 8, 16, 24, 32])
def test_noise_costs_no_more_than_its_raw_bits(stream: Any, preset: Preset, bits: int) -> None:
    """Raw and 0.05 bit a sample, in blocks of 360; first block apart, whose flag is new."""
    half = 2 ** (bits - 1)
    signal = np.random.default_rng(bits).integers(-half, half, (360 * 20, 1))
    data = stream.check(signal, preset, 0, block=360)
    assert 8 * len(data) / len(signal) <= bits + 0.05


@every_preset
def test_noise_and_signal_by_turns_cost_no_more_than_raw(stream: Any, preset: Preset) -> None:
    rng = np.random.default_rng(2)
    noise, calm = rng.integers(-(2**15), 2**15, 360), np.zeros(360, np.int64)
    signal = np.concatenate([noise, calm] * 20).reshape(-1, 1)
    data = stream.check(signal, preset, 0, block=360)
    assert 8 * len(data) <= 360 * 20 * (16 + 1) + 0.05 * len(signal)


@every_preset
def test_the_model_runs_over_raw_blocks_too(stream: Any, preset: Preset) -> None:
    """After a raw block both sides go on with equal models, whatever the bound."""
    signal = ecg(1080, 2)
    signal[360:720] = np.random.default_rng(1).integers(INT32_MIN, INT32_MAX, (360, 2))
    for bound in (0, 2):
        stream.check(signal, preset, bound, block=360)


def test_a_full_buffer_is_an_error_and_nothing_worse(stream: Any) -> None:
    coder = stream("lean", [0], compiled_core(), block=360)
    coder.encode(HOSTILE["noise"][:360].reshape(-1, 1), room=200)
    assert coder.failed


@every_preset
@given(st.binary(max_size=200))
@settings(max_examples=30)
def test_any_bytes_decode_to_something_in_range(stream: Any, preset: Preset, data: bytes) -> None:
    shown = stream(preset, [0, 2], compiled_core()).decode(data, 360)
    assert shown.min() >= INT32_MIN
    assert shown.max() <= INT32_MAX


@every_preset
def test_many_leads_help_each_other(stream: Any, preset: Preset) -> None:
    """Twelve leads of one noisy source; lean and max see it, the others do not."""
    signal = ecg(1500, 12) + np.random.default_rng(3).integers(-40, 41, (1500, 1))
    together = len(stream.check(signal, preset, 0, rate=100))
    apart = sum(len(stream.check(signal[:, k : k + 1], preset, 0, rate=100)) for k in range(12))
    if preset in ("lean", "max"):
        assert together < 0.75 * apart
    else:
        assert abs(together - apart) < 60


def test_stronger_presets_need_fewer_bits(stream: Any, data: Callable[[str], Path]) -> None:
    """An ECG of a minute: the order of presets, and figures close to those of the method."""
    import wfdb

    record = wfdb.rdrecord(str(data("mitdb/103")), physical=False, sampto=21600)
    signal = record.d_signal[:, :1].astype(np.int64)
    bits = {p: 8 * len(stream.check(signal, p, 0, block=360)) / len(signal) for p in PRESETS}
    assert bits["tiny"] > bits["fast"] > bits["lean"]
    assert bits["max"] < bits["fast"]
    for preset, most in {"tiny": 3.61, "fast": 3.56, "lean": 3.33, "max": 3.34}.items():
        assert bits[preset] <= most
    near = 8 * len(stream.check(signal, "lean", 2, block=360)) / len(signal)
    assert near < bits["lean"] - 1.4


def test_release_frees_and_memory_is_told(stream: Any) -> None:
    from fractions import Fraction

    from san_stream.coding.exact_layer import ExactLayer

    for preset in PRESETS:
        told = ExactLayer.memory(Fraction(360), 2, 360, preset)
        coder = stream(preset, [0, 0], compiled_core(), block=360)
        held = _bytes_of(coder.layer)
        assert 0.7 * held <= told <= 1.6 * held + 8000, preset
        coder.layer.release()
        assert _bytes_of(coder.layer) < 1000


def _bytes_of(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of all arrays that an object holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, list | tuple):
        return sum(_bytes_of(part, seen) for part in thing)
    names = list(getattr(thing, "__dict__", ())) + list(getattr(type(thing), "__slots__", ()))
    if type(thing).__module__.startswith("san_stream.coding.exact"):
        return sum(_bytes_of(getattr(thing, name), seen) for name in names)
    return 0
