"""Quality and larger bounds that begin with a trained model's kernels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from san_runtime import Encoder, compiled_core
from san_runtime.cli import main
from san_runtime.quality.detector import find_beats, remove_baseline
from san_runtime.quality.model_kernels import first_kernels
from san_stream import Bounded, Decoder, Lossless, Quality, Signal
from san_stream.errors import ModelError, SettingError
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import Profile
from san_stream.types import Lead, StreamInfo
from tests.unit.coding.quality_streams import beating

BEFORE, LENGTH = 108, 288
INFO = StreamInfo(Fraction(360), (Lead("II", unit="mV", bits=16),))


def cut(signal: NDArray[np.int64], centre: int, m: int = 201) -> Kernel:
    """A stretch of a signal as a kernel without sum, of norm 300 or so."""
    part = signal[centre - (m - 1) // 2 :][:m].astype(float)
    part -= part.mean()
    taps = np.rint(300 * part / np.linalg.norm(part)).astype(int)
    taps[0] -= taps.sum()
    return Kernel(tuple(taps.tolist()), 200)


def prepared(signal: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Without baseline, and where its beats are."""
    whole = signal.astype(np.int64)
    return remove_baseline(whole, 360), find_beats(whole, 360)


@given(st.integers(-40, 40), st.sampled_from([1, -1]))
def test_a_kernel_is_cut_to_the_beat(offset: int, sign: int) -> None:
    """Wherever in its beat a kernel has its centre, and whatever its size and sign."""
    centred, beats = prepared(beating(4000))
    kernel = cut(sign * centred, int(beats[3]) + offset)
    (shape,) = first_kernels([kernel], centred, beats, BEFORE, LENGTH)
    beat = centred[beats[3] - BEFORE :][:LENGTH]
    inside = np.abs(np.arange(LENGTH) - BEFORE - offset) <= 100
    assert not shape[np.abs(np.arange(LENGTH) - BEFORE - offset) > 104].any()
    likeness = np.corrcoef(shape[inside], beat[inside])[0, 1]
    size = np.linalg.norm(shape[inside] / 256) / np.linalg.norm(beat[inside] - beat[inside].mean())
    assert likeness > 0.9  # the detector tells beats to a sample or two
    assert 0.8 < size < 1.5  # beats differ in size, and the largest are matched


def test_a_kernel_of_something_else_is_left_out() -> None:
    centred, beats = prepared(beating(4000))
    noise = np.random.default_rng(1).normal(0, 100, 400).astype(np.int64)
    good, other = cut(centred, int(beats[3])), cut(noise, 200)
    assert len(first_kernels([other, good], centred, beats, BEFORE, LENGTH)) == 1
    assert first_kernels([good], centred, beats[:0], BEFORE, LENGTH) == []
    assert first_kernels([good], centred[:200], beats[:1], BEFORE, LENGTH) == []
    assert first_kernels([good], 0 * centred, beats, BEFORE, LENGTH) == []


def model(signal: NDArray[Any], rate: int = 360) -> Kernels:
    """Of the signal's fourth beat."""
    centred, beats = prepared(signal)
    return Kernels((KernelSet((cut(centred, int(beats[3])),), 8, 8),), Fraction(rate), "mV")


@pytest.mark.parametrize("profile", [Quality(step=20), Quality(prdn=9), Bounded(20)])
def test_the_first_beats_have_a_kernel(profile: Profile) -> None:
    x = beating(7200)[:, None].astype(np.int32)
    found = {}
    for name, begun in (("model", model(x[:, 0])), ("none", None)):
        encoder = Encoder(INFO, profile, model=begun)
        data = b"".join(encoder.push(x) + encoder.close())
        decoder = Decoder(core=compiled_core())
        parts = [p for p in decoder.push(data) + decoder.close() if isinstance(p, Signal)]
        shown = np.concatenate([part.digital for part in parts])
        if isinstance(profile, Bounded):
            assert np.abs(shown.astype(np.int64) - x).max() <= 20
        births = sum(beat.kernel is None for part in parts for beat in part.beats)
        found[name] = births, len(data)
    assert found["model"][0] < found["none"][0]
    assert found["model"][1] < 1.1 * found["none"][1]


def test_who_takes_no_model() -> None:
    begun = model(beating(7200))
    for profile in (Lossless(), Bounded(2)):
        with pytest.raises(SettingError, match=f"not for {profile.name}"):
            Encoder(INFO, profile, model=begun)
    with pytest.raises(ModelError, match="model is for 250 Hz, the source has 360 Hz"):
        Encoder(INFO, Quality(prdn=9), model=model(beating(7200), 250))


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = Path(__file__).parents[2] / "runtime/san_runtime/demo_data"
    record, begun = str(demo / "100_1min"), str(demo / "100_kernels.json")
    sizes = []
    for more in ([], ["--model", begun]):
        out = tmp_path / f"{len(more)}.san"
        assert main(["encode", record, str(out), "--prdn", "9", "--duration", "20", *more]) == 0
        assert main(["verify", str(out)]) == 0
        sizes.append(out.stat().st_size)
    assert sizes[0] != sizes[1]
    assert "error" not in capsys.readouterr().err
