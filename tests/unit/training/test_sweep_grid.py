"""What a sweep is made of: the grid, its file, its signals, and what a trial's key rests on."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from san_stream.errors import SettingError, SourceError
from san_training.command_line import parse_numbers
from san_training.fitting import FitSettings
from san_training.paper import paper_windows
from san_training.sweep import trial as trial_module
from san_training.sweep.cli import command
from san_training.sweep.grid import OPTIONS, Grid, make_grid, read_file
from san_training.sweep.signals import Cut, Signal, read_signals


def test_numbers():
    assert parse_numbers("sizes", "5") == (5,)
    assert parse_numbers("sizes", "5, 7-9,20-41:10") == (5, 7, 8, 9, 20, 30, 40)
    assert parse_numbers("seed", str(2**62)) == (2**62,)
    for text in ("", "a", "5-4", "-3", "1.5", "1-9:0", "5,,6", "1-9:x", "1-2-3", "1" * 20):
        with pytest.raises(SettingError, match=r"sizes .*: must be numbers such as"):
            parse_numbers("sizes", text)
    assert len(parse_numbers("seed", "1-1000000")) == 10**6
    for text in ("0-1000000", "5,1-1000000", "1-9999999999999999999"):
        with pytest.raises(SettingError, match="more than 1000000 numbers"):
            parse_numbers("seed", text)


def test_each_combination_once(noise):
    grid = make_grid(
        {
            "sizes": "5,9,5", "kernels": [1, 3], "activation": "relu, topk", "seed": "0-1",
            "init": "constant", "epochs": "4", "border_tolerance": 2, "tie": "adjoint",
            "zero_sum": "yes", "learning_rate": "0.1,1e-3",
        }
    )  # fmt: skip
    signals = [noise("a"), noise("b", 1)]
    trials = grid.trials(signals)
    points = {(t.signal.name, t.settings) for t in trials}
    assert len(trials) == len(points) == 2 * 2 * 2 * 2 * 2 * 2
    assert {t.settings.sizes for t in trials} == {(5,), (9,), (5, 5, 5), (9, 9, 9)}
    assert {t.settings.learning_rate for t in trials} == {0.1, 0.001}
    assert trials[0].settings.sizes == (9, 9, 9)
    for trial in trials:
        settings = trial.settings
        assert (settings.init, settings.epochs, settings.tie) == ("constant", 4, "adjoint")
        assert (settings.border_tolerance, settings.zero_sum) == (2, True)


def test_every_setting_of_a_training_can_be_swept(noise):
    """By its own name, which nothing else on the command line has."""
    settings = FitSettings((5,))
    swept = {field.name for field in fields(FitSettings)} - {"sizes"}
    assert swept == set(OPTIONS)
    taken = [name for option in command.params for name in {option.name, *option.opts}]
    assert len(taken) == len(set(taken))
    for name in swept:
        value = getattr(settings, name)
        text = ("no", "yes")[value] if isinstance(value, bool) else str(value)
        [trial] = make_grid({"sizes": "5", name: text}).trials([noise("a")])
        assert trial.settings == settings
        assert f"--{name.replace('_', '-')}" in taken


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"sizes": ()}, "sizes: at least one"),
        ({"sizes": "0"}, "sizes 0: must be 1 to 1024"),
        ({"sizes": 1025}, "sizes 1025"),
        ({"kernels": 17}, "kernels 17: must be 1 to 16"),
        ({"activation": ("relu", "Relu")}, "activation 'Relu': must be one of"),
        ({"init": "x"}, "init 'x'"),
        ({"tie": "adjoint,x"}, "tie 'x'"),
        ({"loss": ""}, "loss ''"),
        ({"seed": ()}, "seed: at least one"),
        ({"zero_sum": "maybe"}, "zero_sum 'maybe': must be yes or no"),
        ({"engine": "x"}, "engine 'x'"),
        ({"device": "auto,cuda"}, "the compiled engine runs on the CPU"),
        ({"epochs": "0"}, "epochs 0"),
        ({"seed": (0, -1)}, "seed -1"),
        ({"learning_rate": "0.1,nan"}, "learning rate nan"),
        ({"learning_rate": "0.1;0.2"}, "learning_rate '0.1;0.2': must be numbers"),
    ],
)
def test_settings_that_cannot_be(options, reason):
    with pytest.raises(SettingError, match=reason):
        make_grid({"sizes": (5,), **options})


def test_no_sizes_and_unknown_options():
    with pytest.raises(SettingError, match="--sizes: name the kernel sizes"):
        make_grid({"epochs": 3})
    with pytest.raises(SettingError, match="option 'sizes_': is none of"):
        Grid((5,), options={"sizes_": (3,)})


def test_too_many_trials(noise):
    grid = make_grid({"sizes": "1-1000", "seed": "0-1000"})
    with pytest.raises(SettingError, match="1001000 trials"):
        grid.trials([noise("a")])


def test_file_as_toml_and_json(tmp_path):
    toml, js = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('records = "a,b"\nsizes = "5-7"\nseed = [0, 1]\nlearning_rate = 1\nwindow = 50')
    js.write_text('{"sizes": 9, "activation": ["relu"], "zero_sum": true, "engine": "torch"}')
    assert read_file(toml) == {
        "records": ("a,b",), "sizes": (5, 6, 7), "seed": (0, 1), "learning_rate": (1.0,),
        "window": 50,
    }  # fmt: skip
    assert read_file(js) == {
        "sizes": (9,), "activation": ("relu",), "zero_sum": (True,), "engine": "torch",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sizes = [1, 2.5]", "file .*a.toml: sizes 2.5: must be of type int"),
        ("sizes = [true]", "sizes True"),
        ("epochs = 1.5", "epochs 1.5: must be of type int"),
        ("zero_sum = 1", "zero_sum 1: must be of type bool"),
        ("window = 1.5", "window 1.5: must be of type int"),
        ("records = [1]", "records .1.: must be names"),
        ("size = 5", "'size' is none of records, databases, engine"),
        ("sizes = ", "file"),
        ("sizes = 1\nsizes = 2", "file"),
        ("\x80", "file"),
    ],
)
def test_files_that_are_wrong(tmp_path, text, reason):
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingError, match=reason) as caught:
        read_file(path)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    for name in ("none.toml", "a.json", "."):
        with pytest.raises(SettingError, match="file "):
            read_file(tmp_path / name)


def test_as_the_paper_cuts(make_record):
    path = make_record("a", np.random.default_rng(0).integers(-99, 99, (12500, 2)))
    [signal], missing = read_signals([str(path)], [], None, Cut())
    assert not missing
    assert signal.name == f"{path.parent.name}/a:0"
    for ours, papers in zip(signal.windows, paper_windows(path), strict=True):
        np.testing.assert_allclose(ours, papers, rtol=1e-9, atol=1e-12)
    [later], _ = read_signals([f"{path}.hea"], [], None, Cut("V1", 1.0, 20, 13))
    assert [part.shape for part in later.windows] == [(6, 20), (2, 20), (5, 20)]
    assert later.content != signal.content


def test_folders_and_the_root(make_record, tmp_path):
    digital = np.random.default_rng(0).integers(-99, 99, (200, 1))
    for name in ("b", "a"):
        make_record(name, digital)
    make_record("short", digital[:99])
    make_record("flat", np.concatenate([digital[:100], 0 * digital[:100]]))
    cut = Cut(window=20, windows=8)
    signals, missing = read_signals([tmp_path.name, f"{tmp_path.name}/a"], [], tmp_path.parent, cut)
    assert [signal.name.partition("/")[2] for signal in signals] == ["a:0", "b:0"]
    reasons = {name.partition("/")[2]: reason for name, reason in missing.items()}
    assert "99 samples from 0 s, 160 are needed" in reasons["short:0"]
    assert "window 5 (samples 100 to 119) is constant or misses samples" in reasons["flat:0"]


def test_samples_that_are_missing(make_record):
    digital = np.random.default_rng(0).integers(-99, 99, (200, 1))
    digital[33] = -(2**15)
    path = make_record("holes", digital)
    with pytest.raises(SourceError, match=r"nothing to train on: .*window 1 .*misses samples"):
        read_signals([str(path)], [], None, Cut(window=20, windows=8))


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    cut = Cut()
    for records, databases, root, error, reason in (
        ([], [], None, SettingError, "nothing to train on: name records"),
        ([str(tmp_path / "empty")], [], None, SourceError, "holds no records"),
        (["none"], [], tmp_path, SourceError, "there is no header none.hea.*nor below"),
        ([], ["mitdb"], None, SettingError, "--data"),
        ([], ["mit"], tmp_path, SettingError, "database 'mit'"),
        ([], ["mitdb", "voiced"], tmp_path, SourceError, "mitdb: record 100.* 1 more like it"),
    ):
        with pytest.raises(error, match=reason):
            read_signals(records, databases, root, cut)
    for options in ({"start": -1.0}, {"window": 1}, {"windows": 5}, {"window": 2**30}):
        with pytest.raises(SettingError):
            Cut(**options)


def test_a_key_is_of_all_that_defines_a_trial(noise, monkeypatch):
    def keys(signal, **options):
        return [t.key() for t in make_grid({"sizes": (5,), **options}).trials([signal])]

    first = noise("a")
    [key] = keys(first)
    assert keys(noise("a")) == [key]
    windows = first.windows
    reshaped = type(windows)(*(part.reshape(-1, part.shape[1] // 2) for part in windows))
    others = [
        keys(noise("b")),
        keys(noise("a", 1)),
        keys(Signal("a", reshaped)),
        *(keys(first, **{name: value}) for name, value in (
            ("sizes", 6), ("kernels", 2), ("activation", "relu"), ("init", "data"), ("seed", 1),
            ("restarts", 2), ("epochs", 29), ("batch", 1), ("loss", "mse"), ("learning_rate", 0.02),
            ("tie", "adjoint"), ("zero_sum", True), ("border_tolerance", 4), ("engine", "torch"),
            ("device", "cpu"),
        )),
    ]  # fmt: skip
    monkeypatch.setattr(trial_module, "trainer_code", lambda: "another")
    others.append(keys(first))
    assert len({key, *(other for [other] in others)}) == len(others) + 1
