"""The databases of Table I: what is here is read, what is not says what to download."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb

from san_stream.errors import SourceError
from san_training.physionet import FIRST_RECORDS, database_windows, find_record

HERE = ("bidmc", "ctu-uhb-ctgdb", "drivedb", "emgdb", "mitdb", "noneeg", "voiced", "wrist")


def write(folder, name, samples=12000, value=None):
    digital = np.random.default_rng(0).integers(-99, 99, (samples, 1))
    if value is not None:
        digital[5000:6000] = value
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name, fs=100, units=["mV"], sig_name=["x"], d_signal=digital, fmt=["16"],
        adc_gain=[200.0], baseline=[0], write_dir=str(folder),
    )  # fmt: skip


def test_all_15_databases_of_the_table_are_known():
    assert len(FIRST_RECORDS) == 15
    assert set(HERE) < set(FIRST_RECORDS)


@pytest.mark.parametrize("database", HERE)
def test_whole_databases(data_root, database):
    if not (data_root / database).is_dir():
        pytest.skip(f"{database} is not in SAN_STREAM_DATA")
    windows = database_windows(data_root, database)
    assert [part.shape for part in windows] == [(6, 1000), (2, 1000), (4, 1000)]
    record = wfdb.rdrecord(str(find_record(data_root, database)), channels=[0], sampto=12000)
    signal = record.p_signal[:, 0].reshape(12, 1000)
    expected = (signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True)
    assert np.concatenate(windows) == pytest.approx(expected)


def test_the_list_of_records_decides(tmp_path):
    write(tmp_path / "mitdb", "100")
    write(tmp_path / "mitdb" / "part", "x1")
    assert find_record(tmp_path, "mitdb") == tmp_path / "mitdb" / "100"
    (tmp_path / "mitdb" / "RECORDS").write_text("part/x1\n100\n")
    assert find_record(tmp_path, "mitdb") == tmp_path / "mitdb" / "part" / "x1"
    assert database_windows(tmp_path, "mitdb").test.shape == (4, 1000)
    for name in ("../other", "/etc/x"):
        (tmp_path / "mitdb" / "RECORDS").write_text(name)
        with pytest.raises(SourceError, match=r"mitdb: RECORDS names .*, outside its folder"):
            find_record(tmp_path, "mitdb")


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("cebsdb", r"cebsdb: record b001 is not here; download record b001 \(header and signal"),
        ("sufhsdb", "sufhsdb: no record is here; download RECORDS and the first record that it"),
        ("apnea", "database 'apnea': must be one of apnea-ecg, bidmc"),
    ],
)
def test_what_is_not_here_says_what_to_download(tmp_path, database, message):
    with pytest.raises(SourceError, match=message) as caught:
        database_windows(tmp_path, database)
    if database != "apnea":
        where = rf"https://physionet.org/content/{database}/ into {tmp_path / database}"
        assert str(caught.value).endswith(where)


def test_records_that_cannot_be_used(tmp_path):
    write(tmp_path / "slpdb", "slp01a", samples=2500)
    with pytest.raises(SourceError, match=r"slpdb: .* 2500 samples, at least 12000 .*; download"):
        database_windows(tmp_path, "slpdb")
    write(tmp_path / "mitdb", "100", value=7)
    with pytest.raises(SourceError, match=r"mitdb: .* window 5 \(samples 5000 to 5999\) is const"):
        database_windows(tmp_path, "mitdb")
    (tmp_path / "mitdb" / "100.dat").unlink()
    with pytest.raises(SourceError, match=r"mitdb: .* there is no signal file 100\.dat; download"):
        database_windows(tmp_path, "mitdb")
