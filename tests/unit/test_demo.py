"""The demo, its bundled minute and its bundled model."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import wfdb
from rich.console import Console

from san_runtime.demo.about import make_report
from san_runtime.demo.app import _warm_up
from san_runtime.demo.live import COLUMNS, heading, line, show
from san_runtime.demo.process import EncoderProcess
from san_runtime.demo.receive import Receiver
from san_runtime.demo.record import FOLDER, MODEL, RECORD, load_record
from san_runtime.encoder import Encoder
from san_runtime.figures import figures
from san_stream import Kernels, Lossless, Spikes
from san_stream.errors import SourceError

REPOSITORY = Path(__file__).parents[2]
ROOTS = [REPOSITORY, REPOSITORY / "runtime"]
MINUTE = range(216_000, 237_600)
"""The bundled samples' place in record 100."""


def environment() -> dict[str, str]:
    """Of a process that sees the tree, wherever it runs."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS)), "COLUMNS": "80"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "san_runtime", "demo", *map(str, arguments)]


# --- the bundled data -------------------------------------------------------------------------


def test_the_minute_is_the_records_own(data):
    record = data("mitdb/100")
    part = wfdb.rdrecord(str(record), sampfrom=MINUTE.start, sampto=MINUTE.stop, physical=False)
    ours = wfdb.rdrecord(str(RECORD), physical=False)
    assert np.array_equal(ours.d_signal, part.d_signal)
    for name in ("fs", "sig_name", "units", "adc_gain", "baseline", "adc_res", "adc_zero", "fmt"):
        assert getattr(ours, name) == getattr(part, name)
    theirs = wfdb.rdann(str(record), "atr", sampfrom=MINUTE.start, sampto=MINUTE.stop)
    beats = wfdb.rdann(str(RECORD), "atr")
    assert np.array_equal(beats.sample, theirs.sample - MINUTE.start)
    assert beats.symbol == theirs.symbol


def test_the_header_says_nothing_of_the_person():
    text = RECORD.with_suffix(".hea").read_text(encoding="ascii")
    assert "#" not in text
    assert wfdb.rdheader(str(RECORD)).comments == []


def test_checksums_of_the_header_are_those_of_the_samples():
    record = wfdb.rdrecord(str(RECORD), physical=False)
    sums = record.d_signal.astype(np.int64).sum(axis=0)
    assert [value % 2**16 for value in record.checksum] == list(sums % 2**16)
    assert list(record.d_signal[0]) == record.init_value
    assert record.d_signal.shape == (len(MINUTE), 2)


def test_the_model_serves_both_leads_and_never_saw_the_minute():
    kernels = Kernels.load(MODEL)  # refuses a file whose content hash is another
    record = load_record()
    assert kernels.assign(record.info) == (0, 1)
    assert [s.leads for s in kernels.sets] == [("MLII",), ("V5",)]
    assert kernels.provenance["records"] == "100"
    first, count = kernels.provenance["first_sample"], kernels.provenance["samples"]
    assert (first, count) == (20 * 60 * 360, 5 * 60 * 360)
    assert first >= MINUTE.stop


def test_a_changed_model_is_noticed(tmp_path):
    changed = json.loads(MODEL.read_text(encoding="utf-8"))
    changed["sets"][0]["kernels"][0]["med"] += 1
    path = tmp_path / "m.json"
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(ValueError, match="content hash"):
        Kernels.load(path)


def test_the_notice_attributes_and_lists_every_file():
    notice = FOLDER.joinpath("NOTICE.txt").read_text(encoding="utf-8")
    for word in ("ODC-By", "MIT-BIH", "Moody", "Goldberger", "What was changed"):
        assert word in notice
    for path in FOLDER.iterdir():
        assert path.name in notice or path.name == "NOTICE.txt"


# --- parts ------------------------------------------------------------------------------------


def messages(profile) -> list[bytes]:
    record = load_record()
    encoder = Encoder(record.info, profile)
    return [*encoder.push(record.samples), *encoder.close()]


def receive(monkeypatch, data: list[bytes], speed: float | None) -> Receiver:
    """A receiver that is fed without a socket."""
    record = load_record()
    monkeypatch.setattr("san_runtime.demo.receive.open_feed", lambda _: iter([*data, b""]))
    return Receiver(record.samples, record.info, speed)


def test_live_lines_fit_80_columns(monkeypatch, capsys):
    record = load_record()
    receiver = receive(monkeypatch, messages(Spikes(record.kernels)), 15.0)
    assert len(heading()) == len(line("spikes", receiver)) < 80
    assert all(name in heading() for name, _ in COLUMNS)
    console = Console(file=sys.stdout, width=80, force_terminal=False)
    show(console, "spikes", receiver, receiver.follow("tcp://nowhere:1"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4  # every 15 s of signal, and the last
    assert all(len(text) == len(heading()) for text in lines)
    assert lines[-1].split()[:2] == ["spikes", "1:00"]
    shown = float(lines[-1].split()[6])
    coded = receiver.result()
    x, y = record.samples.astype(float), coded.digital.astype(float)
    means = [
        100 * np.linalg.norm(x[:, i] - y[:, i]) / np.linalg.norm(x[:, i] - x[:, i].mean())
        for i in (0, 1)
    ]
    assert shown == pytest.approx(np.mean(means), abs=0.006)
    assert coded.delay is not None


def test_a_terminal_is_redrawn_in_place_with_a_sparkline(monkeypatch, capsys):
    receiver = receive(monkeypatch, messages(Lossless("tiny")), None)
    monkeypatch.setattr("san_runtime.demo.live.REFRESH_SECONDS", 0.0)
    # Its encoding is that of what it writes to.
    console = Console(file=sys.stdout, width=120, force_terminal=True, legacy_windows=False)
    show(console, "lossless", receiver, receiver.follow("tcp://nowhere:1"))
    out = capsys.readouterr().out
    assert "\x1b[" in out
    if "utf" in console.encoding:
        assert "█" in out
    assert receiver.result().delay is None  # without a pace there is none to measure


def test_a_stream_that_stops_early_is_an_error(monkeypatch):
    receiver = receive(monkeypatch, messages(Lossless("tiny"))[:10], 15.0)
    for _ in receiver.follow("tcp://nowhere:1"):
        pass
    with pytest.raises(SourceError, match=r"\d+ samples came, 21600 were expected"):
        receiver.result()


def test_the_report_names_one_spike_a_heartbeat(monkeypatch):
    record = load_record()
    receiver = receive(monkeypatch, messages(Spikes(record.kernels)), None)
    for _ in receiver.follow("tcp://nowhere:1"):
        pass
    codings = [receiver.result()]
    report = make_report(record, codings, figures(record.samples, codings))
    near = [
        sum(abs(s.sample - beat.sample) <= 36 for s in codings[0].spikes if s.lead == 0)
        for beat in record.beats
    ]
    assert near.count(1) >= 0.95 * len(record.beats)
    assert any(f"{near.count(1)} of the {len(near)} annotated" in fact for fact in report.facts)
    assert not any("lossless" in fact for fact in report.facts)


def test_an_encoder_process_that_fails_says_why(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, ROOTS)))
    says_why = pytest.raises(SourceError, match=r"encoder process: .*no-such-record")
    with EncoderProcess("no-such-record", "max", ()) as encoder, says_why:
        encoder.address()


def test_an_encoder_process_ends_with_its_block(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, ROOTS)))
    with EncoderProcess(str(RECORD), "1", ()) as encoder:
        assert encoder.address().startswith("tcp://127.0.0.1:")
        assert alive(encoder.identity)
    assert not alive(encoder.identity)


def alive(identity: int) -> bool:
    """Whether a process of ours exists (a child that was waited for does not)."""
    if sys.platform == "win32":
        listed = subprocess.run(
            ["tasklist", "/FI", f"PID eq {identity}"], capture_output=True, text=True, check=True
        )
        return str(identity) in listed.stdout
    try:
        os.kill(identity, 0)
    except ProcessLookupError:
        return False
    return True


# --- the whole --------------------------------------------------------------------------------


@pytest.mark.compiled
def test_demo_end_to_end(tmp_path):
    _warm_up(load_record())  # compiled code is kept on disk: the time below is that of a second run
    began = time.monotonic()
    result = subprocess.run(
        command("--report", "r.html", "--speed", "30"),
        cwd=tmp_path,
        env={**environment(), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    out = result.stdout
    assert time.monotonic() - began < 60
    assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 80
    identity = int(re.search(r"encoder process (\d+)", out)[1])
    assert not alive(identity)
    for name in ("lossless", "quality", "spikes"):
        assert len(re.findall(rf"^{name} +1:00 ", out, re.MULTILINE)) == 1
    record = load_record()
    digest = hashlib.sha256(record.samples.astype("<i4").tobytes()).hexdigest()
    assert f"all 43,200 samples equal the record's, SHA-256 {digest[:16]}" in out
    assert "digest that the encoder put into END" in out
    rows = {
        cells[0]: cells[1:]
        for cells in (
            [cell.strip() for cell in re.split("[│┃|]", text) if cell.strip()]
            for text in out.splitlines()
        )
        if len(cells) == 4
    }
    assert rows["figure"] == ["lossless", "quality", "spikes"]
    assert rows["MLII PRDN, %"][0] == "0.00"
    assert float(rows["MLII PRDN, %"][1]) == pytest.approx(9, abs=1.5)
    assert 15 < float(rows["MLII PRDN, %"][2]) < 35
    assert float(rows["bits per sample"][0]) < 3.8
    assert float(rows["bits per sample"][1]) < 0.7
    assert float(rows["bits per sample, signal bytes alone"][2]) < 0.15
    assert rows["digest"] == ["agrees", "agrees", "agrees"]
    assert all(float(delay) > 0.9 for delay in rows["delay, seconds of signal"])
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert len(page) < 1_500_000
    for figure in ("MLII PRDN, %", "bits per sample"):
        assert all(f">{value}</td>" in page for value in rows[figure])
    assert "ODC-By" in page


def test_a_foreign_file_is_not_replaced(tmp_path):
    (tmp_path / "san-stream-demo.html").write_text("mine")
    result = subprocess.run(
        command(),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "--force" in result.stderr
    assert (tmp_path / "san-stream-demo.html").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    demo = subprocess.Popen(
        command("--speed", "1"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    encoder = None
    for text in demo.stdout:
        found = re.search(r"encoder process (\d+)", text)
        if found:
            encoder = int(found[1])
            break
    demo.send_signal(signal.SIGINT)
    _, error = demo.communicate(timeout=240)
    assert demo.returncode == 130
    assert error.strip() == "san-stream: error: interrupted"
    assert encoder is not None
    assert not alive(encoder)
    assert list(tmp_path.iterdir()) == []
