from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import wfdb

from san_stream.errors import ModelError, SettingError, SourceError
from san_stream.kernels import Kernels
from san_stream.types import Lead, StreamInfo
from san_training.train import TrainSettings, default_sizes, train_model

QUICK = TrainSettings(sizes=(31,), window=300, epochs=4, restarts=1, device="cpu")


def test_a_kernel_set_for_each_lead(two_leads):
    told = []
    model = train_model(
        [two_leads],
        settings=replace(QUICK, sizes=(20, 31)),
        callback=lambda done, total, _: told.append((done, total)),
    )
    assert [s.leads for s in model.sets] == [("II",), ("V1",)]
    assert (model.rate, model.unit, model.tie) == (100, "mV", "adjoint")
    assert all(sum(k.taps) == 0 for s in model.sets for k in s.kernels)
    assert told == [(i, 24) for i in range(1, 25)]
    info = StreamInfo(Fraction(100), (Lead("V1"), Lead("II")))
    assert model.assign(info) == (1, 0)
    assert Kernels.from_json(model.to_json()) == model
    assert model.provenance["records"] == "pulses"
    assert model.provenance["samples"] == 2400
    for lead in ("II", "V1"):
        figures = model.provenance["figures"][lead]
        assert figures["test_phi"] < 0.6
        assert figures["test_spikes_per_second"] == pytest.approx(1.3, abs=0.6)
        assert figures["validation_phi_integer"] <= figures["validation_phi_integer_taps"] * 1.01
        assert figures["validation_phi_float"] == pytest.approx(
            figures["validation_phi_integer_taps"], abs=0.02
        )
        assert {figures[f"{part}_windows"] for part in ("validation", "test")} == {1}


def test_offset_and_gain_of_the_record_do_not_matter(make_record, two_leads):
    digital = wfdb.rdrecord(str(two_leads), physical=False).d_signal
    moved = make_record("moved", digital * 2 + 500)
    first, second = train_model([two_leads], settings=QUICK), train_model([moved], settings=QUICK)
    for a, b in zip(first.sets, second.sets, strict=True):
        # A doubled mean rounds differently: the windows differ by half a unit at most.
        assert a.kernels[0].med == b.kernels[0].med
        assert np.allclose(
            a.kernels[0].as_array() / 2.0**a.scale,
            b.kernels[0].as_array() / 2.0**b.scale,
            atol=0.01,
        )


def test_same_settings_same_model(two_leads):
    first, second = (
        train_model([two_leads], settings=QUICK),
        train_model([two_leads], settings=QUICK),
    )
    assert first.to_json() == second.to_json()


def test_one_set_for_all_leads_and_several_kernels(two_leads):
    model = train_model([two_leads], settings=replace(QUICK, shared=True, kernels=2))
    (kernel_set,) = model.sets
    assert kernel_set.leads == ("II", "V1")
    assert len(kernel_set.kernels) == 2
    assert model.provenance["figures"]["II+V1"]["training_windows"] == 12


def test_kernels_that_keep_their_sum_declare_a_baseline(two_leads):
    model = train_model([two_leads], ["II"], replace(QUICK, zero_sum=False))
    baseline = model.sets[0].baseline
    assert baseline is not None
    # 500 of offset and the mean of the pulses.
    assert 500 < baseline < 700
    assert "validation_phi_free" not in model.provenance["figures"]["II"]


def test_part_and_several_records(make_record, two_leads):
    digital = wfdb.rdrecord(str(two_leads), physical=False).d_signal
    other = make_record("other", digital[:, ::-1], sig_name=["V1", "II"])
    settings = replace(QUICK, start=2, duration=12, compare_free=False)
    model = train_model([two_leads, other], ["0"], settings)
    assert model.provenance["records"] == "pulses, other"
    assert model.provenance["first_sample"] == 200
    assert model.provenance["samples"] == 2400
    assert [s.leads for s in model.sets] == [("II",)]


def test_flat_windows_are_left_out_and_counted(make_record, two_leads):
    digital = wfdb.rdrecord(str(two_leads), channels=[0], physical=False).d_signal
    digital[300:600] = 5
    model = train_model([make_record("flat", digital)], settings=QUICK)
    assert model.provenance["figures"]["II"]["refused_windows"] == 1


def test_records_that_do_not_fit_together(make_record, two_leads):
    long = np.arange(2400)[:, None] % 50
    with pytest.raises(SourceError, match=r"record .*fast: 200 Hz, but pulses has 100 Hz"):
        train_model([two_leads, make_record("fast", long, fs=200)], ["II"], QUICK)
    with pytest.raises(SourceError, match=r"record .*volts: unit 'V', but pulses has 'mV'"):
        train_model([two_leads, make_record("volts", long, units=["V"])], ["II"], QUICK)
    with pytest.raises(SourceError, match="no lead 'V1'"):
        train_model([two_leads, make_record("single", long)], None, QUICK)
    header = two_leads.with_suffix(".hea")
    header.write_text(header.read_text().replace("V1", "II"))
    with pytest.raises(SourceError, match="a lead is named twice in II, II"):
        train_model([two_leads], settings=QUICK)


def test_too_little_signal(make_record, two_leads):
    with pytest.raises(SourceError, match="5 usable windows of 300 samples, at least 6 are needed"):
        train_model([two_leads], settings=replace(QUICK, duration=17.9))
    flat = make_record("flat", np.full((2400, 1), 3))
    with pytest.raises(SourceError, match="lead 'II' of flat: 0 usable windows"):
        train_model([flat], settings=QUICK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (0,)}, "zero-sum kernel size 0: must be 2 to 1024"),
        ({"sizes": (1,)}, "zero-sum kernel size 1: must be 2 to 1024"),
        ({"sizes": (1025,)}, "kernel size 1025"),
        ({"kernels": 0}, "0 kernels: must be at least 1"),
        ({"window": 1}, "window of 1 samples"),
    ],
)
def test_settings_outside_their_limits(options, message):
    with pytest.raises(SettingError, match=message):
        replace(QUICK, **options)
    assert TrainSettings(sizes=(1,), zero_sum=False).sizes == (1,)


def test_records_are_a_list(two_leads):
    for records in ([], str(two_leads)):
        with pytest.raises(SettingError, match="must be a list of at least one path"):
            train_model(records, settings=QUICK)


def test_kernels_too_long_to_be_placed_often_are_refused(two_leads):
    with pytest.raises(ModelError, match="overlap"):
        train_model([two_leads], ["II"], replace(QUICK, sizes=(200,), border_tolerance=199))


def test_default_sizes():
    assert default_sizes(Fraction(360)) == (144, 180, 216, 252)
    assert default_sizes(Fraction(1)) == (1,)
    assert default_sizes(Fraction(5000)) == (1024,)


@pytest.mark.long
def test_mitdb_100(data):
    """Both leads, two minutes: quantising costs little, about one spike a beat."""
    settings = TrainSettings(start=300, duration=120)
    model = train_model([data("mitdb/100")], settings=settings)
    assert [s.leads for s in model.sets] == [("MLII",), ("V5",)]
    for lead, limit in (("MLII", 0.55), ("V5", 0.70)):
        figures = model.provenance["figures"][lead]
        assert figures["test_phi"] < limit
        assert 1.0 <= figures["test_spikes_per_second"] <= 1.6
        assert figures["validation_phi_integer"] <= figures["validation_phi_float"] * 1.015
