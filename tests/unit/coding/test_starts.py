"""Trained starts: the tables' content, that they help where they were not trained, who chooses."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding import exact_layer, quality, start_tables
from san_stream.coding.core import PLAIN
from san_stream.coding.exact_presets import LEAN, MAX, make_plan
from san_stream.coding.predictors import BEAT, OTHERS, OWN, ROW, SIZE
from san_stream.coding.range_coder import ERROR, STATE_SIZE
from san_stream.coding.start_tables import BOUNDS, layout, packed, start_values
from san_stream.coding.starts import (
    ECG,
    PREDICTED_STARTS,
    TRANSFORM_STARTS,
    UNTRAINED,
    code_start,
    same_regressors,
)
from san_stream.profiles import Preset
from tests.unit.coding.quality_streams import CHECKED, Coded, Setting, beating, decode, encode

COMPILED = compiled_core()
PRESETS: tuple[Preset, ...] = get_args(Preset)
CHECKSUM = 0x575467E4
PAGE = Path(__file__).parents[3] / "docs" / "format-starts.md"
# None of these took part in training.
RECORDS = ("202", "213", "231")
every_preset = pytest.mark.parametrize("preset", PRESETS)
every_bound = pytest.mark.parametrize("bound", range(BOUNDS))


@pytest.fixture(scope="module")
def leads(data: Callable[[str], Path]) -> list[NDArray[np.int64]]:
    import wfdb

    return [
        wfdb.rdrecord(str(data(f"mitdb/{name}")), physical=False, sampto=7200).d_signal.astype(
            np.int64
        )[:, :1]
        for name in RECORDS
    ]


def force(monkeypatch: pytest.MonkeyPatch, *allowed: int) -> None:
    """Let encoders choose from these only."""
    monkeypatch.setattr(exact_layer, "PREDICTED_STARTS", allowed)
    monkeypatch.setattr(quality, "TRANSFORM_STARTS", allowed)


# -- tables ------------------------------------------------------------------------------


def test_content_is_the_published_one() -> None:
    content = start_tables._read()
    assert zlib.crc32(content) == CHECKSUM
    assert f"{len(content):,} bytes, CRC-32 `{CHECKSUM:08X}`" in PAGE.read_text(encoding="utf-8")
    assert Path(start_tables.__file__).with_name("start.bin").stat().st_size < 250_000


def test_values_are_those_that_a_coder_could_have() -> None:
    """So that no intermediate leaves its bounds: slots, weights and sums as updates keep them."""
    limits = {"mixing": 2**22, "weights": 2**22, "matrices": 2**43, "right": 2**43}
    for bound, part in layout():
        values = start_values(part.coders[0], bound)[part.name]
        assert len(values) == part.size
        if part.shift < 0:
            assert max(values) < 2**30
            assert 0 < max(value & 1023 for value in values) <= 20
        else:
            limit = limits.get(part.name, 2**43)
            assert max(map(abs, values)) <= limit
    for preset in ("lean", "max"):
        assert max(map(abs, start_values(preset)["weights"])) <= 2**20


def test_packing_undoes_unpacking() -> None:
    for bound, part in layout():
        values = start_values(part.coders[0], bound)[part.name]
        assert start_tables.unpacked(part, packed(part, values)) == values


def test_nothing_is_read_before_it_is_needed() -> None:
    code = (
        "import san_runtime.cli, san_runtime.encoder\n"
        "from san_stream.coding import start_tables\n"
        "print(start_tables._read.cache_info().currsize)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "0\n"


@pytest.mark.parametrize("preset", [LEAN, MAX])
@pytest.mark.parametrize("others", [0, 4, 16])
@pytest.mark.parametrize("beat", [0, 1])
def test_regressors_keep_their_meaning(preset: Any, others: int, beat: int) -> None:
    """Own differences, level and template go where the longer row has them; the rest is free."""
    source, target = make_plan(preset, 0, 1), make_plan(preset, others, beat)
    for row in range(0, len(source) - ROW, ROW):
        a, b = source[row : row + ROW], target[row : row + ROW]
        stretches = same_regressors(a, b)
        pairs = [(s + i, t + i) for s, t, count in stretches for i in range(count)]
        free = set(range(b[SIZE])) - {place for _, place in pairs}
        assert free == set(range(b[OWN] + 1, b[OWN] + 1 + others * b[OTHERS]))
        assert pairs == sorted(set(pairs))
        assert (a[OWN], b[OWN]) in pairs
        if b[BEAT]:
            assert pairs[-1] == (a[SIZE] - 1, b[SIZE] - 1)


# -- predicted -----------------------------------------------------------------------------


@every_preset
@every_bound
def test_the_first_seconds_of_other_records_cost_less(
    leads: list[NDArray[np.int64]], stream: Any, preset: Preset, bound: int
) -> None:
    bits = [
        sum(
            len(stream.check(lead[:1800], preset, bound, block=360, trained=trained))
            for lead in leads
        )
        for trained in (False, True)
    ]
    assert bits[1] < (0.995 if bound == 0 else 0.99) * bits[0]


@every_preset
@pytest.mark.parametrize("rate", [4, 360])
def test_many_leads_start_trained_and_plain_and_compiled_agree(
    stream: Any, preset: Preset, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, ECG)
    signal = np.cumsum(np.random.default_rng(1).integers(-9, 10, (40, 10)), 0)
    bounds = [k % BOUNDS for k in range(10)]
    coders = [
        stream(preset, bounds, core, block=20, rate=rate, trained=True)
        for core in (PLAIN, COMPILED)
    ]
    written = [coder.encode(signal)[0] for coder in coders]
    assert written[0] == written[1]
    shown = stream(preset, bounds, PLAIN, block=20, rate=rate, trained=True).decode(
        written[0], len(signal)
    )
    assert (np.abs(shown - signal) <= bounds).all()
    coders[1].reset()
    assert coders[1].encode(signal)[0] == written[1]


@every_preset
def test_the_cheapest_start_is_taken(
    leads: list[NDArray[np.int64]],
    stream: Any,
    preset: Preset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = np.cumsum(np.random.default_rng(2).integers(-900, 901, (360, 1)), 0)
    taken = set()
    for signal in (leads[0][:360], leads[1][:360], walk, np.zeros((360, 1), np.int64)):
        sizes = {}
        for allowed in ((ECG,), (UNTRAINED,), (ECG, UNTRAINED)):
            force(monkeypatch, *allowed)
            sizes[allowed] = len(stream.check(signal, preset, 0, block=360, trained=True))
        best = min(sizes[ECG,], sizes[UNTRAINED,])
        # bits are counted whole, bytes are what is compared
        assert sizes[ECG, UNTRAINED] - best in (0, 1)
        taken.add(sizes[ECG,] < sizes[UNTRAINED,])
    assert True in taken


def test_a_decoder_tries_nothing(
    leads: list[NDArray[np.int64]], stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stream("lean", [0], COMPILED, trained=True).encode(leads[0][:300])[0]
    monkeypatch.delattr(exact_layer.ExactLayer, "_cheapest_start")
    shown = stream("lean", [0], COMPILED, trained=True).decode(data, 300)
    assert (shown == leads[0][:300]).all()


@pytest.mark.parametrize("core", [PLAIN, COMPILED], ids=["plain", "compiled"])
@pytest.mark.parametrize("known", [PREDICTED_STARTS, TRANSFORM_STARTS])
def test_an_unknown_start_is_an_error(core: Any, known: tuple[int, ...]) -> None:
    for start in range(4):
        state, buffer = core.integers(STATE_SIZE, 0), core.octets(64)
        core.start_encoder(state)
        core.code_plain(state, buffer, start, 2)
        length = core.finish_encoder(state, buffer)
        core.start_decoder(state, core.loaded(bytes(buffer[:length])), length)
        assert code_start(state, core.loaded(bytes(buffer[:length])), 0, known, core) == (
            start if start in known else UNTRAINED
        )
        assert bool(state[ERROR]) == (start not in known)


# -- transformed -----------------------------------------------------------------------------

TRAINED = Setting(trained=True)


def cost(coded: Coded, signal: NDArray[np.int64]) -> float:
    """Squared error in steps plus λ times bits."""
    error = float(((coded.shown - signal) ** 2.0).sum()) / (TRAINED.steps[0] / 16) ** 2
    return error + 0.085 * 8 * len(coded.data)


def test_the_first_blocks_of_other_records_cost_less(leads: list[NDArray[np.int64]]) -> None:
    costs = [
        sum(
            cost(encode(lead[:3600], replace(TRAINED, trained=trained), COMPILED), lead[:3600])
            for lead in leads
        )
        for trained in (False, True)
    ]
    assert costs[1] < 0.95 * costs[0]


@pytest.mark.parametrize(
    "setting",
    [
        TRAINED,
        replace(TRAINED, restarts=(1, 4), resets=(2, 5)),
        replace(TRAINED, block=120, ahead=60, late=17, resets=(7,)),
    ],
)
def test_transformed_leads_come_back_and_plain_and_compiled_agree(setting: Setting) -> None:
    one = beating(3000)
    signal = np.stack([one, -one // 2 + 1000], axis=1)
    coded = encode(signal, setting, COMPILED)
    assert encode(signal, setting, PLAIN).data == coded.data
    assert coded.data != encode(signal, replace(setting, trained=False), COMPILED).data
    for core in (PLAIN, COMPILED):
        read = decode(coded.data, signal.shape, setting, core)
        assert read is not None
        np.testing.assert_array_equal(read.shown, coded.shown)


def test_no_intermediate_leaves_what_doubles_hold() -> None:
    signal = beating(1200).reshape(-1, 1)
    assert encode(signal, TRAINED, CHECKED).data == encode(signal, TRAINED, COMPILED).data


def test_the_cheaper_start_is_taken_by_error_and_bits(
    leads: list[NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(3).integers(-3000, 3001, (512, 1))
    handicap = 0.085 * quality.UNTRAINED_HANDICAP
    taken = []
    for signal in (leads[0][:512], leads[2][:512], noise):
        costs = {}
        for allowed in ((ECG,), (UNTRAINED,), (ECG, UNTRAINED)):
            force(monkeypatch, *allowed)
            costs[allowed] = cost(encode(signal, TRAINED, COMPILED), signal)
        taken.append(ECG if costs[ECG,] < costs[UNTRAINED,] + handicap else UNTRAINED)
        assert costs[ECG, UNTRAINED] == costs[taken[-1],]
    assert taken == [ECG, ECG, UNTRAINED]
