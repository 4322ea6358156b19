"""Bad input at the command line: one line on standard error, status 2, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from san_runtime.cli import main
from san_stream.kernels import Kernel, Kernels, KernelSet

RATE = 100
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX")
NOT_ROOT = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may read and write all"
)


def environment() -> dict[str, str]:
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def write_record(folder: Path, name: str = "rec", seconds: int = 20, unit: str = "mV") -> Path:
    rng = np.random.default_rng(2)
    digital = rng.integers(-900, 900, size=(seconds * RATE, 2))
    wfdb.wrsamp(
        name, fs=RATE, units=[unit, unit], sig_name=["I", "II"], d_signal=digital,
        fmt=["16", "16"], adc_gain=[200.0, 200.0], baseline=[0, 0], write_dir=str(folder),
    )  # fmt: skip
    return folder / name


def write_model(path: Path, **changes) -> Path:
    options = {"rate": RATE, "unit": "mV", **changes}
    leads = options.pop("leads", ())
    taps = options.pop("taps", (-1, -4, 10, -4, -1))
    baseline = options.pop("baseline", None)
    kernel_set = KernelSet((Kernel(taps, 9),), scale=4, step=2, baseline=baseline, leads=leads)
    Kernels((kernel_set,), **options).save(path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder that holds a record, a model and an encoded file."""
    monkeypatch.chdir(tmp_path)
    write_record(tmp_path)
    write_model(tmp_path / "model.json")
    assert main(["encode", "rec", "good.san", "--quiet"]) == 0
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(capsys, folder: Path, *argv: str) -> str:
    """Run a command that must fail; check the promise; return its one line."""
    before = state(folder)
    capsys.readouterr()
    status = main(list(argv))
    out, err = capsys.readouterr()
    assert status == 2, (out, err)
    assert out == ""
    assert err.startswith("san-stream: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert state(folder) == before
    return err


def header(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "rec.hea").write_text(text, encoding="utf-8")


HEADERS = {
    "damaged": ("rec two 100\n", "number of signals 'two'"),
    "rate 0": ("rec 1 0 20\nrec.dat 16\n", "rate 0 Hz"),
    "rate negative": ("rec 1 -5 20\nrec.dat 16\n", "rate -5 Hz"),
    "empty record": ("rec 1 100 0\nrec.dat 16\n", "0 samples"),
    "no .dat": ("rec 1 100 20\ngone.dat 16\n", "'gone.dat'"),
    "NaN gain": ("rec 1 100 20\nrec.dat 16 nan/mV\n", "gain 'nan/mV'"),
    "leaves its directory": ("rec 1 100 20\n../../etc/passwd 16\n", "leaves its directory"),
    "short .dat": ("rec 2 100 2001\nrec.dat 16\nrec.dat 16\n", "the header says 2001"),
    "unknown format": ("rec 1 100 20\nrec.dat 999\n", "unknown format '999'"),
    "empty header": ("", "no record line"),
}


class TestRecords:
    @pytest.mark.parametrize("case", HEADERS)
    @pytest.mark.parametrize("command", ["encode", "replay"])
    def test_header(self, folder, capsys, case, command):
        text, message = HEADERS[case]
        header(text)(folder)
        argv = ["encode", "rec", "out.san"]
        if command == "replay":
            argv = ["replay", "rec", "--to", "file:out.san", "--speed", "max"]
        line = refused(capsys, folder, *argv)
        assert message in line
        assert re.search(r"rec(\.hea|\.dat)?'", line)

    def test_missing(self, folder, capsys):
        line = refused(capsys, folder, "encode", "nothing", "out.san")
        assert "no header file 'nothing.hea'" in line

    def test_missing_annotations(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "out.san", "--annotator", "qrs")
        assert "no annotation file 'rec.qrs'" in line

    def test_signal_file_emptied(self, folder, capsys):
        (folder / "rec.dat").write_bytes(b"")
        assert "0 bytes hold 0 frames" in refused(capsys, folder, "encode", "rec", "out.san")

    @NOT_ROOT
    def test_no_permission_to_read(self, folder, capsys):
        (folder / "rec.hea").chmod(0)
        try:
            status = main(["encode", "rec", "out.san"])
            assert status == 2
            assert "Permission denied" in capsys.readouterr().err
        finally:
            (folder / "rec.hea").chmod(0o600)

    def test_control_characters_are_escaped(self, folder, capsys):
        line = refused(capsys, folder, "encode", "a\x1b[31mb\nc", "out.san")
        assert "\x1b" not in line
        assert "\\x1b[31m" in line

    def test_control_characters_in_a_lead_name(self, folder, capsys):
        header("rec 1 100 20\nrec.dat 16 200/mV 16 0 0 0 0 I\x1b]0;x\x07\n")(folder)
        line = refused(capsys, folder, "encode", "rec", "out.san")
        assert "only printable characters" in line
        assert "\x1b" not in line


class TestModels:
    def encode(self, capsys, folder, **changes) -> str:
        write_model(folder / "model.json", **changes)
        return refused(capsys, folder, "encode", "rec", "out.san", "--model", "model.json")

    def test_other_rate(self, folder, capsys):
        assert "model is for 360 Hz, the source has 100 Hz" in self.encode(capsys, folder, rate=360)

    def test_other_unit(self, folder, capsys):
        line = self.encode(capsys, folder, unit="uV")
        assert "lead 'I' has unit 'mV', the model is for 'uV'" in line

    def test_unknown_unit_of_the_record(self, folder, capsys):
        write_record(folder, "odd", unit="furlong")
        line = refused(capsys, folder, "encode", "odd", "out.san", "--model", "model.json")
        assert "unit 'furlong'" in line

    def test_other_lead(self, folder, capsys):
        assert "no kernels for lead 'II', only for I" in self.encode(capsys, folder, leads=("I",))

    def test_bound(self, folder, capsys):
        (folder / "wide.dat").write_bytes(b"\0" * 80)
        text = "wide 1 100 20\nwide.dat 32 200/mV 32 0 0 0 0 I\n"
        (folder / "wide.hea").write_text(text, encoding="utf-8")
        write_model(folder / "model.json", taps=(32767, -32767) * 200)
        line = refused(capsys, folder, "encode", "wide", "out.san", "--model", "model.json")
        assert "the limit is 2^53" in line
        assert "lead 'I'" in line

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "not JSON"),
            ("{}", "not a san-stream-kernels file"),
            ("\x80\x03pickle", "not JSON"),
        ],
    )
    def test_malformed(self, folder, capsys, content, message):
        (folder / "model.json").write_text(content, encoding="utf-8")
        line = refused(capsys, folder, "encode", "rec", "out.san", "--model", "model.json")
        assert message in line
        assert "model.json" in line

    def test_edited(self, folder, capsys):
        path = folder / "model.json"
        path.write_text(path.read_text(encoding="utf-8").replace("10", "11"), encoding="utf-8")
        line = refused(capsys, folder, "encode", "rec", "out.san", "--model", "model.json")
        assert "hash" in line or "sum" in line

    def test_missing(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "out.san", "--model", "none.json")
        assert "none.json" in line

    def test_profile_without_model_and_model_without_profile(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "out.san", "--profile", "spikes")
        assert "needs --model" in line
        argv = ["encode", "rec", "out.san", "--profile", "lossless", "--model", "model.json"]
        assert "takes no model" in refused(capsys, folder, *argv)


class TestOutputs:
    def test_exists(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "good.san")
        assert "'good.san': exists already; --force replaces it" in line
        assert main(["encode", "rec", "good.san", "--force", "--quiet"]) == 0

    @pytest.mark.parametrize("name", ["out.hea", "out.csv", "out.npy"])
    def test_decoded_exists(self, folder, capsys, name):
        (folder / name).write_bytes(b"precious")
        line = refused(capsys, folder, "decode", "good.san", name)
        assert f"'{name}': exists already" in line
        assert main(["decode", "good.san", name, "--force", "--quiet"]) == 0
        assert (folder / name).read_bytes() != b"precious"

    def test_second_output_exists(self, folder, capsys):
        (folder / "two.san").write_bytes(2 * (folder / "good.san").read_bytes())
        (folder / "out-1.csv").write_bytes(b"precious")
        assert "'out-1.csv': exists" in refused(capsys, folder, "decode", "two.san", "out.csv")

    def test_force_spares_the_old_file_where_the_source_fails(self, folder, capsys):
        refused(capsys, folder, "encode", "nothing", "good.san", "--force")
        header("rec 1 0 20\nrec.dat 16\n")(folder)
        refused(capsys, folder, "encode", "rec", "good.san", "--force")

    def test_the_record_itself(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "rec.dat", "--force")
        assert "is a file of the record itself" in line
        argv = ["replay", "rec", "--to", "./rec.hea", "--force"]
        assert "is a file of the record itself" in refused(capsys, folder, *argv)

    def test_no_folder(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "gone/out.san")
        assert "no folder 'gone'" in line
        assert "no folder" in refused(capsys, folder, "decode", "good.san", "gone/out.csv")

    def test_is_a_folder(self, folder, capsys):
        (folder / "dir.csv").mkdir()
        assert "is a folder" in refused(capsys, folder, "encode", "rec", ".", "--force")
        line = refused(capsys, folder, "decode", "good.san", "dir.csv", "--force")
        assert "is a folder" in line

    @NOT_ROOT
    def test_no_permission(self, folder, capsys):
        locked = folder / "locked"
        locked.mkdir(mode=0o500)
        line = refused(capsys, folder, "encode", "rec", "locked/out.san")
        assert "no permission to write" in line
        assert "no permission" in refused(capsys, folder, "decode", "good.san", "locked/x.csv")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_disk_full_device(self, folder, capsys):
        line = refused(capsys, folder, "encode", "rec", "/dev/full")
        assert "'/dev/full': No space left on device" in line

    @POSIX
    def test_disk_full_in_the_middle_leaves_whole_messages(self, folder):
        size = (folder / "good.san").stat().st_size
        limit = size * 2 // 3
        done = limited(limit, "replay", "rec", "--to", "out.san", "--live", "--speed", "max")
        assert done.returncode == 2
        assert re.fullmatch(
            r"san-stream: error: output 'out\.san': File too large\n", done.stderr
        ), done.stderr
        data = (folder / "out.san").read_bytes()
        assert 0 < len(data) <= limit
        done = process("verify", "out.san", "--json")
        assert done.returncode == 1  # no END, but no damaged byte either
        assert '"damaged_bytes": 0' in done.stdout

    @POSIX
    def test_disk_full_while_encoding_leaves_nothing(self, folder):
        before = state(folder)
        done = limited(5000, "encode", "rec", "out.san")
        assert done.returncode == 2
        assert done.stderr == "san-stream: error: output 'out.san': File too large\n"
        assert state(folder) == before

    @POSIX
    def test_disk_full_before_the_first_message_leaves_no_file(self, folder):
        done = limited(20, "encode", "rec", "out.san")
        assert done.returncode == 2
        assert not (folder / "out.san").exists()

    @POSIX
    @pytest.mark.parametrize("name", ["out.hea", "out.csv", "out.npy"])
    def test_disk_full_while_decoding_leaves_nothing(self, folder, name):
        before = state(folder)
        done = limited(5000, "decode", "good.san", name)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "File too large" in done.stderr
        assert state(folder) == before

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("out.edf", "EDF is not in this version"),
            ("out.txt", "suffix must be one of"),
            ("out", "suffix must be one of"),
            ("a.b.hea", "a record's name has letters"),
            ("a b.hea", "a record's name has letters"),
        ],
    )
    def test_names(self, folder, capsys, name, message):
        assert message in refused(capsys, folder, "decode", "good.san", name)

    def test_physical_wfdb(self, folder, capsys):
        line = refused(capsys, folder, "decode", "good.san", "out.hea", "--physical")
        assert "ADC integers only" in line

    def test_nobody_listens(self, folder, capsys):
        argv = ["replay", "rec", "--to", "out.san", "--to", "tcp://127.0.0.1:1", "--speed", "max"]
        assert "tcp://127.0.0.1:1" in refused(capsys, folder, *argv)

    def test_beyond_loopback(self, folder, capsys):
        line = refused(capsys, folder, "replay", "rec", "--to", "tcp-listen://0.0.0.0:0")
        assert "--insecure" in line

    def test_reader_of_a_pipe_goes_away(self, folder):
        encode = subprocess.Popen(
            [sys.executable, "-m", "san_runtime", "replay", "rec", "--to", "-", "--speed", "4"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=folder,
        )  # fmt: skip
        encode.stdout.read(10)
        encode.stdout.close()
        error = encode.stderr.read().decode()
        encode.stderr.close()
        assert encode.wait(60) == 2
        assert error == "san-stream: error: output '-': Broken pipe\n"


def process(*argv: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "san_runtime", *argv],
        capture_output=True, text=True, timeout=120, check=False, env=environment(), **options,
    )  # fmt: skip


def limited(size: int, *argv: str) -> subprocess.CompletedProcess:
    """A command that may not make a file longer than `size` bytes.

    What else would write a file (compiled code) is loaded before.
    """
    script = (
        "import resource, signal, sys\n"
        "from san_runtime.compiled import compiled_core\n"
        "compiled_core()\n"
        "import wfdb\n"
        "from san_runtime.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, hard))\n"
        "status = main(sys.argv[1:])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "sys.exit(status)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *argv],
        capture_output=True, text=True, timeout=120, check=False, env=environment(),
    )  # fmt: skip


class TestFiles:
    @pytest.mark.parametrize("command", ["info", "verify", "decode", "compare"])
    @pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"\xd3" * 3000, bytes(9999)])
    def test_foreign_or_empty(self, folder, capsys, command, content):
        (folder / "foreign.san").write_bytes(content)
        argv = {
            "decode": ["decode", "foreign.san", "out.csv"],
            "compare": ["compare", "rec", "foreign.san"],
        }.get(command, [command, "foreign.san"])
        line = refused(capsys, folder, *argv)
        assert "'foreign.san'" in line
        assert ("is empty" if not content else f"{len(content)} bytes hold no") in line

    @pytest.mark.parametrize("command", ["info", "verify", "decode", "monitor", "compare"])
    def test_missing(self, folder, capsys, command):
        argv = {
            "decode": ["decode", "gone.san", "out.csv"],
            "monitor": ["monitor", "gone.san"],
            "compare": ["compare", "rec", "gone.san"],
        }.get(command, [command, "gone.san"])
        line = refused(capsys, folder, *argv)
        assert "'gone.san'" in line
        assert "does not exist" in line

    def test_a_folder(self, folder, capsys):
        assert "'.': Is a directory" in refused(capsys, folder, "info", ".")

    def test_truncated_is_refused_by_decode_unless_salvaged(self, folder, capsys):
        data = (folder / "good.san").read_bytes()
        (folder / "cut.san").write_bytes(data[:-40])
        line = refused(capsys, folder, "decode", "cut.san", "out.npy")
        assert "'cut.san'" in line
        assert "ends without END" in line
        assert "--salvage" in line
        assert main(["decode", "cut.san", "out.npy", "--salvage"]) == 0
        err = capsys.readouterr().err
        assert err.startswith("san-stream: warning: file 'cut.san'")
        original = wfdb.rdrecord(str(folder / "rec")).p_signal
        left = np.load(folder / "out.npy")
        assert np.array_equal(left, original[: len(left)])

    def test_every_truncation_is_told(self, folder, capsys):
        data = (folder / "good.san").read_bytes()
        for length in (*range(40), *range(40, len(data), len(data) // 25)):
            (folder / "cut.san").write_bytes(data[:length])
            status = main(["verify", "cut.san"])
            out, err = capsys.readouterr()
            assert status in {1, 2}
            assert "Traceback" not in out + err
            assert err.count("\n") == (1 if status == 2 else 0)

    def test_info_tells_of_damage(self, folder, capsys):
        data = (folder / "good.san").read_bytes()
        (folder / "cut.san").write_bytes(data[:-40])
        assert main(["info", "cut.san"]) == 0
        assert "damaged: file 'cut.san'" in capsys.readouterr().out

    def test_header_without_samples(self, folder, capsys):
        data = (folder / "good.san").read_bytes()
        length = 12 + int.from_bytes(data[5:7], "little")
        (folder / "head.san").write_bytes(data[:length])
        refused(capsys, folder, "decode", "head.san", "out.csv", "--salvage")
        refused(capsys, folder, "compare", "rec", "head.san")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--start", "nan"], "'nan' is not a number"),
            (["--start", "-1"], "'-1' is not a number at least 0"),
            (["--duration", "0"], "'0' is not a number above 0"),
            (["--duration", "inf"], "'inf' is not a number"),
            (["--start", "1000"], "start 1000 s is not before its end, 20 s"),
            (["--channels", "V9"], "no channel 'V9'"),
            (["--channels", ""], "no channel ''"),
            (["--profile", "best"], "'best' is not one of"),
            (["--block", "0"], "--block"),
            (["--block", "99999999"], "must be 1 to 16384"),
            (["--window", "1"], "must be 16 to 1048576"),
            (["--reset", "nan"], "'nan'"),
            (["--nonsense"], "No such option"),
        ],
    )
    def test_encode(self, folder, capsys, options, message):
        line = refused(capsys, folder, "encode", "rec", "out.san", *options)
        assert message in line

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("--preset huge", "preset 'huge': must be one of tiny, fast, lean, max"),
            ("--preset max --model model.json", "--preset max: profile spikes takes no preset"),
            ("--preset max --prdn 9", "--preset max: profile quality takes no preset"),
            ("--profile bounded", "profile bounded needs --max-error E"),
            ("--max-error 1.5", "max error '1.5': ADC units are whole"),
            ("--max-error -1", "max error '-1': must be a number from 0"),
            ("--max-error nan", "max error 'nan': must be a number from 0"),
            ("--max-error 5e", "max error '5e': must be a number from 0"),
            ("--max-error 16777217", "max error 16777217: must be 0 to 16777216 ADC units"),
            ("--max-error 5furlong", "max error '5furlong': lead 'I' is in 'mV'"),
            ("--max-error 3 --prdn 9", "--prdn 9.0: profile bounded takes no prdn"),
            ("--max-error 3 --profile lossless", "profile lossless takes no max-error"),
            ("--profile quality", "profile quality needs --prdn P, --bps B or --step Q"),
            ("--prdn 9 --bps 1", "one aim of prdn, bps and step; given: prdn, bps"),
            ("--prdn 0", "'0' is not a number above 0"),
            ("--bps nan", "'nan' is not a number above 0"),
            ("--prdn 2000", "prdn 2000: must be 0.001 to 1000"),
            ("--bps 33", "bps 33: must be 0.001 to 32"),
            ("--step 0.01", "step 0.01: must be 0.0625 to 1.67772e+07"),
            (
                "--max-error 2 --model model.json",
                "model to begin with: for quality",
            ),
            ("--delay 2", "delay 2 s: profile lossless has that of its block"),
            ("--max-error 2 --delay 2", "delay 2 s: profile bounded has that of its block"),
            ("--prdn 9 --delay 0.1", "delay 0.1 s: must be 0.5 to 8 s"),
            ("--max-error 9 --delay 9", "delay 9 s: must be 0.5 to 8 s"),
            ("--prdn 9 --delay 0", "'0' is not a number above 0"),
            ("--prdn 9 --block 100", "block of 100 samples: the delay decides it"),
            ("--resilient --reset 5", "--resilient and --reset 5 exclude each other"),
        ],
    )
    @pytest.mark.parametrize("command", ["encode rec out.san", "replay rec --to out.san"])
    def test_profiles(self, folder, capsys, command, options, message):
        assert message in refused(capsys, folder, *command.split(), *options.split())

    @pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
    def test_speed(self, folder, capsys, speed):
        argv = ["replay", "rec", "--to", "out.san", "--speed", speed]
        assert f"'{speed}' is not 'max' or a number above 0" in refused(capsys, folder, *argv)

    def test_json_and_stream_on_one_output(self, folder, capsys):
        assert "--json" in refused(capsys, folder, "encode", "rec", "-", "--json")
        argv = ["replay", "rec", "--to", "-", "--json"]
        assert "--json" in refused(capsys, folder, *argv)

    def test_missing_arguments_and_commands(self, folder, capsys):
        assert "Missing argument 'OUT'" in refused(capsys, folder, "encode", "rec")
        assert "Missing option '--to'" in refused(capsys, folder, "replay", "rec")
        assert "No such command 'sing'" in refused(capsys, folder, "sing")

    @pytest.mark.parametrize("source", ["tcp://127.0.0.1:1", "tcp://host", "tcp://[bad"])
    def test_monitor_addresses(self, folder, capsys, source):
        assert source in refused(capsys, folder, "monitor", source)

    @pytest.mark.parametrize("url", ["edf:x", "nonsense:x"])
    def test_schemes(self, folder, capsys, url):
        assert "unknown scheme" in refused(capsys, folder, "encode", url, "out.san")
        argv = ["replay", "rec", "--to", url]
        assert "unknown scheme" in refused(capsys, folder, *argv)


class TestMissingPackages:
    def test_without_click(self):
        script = (
            "import sys; sys.modules['click'] = None\n"
            "from san_runtime.cli import main; sys.exit(main(['doctor']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True, text=True, timeout=240, check=False, env=environment(),
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == (
            "san-stream: error: the command line needs the package 'click': "
            "pip install 'san-stream[runtime]'\n"
        )

    def test_without_wfdb(self, folder, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "wfdb", None)
        line = refused(capsys, folder, "encode", "rec", "out.san")
        assert "pip install 'san-stream[physionet]'" in line

    @pytest.mark.parametrize("name", ["train", "export"])
    def test_command_whose_package_is_missing(self, folder, capsys, monkeypatch, name):
        class Entry:
            def load(self):
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

        monkeypatch.setattr("san_runtime.cli.app.entry_points", lambda **_: (Entry(),))
        line = refused(capsys, folder, name, "x")
        assert f"needs the package 'torch': pip install 'san-stream[{name}]'" in line
        monkeypatch.setattr("san_runtime.cli.app.entry_points", lambda **_: ())
        assert "no installed package brings it" in refused(capsys, folder, name, "x")


@POSIX
class TestSignals:
    def start(self, folder: Path, *argv: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "san_runtime", "replay", "rec", "--to", "out.san",
             "--live", "--block", "50", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=folder,
        )  # fmt: skip
        end = time.monotonic() + 60
        while not (folder / "out.san").exists() or (folder / "out.san").stat().st_size < 800:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        return process

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_ends_the_stream_and_leaves_a_whole_file(self, folder, number, status):
        process = self.start(folder)
        process.send_signal(number)
        _, error = process.communicate(timeout=240)
        assert process.returncode == status
        assert error.decode().endswith(
            "interrupted: what was encoded until then is whole and readable\n"
        )
        assert b"Traceback" not in error
        assert main(["verify", "out.san"]) == 0
        assert main(["decode", "out.san", "out.npy", "--quiet"]) == 0
        left = np.load(folder / "out.npy")
        assert 0 < len(left) < 20 * RATE
        assert np.array_equal(left, wfdb.rdrecord(str(folder / "rec")).p_signal[: len(left)])

    def test_kill_leaves_a_file_that_reads_up_to_its_end(self, folder):
        process = self.start(folder)
        process.kill()
        process.communicate(timeout=240)
        assert main(["verify", "out.san", "--quiet"]) == 1
        assert main(["decode", "out.san", "out.npy", "--salvage", "--quiet"]) == 0
        left = np.load(folder / "out.npy")
        assert len(left) >= 50
        assert np.array_equal(left, wfdb.rdrecord(str(folder / "rec")).p_signal[: len(left)])

    def test_while_waiting_for_a_client(self, folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "san_runtime", "replay", "rec", "--wait", "--to",
             "tcp-listen://127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=folder,
        )  # fmt: skip
        assert process.stderr.readline().startswith(b"listening on")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
        assert process.returncode == 130

    def test_a_monitor_says_what_it_has_seen(self, folder):
        (folder / "cut.san").write_bytes((folder / "good.san").read_bytes()[:-40])
        process = subprocess.Popen(
            [sys.executable, "-m", "san_runtime", "monitor", "cut.san"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**environment(), "PYTHONIOENCODING": "utf-8"}, cwd=folder,
        )  # fmt: skip
        first = process.stdout.readline().decode()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=240)
        assert (process.returncode, error) == (0, b"")
        assert "bits/sample" in first
        assert "bits/sample" in rest.decode()
