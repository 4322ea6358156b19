"""The epilepsy table from its recordings."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch

from san_stream.errors import SettingError, SourceError
from san_training.bonn import SETS, EpilepsyTable, epilepsy_splits, read_bonn
from san_training.compiled_fit import evaluate_compiled, fit_compiled
from san_training.fitting import FitSettings


@pytest.fixture(scope="module")
def table(data_root) -> EpilepsyTable:
    if not (data_root / "bonn").is_dir():
        pytest.skip("the Bonn recordings are not in SAN_STREAM_DATA")
    return read_bonn(data_root / "bonn")


def test_rows_known_from_the_published_table(table):
    assert table.rows.shape == (11500, 178)
    # (label, set's file from 0, piece from 0) and how the row begins in the UCI table
    known = [(4, 79, 20, [135, 190, 229, 223]), (1, 92, 14, [386, 382, 356, 331]),
             (5, 1, 7, [-32, -39, -47, -37])]  # fmt: skip
    for label, file, piece, begin in known:
        rows = table.rows[table.labels == label].reshape(100, 23, 178)
        assert rows[file, piece, :4].tolist() == begin


@pytest.mark.parametrize("by", ["row", "recording"])
@pytest.mark.parametrize(
    ("activation", "ratio", "loss"),
    [("topk", 0.42, 0.78), ("extrema_pool", 0.42, 0.46), ("extrema", 0.34, 0.43)],
)
def test_two_kernels_of_15_taps_give_the_figures_of_table_2(table, by, activation, ratio, loss):
    splits = epilepsy_splits(table, by=by)
    how = FitSettings(
        (15, 15), activation=activation, epochs=5, batch=64, border_tolerance=2, device="cpu"
    )
    result = fit_compiled(splits.training.samples, splits.validation.samples, how)
    test = torch.from_numpy(splits.test.samples)
    figures = evaluate_compiled(result.kernels, test, how)
    assert figures.inverse_ratio == pytest.approx(ratio, abs=0.015)
    assert figures.loss == pytest.approx(loss, abs=0.02)


def made(seed=0) -> EpilepsyTable:
    """A table whose rows tell where they come from."""
    recordings = np.repeat(np.arange(500), 23)
    rows = np.random.default_rng(seed).integers(-500, 900, (11500, 178)).astype(np.int16)
    rows[:, 0] = recordings
    rows[:, 1] = np.tile(np.arange(23), 500)
    rows[7, 5], rows[9, 5] = -1000, 2000
    return EpilepsyTable(rows, recordings // 100 + 1, recordings)


def origin(part) -> list[tuple[int, int]]:
    raw = np.rint((part.samples.astype(float) + 1) * 1500 - 1000).astype(int)
    return [tuple(row) for row in raw[:, :2]]


@pytest.mark.parametrize("by", ["row", "recording"])
def test_parts_hold_each_row_once_with_its_class(by):
    splits = epilepsy_splits(made(), by=by)
    parts = (splits.training, splits.validation, splits.test)
    assert [len(part) for part in parts] == [8740, 1380, 1380]
    rows = [row for part in parts for row in origin(part)]
    assert sorted(rows) == [(r, p) for r in range(500) for p in range(23)]
    assert splits.classes == ("epilepsy", "tumor", "eyes")
    for part in parts:
        sets = np.array([recording // 100 for recording, _ in origin(part)])
        assert part.labels.tolist() == np.array([0, 1, 1, 2, 2])[sets].tolist()
        # No part has a class in one piece: batches in order would be of one class.
        assert len(set(part.labels[:50])) == 3


def test_by_recording_no_recording_is_in_two_parts_and_sets_are_even():
    splits = epilepsy_splits(made(), by="recording")
    seen = [{r for r, _ in origin(p)} for p in (splits.training, splits.validation, splits.test)]
    assert [len(part) for part in seen] == [380, 60, 60]
    assert len(set.union(*seen)) == 500
    for part, share in zip(seen, (76, 12, 12), strict=True):
        assert [sum(r // 100 == s for r in part) for s in range(5)] == [share] * 5
    # Drawn by rows, most recordings are in all three.
    rows = epilepsy_splits(made(), by="row")
    shared = {r for r, _ in origin(rows.training)} & {r for r, _ in origin(rows.test)}
    assert len(shared) > 400


def test_scales_and_seeds():
    symmetric, unit = (epilepsy_splits(made(), scale=scale) for scale in ("symmetric", "unit"))
    everything = np.concatenate([p.samples for p in (unit.training, unit.validation, unit.test)])
    assert (everything.min(), everything.max()) == (0, 1)
    assert symmetric.test.samples == pytest.approx(2 * unit.test.samples - 1, abs=1e-6)
    again, other = epilepsy_splits(made()), epilepsy_splits(made(), seed=1)
    assert np.array_equal(symmetric.test.samples, again.test.samples)
    assert not np.array_equal(symmetric.test.samples, other.test.samples)
    with pytest.raises(SettingError, match="split by 'file': must be one of row, recording"):
        epilepsy_splits(made(), by="file")
    with pytest.raises(SettingError, match="scale 'z': must be one of symmetric, unit"):
        epilepsy_splits(made(), scale="z")


def write_sets(folder, *, zipped=(), count=100, replace=None):
    for s, name in enumerate(SETS):
        texts = {
            f"{name}{i:03d}.{'TXT' if name == 'N' else 'txt'}": "\r\n".join(
                [str(s * 100 + i)] * 4097
            )
            for i in range(1, (count if name == "F" else 100) + 1)
        }
        if name == "O" and replace is not None:
            texts["O007.txt"] = replace
        (folder / name).mkdir()
        for file, text in texts.items():
            (folder / name / file).write_text(text)
        if name in zipped:
            with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for file in texts:
                    archive.write(folder / name / file, f"{name}/{file}")
            for file in texts:
                (folder / name / file).unlink()


def test_zip_files_and_folders(tmp_path):
    write_sets(tmp_path, zipped="SN")
    table = read_bonn(tmp_path)
    firsts = table.rows[::23, 0].tolist()
    assert firsts == [s * 100 + i for s in range(5) for i in range(1, 101)]
    assert table.labels[:: 23 * 100].tolist() == [1, 2, 3, 4, 5]
    whole = (tmp_path / "S.zip").read_bytes()
    (tmp_path / "S.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"set S: .*S\.zip is damaged \(BadZipFile"):
        read_bonn(tmp_path)
    middle = len(whole) // 2
    (tmp_path / "S.zip").write_bytes(whole[:middle] + bytes(40) + whole[middle + 40 :])
    with pytest.raises(SourceError, match=r"set S: .*S\.zip is damaged"):
        read_bonn(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 50}, r"set F: 50 of 100 files are missing, the first is F051\.txt; download F"),
        ({"replace": "1\n2\nx"}, r"set O: O007\.txt holds no integers"),
        ({"replace": "9" * 30}, r"set O: O007\.txt holds no integers"),
        ({"replace": "1\n2\n3"}, r"set O: O007\.txt has 3 samples, expected 4097"),
        ({"replace": "70000\n" * 4097}, r"set O: O007\.txt has a sample beyond 16 bits"),
    ],
)
def test_sets_that_cannot_be_used(tmp_path, options, message):
    write_sets(tmp_path, **options)
    with pytest.raises(SourceError, match=message):
        read_bonn(tmp_path)


def test_nothing_is_there(tmp_path):
    with pytest.raises(SourceError, match=r"set S: 100 of 100 files are missing"):
        read_bonn(tmp_path)
