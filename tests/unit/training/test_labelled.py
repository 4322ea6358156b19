"""Tables II to IV: the classifiers, what a cell holds, what is run again, how it is shown."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from san_stream.errors import SampleError, SettingError
from san_training.activations import ACTIVATIONS
from san_training.datasets import Labelled, Splits
from san_training.fitting import FitSettings, fit
from san_training.ledger import Ledger
from san_training.quality import evaluate
from san_training.reproduce import labelled
from san_training.reproduce.classifiers import (
    ClassifierSettings,
    build_classifier,
    train_classifier,
)
from san_training.reproduce.cli import command
from san_training.reproduce.labelled import LabelledSettings, Outcome, run_labelled
from san_training.reproduce.labelled_report import (
    COLUMNS,
    gather,
    labelled_agreement,
    labelled_text,
    paper_labelled,
)


def splits(shape, classes=3, seed=0):
    """Each class has a bump of its own; 128, 32 and 32 samples."""
    rng = np.random.default_rng(seed)
    length = int(np.prod(shape))

    def part(count):
        labels = rng.integers(0, classes, count)
        x = 0.1 * rng.normal(size=(count, length))
        for row, label in zip(x, labels, strict=True):
            at = 5 + int(label) * (length // classes)
            row[at : at + 9] += np.hanning(9)
        return Labelled(x.reshape(count, *shape).astype(np.float32), labels)

    return Splits(tuple("abc"[:classes]), part(128), part(32), part(32))


@pytest.fixture
def data(monkeypatch):
    """Small data in place of the paper's; the function is told what it is asked for."""
    asked = []

    def read_splits(_root, settings):
        shape = (178,) if settings.table == "table2" else (28, 28)

        def one(split, seed):
            asked.append((split, seed))
            return splits(shape, seed=seed + (100 if split == "recording" else 0))

        return one

    monkeypatch.setattr(labelled, "read_splits", read_splits)
    return asked


def run(tmp_path, settings, name="ledger"):
    with Ledger(tmp_path / name, settings.basis()) as ledger:
        return run_labelled(tmp_path, ledger, settings, callback=lambda *_: None)


@pytest.mark.parametrize(("network", "shape"), [("cnn", (178,)), ("dense", (12, 11))])
def test_classifiers_learn_and_repeat(network, shape):
    settings = ClassifierSettings(network, epochs=20, batch=8)
    first, second = (train_classifier(splits(shape), settings) for _ in range(2))
    assert first == second
    assert first.test > 0.8
    assert train_classifier(splits(shape), replace(settings, keep_last=True)).epoch == 20


def test_the_cnn_is_the_papers():
    model = build_classifier("cnn", 178, 3, torch.Generator())
    shapes = [tuple(p.shape) for p in model.parameters() if p.ndim > 1]
    assert shapes == [(3, 1, 5), (16, 3, 5), (120, 656), (84, 120), (3, 84)]
    assert all(p.abs().max() <= p[0].numel() ** -0.5 for p in model.parameters() if p.ndim > 1)


def test_the_best_epoch_is_by_validation_and_not_by_test():
    parts = splits((12, 11))
    # Labels of the test part are turned round: what validation likes best, test likes least.
    wrong = Labelled(parts.test.samples, (parts.test.labels + 1) % 3)
    settings = ClassifierSettings("dense", epochs=20, batch=8)
    found = train_classifier(parts, settings)
    spoilt = train_classifier(replace(parts, test=wrong), settings)
    assert (spoilt.epoch, spoilt.validation) == (found.epoch, found.validation)
    assert spoilt.test < 0.2


def test_classifiers_refuse_what_they_cannot_take():
    parts = splits((178,))
    broken = parts.training.samples.copy()
    broken[3, 4] = np.nan
    bad = replace(parts, training=Labelled(broken, parts.training.labels))
    with pytest.raises(SampleError, match="classifier: a sample is not finite"):
        train_classifier(bad, ClassifierSettings("cnn"))
    with pytest.raises(SettingError, match="signals of 15 samples"):
        build_classifier("cnn", 15, 3, torch.Generator())
    build_classifier("cnn", 16, 3, torch.Generator())
    with pytest.raises(SettingError, match="classifier 'forest'"):
        build_classifier("forest", 99, 3, torch.Generator())
    with pytest.raises(SettingError, match="epochs 0"):
        train_classifier(parts, ClassifierSettings("cnn", epochs=0))


@pytest.mark.parametrize(("table", "size"), [("table2", 8), ("table3", 3)])
@pytest.mark.parametrize("activation", ["relu", "extrema"])
def test_a_cell_is_the_network_and_the_classifier_of_its_own(
    data, tmp_path, table, size, activation
):
    settings = LabelledSettings(
        table, activations=(activation,), sizes=(size,), seeds=1, epochs=2, splits=()
    )
    outcome = run(tmp_path, settings)
    split = settings.splits[0]
    line = outcome.lines[split, 0, activation, size]
    parts = splits((178,) if table == "table2" else (28, 28))
    how = FitSettings(
        (size, size), activation=activation, epochs=2, batch=64, border_tolerance=2, device="cpu"
    )
    result = fit(parts.training.samples, parts.validation.samples, how)
    network = result.model()
    expected = evaluate(network, torch.tensor(parts.test.samples))
    assert line["epoch"] == result.epoch + 1
    assert line["phi"] == pytest.approx(expected.phi, rel=1e-3)
    assert line["ratio"] == pytest.approx(expected.inverse_ratio, rel=1e-3)
    assert line["loss"] == pytest.approx(expected.loss, rel=1e-3)
    for taps, kernel in zip(line["kernels"], result.kernels, strict=True):
        assert taps == pytest.approx(kernel.ravel(), abs=1e-3)
    if table == "table3":
        more = evaluate(network, torch.tensor(parts.test.samples), weights=2 * size**2)
        assert line["phi_all_taps"] == pytest.approx(more.phi, rel=1e-3)
        assert line["ratio_all_taps"] == pytest.approx(
            line["ratio"] + (2 * size**2 - 2 * size) / 784, abs=1e-6
        )
    base = outcome.lines[split, 0, "baseline", 0]
    classifier = ClassifierSettings(settings.experiment.network, epochs=2)
    assert base["accuracy"] == pytest.approx(train_classifier(parts, classifier).test, abs=0.07)


def test_threads_change_nothing_and_a_stopped_run_goes_on(data, tmp_path, monkeypatch):
    settings = LabelledSettings("table3", sizes=(2, 5), seeds=2, epochs=1, workers=3)
    whole = run(tmp_path, settings, "whole")
    assert len(whole.lines) == 2 * 11
    original, calls = labelled.fit_compiled, []

    def stops(*arguments, **options):
        calls.append(1)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    alone = replace(settings, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(labelled, "fit_compiled", stops)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, alone)
        calls.clear()
        assert run(tmp_path, replace(alone, seeds=1)).lines.keys() < whole.lines.keys()
        assert not calls
    assert run(tmp_path, alone).lines == whole.lines


def test_other_samples_and_another_rule_are_run_again(data, tmp_path, monkeypatch):
    settings = LabelledSettings("table2", splits=("row",), activations=("topk",), sizes=(9,),
                                seeds=1, epochs=3)  # fmt: skip
    first = run(tmp_path, settings)
    last = run(tmp_path, replace(settings, keep="last"))
    assert last.lines["row", 0, "topk", 9]["epoch"] == 3
    assert last.lines["row", 0, "baseline", 0]["classifier_epoch"] == 3
    assert run(tmp_path, settings).lines == first.lines
    monkeypatch.setattr(
        labelled, "read_splits", lambda *_: lambda _split, seed: splits((178,), seed=seed + 9)
    )
    other = run(tmp_path, settings)
    assert other.lines["row", 0, "topk", 9]["data"] != first.lines["row", 0, "topk", 9]["data"]


def line(phi, accuracy):
    return {"phi": phi, "ratio": phi / 2, "loss": phi / 3, "epoch": 4, "accuracy": accuracy}


def outcome(cells, bases, **options):
    """Of table IV, top-k of one tap."""
    settings = LabelledSettings("table4", activations=("topk",), sizes=(1,), seeds=len(cells))
    lines = {("published", i, "topk", 1): cell for i, cell in enumerate(cells)}
    lines |= {("published", i, "baseline", 0): {"accuracy": b} for i, b in enumerate(bases)}
    return Outcome(settings, None, lines)


def test_of_several_seeds_the_median_model_and_the_mean_accuracy_stand():
    many = outcome(
        [line(0.9, 0.70), {"failed": "diverged"}, line(0.3, 0.75), line(0.6, 0.8)],
        [0.8, 0.1, 0.81, 0.82],
    )
    cell = gather(many, "published", "topk", 1)
    assert (cell.seeds, cell.seed, cell.flithos, cell.spread) == (3, 3, 0.6, (0.3, 0.9))
    assert cell.accuracy == pytest.approx(75)
    assert cell.baseline == pytest.approx(81)
    assert cell.differences == pytest.approx((-6, -2, -10))
    assert gather(outcome([{"failed": "no"}], [0.8]), "published", "topk", 1) is None


def test_agreement_asks_for_all_three_figures():
    printed = paper_labelled("table4")["topk", 1]
    near = {"epoch": 1, "accuracy": 0.8, "ratio": 3.0, "loss": 0.01, "phi": 3.024}
    assert printed[:3] == (3.0, 0.01, 3.0)
    for change, counts in (({}, (1, 1)), ({"loss": 0.05}, (0, 1)), ({"ratio": 3.1}, (0, 0))):
        (entry,) = labelled_agreement(outcome([near | change], [0.8]))
        assert (entry["within_0.02"], entry["within_0.05"]) == counts
        assert entry["cells"] == 1


def test_the_papers_tables_are_whole():
    for table, cells in (("table2", 40), ("table3", 30), ("table4", 30)):
        printed = paper_labelled(table)
        assert len(printed) == cells
        for ratio, loss, phi, difference in printed.values():
            assert phi == pytest.approx(np.hypot(ratio, loss), abs=0.02)
            assert -100 < difference < 10


def invoke(table, *arguments):
    return CliRunner().invoke(command, [table, *map(str, arguments)], catch_exceptions=False)


def test_command_writes_what_it_shows(data, tmp_path):
    arguments = ("--data", tmp_path, "-o", tmp_path / "out", "--sizes", "5-6", "--epochs", 1,
                 "--seeds", 2, "--activation", "relu", "--activation", "extrema")  # fmt: skip
    shown = invoke("table3", *arguments)
    assert shown.exit_code == 0
    report = json.loads((tmp_path / "out" / "table3.json").read_text(encoding="utf-8"))
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table3.csv").read_text())))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == len(report["lines"]) == 4
    for text, found in zip(lines, report["lines"], strict=True):
        assert text == {k: "" if v is None else str(v) for k, v in found.items()}
        assert found["flithos_least"] <= found["flithos"] <= found["flithos_largest"]
        assert found["flithos"] < found["flithos_all_taps"]
    assert len(report["baselines_percent"]["published"]) == 2
    assert " 0.07 0.57  0.57  -8.8 |" in shown.output
    assert json.loads(invoke("table3", *arguments, "--json").output) == report


def test_data_that_are_not_here_are_rows_that_say_so(tmp_path):
    for table, what in (("table2", "Bonn EEG set S"), ("table3", "mnist: there is no train")):
        shown = invoke(table, "--data", tmp_path, "-o", tmp_path / table)
        assert shown.exit_code == 0
        assert f"not here: {what}" in shown.output
        assert "download" in shown.output
        report = json.loads((tmp_path / table / f"{table}.json").read_text(encoding="utf-8"))
        assert {entry["missing"] for entry in report["lines"]} == {report["missing"]}
        assert [e["cells"] for e in report["agreement"]] == [0] * len(report["agreement"])


def test_a_cell_where_all_seeds_failed_is_marked():
    shown = labelled_text(outcome([{"failed": "no"}], [0.8]))
    assert "topk          |  3.00 0.01  3.00  -0.5 | failed" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "table5"}, "table 'table5': must be one of table2, table3, table4"),
        ({"splits": ("column",)}, "split 'column': must be one of row, recording"),
        ({"activations": ("tanh",)}, f"activation 'tanh': must be one of {ACTIVATIONS[0]}"),
        ({"activations": ()}, "activations: at least one"),
        ({"keep": "test"}, "kept epoch 'test'"),
        ({"scale": "half"}, "scale 'half'"),
        ({"seeds": 0}, "seeds 0"),
        ({"epochs": 0}, "epochs 0"),
        ({"workers": 0}, "workers 0"),
        ({"samples": -1}, "samples -1"),
        ({"sizes": (7,)}, "must rise, from 8 to 15"),
        ({"sizes": (9, 8)}, "must rise"),
    ],
)
def test_settings_outside_their_limits(options, message):
    with pytest.raises(SettingError, match=message):
        LabelledSettings(**{"table": "table2", **options})
