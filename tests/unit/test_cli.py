"""The commands, run in this process: what they write, print and return."""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from san_runtime.cli import main
from san_runtime.cli.app import COMMANDS, PLUGIN_EXTRAS
from san_stream.decode import Decoder
from san_stream.kernels import Kernel, Kernels, KernelSet
from san_stream.profiles import PRESETS
from san_stream.reader import Message, MessageReader

RATE = 200
TINY = ("--preset", "tiny")
"""Lossless, where the coder is not what a test is about."""
PART = ("--duration", "3")


@pytest.fixture
def record(tmp_path) -> str:
    """Ten seconds of two leads, with a missing sample and three annotations."""
    time_axis = np.arange(10 * RATE) / RATE
    beats = np.exp(-(((time_axis % 0.8) - 0.4) ** 2) / 0.0004)
    noise = np.random.default_rng(1).integers(-3, 4, size=(len(beats), 2))
    digital = (np.stack([500 * beats, -300 * beats], axis=1)).astype(int) + noise
    digital[7, 1] = -(2**15)
    wfdb.wrsamp(
        "rec", fs=RATE, units=["mV", "mV"], sig_name=["I", "V1"], d_signal=digital,
        fmt=["16", "16"], adc_gain=[200.0, 100.5], baseline=[0, -10], write_dir=str(tmp_path),
    )  # fmt: skip
    wfdb.wrann(
        "rec", "atr", np.array([80, 240, 400]), symbol=["N", "V", "N"],
        aux_note=["(N", "", ""], write_dir=str(tmp_path),
    )  # fmt: skip
    return str(tmp_path / "rec")


@pytest.fixture
def model(tmp_path) -> str:
    """Kernels for that record."""
    beat = np.exp(-(((np.arange(41) - 20) / RATE) ** 2) / 0.0004)
    beat -= beat.mean()
    taps = np.round(1024 * beat / np.linalg.norm(beat)).astype(int)
    taps[20] -= taps.sum()
    kernels = Kernels((KernelSet((Kernel(tuple(taps), 30),), scale=10, step=8),), rate=RATE)
    path = tmp_path / "model.json"
    kernels.save(path)
    return str(path)


def run_json(capsys, *argv: str) -> dict:
    """Run a command that succeeds, and parse what it printed."""
    assert main(list(argv)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def digital(path: str | Path) -> np.ndarray:
    return wfdb.rdrecord(str(path), physical=False).d_signal


class TestRoundTrip:
    def test_lossless_to_wfdb_and_back(self, record, tmp_path, capsys):
        assert main(["encode", record, str(tmp_path / "x.san"), "--annotator", "atr"]) == 0
        assert "0:10.000, 2 leads, 4,000 samples" in capsys.readouterr().out
        assert main(["decode", str(tmp_path / "x.san"), str(tmp_path / "y.hea")]) == 0
        original, back = (wfdb.rdrecord(p, physical=False) for p in (record, str(tmp_path / "y")))
        assert np.array_equal(original.d_signal, back.d_signal)
        for field in ("fs", "adc_gain", "baseline", "units", "sig_name", "fmt"):
            assert getattr(original, field) == getattr(back, field), field
        assert [x % 2**16 for x in back.checksum] == [x % 2**16 for x in original.checksum]
        one, two = wfdb.rdann(record, "atr"), wfdb.rdann(str(tmp_path / "y"), "atr")
        assert one.sample.tolist() == two.sample.tolist()
        assert one.symbol == two.symbol
        assert two.aux_note[0] == "(N"
        assert list(tmp_path.glob("*.partial")) == []

    def test_csv_leaves_cells_and_rows_out(self, record, tmp_path):
        main(["encode", record, *TINY, str(tmp_path / "x.san"), "--quiet"])
        main(["decode", str(tmp_path / "x.san"), str(tmp_path / "x.csv"), "--quiet"])
        rows = list(csv.reader((tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()))
        assert rows[0] == ["sample", "I (mV)", "V1 (mV)"]
        assert rows[8][0] == "7"
        assert rows[8][2] == ""
        expected = digital(record)
        assert float(rows[9][2]) == (expected[8, 1] + 10) / 100.5
        assert len(rows) == 1 + len(expected)

    def test_npy_in_both_forms(self, record, tmp_path, capsys):
        main(["encode", record, *TINY, str(tmp_path / "x.san"), "--quiet"])
        main(["decode", str(tmp_path / "x.san"), str(tmp_path / "x.npy"), "--quiet"])
        physical = np.load(tmp_path / "x.npy")
        assert np.isnan(physical[7, 1])
        assert np.array_equal(physical[:, 0], digital(record)[:, 0] / 200.0)
        options = ["--digital", "--force", "--json"]
        found = run_json(
            capsys, "decode", str(tmp_path / "x.san"), str(tmp_path / "x.npy"), *options
        )
        assert found == {"files": [str(tmp_path / "x.npy")], "samples": [2000], "damage": None}
        assert np.array_equal(np.load(tmp_path / "x.npy"), digital(record))

    def test_several_rates_become_several_outputs(self, data, tmp_path, capsys):
        path = str(data("drivedb/drive17a"))
        out = tmp_path / "d.san"
        main(["encode", path, *TINY, str(out), "--duration", "20", "--quiet"])
        assert main(["decode", str(out), str(tmp_path / "d.hea")]) == 0
        assert "3 streams, each in its own output" in capsys.readouterr().out
        original = wfdb.rdrecord(path, physical=False, smooth_frames=False, sampto=300)
        for name, channels in (("d", [0]), ("d-1", [1, 4, 5]), ("d-2", [2, 3, 6])):
            expected = np.stack([original.e_d_signal[c] for c in channels], axis=1)
            assert np.array_equal(digital(tmp_path / name), expected)
        compared = run_json(capsys, "compare", path, str(out), "--duration", "20", "--json")
        assert compared["equal"]

    def test_files_one_after_the_other_become_two_outputs(self, record, tmp_path, capsys):
        main(["encode", record, *TINY, str(tmp_path / "x.san"), "--quiet"])
        (tmp_path / "two.san").write_bytes(2 * (tmp_path / "x.san").read_bytes())
        assert main(["decode", str(tmp_path / "two.san"), str(tmp_path / "t.hea"), "--quiet"]) == 0
        assert np.array_equal(digital(tmp_path / "t"), digital(record))
        assert np.array_equal(digital(tmp_path / "t-1"), digital(record))
        assert main(["info", str(tmp_path / "two.san")]) == 0
        assert main(["verify", str(tmp_path / "two.san")]) == 0
        assert capsys.readouterr().out.count("stream 0, segment 1") == 2
        assert main(["compare", record, str(tmp_path / "two.san")]) == 2
        assert "several segments" in capsys.readouterr().err

    def test_standard_output_and_input(self, record, tmp_path):
        encoded = run_process("encode", record, "-", *TINY)
        assert b"2 leads" in encoded.stderr
        (tmp_path / "x.san").unlink(missing_ok=True)
        main(["encode", record, *TINY, str(tmp_path / "x.san"), "--quiet"])
        packed = Decoder()
        live = Decoder()
        one = packed.push((tmp_path / "x.san").read_bytes())
        two = live.push(encoded.stdout)
        rows = [np.concatenate([s.digital for s in side]) for side in (one, two)]
        assert np.array_equal(*rows)
        out = run_process("decode", "-", str(tmp_path / "z.npy"), data=encoded.stdout)
        assert out.returncode == 0
        assert len(np.load(tmp_path / "z.npy")) == 10 * RATE

    def test_channels_and_parts(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        options = ["--channels", "V1,0", "--start", "2", "--duration", "3"]
        main(["encode", record, *TINY, out, *options, "--quiet"])
        found = run_json(capsys, "info", out, "--json")
        assert [lead["name"] for lead in found["streams"][0]["leads"]] == ["V1", "I"]
        assert found["streams"][0]["samples"] == 3 * RATE
        assert run_json(capsys, "compare", record, out, *options, "--json")["equal"]


def run_process(*argv: str, data: bytes | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "san_runtime", *argv],
        input=data, capture_output=True, timeout=120, check=False, env=environment(),
    )  # fmt: skip


def environment() -> dict[str, str]:
    """The environment in which a new Python finds the packages that this one uses."""
    import os

    paths = [str(Path(p).resolve()) for p in sys.path if p]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class TestProfiles:
    def encode(self, record, tmp_path, capsys, *options: str) -> tuple[str, dict]:
        """A file of three seconds, and what `info` says of its stream."""
        out = str(tmp_path / "x.san")
        assert main(["encode", record, out, "--force", "--quiet", *PART, *options]) == 0
        assert main(["verify", out, "--quiet"]) == 0
        return out, run_json(capsys, "info", out, "--json")["streams"][0]

    @pytest.mark.parametrize("preset", PRESETS)
    def test_presets(self, record, tmp_path, capsys, preset):
        out, stream = self.encode(record, tmp_path, capsys, "--preset", preset)
        assert stream["profile"] == {"name": "lossless", "preset": preset}
        assert run_json(capsys, "compare", record, out, *PART, "--json")["equal"]

    def test_lean_is_what_lossless_means(self, record, tmp_path, capsys):
        _, stream = self.encode(record, tmp_path, capsys, "--profile", "lossless")
        assert stream["profile"] == {"name": "lossless", "preset": "lean"}

    @pytest.mark.parametrize(
        ("options", "bounds", "preset"),
        [
            (["--max-error", "0"], [0, 0], "lean"),
            (["--max-error", "2", "--preset", "tiny"], [2, 2], "tiny"),
            (["--max-error", "10uV", "--preset", "fast"], [2, 1], "fast"),
            (["--max-error", "10"], [10, 10], None),
            (["--profile", "bounded", "--max-error", "0.05 mV"], [10, 5], None),
        ],
    )
    def test_every_sample_is_within_the_bound(
        self, record, tmp_path, capsys, options, bounds, preset
    ):
        out, stream = self.encode(record, tmp_path, capsys, *options)
        assert stream["profile"]["name"] == "bounded"
        assert stream["profile"]["max_error"] == bounds
        assert stream["profile"].get("preset") == preset
        found = run_json(capsys, "compare", record, out, *PART, "--json")
        assert all(
            lead["max_error"] <= bound for lead, bound in zip(found["leads"], bounds, strict=True)
        )
        assert found["equal"] == (max(bounds) == 0)

    @pytest.mark.parametrize(("aim", "value"), [("prdn", 9.0), ("bps", 0.5), ("step", 8.0)])
    def test_aims(self, record, tmp_path, capsys, aim, value):
        out, stream = self.encode(record, tmp_path, capsys, f"--{aim}", str(value))
        assert stream["profile"] == {"name": "quality", "aim": aim, aim: value}
        found = run_json(capsys, "compare", record, out, *PART, "--json")
        assert not found["equal"]
        assert all(0 < lead["prdn"] < 30 for lead in found["leads"])

    def test_a_finer_aim_costs_more_and_errs_less(self, record, tmp_path, capsys):
        sizes, errors = [], []
        for step in ("4", "64"):
            out, _ = self.encode(record, tmp_path, capsys, "--step", step)
            sizes.append(Path(out).stat().st_size)
            found = run_json(capsys, "compare", record, out, *PART, "--json")
            errors.append(found["leads"][0]["prdn"])
        assert sizes[0] > sizes[1]
        assert errors[0] < errors[1]

    def test_a_shorter_delay_makes_shorter_blocks(self, record, tmp_path, capsys):
        blocks = []
        for options in ([], ["--delay", "1.5"], ["--delay", "0.5"]):
            _, stream = self.encode(record, tmp_path, capsys, "--step", "8", *options)
            blocks.append(stream["block"])
        assert blocks == sorted(blocks, reverse=True)
        assert blocks[0] <= 4.3 * RATE
        assert blocks[-1] <= 0.5 * RATE

    @pytest.mark.parametrize(
        ("options", "usual", "resilient"),
        [
            (["--preset", "tiny"], 1, 6),
            (["--preset", "tiny", "--reset", "10"], 3, None),
            (["--max-error", "2", "--preset", "tiny"], 1, 6),
            (["--step", "8"], 1, 2),
        ],
    )
    def test_resets(self, record, tmp_path, options, usual, resilient):
        """Of 30 s: every 300 s, or 5 s where samples are predicted and 20 s elsewhere."""
        out = tmp_path / "x.san"
        found = []
        for extra in ([], ["--resilient"])[: 1 if resilient is None else 2]:
            argv = ["replay", record, "--to", str(out), "--repeat", "3", "--speed", "max"]
            assert main([*argv, "--force", "--quiet", "--live", *options, *extra]) == 0
            messages = MessageReader().push(out.read_bytes())
            found.append(sum(m.reset for m in messages if isinstance(m, Message)))
        assert found == [usual, resilient][: len(found)]


class TestReplay:
    def test_any_speed_gives_the_bytes_of_encode(self, record, tmp_path):
        encoded = tmp_path / "x.san"
        main(["encode", record, *TINY, str(encoded), "--annotator", "atr", "--quiet"])
        for speed in ("max", "25", "1e6"):
            out = tmp_path / f"{speed}.san"
            options = ["--annotator", "atr", "--speed", speed, "--quiet"]
            assert main(["replay", record, *TINY, "--to", f"file:{out}", *options]) == 0
            assert out.read_bytes() == encoded.read_bytes()

    def test_any_speed_gives_the_bytes_of_encode_for_several_streams(self, data, tmp_path):
        path = str(data("drivedb/drive17a"))
        encoded = tmp_path / "x.san"
        main(["encode", path, *TINY, str(encoded), "--duration", "40", "--quiet"])
        for speed in ("max", "40", "2000"):
            out = tmp_path / f"{speed}.san"
            options = ["--duration", "40", "--speed", speed, "--quiet"]
            assert main(["replay", path, *TINY, "--to", f"file:{out}", *options]) == 0
            assert out.read_bytes() == encoded.read_bytes()

    def test_speed_is_kept(self, record, tmp_path):
        begin = time.monotonic()
        main(["replay", record, *TINY, "--to", str(tmp_path / "x"), "--speed", "10", "--quiet"])
        assert 0.98 <= time.monotonic() - begin < 10

    def test_repeat(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        options = ["--speed", "max", "--repeat", "3", "--annotator", "atr", "--json"]
        found = run_json(capsys, "replay", record, *TINY, "--to", out, *options)
        assert found["streams"][0]["samples"] == 30 * RATE
        assert found["streams"][0]["events"] == 9
        assert found["bytes"] == Path(out).stat().st_size
        main(["decode", out, str(tmp_path / "y.hea"), "--quiet"])
        assert np.array_equal(digital(tmp_path / "y"), np.concatenate([digital(record)] * 3))

    def test_two_sinks_get_the_same_live_bytes(self, record, tmp_path, capsys):
        received = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=lambda: received.append(drain(server.accept()[0])))
            thread.start()
            url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            out = str(tmp_path / "x.san")
            options = ["--speed", "max", "--quiet"]
            assert main(["replay", record, *TINY, "--to", url, "--to", out, *options]) == 0
            thread.join()
        assert received == [Path(out).read_bytes()]
        live = run_json(capsys, "info", out, "--json")
        assert live["messages"] >= 10  # a block a second, each in its own message

    def test_live_into_a_file(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["replay", record, *TINY, "--to", out, "--speed", "max", "--live", "--quiet"])
        assert run_json(capsys, "info", out, "--json")["messages"] >= 10

    def test_server_waits_and_reports_its_port(self, record):
        process = subprocess.Popen(
            [sys.executable, "-m", "san_runtime", "replay", record, *TINY, "--speed", "max",
             "--wait", "--to", "tcp-listen://127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        line = process.stderr.readline().decode()
        assert line.startswith("listening on tcp://127.0.0.1:")
        connection = socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])))
        decoder = Decoder()
        signals = decoder.push(drain(connection)) + decoder.close()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert b"10 messages" in out or b"messages" in out
        assert np.array_equal(np.concatenate([s.digital for s in signals]), digital(record))


def drain(connection: socket.socket) -> bytes:
    connection.settimeout(60)
    with connection:
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


class TestInfo:
    def test_bits_sum_to_the_file_and_to_the_windows(self, record, model, tmp_path, capsys):
        for options in (
            TINY,
            ["--model", model],
            (*TINY, "--annotator", "atr"),
            (*TINY, "--window", "100"),
            ["--prdn", "20"],
        ):
            out = tmp_path / "x.san"
            main(["encode", record, str(out), "--force", "--quiet", *options])
            found = run_json(capsys, "info", str(out), "--json")
            assert found["bytes"] == out.stat().st_size
            assert sum(found["bits"].values()) == 8 * found["bytes"]
            assert found["streams"][0]["window_bits"] == 8 * found["bytes"]
            assert found["bits_per_sample"] == 8 * found["bytes"] / (2 * 10 * RATE)
            assert found["damage"] is None

    def test_figures(self, record, model, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, out, "--model", model, "--quiet", "--window", "500"])
        found = run_json(capsys, "info", out, "--json")
        stream = found["streams"][0]
        assert stream["profile"]["kernels_hash"] == Kernels.load(model).content_hash
        assert stream["windows"] == 4
        assert stream["profile"]["spikes"] >= 20
        assert stream["phi"] > 0
        assert stream["phi_bits"] > 0
        # By the paper's count: phi² = CR⁻¹² + L̃² holds for each window, not for the means.
        decoder = Decoder()
        signals = decoder.push(Path(out).read_bytes()) + decoder.close()
        windows = [w for s in signals for w in s.windows if any(w.valid)]
        assert stream["phi"] == pytest.approx(np.mean([w.phi for w in windows]))
        assert stream["phi_bits"] == pytest.approx(np.mean([w.phi_bits for w in windows]))
        assert stream["leads"][1]["valid_samples"] == 10 * RATE - 1

    def test_text_names_what_each_figure_counts(self, record, model, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, out, "--model", model, "--quiet"])
        assert main(["info", out]) == 0
        text = capsys.readouterr().out
        for words in (
            "the paper's count", "all bits over bits at ADC resolution", "kernels in HEADER",
            "bytes by purpose", "profile spikes", "V1",
        ):  # fmt: skip
            assert words in text


class TestVerify:
    def test_whole(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, *TINY, out, "--quiet"])
        assert main(["verify", out]) == 0
        assert "digest ok" in capsys.readouterr().out
        assert run_json(capsys, "verify", out, "--json")["ok"]

    def test_damage_names_the_samples(self, record, tmp_path, capsys):
        out = tmp_path / "x.san"
        main(["replay", record, "--to", str(out), "--live", "--speed", "max", "--quiet", *TINY,
              "--block", "200", "--reset", "2"])  # fmt: skip
        data = bytearray(out.read_bytes())
        lengths = [len(data)]
        while lengths[-1]:  # where each message begins, from its head
            at = len(data) - lengths[-1]
            lengths.append(lengths[-1] - 12 - int.from_bytes(data[at + 5 : at + 7], "little"))
        begins = [len(data) - length for length in lengths]
        data[begins[4] + 20] ^= 1  # the block of samples 600 to 799; a reset stands at 800
        out.write_bytes(data)
        assert main(["verify", str(out), "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert found["streams"][0]["lost"] == [{"first": 600, "count": 200, "reason": "lost"}]
        assert found["damaged_bytes"] == begins[5] - begins[4]
        assert main(["verify", str(out)]) == 1
        assert "lost: samples 600 to 799" in capsys.readouterr().out
        assert main(["verify", str(out), "--quiet"]) == 1
        assert capsys.readouterr().out == ""

    def test_cut_off(self, record, tmp_path, capsys):
        out = tmp_path / "x.san"
        main(["encode", record, *TINY, str(out), "--quiet"])
        out.write_bytes(out.read_bytes()[:-30])
        assert main(["verify", str(out)]) == 1
        assert "no END" in capsys.readouterr().out


class TestCompare:
    def test_figures_are_those_of_numpy(self, record, model, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, out, "--model", model, "--quiet"])
        main(["decode", out, str(tmp_path / "y.hea"), "--quiet"])
        found = run_json(capsys, "compare", record, out, "--json")
        assert not found["equal"]
        x, y = digital(record).astype(float), digital(tmp_path / "y").astype(float)
        for i, (lead, offset, gain) in enumerate(
            zip(found["leads"], (0, -10), (200, 100.5), strict=True)
        ):
            ok = x[:, i] != -(2**15)
            a, b = x[ok, i], y[ok, i]
            error = np.sum((a - b) ** 2)
            expected = {
                "prd": 100 * np.sqrt(error / np.sum(a**2)),
                "prd_baseline": 100 * np.sqrt(error / np.sum((a - offset) ** 2)),
                "prdn": 100 * np.sqrt(error / np.sum((a - a.mean()) ** 2)),
                "rmse": np.sqrt(error / ok.sum()),
                "rmse_physical": np.sqrt(error / ok.sum()) / gain,
                "snr": 10 * np.log10(np.sum((a - a.mean()) ** 2) / error),
                "max_error": np.abs(a - b).max(),
                "max_error_physical": np.abs(a - b).max() / gain,
            }
            for name, value in expected.items():
                assert lead[name] == pytest.approx(value), name
            assert lead["samples"] == ok.sum()

    def test_table(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, *TINY, out, "--quiet"])
        assert main(["compare", record, out]) == 0
        text = capsys.readouterr().out
        assert "PRDN %" in text
        assert "equal: every sample" in text

    def test_what_cannot_be_compared(self, record, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, *TINY, out, "--duration", "2", "--quiet"])
        assert main(["compare", record, out]) == 2
        assert "samples a lead differ: 2000" in capsys.readouterr().err


class TestMonitor:
    def test_once_on_a_file(self, record, model, tmp_path, capsys):
        out = str(tmp_path / "x.san")
        main(["encode", record, out, "--model", model, "--quiet"])
        assert main(["monitor", out, "--once"]) == 0
        line = capsys.readouterr().out
        assert "0:10.000" in line
        assert "φ_bits 0." in line
        assert "lost 0" in line
        assert "█" in line

    def test_a_growing_file_is_followed_to_its_end(self, record, tmp_path, capsys):
        whole = tmp_path / "x.san"
        main(["replay", record, *TINY, "--to", str(whole), "--live", "--speed", "max", "--quiet"])
        grows = tmp_path / "grows.san"
        data = whole.read_bytes()
        grows.write_bytes(data[:500])

        def grow() -> None:
            with grows.open("ab") as file:
                for at in range(500, len(data), 700):
                    file.write(data[at : at + 700])
                    file.flush()
                    time.sleep(0.01)

        thread = threading.Thread(target=grow)
        thread.start()
        assert main(["monitor", f"file:{grows}"]) == 0
        thread.join()
        assert "0:10.000" in capsys.readouterr().out

    def test_duration_ends_it(self, record, tmp_path, capsys):
        whole = tmp_path / "x.san"
        main(["encode", record, *TINY, str(whole), "--quiet"])
        whole.write_bytes(whole.read_bytes()[:-30])
        begin = time.monotonic()
        assert main(["monitor", str(whole), "--duration", "1.3"]) == 0
        assert 1.2 < time.monotonic() - begin < 10
        assert len(capsys.readouterr().out.splitlines()) >= 2

    def test_terminal_picture(self, record, model, tmp_path):
        from san_runtime.cli.monitor import _picture
        from san_runtime.watch import Watch

        main(["encode", record, str(tmp_path / "x.san"), "--model", model, "--quiet"])
        watch = Watch(Decoder())
        assert list(_picture(watch, 30)) == ["waiting for a stream"]
        watch.push((tmp_path / "x.san").read_bytes(), 5.0)
        lines = list(_picture(watch, 30))
        assert lines[0].startswith("I             ")
        assert len(lines[0]) == 14 + 30
        assert "bits/sample" in lines[2]

    def test_a_socket_is_followed_to_its_end(self, record, tmp_path, capsys):
        from san_runtime.sinks.serve import ServingSink

        whole = tmp_path / "x.san"
        main(["replay", record, *TINY, "--to", str(whole), "--live", "--speed", "max", "--quiet"])
        with ServingSink("127.0.0.1", 0) as sink:

            def feed() -> None:
                sink.wait_for_client(30)
                time.sleep(1.2)  # a second of silence
                sink.write(whole.read_bytes())

            thread = threading.Thread(target=feed)
            thread.start()
            assert main(["monitor", f"tcp://127.0.0.1:{sink.address[1]}"]) == 0
            thread.join()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "no stream yet"
        assert "0:10.000" in lines[-1]


def in_terminal(*argv: str) -> tuple[int, str]:
    """Run a command in a pseudo-terminal; exit status and all that it drew."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")
    import os

    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "san_runtime", *argv],
        stdin=slave, stdout=slave, stderr=slave, close_fds=True,
        env={**environment(), "TERM": "xterm", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    ) as process:  # fmt: skip
        os.close(slave)
        drawn = b""
        try:
            while data := os.read(master, 65536):
                drawn += data
        except OSError:  # how Linux says that the other end has closed
            pass
        os.close(master)
    return process.returncode, drawn.decode()


class TestTerminal:
    def test_a_bar_while_it_takes_long_and_none_when_quiet(self, record, tmp_path):
        out = str(tmp_path / "x.san")
        status, drawn = in_terminal("encode", record, out, *TINY)
        assert status == 0
        assert "━" in drawn
        assert "bits per sample" in drawn
        assert in_terminal("encode", record, out, *TINY, "--force", "--quiet") == (0, "")

    def test_the_monitor_draws_in_place(self, record, tmp_path):
        out = str(tmp_path / "x.san")
        main(["encode", record, *TINY, out, "--quiet"])
        status, drawn = in_terminal("monitor", out)
        assert status == 0
        assert "█" in drawn
        assert "\x1b[" in drawn

    def test_no_bytes_into_a_terminal(self, record):
        status, drawn = in_terminal("encode", record, "-", "--quiet")
        assert status == 2
        assert "is a terminal" in drawn


class TestHelp:
    def test_lists_every_command_without_loading_any(self):
        script = (
            "import sys; from san_runtime.cli import main; main(['--help'])\n"
            "heavy = {'numpy', 'numba', 'wfdb', 'rich', 'torch'} & set(sys.modules)\n"
            "sys.exit(', '.join(sorted(heavy)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True, text=True, timeout=60, check=False, env=environment(),
        )  # fmt: skip
        for name in COMMANDS:
            assert f"  {name} " in done.stdout
        assert done.stderr in {"", "numpy\n"}

    @pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(PLUGIN_EXTRAS) - {"demo"}))
    def test_each_command_has_help(self, name, capsys):
        assert main([name, "--help"]) == 0
        assert "Usage: san-stream" in capsys.readouterr().out

    def test_version(self, capsys):
        assert main(["--version"]) == 0
        assert capsys.readouterr().out.startswith("san-stream, version ")


class TestDoctor:
    def test_json(self, capsys):
        found = run_json(capsys, "doctor", "--json")
        assert found["packages"]["numpy"] == np.__version__
        assert set(found) >= {"python", "cpu", "cuda", "numba_cache", "missing", "data"}

    def test_says_what_to_install(self, capsys, monkeypatch):
        monkeypatch.setattr(
            "san_runtime.cli.doctor.PACKAGES", {"numpy": "", "no_such_package": "physionet"}
        )
        assert main(["doctor"]) == 0
        out = capsys.readouterr().out
        assert "missing no_such_package: pip install 'san-stream[physionet]'" in out


def test_compiling_is_announced_once() -> None:
    from san_runtime import announce

    told: list[str] = []
    announce.when_compiling(lambda: told.append("first"))
    announce.when_compiling(lambda: told.append("second"))
    announce.compiling()
    announce.compiling()
    assert told == ["second"]


@pytest.mark.compiled
def test_the_compiler_announces_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from san_runtime import announce
    from san_runtime.jit import jit

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))  # read when numba was imported
    told: list[int] = []
    announce.when_compiling(lambda: told.append(1))
    assert jit(lambda a: a + 1)(1) == 2
    assert told == [1]


RECORDS_WITHOUT_COMPILING = """
import sys
from san_runtime import announce, compiled_core, Encoder, open_source
from san_runtime.warm import profiles
from san_stream import Chunk, Decoder, Spikes

announce.when_compiling(lambda: sys.exit("something was compiled"))
with open_source(f"wfdb:{sys.argv[1]}", duration=60) as source:
    info, chunks = source.infos[0], [item for item in source if isinstance(item, Chunk)]
for profile in profiles():
    if not isinstance(profile, Spikes):  # kernels of another rate
        encoder = Encoder(info, profile)
        data = [message for chunk in chunks for message in encoder.push(chunk)]
        Decoder(core=compiled_core()).push(b"".join(data + encoder.close()))
"""


@pytest.mark.long
def test_doctor_warms_all_that_is_compiled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Callable[[str], Path]
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    warming = [sys.executable, "-m", "san_runtime", "doctor", "--warm", "--json"]
    found = json.loads(subprocess.run(warming, check=True, capture_output=True, text=True).stdout)
    assert found["warmed_seconds"] > 1
    using = [sys.executable, "-c", RECORDS_WITHOUT_COMPILING, str(data("mitdb/106"))]
    done = subprocess.run(using, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
