"""The compression benchmark: its own peers, its interpolation, its ledger."""

from __future__ import annotations

import json
import sys
from math import exp, isnan, log, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks" / "compression"))

import arithmetic  # noqa: E402 - the benchmark is a folder of scripts
import peer_mdct  # noqa: E402
import peer_prediction  # noqa: E402
import peer_spiht  # noqa: E402
import peer_wavelet  # noqa: E402
import wavelet  # noqa: E402
from clinical import match  # noqa: E402
from codec import blockwise, read_varint, varint  # noqa: E402
from datasets import REPORT, TUNE, Signal, expand  # noqa: E402
from ledger import Ledger, latest, read  # noqa: E402
from measuring import OK, Cell, block_samples, measure  # noqa: E402
from peers_libraries import byte_deltas, from_byte_deltas  # noqa: E402
from rate_distortion import envelope, rate_at, sweep  # noqa: E402
from tables import compare  # noqa: E402

from san_stream import metrics  # noqa: E402

if TYPE_CHECKING:
    from codec import Mode
    from numpy.typing import NDArray

COUNT = 1500
TRANSFORMS = (peer_wavelet, peer_mdct, peer_spiht)


@pytest.fixture(scope="module")
def ecg() -> NDArray[np.int64]:
    """Beats of three bumps over a slow wave, noise of one unit."""
    t = np.arange(COUNT)
    phase = (t % 300) / 300
    bumps = ((0.3, 0.012, 250), (0.2, 0.03, 40), (0.6, 0.05, 80))
    beats = sum(size * np.exp(-(((phase - at) / wide) ** 2)) for at, wide, size in bumps)
    noise = np.random.default_rng(1).normal(0, 1, COUNT)
    return np.rint(1000 + beats + 30 * np.sin(t / 400) + noise).astype(np.int64)


def signal_of(x: NDArray[np.int64]) -> Signal:
    return Signal("made/1", 0, x, 360.0, "lead", "mV", 200.0, 1024, 11)


@pytest.mark.parametrize("taps", [0, peer_prediction.TAPS])
@pytest.mark.parametrize("bound", [0, 1, 5, 20])
def test_prediction_holds_its_bound_and_beats_raw_bits(ecg, taps, bound):
    data = peer_prediction.encode(ecg, bound, taps)
    decoded = peer_prediction.decode(data, COUNT, bound, taps)
    assert np.abs(decoded - ecg).max() <= bound
    assert 8 * len(data) / COUNT < 5 - np.log2(2 * bound + 1) / 2


@pytest.mark.parametrize("taps", [0, peer_prediction.TAPS])
def test_prediction_is_exact_on_any_samples(taps):
    x = np.random.default_rng(2).integers(-(2**15), 2**15, 400)
    for part in (x, x[:1], x[:2]):
        decoded = peer_prediction.decode(peer_prediction.encode(part, 0, taps), len(part), 0, taps)
        assert (decoded == part).all()


@pytest.mark.parametrize("module", TRANSFORMS, ids=lambda module: module.__name__)
@pytest.mark.parametrize("count", [COUNT, 1024, 360, 65, 8, 2, 1])
def test_transforms_come_back_within_their_step(ecg, module, count):
    x, step = ecg[:count], 4.0
    decoded = module.decode(module.encode(x, step), count, step)
    assert metrics.rmse(x, decoded) < step  # orthonormal: at most a step a coefficient
    fine = module.decode(module.encode(x, 0.25), count, 0.25)
    assert metrics.rmse(x, fine) < 0.5


@pytest.mark.parametrize("module", TRANSFORMS, ids=lambda module: module.__name__)
def test_transforms_compress(ecg, module):
    x = ecg.astype(float)
    sizes = [len(module.encode(ecg, step)) for step in (2.0, 8.0, 32.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert 8 * sizes[1] / COUNT < 2.5
    decoded = module.decode(module.encode(ecg, 8.0), COUNT, 8.0)
    assert metrics.prdn(x, decoded) < 10


def test_wavelet_and_mdct_keep_energy_of_noise():
    x = np.random.default_rng(3).normal(0, 1, 4096)
    assert (wavelet.forward(x, 6) ** 2).sum() == pytest.approx((x**2).sum(), rel=0.1)
    frames = np.pad(x, 64)
    y = peer_mdct.forward(frames)
    assert (y**2).sum() == pytest.approx((x**2).sum())
    assert peer_mdct.inverse(y)[64:-64] == pytest.approx(x)


def test_mdct_is_its_definition():
    n, x = peer_mdct.FRAME, np.random.default_rng(4).normal(0, 1, 2 * peer_mdct.FRAME)
    t, k = np.arange(2 * n), np.arange(n)[:, None]
    basis = np.cos(np.pi / n * (t + 0.5 + n / 2) * (k + 0.5)) * np.sqrt(2 / n)
    assert peer_mdct.forward(x)[0] == pytest.approx(basis @ (peer_mdct.WINDOW * x))


def test_range_coder_is_near_the_entropy():
    bits = (np.random.default_rng(5).random(20000) < 0.05).astype(int)
    data = arithmetic.buffer(len(bits))
    state = arithmetic.begin(True, data)
    odds, counts = np.full(1, arithmetic.HALF), np.zeros(1, np.int64)
    for bit in bits.tolist():
        arithmetic.code_adaptive(state, data, odds, counts, 0, bit)
    size = arithmetic.finish(state, data)
    share = bits.mean()
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert 8 * size / len(bits) == pytest.approx(entropy, rel=0.02)


def test_byte_deltas_come_back():
    for x in ([5], [0, 127, -1, 300, -300, 2**31, -(2**30)], [3, 3, 3]):
        samples = np.array(x, np.int64)
        assert (from_byte_deltas(byte_deltas(samples), len(x)) == samples).all()


def test_varints_come_back():
    for value in (0, 127, 128, 300, 2**20):
        assert read_varint(b"\0" + varint(value), 1) == (value, 1 + len(varint(value)))


# -- interpolation ---------------------------------------------------------------------------


def test_rate_on_a_power_law_is_exact():
    curve = [(prdn, 3.0 * prdn**-0.8) for prdn in (1.0, 3.0, 8.0, 20.0, 70.0)]
    for target in (1.0, 2.0, 5.0, 9.0, 15.0, 30.0, 50.0):
        assert rate_at(curve, target) == pytest.approx(3.0 * target**-0.8)


def test_rate_between_two_points_by_hand():
    at = (log(5) - log(4)) / (log(8) - log(4))
    assert rate_at([(8, 0.5), (4, 2.0)], 5) == pytest.approx(exp(log(2) - at * log(4)))


def test_rate_outside_the_points():
    points = [(4.0, 2.0), (8.0, 0.5)]
    assert isnan(rate_at(points, 3.9))
    assert rate_at(points, 20) == 0.5
    assert isnan(rate_at([], 5))
    assert isnan(rate_at([(nan, 1.0), (0.0, 4.0)], 5))


def test_points_that_others_beat_do_not_count():
    points = [(2.0, 3.0), (4.0, 1.0), (5.0, 2.0), (9.0, 0.4)]
    assert envelope(points) == [(2.0, 3.0), (4.0, 1.0), (9.0, 0.4)]
    assert rate_at(points, 4.0) == 1.0


@pytest.mark.parametrize("factor", [0.05, 0.3, 2.0])
def test_a_sweep_encloses_its_targets(factor):
    seen: list[float] = []

    def measured(step: float) -> float:
        seen.append(step)
        return factor * 100 * step / 50

    sweep(measured, 50.0, (2.0, 50.0))
    found = [factor * 2 * step for step in seen]
    assert min(found) <= 2.0
    assert max(found) >= 50.0
    assert len(set(seen)) == len(seen)


def test_a_sweep_ends_where_nothing_can_be_measured():
    seen: list[float] = []
    sweep(lambda step: seen.append(step) or nan, 50.0, (2.0, 50.0))
    assert len(seen) == 2


# -- cells and the ledger ----------------------------------------------------------------------


def cell(parameter: float = 0.0, mode: Mode = "lossless", block: str = "whole") -> Cell:
    return Cell("peer", mode, parameter, "made/1", 0, 1.0, block)


def row(parameter: float, status: str = OK, **more: Any) -> dict[str, Any]:
    fields = {name: getattr(cell(parameter), name) for name in Cell.__slots__}
    return fields | {"status": status} | more


def test_a_ledger_goes_on_where_it_was(tmp_path):
    path = tmp_path / "ledgers" / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.add(row(1.0, bps=3.0))
        ledger.add(row(2.0, status="failed: not yet"))
    with path.open("ab") as file:
        file.write(b'{"codec": "cut sho')
    with Ledger(path) as ledger:
        assert len(ledger) == 2
        found = ledger.get(cell(1.0))
        assert found is not None
        assert found["bps"] == 3.0
        assert ledger.get(cell(2.0)) is None  # to be tried again
        assert ledger.get(cell(3.0)) is None
        ledger.add(row(2.0, bps=2.0))
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 3
    rows = latest(read(path)[0])
    assert rows[cell(2.0).key]["bps"] == 2.0


def test_blocks_count_their_lengths_and_come_back(ecg):
    def encode(x: NDArray[np.int64], _: float) -> bytes:
        return x.astype("<i2").tobytes()

    def decode(data: bytes, _count: int, _: float) -> NDArray[np.int64]:
        return np.frombuffer(data, "<i2").astype(np.int64)

    codec = blockwise("raw", ("lossless",), encode, decode)
    signal = signal_of(ecg)
    whole = measure(codec, cell(), signal)
    blocks = measure(codec, cell(block="0.5s"), signal)
    assert (whole["status"], whole["bps"], whole["payload_bps"]) == (OK, 16.0, 16.0)
    assert blocks["status"] == OK
    assert blocks["bytes"] == 2 * COUNT + 8 * 2 + 1  # 8 lengths above 127, one below
    assert blocks["payload_bps"] == 16.0
    assert blocks["delay_seconds"] == 0.5


@pytest.mark.parametrize(("mode", "parameter"), [("lossless", 0.0), ("bound", 1.0)])
def test_a_wrong_stream_is_no_figure(ecg, mode, parameter):
    codec = blockwise("off", (mode,), lambda _x, _: b"", lambda _d, _n, _p: ecg + 2)
    assert measure(codec, cell(parameter, mode), signal_of(ecg))["status"].startswith("wrong")


def test_a_peer_that_fails_is_a_row(ecg):
    def fail(*_: object) -> bytes:
        raise ValueError("no")

    found = measure(blockwise("bad", ("lossless",), fail, fail), cell(), signal_of(ecg))
    assert found["status"] == "failed: ValueError: no"


def test_blocks_are_whole_or_seconds():
    assert [block_samples(block, 360.0) for block in ("whole", "4s", "0.5s")] == [0, 1440, 180]
    with pytest.raises(ValueError, match="must be 'whole' or seconds"):
        block_samples("4", 360.0)


def test_tuning_and_reporting_share_no_record():
    assert not set(TUNE) & set(REPORT)
    assert len(REPORT) == 23
    assert expand("svdb,mitdb/100") == ["svdb/800", "mitdb/100"]


def test_ratios_are_to_the_best_peer():
    found = {
        "good": {"a": 1.0, "b": 4.0},
        "worse": {"a": 2.0, "b": 3.5},
        "san x": {"a": 0.5, "b": 4.0},
        "part": {"a": 0.1},
    }
    lines = {line.codec: line for line in compare(found)}
    assert lines["san x"].ratio == pytest.approx((0.5 * 1.0) ** 0.5)
    assert (lines["san x"].worst, lines["san x"].worst_lead) == (1.0, "b")
    assert lines["san x"].each == pytest.approx((5.0 * 4.0 / 3.5) ** 0.5)
    assert lines["part"].leads == 1
    assert next(reversed(lines)) == "part"


def test_beats_are_matched_once_each():
    true = np.array([100, 200, 300, 400])
    found = np.array([90, 205, 198, 290, 450])
    assert match(np.sort(found), true, 20) == [(0, 0), (1, 1), (3, 2)]
