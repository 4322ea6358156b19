"""Table I: what is picked, what is run again, and how it is shown."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import wfdb
from click.testing import CliRunner

from san_stream.errors import SettingError
from san_training.activations import ACTIVATIONS
from san_training.ledger import Ledger
from san_training.paper import run_paper_protocol
from san_training.reproduce import table1
from san_training.reproduce.cli import command
from san_training.reproduce.table1 import Table1Settings, pick_cell, run_table1
from san_training.reproduce.table1_report import COLUMNS, agreement, as_text, paper_table

SMALL = {"sizes": (1, 9), "epochs": 2}


@pytest.fixture
def root(tmp_path):
    """Two of the databases, of noise and pulses, one too short, the others not here."""
    rng = np.random.default_rng(0)
    for database, name, samples in (("mitdb", "100", 12000), ("emgdb", "emg_healthy", 12000),
                                    ("slpdb", "slp01a", 2500)):  # fmt: skip
        digital = rng.integers(-20, 20, (samples, 1))
        for at in range(0, samples - 9, 40):
            digital[at : at + 9, 0] += np.round(200 * np.hanning(9)).astype(int)
        (tmp_path / database).mkdir()
        wfdb.wrsamp(
            name, fs=100, units=["mV"], sig_name=["x"], d_signal=digital, fmt=["16"],
            adc_gain=[200.0], baseline=[0], write_dir=str(tmp_path / database),
        )  # fmt: skip
    return tmp_path


def run(root, settings, name="ledger"):
    told = []
    with Ledger(root / name, settings.basis()) as ledger:
        rows = run_table1(root, ledger, settings, callback=lambda *step: told.append(step))
    return rows, told


def sweep(validation, best, last):
    """A ledger line of sizes 1, 2, …; φ̄ of the test windows, ratio and loss tell where from."""

    def figures(phis, offset):
        return {"phi": phis, "ratio": [i + offset for i, _ in enumerate(phis)], "loss": phis}

    return {
        "size": [i + 1 for i, _ in enumerate(best)],
        "epoch": [10 * (i + 1) for i, _ in enumerate(best)],
        "validation": validation,
        "best": figures(best, 0.1),
        "last": figures(last, 0.5),
    }  # fmt: skip


def test_validation_picks_the_best_epoch_and_test_the_last():
    one = sweep([0.5, 0.3, 0.4], [0.9, 0.8, 0.1], [0.7, 0.6, 0.5])
    cell = pick_cell([one], "validation", 30)
    assert (cell.kernel_size, cell.epoch, cell.flithos) == (2, 20, 0.8)
    assert cell.inverse_compression_ratio == 1.1
    cell = pick_cell([one], "test", 30)
    assert (cell.kernel_size, cell.epoch, cell.flithos) == (3, 30, 0.5)
    assert cell.inverse_compression_ratio == 2.5


def test_ties_go_to_the_smaller_size_and_diverged_models_are_left_out():
    one = sweep([0.3, 0.3, 0.2], [0.9, 0.8, None], [None, 0.6, 0.6])
    assert pick_cell([one], "validation", 5).kernel_size == 1
    assert pick_cell([one], "test", 5).kernel_size == 2
    assert pick_cell([sweep([], [], [])], "test", 5) is None
    assert pick_cell([], "test", 5) is None


def test_of_several_seeds_the_median_stands():
    seeds = [sweep([0.1], [phi], [phi + 1]) for phi in (0.5, 0.2, 0.9, 0.4)]
    cell = pick_cell(seeds, "validation", 5)
    assert (cell.seed, cell.flithos, cell.spread) == (3, 0.4, (0.2, 0.9))
    assert pick_cell(seeds[:3], "test", 5).seed == 0


def test_cells_are_those_of_the_papers_protocol(root):
    settings = Table1Settings(databases=("mitdb",), inits=("normal",), **SMALL)
    (row,), told = run(root, settings)
    assert len(told) == 5 * 2
    assert set(row.cells) == {(a, "normal", p) for a in ACTIVATIONS for p in ("test", "validation")}
    for activation in ACTIVATIONS:
        alone = [
            run_paper_protocol(root / "mitdb" / "100", m, activation, epochs=2, device="cpu")
            for m in (1, 9)
        ]
        expected = min(alone, key=lambda result: result.fit.validation.phi)
        cell = row.cells[activation, "normal", "validation"]
        assert cell.kernel_size == expected.fit.settings.sizes[0]
        assert cell.epoch == expected.fit.epoch + 1
        assert cell.flithos == pytest.approx(expected.phi, abs=1e-4)
        assert cell.inverse_compression_ratio == pytest.approx(expected.inverse_ratio, abs=1e-4)
        assert cell.normalized_loss == pytest.approx(expected.loss, abs=1e-4)


def test_engines_give_the_same_table(root):
    tables = []
    for engine in ("compiled", "batched"):
        settings = Table1Settings(databases=("emgdb",), inits=("constant",), engine=engine, **SMALL)
        (row,), _ = run(root, settings, engine)
        tables.append({key: cell.flithos for key, cell in row.cells.items()})
    assert tables[0] == pytest.approx(tables[1], abs=1e-4)


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(root, monkeypatch):
    settings = Table1Settings(databases=("mitdb", "emgdb", "cebsdb"), **SMALL)
    whole, told = run(root, settings, "whole")
    assert told[-1][:2] == (40, 40)
    original, calls = table1.fit_all, []

    def stops(*arguments, **options):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(table1, "fit_all", stops)
        with pytest.raises(KeyboardInterrupt):
            run(root, settings)
    rows, told = run(root, settings)
    assert told[-1][:2] == (26, 26)
    assert rows == whole
    rows, told = run(root, settings)
    assert (rows, told) == (whole, [])
    # More starts or seeds are more of the same; what is there is not run again.
    more = Table1Settings(databases=("mitdb",), inits=("constant",), seeds=2, **SMALL)
    assert run(root, more)[1][-1][:2] == (10, 10)


def test_other_samples_are_run_again(root):
    settings = Table1Settings(databases=("mitdb",), inits=("constant",), **SMALL)
    first, _ = run(root, settings)
    for suffix in ("hea", "dat"):
        data = (root / "emgdb" / f"emg_healthy.{suffix}").read_bytes()
        (root / "mitdb" / f"100.{suffix}").write_bytes(data.replace(b"emg_healthy", b"100"))
    second, told = run(root, settings)
    assert len(told) == 10
    assert second != first


def test_the_papers_table_is_whole():
    table = paper_table()
    assert len(table) == 75
    assert table["mitdb", "extrema"] == (229, 0.24, 0.38, 0.45)
    for ratio, loss, phi in (cell[1:] for cell in table.values()):
        assert phi == pytest.approx(np.hypot(ratio, loss), abs=0.03)


def invoke(*arguments):
    return CliRunner().invoke(command, ["table1", *map(str, arguments)], catch_exceptions=False)


def test_command_writes_what_it_shows(root, tmp_path):
    arguments = ("--data", root, "-o", tmp_path / "out", "--sizes", "8-9", "--epochs", "1",
                 "--database", "mitdb", "--database", "slpdb", "--database", "prcp")  # fmt: skip
    shown = invoke(*arguments)
    assert shown.exit_code == 0
    report = json.loads((tmp_path / "out" / "table1.json").read_text(encoding="utf-8"))
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table1.csv").read_text())))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == len(report["lines"]) == 5 * 4 + 5 + 5
    for text, line in zip(lines, report["lines"], strict=True):
        assert text == {k: "" if v is None else str(v) for k, v in line.items()}
        if line["database"] == "mitdb":
            assert line["kernel_size"] in {8, 9}
            assert line["missing"] is None
            difference = line["flithos"] - line["paper_flithos"]
            assert line["flithos_difference"] == pytest.approx(difference, abs=1e-6)
    assert set(report["missing"]) == {"slpdb", "prcp"}
    assert "at least 12000 are needed; download" in report["missing"]["slpdb"]
    assert [entry["cells"] for entry in report["agreement"]] == [5] * 4
    assert shown.output.count("| not here") == 2
    assert "| 229 0.24 0.38  0.45 |" in shown.output.replace("|  229", "| 229")
    assert report["missing"]["prcp"] in shown.output
    again = invoke(*arguments, "--json")
    assert json.loads(again.output) == report


def test_a_database_where_all_diverged_is_marked():
    settings = Table1Settings(databases=("mitdb",), inits=("normal",))
    row = table1.Row("mitdb", None, {})
    assert "| diverged" in as_text([row], settings)
    assert agreement([row], settings)[0]["cells"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"databases": ("mit",)}, "database 'mit': must be one of apnea-ecg"),
        ({"databases": ()}, "databases and starts: at least one of each"),
        ({"inits": ("zeros",)}, "start 'zeros'"),
        ({"engine": "gpu"}, "engine 'gpu'"),
        ({"device": "cuda"}, "device 'cuda': the compiled engine runs on the CPU"),
        ({"seeds": 0}, "seeds 0"),
        ({"sizes": ()}, "kernel sizes: at least one"),
        ({"sizes": (0, 1)}, "each 1 to 1000"),
        ({"sizes": (1, 1001)}, "each 1 to 1000"),
        ({"sizes": (2, 1)}, "kernel sizes: must rise"),
    ],
)
def test_settings_outside_their_limits(options, message):
    with pytest.raises(SettingError, match=message):
        Table1Settings(**options)


def test_folders_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.delenv("SAN_STREAM_DATA", raising=False)
    with pytest.raises(SettingError, match="name the folder of the databases"):
        invoke("-o", tmp_path)
    with pytest.raises(SettingError, match="is no folder"):
        invoke("--data", tmp_path / "none")
