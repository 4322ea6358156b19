"""Whole streams of `QualityCoder`: both directions, plain and compiled, quiet and hostile."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime.compiled import compiled_core
from san_stream.coding.beats import BIRTH
from san_stream.coding.core import PLAIN
from san_stream.coding.quality import QualityCoder
from san_stream.coding.starts import COSINE, UNTRAINED
from san_stream.types import INT32_MAX, INT32_MIN
from tests.unit.coding.quality_streams import CHECKED, Setting, beating, decode, encode

COMPILED = compiled_core()


def two_leads(count: int = 6000) -> NDArray[np.int64]:
    one = beating(count)
    return np.stack([one, -one // 2 + 1000], axis=1)


SETTINGS = {
    "usual": Setting(),
    "long": Setting(block=1152),
    "short delay": Setting(block=120, ahead=60, late=17),
    "no look-ahead": Setting(block=64, ahead=0, late=0),
    "odd": Setting(block=333, ahead=100, late=50, steps=(100, 37)),
    "runs and resets": Setting(restarts=(3, 4), resets=(6,)),
    "slow": Setting(rate=Fraction(101, 2), block=256, ahead=50, late=15),
    "no kernels": Setting(rate=Fraction(5), block=256, ahead=0, late=0),
    "too fast": Setting(rate=Fraction(10**9), block=256, ahead=0, late=0),
    "cosine": Setting(starts=(COSINE, COSINE), restarts=(3,)),
    "both transforms": Setting(block=300, starts=(UNTRAINED, COSINE), resets=(6,)),
    "other transform first": Setting(starts=(COSINE, UNTRAINED), restarts=(2,), resets=(6,)),
    "cosine, short delay": Setting(block=56, ahead=23, late=0, starts=(COSINE, COSINE)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_round_trip(name: str) -> None:
    setting, signal = SETTINGS[name], two_leads()
    coded = encode(signal, setting, COMPILED)
    read = decode(coded.data, signal.shape, setting, COMPILED)
    assert read is not None
    np.testing.assert_array_equal(read.shown, coded.shown)
    assert read.spikes == coded.spikes
    error = np.sqrt(np.mean((coded.shown - signal) ** 2.0))
    assert error < max(setting.steps) / 16


@pytest.mark.parametrize("name", ["usual", "short delay", "runs and resets", "both transforms"])
def test_plain_and_compiled_give_the_same_bytes(name: str) -> None:
    setting, signal = SETTINGS[name], two_leads(3500)
    compiled = encode(signal, setting, COMPILED)
    assert encode(signal, setting, PLAIN).data == compiled.data
    read = decode(compiled.data, signal.shape, setting, PLAIN)
    assert read is not None
    np.testing.assert_array_equal(read.shown, compiled.shown)


def test_beats_are_sent_as_spikes_and_make_it_short() -> None:
    signal = two_leads(20000)
    coded = encode(signal, Setting(), COMPILED)
    spikes = [spike for block in coded.spikes for lead in block for spike in lead]
    births = sum(spike[1] == BIRTH for spike in spikes)
    assert 2 * 0.97 * 20000 / 290 < len(spikes) < 2 * 1.03 * 20000 / 290
    assert births < 10
    flat = encode(signal, Setting(rate=Fraction(5)), COMPILED)  # no kernels at this rate
    assert 2 * len(coded.data) < len(flat.data)


def test_a_lead_of_the_cosine_kind_has_no_spikes_and_guides_none() -> None:
    """Its neighbour costs what it costs alone, but for a byte at the end."""
    signal = two_leads(8000)
    both = encode(signal, Setting(starts=(COSINE, UNTRAINED)), COMPILED)
    assert not any(block[0] for block in both.spikes)
    assert sum(len(block[1]) for block in both.spikes) > 20
    alone = [
        len(encode(signal[:, i : i + 1], Setting(starts=(start,)), COMPILED).data)
        for i, start in enumerate((COSINE, UNTRAINED))
    ]
    assert abs(len(both.data) - sum(alone)) <= 8


@pytest.mark.parametrize("late", [0, 20, 108])
def test_a_block_sees_no_further_than_its_look_ahead(late: int) -> None:
    setting = Setting(late=late, ahead=150)
    signal = two_leads(5 * 512)
    other = signal.copy()
    other[3 * 512 + 150 :] = 5
    one, two = encode(signal, setting, COMPILED), encode(other, setting, COMPILED)
    np.testing.assert_array_equal(one.shown[: 3 * 512], two.shown[: 3 * 512])
    assert one.spikes[:3] == two.spikes[:3]


def test_a_reset_forgets_all() -> None:
    """What follows a reset is what a new coder would do with the same history."""
    signal = two_leads(6 * 512)
    setting = Setting(resets=(2, 4))
    coded = encode(signal, setting, COMPILED)
    again = encode(np.concatenate([signal, signal]), setting, COMPILED)
    np.testing.assert_array_equal(coded.shown[: 2 * 512], again.shown[: 2 * 512])
    coder = setting.coder(2, COMPILED)
    coder.release()
    assert not coder.states


def _hostile() -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(1)
    places, low, high = np.arange(1500), INT32_MIN, INT32_MAX
    beat = beating(1500)
    return {
        "highest": np.full(1500, high),
        "zero": np.zeros(1500, np.int64),
        "alternating": np.where(places % 2, high, low),
        "square": np.where(places // 150 % 2, high, low),
        "noise": rng.integers(low, high, 1500),
        "impulses": np.where(rng.random(1500) < 0.003, high, 0),
        "step": np.where(places < 700, low, high),
        "loud beats": np.clip(beat * 7_000_000, low, high),
        "turning beats": np.where(places // 700 % 2, beat, -beat) * 1_000_000,
        "quiet beats": beat // 200,
    }


HOSTILE = _hostile()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("step", [1, 320, 2**28])
@pytest.mark.parametrize("starts", [(UNTRAINED, UNTRAINED), (COSINE, COSINE)])
def test_hostile_signals_round_trip(name: str, step: int, starts: tuple[int, int]) -> None:
    signal = np.stack([HOSTILE[name], HOSTILE[name][::-1]], axis=1)
    setting = Setting(steps=(step,), starts=starts)
    coded = encode(signal, setting, COMPILED)
    read = decode(coded.data, signal.shape, setting, COMPILED)
    assert read is not None
    np.testing.assert_array_equal(read.shown, coded.shown)


@pytest.mark.parametrize("name", ["square", "noise", "loud beats", "turning beats"])
def test_no_intermediate_leaves_what_doubles_hold(name: str) -> None:
    signal = HOSTILE[name][:900, None]
    setting = Setting(block=256, ahead=200, steps=(1,))
    coded = encode(signal, setting, CHECKED)
    assert coded.data == encode(signal, setting, COMPILED).data
    read = decode(coded.data, signal.shape, setting, CHECKED)
    assert read is not None
    np.testing.assert_array_equal(read.shown, coded.shown)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([UNTRAINED, COSINE]))
def test_damaged_bytes_never_raise(seed: int, flips: int, start: int) -> None:
    signal = two_leads(4000)
    setting = Setting(block=1024, starts=(start, start))
    data = bytearray(encode(signal, setting, COMPILED).data)
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), flips):
        data[place] ^= int(rng.integers(1, 256))
    read = decode(bytes(data[: int(rng.integers(1, len(data) + 1))]), (4000, 2), setting, COMPILED)
    if read is not None:
        assert read.shown.min() >= INT32_MIN
        assert read.shown.max() <= INT32_MAX


def test_memory_is_about_what_the_stores_take() -> None:
    coder = Setting(block=1152).coder(1, COMPILED)
    own = coder.states[0]
    stores = [own.kernels, own.placed, own.prediction, own.rest, own.wanted, own.phases]
    stores += [
        own.pending,
        *own.model,
        *own.transform,
        *own.frames,
        *own.level_model,
        *own.corrections,
    ]
    taken = sum(store.nbytes for store in stores)
    told = QualityCoder.memory(Fraction(360), 1, 1152)
    assert taken < told < 2 * taken
