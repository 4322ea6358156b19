"""Running a sweep: in processes here, from a ledger, by the command line, and interrupted."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from functools import partial
from multiprocessing import active_children

import numpy as np
import pytest
from click.testing import CliRunner

from san_stream.errors import SanStreamError, SettingError, SinkError, SourceError
from san_training.batched_fit import Job
from san_training.ledger import Ledger
from san_training.many_fits import fit_all
from san_training.sweep.cli import command
from san_training.sweep.grid import make_grid
from san_training.sweep.local import run_local
from san_training.sweep.plot import picture
from san_training.sweep.report import as_csv, as_text, best
from san_training.sweep.run import BASIS, run_sweep
from san_training.sweep.trial import run_chunk, run_trial, trainer_code

DEADLY = """
import os, time

def work(windows, settings, engine):
    if settings.sizes == (13,):
        os._exit(7)
    time.sleep(0.002)
    return {"status": "done", "seconds": 0.0, "size": settings.sizes[0]}

def stillborn(windows, settings, engine):
    raise AssertionError

class AtOnce:
    def __init__(self): pass
    def __reduce__(self): return os._exit, (9,)
"""


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """A module that processes can import: 13 taps end them."""
    (tmp_path / "deadly_work.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("deadly_work")
    sys.modules.pop("deadly_work")


def in_this_process(trials):
    for trial in trials:
        yield [(trial, run_trial(trial.signal.windows, trial.settings, trial.engine))]


def run(path, trials, runner=in_this_process, **options):
    told = []
    with Ledger(path, BASIS) as ledger:
        sweep = run_sweep(
            trials, ledger, runner, callback=lambda *step: told.append(step), **options
        )
    return sweep, told


def test_killed_processes_lose_and_double_nothing(noise, deadly):
    trials = make_grid({"sizes": "1-100"}).trials([noise("a"), noise("b", 1)])
    found, killed = [], 0
    for rows in run_local(trials, jobs=2, retries=1, work=deadly.work):
        found += rows
        if not killed and len(found) > 20:
            victim = active_children()[0]
            os.kill(victim.pid, signal.SIGKILL)
            killed += 1
    assert killed == 1
    assert sorted(map(id, trials)) == sorted(id(trial) for trial, _ in found)
    for trial, row in found:
        if trial.settings.sizes == (13,):
            assert row["status"] == "lost"
            assert row["reason"] == "its process ended 2 times, at last with exit status 7"
        else:
            assert row["size"] == trial.settings.sizes[0]
    assert not active_children()


def test_processes_that_never_begin(noise, deadly):
    trials = make_grid({"sizes": 1}).trials([noise("a")])
    with pytest.raises(SanStreamError, match=r"end before they begin \(exit status 9\)"):
        list(run_local(trials, jobs=2, retries=0, work=deadly.AtOnce()))
    assert not active_children()


@pytest.mark.compiled
def test_processes_find_what_one_thread_finds(noise, tmp_path):
    signals = [noise("a"), noise("b", 1)]
    grid = make_grid(
        {"sizes": "3,20,98,99", "activation": "extrema,relu", "epochs": 3, "kernels": "1,2"}
    )
    trials = grid.trials(signals)
    sweep, told = run(tmp_path / "l", trials, partial(run_local, jobs=2, retries=0))
    assert [step[:2] for step in told] == [(i + 1, 32) for i in range(32)]
    jobs = [Job(t.signal.windows.training, t.signal.windows.validation, t.settings) for t in trials]
    results = fit_all(jobs, callback=lambda *_: None)
    for row, trial, result in zip(sweep.rows, trials, results, strict=True):
        assert row["status"] == "done", row
        assert row["validation_flithos"] == pytest.approx(result.validation.phi, rel=1e-8)
        tested = result.evaluate(trial.signal.windows.test)
        assert row["test_flithos"] == pytest.approx(tested.phi, rel=1e-4)
        assert row["epoch"] == result.epoch + 1


def test_a_stopped_sweep_goes_on(noise, tmp_path):
    trials = make_grid({"sizes": "2-7", "epochs": 1}).trials([noise("a", length=40)])
    ran = []

    def stopped(todo):
        for i, rows in enumerate(in_this_process(todo)):
            if i == 3:
                raise KeyboardInterrupt
            yield rows

    def counted(todo):
        ran.extend(todo)
        yield from in_this_process(todo)

    path = tmp_path / "ledger"
    with pytest.raises(KeyboardInterrupt):
        run(path, trials, stopped)
    path.write_bytes(path.read_bytes() + b'{"key": ["torn')
    sweep, _ = run(path, trials, counted)
    assert ran == trials[3:]
    assert sweep.ran == 3
    whole, _ = run(tmp_path / "other", trials)
    drop = [{k: v for k, v in row.items() if k != "seconds"} for row in sweep.rows]
    assert drop == [{k: v for k, v in row.items() if k != "seconds"} for row in whole.rows]
    # Other data under the same name are other trials, and more of a grid adds to it.
    assert run(path, trials)[0].ran == 0
    assert run(path, make_grid({"sizes": 2, "epochs": 1}).trials([noise("a", 5, 40)]))[0].ran == 1
    assert (
        run(path, make_grid({"sizes": "2,9", "epochs": 1}).trials([noise("a", length=40)]))[0].ran
        == 1
    )


@pytest.mark.parametrize(
    ("before", "after", "damaged"),
    [
        (r'"flithos": [0-9.]+', '"flithos": NaN', 1),
        (r'"flithos": [0-9.]+', '"flithos": null', 0),
        (r'"test": {.*?}', '"test": 3', 0),
        (r'"status": "done"', '"status": "odd"', 0),
        (r'"value": .*', '"value": [1]}', 1),
        (r'"value": .*', '"value": {}}', 0),
        (r".*", "", 0),
    ],
)
def test_lines_that_are_not_whole_are_run_again(noise, tmp_path, before, after, damaged):
    trials = make_grid({"sizes": "2,3", "epochs": 1}).trials([noise("a", length=40)])
    whole, _ = run(tmp_path / "l", trials)
    lines = (tmp_path / "l").read_text().splitlines()
    lines[1] = re.sub(before, after, lines[1], count=1)
    (tmp_path / "l").write_text("\n".join(lines))
    sweep, _ = run(tmp_path / "l", trials)
    assert (sweep.ran, sweep.damaged) == (1, damaged)
    for row in (*sweep.rows, *whole.rows):
        row.pop("seconds")
    assert sweep.rows == whole.rows
    assert ("cannot be read and do not count: 1" in as_text(sweep)) == bool(damaged)


def test_a_device_that_is_not_here_is_tried_again(noise, tmp_path):
    trials = make_grid({"sizes": 2, "engine": "torch", "device": "cuda:99"}).trials([noise("a")])
    for _ in range(2):
        sweep, _ = run(tmp_path / "l", trials)
        assert sweep.ran == 1
        assert sweep.count() == {"failed": 1}
        assert "cuda:99" in sweep.rows[0]["reason"]
    assert picture(sweep).startswith(b"\x89PNG")


def test_every_trial_is_a_row(noise, tmp_path, monkeypatch):
    short = noise("a", length=20)
    for part in short.windows:
        part.setflags(write=False)
    trials = make_grid({"sizes": "5,20,21", "epochs": 1, "border_tolerance": 0}).trials([short])
    sweep, _ = run(tmp_path / "l", trials)
    reasons = {row["kernel_size"]: row["reason"] for row in sweep.rows}
    assert reasons == {
        5: None,
        20: "minimum extrema distance 20: windows have 20 samples",
        21: "kernel of 21 taps: windows have 20 samples",
    }
    assert sweep.count() == {"done": 1, "refused": 2}

    def broken(*_args, **_options):
        raise TypeError("two\nlines")

    monkeypatch.setattr("san_training.sweep.trial.fit_compiled", broken)
    diverging = make_grid({"sizes": 5, "epochs": 1, "seed": 3}).trials([short])
    sweep, _ = run(tmp_path / "l", diverging)
    assert [(r["status"], r["reason"]) for r in sweep.rows] == [("failed", "TypeError: two lines")]
    # What nobody expected is tried again, what the trainer refuses is not.
    monkeypatch.undo()
    sweep, _ = run(tmp_path / "l", [*trials, *diverging])
    assert sweep.ran == 1
    assert sweep.count() == {"done": 2, "refused": 2}


@pytest.mark.compiled  # plain, numpy warns where numbers overflow
def test_training_that_diverges(noise, tmp_path):
    trials = make_grid({"sizes": 5, "activation": "relu", "learning_rate": 1e30}).trials(
        [noise("a")]
    )
    sweep, _ = run(tmp_path / "l", trials)
    [row] = sweep.rows
    assert row["status"] == "refused"
    assert "diverged" in row["reason"] or "no number" in row["reason"]


def test_torch_trains_too(noise, tmp_path):
    options = {"sizes": 7, "activation": "topk", "epochs": 2}
    signals = [noise("a", length=60)]
    rows = [
        run(tmp_path / engine, make_grid({**options, "engine": engine}).trials(signals))[0].rows[0]
        for engine in ("compiled", "torch")
    ]
    assert rows[0]["test_flithos"] == pytest.approx(rows[1]["test_flithos"], rel=1e-3)


def test_nodes_with_another_trainer(noise):
    [trial] = make_grid({"sizes": 3, "epochs": 1}).trials([noise("a", length=20)])
    work = [(trial.settings, trial.engine)]
    assert run_chunk(trial.signal.windows, work, trainer_code())[0]["status"] == "done"
    [row] = run_chunk(trial.signal.windows, work, "other")
    assert (row["status"], row["reason"][:32]) == ("failed", "the node has another version of ")


def test_the_best_by_validation(noise, tmp_path):
    grid = make_grid({"sizes": "3,9,20", "activation": "relu,topk", "epochs": 2, "seed": "0,1"})
    trials = grid.trials([noise("a"), noise("b", 1)])
    sweep, _ = run(tmp_path / "l", trials, missing={"c:0": "record c: is short"})
    rows = list(csv.DictReader(as_csv(sweep).splitlines()))
    assert len(rows) == 25
    assert rows[-1] | {"signal": "c:0", "status": "unreadable"} == rows[-1]
    for row in best(sweep):
        mine = [
            float(r["validation_flithos"]) for r in rows
            if (r["signal"], r["activation"]) == (row["signal"], row["activation"])
        ]  # fmt: skip
        assert len(mine) == 6
        assert row["validation_flithos"] == min(mine)
    assert [row["is_best"] for row in best(sweep)].count(True) == 2
    text = as_text(sweep)
    assert "24 trials, 24 of them run now: 24 done" in text
    assert "unreadable: record c: is short" in text
    # Of the settings only what has several values; and the columns stand one under another.
    head, *lines = text.partition("\n\n")[0].splitlines()
    assert head.split()[:5] == ["signal", "activation", "m", "seed", "epoch"]
    bare = "".join(letter for letter in head if not unicodedata.combining(letter))
    assert {len(line) for line in [bare, *lines]} == {len(bare)}


def invoke(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_command_line(make_record, tmp_path):
    make_record("a", np.random.default_rng(0).integers(-99, 99, (700, 1)))
    file, out = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text('sizes = "3-5,60,61"\nactivation = "topk"\nepochs = 1\nwindow = 50\n')
    line = (tmp_path, "-f", file, "-o", out, "--jobs", 1, "--windows", 10, "--activation", "relu")
    result = invoke(*line)
    assert result.exit_code == 0, result.output
    assert "5 trials, 5 of them run now: 3 done, 2 refused" in result.output
    assert "1 × refused: kernel of 61 taps: windows have 50 samples" in result.output
    assert {path.name for path in out.iterdir()} == {"ledger.jsonl", "trials.csv", "summary.png"}
    assert (out / "summary.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(invoke(*line, "--json").output)
    assert (told["trials"], told["ran"]) == (5, 0)
    assert [row["activation"] for row in told["best"]] == ["relu"]


def test_one_clear_error(make_record, tmp_path):
    path = make_record("a", np.random.default_rng(0).integers(-99, 99, (700, 1)))
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for arguments, error, reason in (
        ((path,), SettingError, "--sizes: name the kernel sizes"),
        ((path, "--sizes", "x"), SettingError, "sizes 'x'"),
        ((path, "--sizes", "5"), SourceError, "700 samples from 0 s, 12000 are needed"),
        ((tmp_path / "empty", "--sizes", "5"), SourceError, "holds no records"),
        ((path, "--sizes", "5", "--learning-rate", "nan"), SettingError, "learning rate nan"),
        ((path, "--sizes", "5", "--gpus-per-trial", "0.5"), SettingError, "is of --cluster"),
        ((path, "--sizes", "5", "--gpus-per-trial", "1.5"), SettingError, "0 to 1, or a whole"),
        ((path, "--sizes", "5", "--cluster", "x", "--jobs", "2"), SettingError, "--jobs"),
        ((path, "--sizes", "5", "--cluster", "x", "--gpus-per-trial", "1"), SettingError, "torch"),
        ((path, "--sizes", "5", "--window", "50", "-o", tmp_path / "file"), SinkError, "output"),
    ):
        found = invoke(*arguments).exception
        assert isinstance(found, error), (arguments, found)
        assert reason in str(found)


STOPPED = """
import signal, sys
import click
from san_training.sweep import cli
from san_training.sweep.local import run_local
import deadly_work
def runner(*_):
    return lambda todo: run_local(todo, jobs=2, retries=0, work=deadly_work.work)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.runner = runner
    try:
        cli.command.main(sys.argv[1:], standalone_mode=False)
    except click.Abort:
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_ctrl_c_leaves_a_whole_ledger(make_record, tmp_path, deadly, source_environment):
    path = make_record("a", np.random.default_rng(0).integers(-99, 99, (700, 1)))
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED)
    ledger = tmp_path / "out" / "ledger.jsonl"
    process = subprocess.Popen(
        [sys.executable, script, path, "--window", "50", "--sizes", "1-12,14-50", "-o",
         tmp_path / "out", "--seed", "0-99"],
        env=source_environment | {"PYTHONPATH": f"{tmp_path}:{source_environment['PYTHONPATH']}"},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if ledger.exists() and ledger.read_bytes().count(b"\n") > 50:
                break
            time.sleep(0.05)
        # As a terminal does: to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert f"trials are in {ledger}; the same command goes on from there" in errors
    lines = ledger.read_bytes().splitlines(keepends=True)
    keys = [json.loads(line)["key"][0] for line in lines[1:]]
    assert 50 <= len(keys) == len(set(keys)) < 4900
    assert lines[-1].endswith(b"\n")
    told = re.search(r"stopped: ([0-9]+) of 4900", errors)
    # What Ctrl-C met on its way to the disk is there and not counted.
    assert told is not None
    assert 0 <= len(keys) - int(told[1]) <= 32
    # The processes of the sweep held the same standard error: that it came to an end says that
    # they did too.
    assert "Traceback" not in errors
    assert process.returncode == 130


def test_ray_is_not_imported(tmp_path, make_record, source_environment):
    path = make_record("a", np.random.default_rng(0).integers(-99, 99, (700, 1)))
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from san_training.sweep.cli import command\n"
        "if __name__ == '__main__':\n"
        "    command.main(sys.argv[1:], standalone_mode=False)\n"
    )
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "main.py", str(path), "--sizes", "5", "--window", "50", "--epochs", "1",
         "--jobs", "1", "-o", "out"],
        cwd=tmp_path, env=source_environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 done" in done.stdout
