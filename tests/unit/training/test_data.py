from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
import wfdb

from san_stream.errors import MissingExtraError, SampleError, SourceError
from san_training.data import cut_windows, read_first_signal, read_recording


@pytest.fixture
def ramp(make_record):
    digital = np.stack([np.arange(1000), 5000 - np.arange(1000)], axis=1)
    return make_record("ramp", digital)


def test_reads_the_digital_samples(ramp):
    got = read_recording(ramp)
    assert (got.name, got.rate, got.leads, got.unit) == ("ramp", Fraction(100), ("II", "V1"), "mV")
    assert got.digital.dtype == np.int32
    assert got.first_sample == 0
    assert np.array_equal(got.digital[:, 0], np.arange(1000))
    assert got.valid.all()


def test_part_and_leads(ramp):
    got = read_recording(ramp, ["V1"], start=2.5, duration=1)
    assert got.first_sample == 250
    assert got.digital[:, 0].tolist() == list(range(4750, 4650, -1))
    assert read_recording(ramp, ["1"]).leads == ("V1",)
    assert len(read_recording(ramp, start=9.9, duration=5).digital) == 10
    assert read_recording(str(ramp) + ".hea", ["V1", "II"]).leads == ("V1", "II")


def test_fractional_rates_are_exact(make_record):
    path = make_record("slow", np.arange(100)[:, None], fs=15.5)
    assert read_recording(path).rate == Fraction(31, 2)


def test_missing_samples_are_marked(make_record):
    digital = np.arange(100)[:, None]
    digital[40] = -(2**15)
    got = read_recording(make_record("holes", digital))
    assert np.flatnonzero(~got.valid[:, 0]).tolist() == [40]
    assert np.isnan(read_first_signal(make_record("holes", digital), 100)[40])


def test_windows_that_cannot_be_used_are_marked():
    samples = np.arange(35, dtype=np.int32)
    samples[10:20] = 7
    valid = np.ones(35, dtype=np.bool_)
    valid[29] = False
    windows, usable = cut_windows(samples, valid, 10)
    assert windows.shape == (3, 10)
    assert usable.tolist() == [True, False, False]
    with pytest.raises(SampleError, match="window of 0 samples"):
        cut_windows(samples, valid, 0)


def test_first_signal_in_physical_units(ramp):
    assert read_first_signal(ramp, 10).tolist() == pytest.approx([i / 200 for i in range(10)])
    with pytest.raises(SourceError, match="1000 samples, at least 1001 are needed"):
        read_first_signal(ramp, 1001)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leads": ["V9"]}, "no lead 'V9', it has II, V1"),
        ({"leads": ["2"]}, "no lead '2'"),
        ({"leads": []}, "was asked for no lead"),
        ({"leads": ["V1", "II", "1"]}, "was asked for a lead of V1, II, 1 twice"),
        ({"start": 10.0}, "start 10.0 s, it ends at 10.0 s"),
        ({"start": -1.0}, "start -1.0 s: must be finite and 0 or more"),
        ({"start": float("nan")}, "start nan s"),
        ({"duration": 0.0}, "duration 0.0 s: must be finite and above 0"),
        ({"duration": float("inf")}, "duration inf s"),
    ],
)
def test_parts_that_do_not_exist(ramp, options, message):
    with pytest.raises(SourceError, match=message):
        read_recording(ramp, **options)


def test_missing_and_damaged_records(ramp):
    with pytest.raises(SourceError, match=r"there is no header none\.hea"):
        read_recording(ramp.with_name("none"))
    data = ramp.with_suffix(".dat")
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    with pytest.raises(SourceError, match="damaged") as caught:
        read_recording(ramp)
    assert "\n" not in str(caught.value)
    data.unlink()
    with pytest.raises(SourceError, match=r"there is no signal file ramp\.dat"):
        read_recording(ramp)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "damaged header"),
        ("ramp\n", "damaged header"),
        ("ramp 1 100 1000\nramp.dat 999 200 16 0 0 0 0 II\n", "damaged"),
        ("ramp 0 100 1000\n", "names no samples"),
        ("ramp 1 0 1000\nramp.dat 16 200 16 0 0 0 0 II\n", "rate 0"),
        ("ramp 1 100 1000\n../ramp.dat 16 200 16 0 0 0 0 II\n", "record .*ramp"),
        ("ramp/2 1 100 2000\nramp 1000\nramp 1000\n", "several segments|damaged"),
        ("ramp 1 100 500\nramp.dat 16x2 200 16 0 0 0 0 II\n", "lead 'II' has 2 samples a frame"),
        (
            "ramp 2 100 1000\nramp.dat 16 200/mV 16 0 0 0 0 II\nramp.dat 16 1/uV 16 0 0 0 0 V1\n",
            "leads have units mV, uV",
        ),
    ],
)
def test_headers_that_cannot_be_used(ramp, header, message):
    ramp.with_suffix(".hea").write_text(header)
    with pytest.raises(SourceError, match=message) as caught:
        read_recording(ramp)
    assert "\n" not in str(caught.value)


def test_without_wfdb(ramp, monkeypatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'san-stream\[physionet\]'"):
        read_recording(ramp)


def test_shared_recording(data):
    path = data("mitdb/100")
    got = read_recording(path, ["V5"], start=300, duration=10)
    expected = wfdb.rdrecord(
        str(path), sampfrom=108000, sampto=111600, channels=[1], physical=False
    ).d_signal
    assert np.array_equal(got.digital, expected)
    assert got.rate == 360
