"""The encoder's side: the detector and the baseline, corrections, the shadow coder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from san_runtime.compiled import compiled_core
from san_runtime.quality import given
from san_runtime.quality.detector import find_beats, moving_sum, remove_baseline
from san_runtime.quality.likeness import ONE, Likeness, likeness
from san_runtime.quality.shadow import PAUSE_SECONDS, Account
from san_stream.coding.beats import BIRTH
from tests.unit.coding.quality_streams import Setting, beating, decode, encode

Find = Callable[[str], Path]
BEATS = set("NLRBAaJSVrFejnE/fQ?")


def record(data: Find, name: str, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Leads, and where beats are annotated."""
    path = str(data(name))
    signal = wfdb.rdrecord(path, sampto=count, physical=False).d_signal.astype(np.int64)
    notes = wfdb.rdann(path, "atr", sampto=count)
    wanted = [s for s, symbol in zip(notes.sample, notes.symbol, strict=True) if symbol in BEATS]
    return signal, np.array(wanted)


def live(signal: NDArray[np.int64], block: int = 1152, ahead: int = 396) -> NDArray[np.int64]:
    """Beats as the encoder finds them: block by block, from the window that it has then."""
    found: list[int] = []
    for first in range(0, len(signal), block):
        end = min(first + block, len(signal))
        begin = max(end - block - 6 * 360, 0)
        beats = find_beats(signal[begin : end + ahead], 360) + begin
        found += [int(b) for b in beats if first + 108 <= b < end + 108]
    return np.array(found)


@pytest.mark.parametrize(("name", "share"), [("mitdb/100", 0.99), ("mitdb/103", 0.97)])
def test_annotated_beats_are_found(data: Find, name: str, share: float) -> None:
    signal, wanted = record(data, name, 108000)
    found = live(signal[:, 0])
    near = np.array([np.abs(found - beat).min() <= 30 for beat in wanted])
    assert near[1:].mean() >= share
    assert len(found) < 1.03 * len(wanted)


def test_detection_does_not_depend_on_gain_or_level() -> None:
    signal = beating(5000)
    found = find_beats(signal, 360)
    assert len(found) > 15
    np.testing.assert_array_equal(find_beats(signal * 5000 + 10**8, 360), found)


@pytest.mark.parametrize("count", [1, 2, 3, 50, 400])
@pytest.mark.parametrize("rate", [20, 360, 1280])
def test_any_window_will_do(count: int, rate: int) -> None:
    rng = np.random.default_rng(count)
    for signal in (np.zeros(count, np.int64), rng.integers(-(2**31), 2**31, count)):
        assert np.all(np.diff(find_beats(signal, rate)) > 0)
        assert len(remove_baseline(signal, rate)) == count


def test_moving_sums_are_those_of_brute_force() -> None:
    values = np.random.default_rng(2).integers(-100, 100, 40)
    padded = np.concatenate((np.full(3, values[0]), values, np.full(3, values[-1])))
    expected = [padded[i : i + 7].sum() for i in range(40)]
    np.testing.assert_array_equal(moving_sum(values, 7), expected)


def test_baseline_removal_is_like_a_high_pass(data: Find) -> None:
    """The part that 0.7 Hz Butterworth takes away is taken away, beats stay."""
    signal, _ = record(data, "mitdb/103", 20000)
    wander = np.rint(200 * np.sin(np.arange(20000) * 2 * np.pi * 0.15 / 360)).astype(np.int64)
    ours = remove_baseline(signal[:, 0] + wander, 360)[720:-720]
    sections = butter(2, 0.7, "highpass", fs=360, output="sos")
    theirs = sosfiltfilt(sections, signal[:, 0] + 0.0)[720:-720]
    error = np.sqrt(np.mean((ours - theirs) ** 2))
    assert error < 0.25 * theirs.std()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


@pytest.mark.parametrize(("loss", "seconds"), [(1300, 30), (1100, 50), (1030, 100)])
def test_spikes_are_switched_off_the_later_the_smaller_the_loss(loss: int, seconds: int) -> None:
    account, off = Account(), []
    for _ in range(400):
        account.book(loss, 1000, 360, 360)
        off.append(account.pause > 0)
    assert not any(off[: seconds - 1])
    assert off[seconds]
    first_pause = off[seconds:].index(False)
    assert PAUSE_SECONDS - 1 <= first_pause <= PAUSE_SECONDS
    assert sum(off) > 100


def test_spikes_that_pay_are_never_switched_off() -> None:
    account = Account()
    for _ in range(1000):
        account.book(1000, 1000, 360, 360)
        assert account.pause == 0


def test_corrections_pay_where_the_step_is_coarse(data: Find) -> None:
    signal, _ = record(data, "mitdb/100", 43200)
    lead = signal[:, :1] - 1024
    setting = Setting(block=1152, steps=(16 * 64,))
    core = compiled_core()
    coded = encode(lead, setting, core)
    bare = encode(lead, setting, core, advised=False)
    error = np.mean((coded.shown - lead) ** 2.0) / np.mean((bare.shown - lead) ** 2.0)
    assert error < 0.85
    assert len(coded.data) < 1.1 * len(bare.data)


def test_kernels_outlast_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a reset the first beats have their kernel again, which costs less than a birth."""
    signal: NDArray[Any] = beating(18000)[:, None]
    setting, core = Setting(resets=(24,), steps=(16 * 10,)), compiled_core()
    coded = encode(signal, setting, core)
    assert {spike[1] for spike in coded.spikes[0][0]} == {BIRTH}
    assert {spike[1] for spike in coded.spikes[24][0]} == {0}
    read = decode(coded.data, signal.shape, setting, core)
    assert read is not None
    np.testing.assert_array_equal(read.shown, coded.shown)
    monkeypatch.setattr(given, "LEAST_USES", 10**9)
    learned = encode(signal, setting, core)
    assert {spike[1] for spike in learned.spikes[24][0]} == {BIRTH}
    assert len(coded.data) < 0.99 * len(learned.data)
    assert np.mean((coded.shown - signal) ** 2.0) < 1.01 * np.mean((learned.shown - signal) ** 2.0)


def test_what_is_seldom_used_is_learned_again() -> None:
    signal: NDArray[Any] = beating(9000)[:, None]
    coded = encode(signal, Setting(resets=(12,)), compiled_core())
    assert 0 < sum(len(block[0]) for block in coded.spikes[:12]) < given.LEAST_USES
    assert {spike[1] for spike in coded.spikes[12][0]} == {BIRTH}


def test_what_was_coded_differs_in_nothing_but_the_core() -> None:
    signal: NDArray[Any] = beating(3000)[:, None]
    assert encode(signal, Setting()).data == encode(signal, Setting(), compiled_core()).data


def test_beats_are_alike_and_what_is_found_in_noise_is_not() -> None:
    signal = remove_baseline(beating(6000), 360)
    noise = np.cumsum(np.random.default_rng(3).normal(0, 5, 6000)).astype(np.int64)
    noise = remove_baseline(noise, 360)
    for scale in (1, -3, 10**6):
        alike = likeness(signal * scale, find_beats(signal, 360), 108, 288)
        other = likeness(noise * scale, find_beats(noise, 360), 108, 288)
        assert alike is not None
        assert other is not None
        assert alike > 0.95 * ONE
        assert other < 0.65 * ONE


def test_likeness_is_the_median_of_the_best_correlations() -> None:
    signal = remove_baseline(beating(4000), 360)
    beats = find_beats(signal, 360)
    parts = np.array([signal[b - 108 : b + 180] for b in beats if 108 <= b <= len(signal) - 180])
    table = np.corrcoef(parts.astype(float)) - 2 * np.eye(len(parts))
    best = np.sort(table.max(axis=1))
    exact = best[(len(best) - 1) // 2]
    found = likeness(signal, beats, 108, 288)
    assert found is not None
    assert found / ONE == pytest.approx(exact, abs=1e-3)


def test_fewer_than_two_whole_beats_tell_nothing() -> None:
    signal = remove_baseline(beating(500), 360)
    for beats in ([], [150], [20, 150, 480]):
        assert likeness(signal, np.array(beats, np.int64), 108, 288) is None
    doubted, trusted = Likeness(), Likeness()
    assert not doubted.follow(0)
    assert trusted.follow(ONE)
    assert not doubted.follow(None)
    assert trusted.follow(None)
    assert Likeness().follow(None)


def test_a_few_odd_blocks_do_not_stop_the_beats() -> None:
    likeness_of_lead = Likeness()
    assert all(likeness_of_lead.follow(value * ONE // 100) for value in (97, 95, 40, 50, 96, 30))
    assert not any(Likeness().follow(value * ONE // 100) for value in (69, 20, 0))
    assert not all(likeness_of_lead.follow(ONE // 2) for _ in range(8))


def test_a_rhythm_without_beats_gets_no_spikes() -> None:
    rng = np.random.default_rng(4)
    noise = np.convolve(rng.normal(0, 40, 12_000 + 15), np.ones(16) / 4, "valid")
    signal = np.rint(noise).astype(np.int64)[:, None]
    assert len(find_beats(signal[:, 0], 360)) > 20
    coded = encode(signal, Setting(), compiled_core())
    assert sum(len(lead) for block in coded.spikes for lead in block) == 0
